"""What is to be done for an item. `lifecycle` asks for these; the runtime performs them, and each names its event."""

from __future__ import annotations

from dataclasses import dataclass

from launch_agent.core.models import Observation, Stage


@dataclass(frozen=True, slots=True)
class WriteRecord:
    """Create the record (and, before it, the Secret of a per-item key) → RecordWritten | Refused."""


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """Write the record's new step. No event."""


@dataclass(frozen=True, slots=True)
class KeepRecord:
    """Write the record once more, whole: what owned it was replaced, and Kubernetes takes it away. No event."""


@dataclass(frozen=True, slots=True)
class Ack:
    """→ Acked."""


@dataclass(frozen=True, slots=True)
class AskOwner:
    """→ OwnerSeen."""


@dataclass(frozen=True, slots=True)
class Create:
    """Create the workload's object → Created | Refused."""


@dataclass(frozen=True, slots=True)
class Find:
    """Look for the object that was made before; make none → Created | Observed (missing)."""


@dataclass(frozen=True, slots=True)
class Look:
    """Ask the target once, live → Observed. ``is_late``: there should have been a pod by now."""

    is_late: bool = False


@dataclass(frozen=True, slots=True)
class Explain:
    """Ask only why the workload has no pods → Explained."""


@dataclass(frozen=True, slots=True)
class ReadTail:
    """→ TailRead."""

    observation: Observation


@dataclass(frozen=True, slots=True)
class AskRun:
    """→ RunSeen."""


@dataclass(frozen=True, slots=True)
class Fail:
    """→ Reported."""

    message: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Warn:
    """No event."""

    message: str
    stage: Stage


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object and its pods → Released, which means something only when the item is ending."""


@dataclass(frozen=True, slots=True)
class Requeue:
    """Write the record's step, delete the object, put the item back into its queue → Requeued | NotRequeued."""


@dataclass(frozen=True, slots=True)
class Release:
    """Let the object go in its own time → Released."""


@dataclass(frozen=True, slots=True)
class DeleteRecord:
    """→ RecordDeleted."""


Action = (
    WriteRecord
    | UpdateRecord
    | KeepRecord
    | Ack
    | AskOwner
    | Create
    | Find
    | Look
    | Explain
    | ReadTail
    | AskRun
    | Fail
    | Warn
    | Delete
    | Requeue
    | Release
    | DeleteRecord
)
