"""What can happen to an item. The runtime makes these of answers, watches and alarms; `lifecycle` judges them."""

from __future__ import annotations

from dataclasses import dataclass

from launch_agent.core.models import Diagnosis, ObjectRef, Observation, Stage


@dataclass(frozen=True, slots=True)
class Popped:
    """A new item, planned, nothing written yet."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """A record found at start-up; ``is_awaited``: a complete list is to come that shows its object, or not."""

    is_awaited: bool = False


@dataclass(frozen=True, slots=True)
class RecordWritten:
    """The record is on disk or in the cluster; ``warnings`` are the target's, about what is to be created."""

    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Acked:
    """W&B's answer to the ack."""

    is_accepted: bool


@dataclass(frozen=True, slots=True)
class OwnerSeen:
    """The run id that W&B has for the item, after an ack that was answered *false*."""

    run_id: str | None


@dataclass(frozen=True, slots=True)
class Created:
    """The object exists, made now or before."""

    ref: ObjectRef


@dataclass(frozen=True, slots=True)
class Refused:
    """A step failed for good before the workload existed."""

    message: str
    stage: Stage = Stage.AGENT


@dataclass(frozen=True, slots=True)
class Observed:
    """What the target saw."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class Explained:
    """Why the workload has no pods, as far as the cluster told; None where it told nothing."""

    diagnosis: Diagnosis | None


@dataclass(frozen=True, slots=True)
class Troubled:
    """A watch that this item depends on is refused: it must be looked at instead, and its people must know."""

    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Vanished:
    """The object is not in a complete list. To be looked at again before it is believed."""


@dataclass(frozen=True, slots=True)
class TailRead:
    """The last lines that the workload wrote; empty where there are none."""

    text: str


@dataclass(frozen=True, slots=True)
class RunSeen:
    """The run's state, None where W&B knows no such run."""

    state: str | None


@dataclass(frozen=True, slots=True)
class Requeued:
    """The item is in its queue again, as ``item_id``."""

    item_id: str


@dataclass(frozen=True, slots=True)
class NotRequeued:
    """The item can not be put back into its queue."""

    reason: str


@dataclass(frozen=True, slots=True)
class StopSeen:
    """Somebody asked the run to stop."""


@dataclass(frozen=True, slots=True)
class Reported:
    """W&B took the failure."""


@dataclass(frozen=True, slots=True)
class Unreported:
    """W&B can not be told or asked now how the item ended: that is tried again, for hours if need be."""


@dataclass(frozen=True, slots=True)
class Released:
    """The object is deleted, or its time to live is set; ``trouble`` says why it is not."""

    trouble: str = ""


@dataclass(frozen=True, slots=True)
class RecordDeleted:
    """The record is gone: the last step."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Another shard popped the item before and has its record: W&B gave it out again."""


@dataclass(frozen=True, slots=True)
class Woken:
    """The time ``wake_at`` has come."""


Event = (
    Popped
    | Recovered
    | RecordWritten
    | Acked
    | OwnerSeen
    | Created
    | Refused
    | Observed
    | Explained
    | Troubled
    | Vanished
    | TailRead
    | RunSeen
    | Requeued
    | NotRequeued
    | StopSeen
    | Reported
    | Unreported
    | Released
    | RecordDeleted
    | Taken
    | Woken
)
