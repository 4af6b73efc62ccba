"""What the loops say to the tracker. One queue; the tracker alone changes what it says is known."""

from __future__ import annotations

import queue
from dataclasses import dataclass

from launch_agent.core.actions import Action
from launch_agent.core.events import Event, Refused
from launch_agent.core.models import Plan, Record
from launch_agent.targets.base import Notice


@dataclass(frozen=True, slots=True)
class Claim:
    """A popped item: its record, and either what to create or why not."""

    record: Record
    plan: Plan | None = None
    refused: Refused | None = None


@dataclass(frozen=True, slots=True)
class Happened:
    """Something happened to one item."""

    item_id: str
    event: Event


@dataclass(frozen=True, slots=True)
class Deferred:
    """An action met a peer that is away; it is to be repeated. ``after`` is the peer's own wish in seconds."""

    item_id: str
    action: Action
    attempt: int
    reason: str
    after: float | None = None


@dataclass(frozen=True, slots=True)
class Polled:
    """A poll came back; ``is_ok`` is false where no queue could be asked."""

    claims: tuple[Claim, ...]
    is_ok: bool = True


@dataclass(frozen=True, slots=True)
class Found:
    """Records of an earlier process; each of the ``unreadable`` ones may stand for a running workload."""

    records: tuple[Record, ...]
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class ForeignSeen:
    """So many workloads of W&B's own agent run now (`core.foreign`)."""

    count: int


@dataclass(frozen=True, slots=True)
class OwnerReplaced:
    """What owns the records is another object now: those of the one before are taken away by Kubernetes."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """Take no more items."""


@dataclass(frozen=True, slots=True)
class Draining:
    """Take no more items as long as this mark stands; an empty one: take items again."""

    mark: str


Message = Happened | Deferred | Polled | Found | ForeignSeen | Notice | OwnerReplaced | Stopping | Draining
Inbox = queue.SimpleQueue[Message]
