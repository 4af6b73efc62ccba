"""The life of a queue item as a function of values: (item, event, now) → decision. No clock, no database.

PENDING ──pop──▶ LEASED ──ack──▶ CLAIMED ──run finished──▶ FINISHED
▲               │               │
└──lease lapsed─┘               └──run failed, or fail──▶ FAILED   (fail: from LEASED too)
"""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from launch_server.run_states import RunState, describe_end


class ItemState(StrEnum):
    """State of a queue item; the names are on the wire."""

    PENDING = "PENDING"
    LEASED = "LEASED"
    CLAIMED = "CLAIMED"
    FAILED = "FAILED"
    FINISHED = "FINISHED"


class ErrorSource(StrEnum):
    """Who said that an item failed."""

    AGENT = "agent"
    RUN = "run"


@dataclass(frozen=True, slots=True)
class Item:
    """What decisions need to know of an item; `leases` counts how often it was popped."""

    state: ItemState
    leases: int = 0
    run_name: str | None = None
    error_source: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether the event is accepted, why not, and the columns that change."""

    accepted: bool
    reason: str = ""
    changes: dict[str, Any] = field(default_factory=dict)


def acknowledge(item: Item, run_name: str, now: float) -> Decision:
    """An agent says that it starts the item as run `run_name`.

    The same run id again succeeds and changes nothing. After the lease lapsed it still succeeds while nobody else
    acknowledged the item: the wire does not tell who asks, so of two agents that popped one item the first wins.
    """
    if item.run_name == run_name:
        return Decision(accepted=True)
    if item.run_name is not None:
        return Decision(accepted=False, reason=f"it was acknowledged before, for run {item.run_name!r}")
    if item.state not in (ItemState.LEASED, ItemState.PENDING):
        return Decision(accepted=False, reason=f"it is {item.state} already")
    if item.leases == 0:
        return Decision(accepted=False, reason="it was not popped")
    changes = {"state": ItemState.CLAIMED, "run_name": run_name, "lease_expires": None, "updated_at": now}
    return Decision(accepted=True, changes=changes)


def fail(item: Item, message: str, stage: str, now: float) -> Decision:
    """An agent says that the item failed.

    Said again it succeeds; an agent's reason replaces the plain one that the run's own end gave.
    """
    if item.state is ItemState.FINISHED:
        return Decision(accepted=False, reason="its run finished")
    if item.state is ItemState.FAILED and item.error_source == ErrorSource.AGENT:
        return Decision(accepted=True)
    if item.leases == 0:
        return Decision(accepted=False, reason="it was not popped")
    return Decision(accepted=True, changes=_failure(message, stage, ErrorSource.AGENT, now))


def follow_run(item: Item, run_state: RunState, exit_code: int | None, now: float) -> Decision:
    """The item's run changed its state. A run that was given up and then shows life takes its item back."""
    if item.state is ItemState.CLAIMED:
        if run_state is RunState.FINISHED:
            return Decision(accepted=True, changes={"state": ItemState.FINISHED, "ended_at": now, "updated_at": now})
        reason = describe_end(run_state, exit_code)
        if reason:
            return Decision(accepted=True, changes=_failure(reason, "run", ErrorSource.RUN, now))
    lost = item.state is ItemState.FAILED and item.error_source == ErrorSource.RUN
    if lost and run_state is RunState.RUNNING:
        changes: dict[str, Any] = {"state": ItemState.CLAIMED, "ended_at": None, "updated_at": now}
        changes |= {"error_message": None, "error_stage": None, "error_source": None}
        return Decision(accepted=True, changes=changes)
    return Decision(accepted=False)


def _failure(message: str, stage: str, source: ErrorSource, now: float) -> dict[str, Any]:
    changes: dict[str, Any] = {"state": ItemState.FAILED, "lease_expires": None, "ended_at": now, "updated_at": now}
    return changes | {"error_message": message, "error_stage": stage, "error_source": source}
