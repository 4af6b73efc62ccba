"""How long an item is waited for: its state in memory, when it is looked at, and until when it may wait or run."""

from __future__ import annotations

from dataclasses import dataclass, replace

from launch_agent.core import reports
from launch_agent.core.actions import Action, Explain, Look
from launch_agent.core.models import Diagnosis, JobState, Observation, Record

LOOKS = (2.0, 4.0, 8.0, 15.0)
LATER_LOOKS = 60.0
"""When a workload without pods is looked at, in seconds from the first time it was seen so, and how often after that:
why it has none stands in events only."""

LATE = 15.0
"""Seconds after which pods that are missing are strange by themselves."""

SUSPENDED = "Suspended"
"""The category of a workload that waits for somebody's leave: the watch tells when that is given."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient to be, in seconds; ``start_timeout`` None waits for ever."""

    stopped_run_timeout: float = 60.0
    start_timeout: float | None = 1800.0


@dataclass(frozen=True, slots=True)
class Ending:
    """The workload is over, or was given up; what is left is to report it.

    ``has_run`` says that a run may have been begun. ``is_final``: it is not put back into its queue.
    ``is_leaving``: all is reported, and the object is being let go.
    """

    state: JobState
    diagnosis: Diagnosis | None = None
    has_run: bool = True
    tail: str = ""
    checks: int = 0
    is_final: bool = False
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class Tracked:
    """One item in memory: its record, and what can be seen again after a restart.

    ``wake_at`` is when the item wants a `Woken` event; ``waiting`` is the category of trouble and since when.
    ``blank_since`` is since when it has no pods that are known of, ``looks`` how often it was looked at since then.
    ``disruption`` is the reason for which the cluster takes its only pod away: that pod may be gone before the workload
    says that it failed. ``is_blind`` says that a watch for it is refused; ``is_overdue`` that it was deleted because of
    its ``max_runtime``.
    """

    record: Record
    recovered: bool = False
    observation: Observation | None = None
    waiting: tuple[str, float] | None = None
    starting_since: float | None = None
    blank_since: float | None = None
    looks: int = 0
    disruption: Diagnosis | None = None
    is_blind: bool = False
    is_overdue: bool = False
    stop_seen_at: float | None = None
    is_deleted: bool = False
    warned: frozenset[str] = frozenset()
    ending: Ending | None = None
    wake_at: float | None = None

    @property
    def holds_slot(self) -> bool:
        """Whether the item counts against ``max_jobs``: until its workload is over."""
        return self.ending is None


def is_blank(tracked: Tracked, seen: Observation | None) -> bool:
    """Whether nothing will tell of the workload's pods unless somebody asks."""
    if seen is None or seen.is_polled or tracked.is_blind:
        return True
    is_held = seen.diagnosis is not None and seen.diagnosis.category == SUSPENDED
    return not seen.pod and seen.state in {JobState.UNKNOWN, JobState.STARTING} and not is_held


def look_again(
    tracked: Tracked, seen: Observation | None, now: float
) -> tuple[Tracked, tuple[Action, ...], float | None]:
    """A workload without pods is looked at: soon, then seldom. The third value is when the next look is due."""
    if not is_blank(tracked, seen):
        return replace(tracked, blank_since=None, looks=0), (), None
    since = now if tracked.blank_since is None else tracked.blank_since
    tracked = replace(tracked, blank_since=since)
    due = since + _look_time(tracked.looks)
    if now < due:
        return tracked, (), due
    count = tracked.looks + 1
    while since + _look_time(count) <= now:  # the agent was away for longer than a look
        count += 1
    is_watched = seen is not None and not seen.is_polled and not tracked.is_blind
    is_late = now - since >= LATE
    action = Explain() if is_watched and not is_late else Look(is_late)
    return replace(tracked, looks=count), (action,), since + _look_time(count)


def _look_time(count: int) -> float:
    """When look number ``count`` (from 0) is due, in seconds from the first time that there were no pods."""
    return LOOKS[count] if count < len(LOOKS) else LOOKS[-1] + (count - len(LOOKS) + 1) * LATER_LOOKS


def due_at(record: Record) -> float | None:
    """When the workload's ``max_runtime`` is over."""
    return record.created_at + record.max_runtime if record.max_runtime is not None and record.created_at else None


def note_times(
    tracked: Tracked, seen: Observation | None, now: float, limits: Limits
) -> tuple[Tracked, list[tuple[float, Diagnosis | None]]]:
    """Since when the workload waits and starts, and until when it may."""
    deadlines: list[tuple[float, Diagnosis | None]] = []
    if seen is None:
        return tracked, deadlines
    trouble = seen.diagnosis if seen.diagnosis is not None and seen.diagnosis.fails_after is not None else None
    waiting = tracked.waiting
    if trouble is None:
        waiting = None
    else:
        if waiting is None or waiting[0] != trouble.category:
            waiting = (trouble.category, now)
        deadlines.append((waiting[1] + (trouble.fails_after or 0.0), trouble))
    is_starting = seen.state is JobState.STARTING
    starting_since = (now if tracked.starting_since is None else tracked.starting_since) if is_starting else None
    if starting_since is not None and limits.start_timeout is not None:
        late = reports.start_timeout(limits.start_timeout, seen.diagnosis)
        deadlines.append((starting_since + limits.start_timeout, late))
    return replace(tracked, waiting=waiting, starting_since=starting_since), deadlines
