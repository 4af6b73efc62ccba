"""The nouns that every part shares. Frozen values; nothing here decides or fetches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from launch_agent.core.marks import TTL_ANNOTATION

Manifest = Mapping[str, Any]
"""A Kubernetes object as a plain dictionary. Never changed in place."""

MANIFEST_PATH = "resource_args.kubernetes"
"""Where a run spec has the manifest: what paths in messages begin with."""

SERVICES_PATH = "additional_services"
"""Where it has the objects beside it."""


MAX_RESUME_COUNT = 5
"""How often W&B's agent puts a preempted item back into its queue (protocol 2.6)."""


class Resource(StrEnum):
    """The target kinds of the protocol (section 1)."""

    KUBERNETES = "kubernetes"
    LOCAL_PROCESS = "local-process"
    LOCAL_CONTAINER = "local-container"
    SAGEMAKER = "sagemaker"
    VERTEX = "vertex"
    GCP_VERTEX = "gcp-vertex"


class Stage(StrEnum):
    """W&B's words for where an item failed or was warned of (protocol 3.3)."""

    AGENT = "agent"
    BUILD = "build"
    RUN = "run"
    KUBERNETES = "Kubernetes"


class JobState(StrEnum):
    """What the target says of the workload (protocol 2.4)."""

    UNKNOWN = "unknown"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"
    STOPPED = "stopped"
    PREEMPTED = "preempted"
    MISSING = "missing"

    @property
    def is_over(self) -> bool:
        """Whether the workload will not change state again."""
        return self in {JobState.FINISHED, JobState.FAILED, JobState.STOPPED, JobState.PREEMPTED, JobState.MISSING}


class Step(StrEnum):
    """How far an item got. The record holds it; start-up goes on from it (design section 3)."""

    CLAIMED = "claimed"  # the record is written, the ack not confirmed
    ACKED = "acked"  # ours; the object may or may not exist yet
    CREATED = "created"  # the object was created, once
    REQUEUEING = "requeueing"  # it was preempted, and the item is being put back into its queue


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One popped item. ``run_spec`` is the JSON object of protocol section 4, unknown keys kept."""

    id: str
    queue: str
    run_spec: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Where the launched workload is. For processes: kind ``Process``, namespace empty, uid = pid@start.

    ``cluster`` is the key of another cluster than the agent's own; empty for that one.
    """

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a workload waits or failed, for a person.

    ``category`` is a stable identifier (a public contract: ImagePull, Unschedulable, OutOfMemory, Evicted, ExitCode,
    DeadlineExceeded, ConfigMissing, Admission, Unknown …). ``fails_after`` is the grace in seconds after which a
    waiting workload counts as failed; None means it may wait for ever.
    """

    category: str
    summary: str
    detail: str = ""
    resolution: str = ""
    fails_after: float | None = None

    @property
    def text(self) -> str:
        """One paragraph: what, the facts, the cure."""
        return " ".join(part for part in (self.summary, self.detail, self.resolution) if part)


@dataclass(frozen=True, slots=True)
class Observation:
    """What a target saw of one workload: its state and, if it waits or failed, why.

    ``is_polled`` says that no watch shows its pods: it has to be looked at from time to time.
    """

    state: JobState
    diagnosis: Diagnosis | None = None
    uid: str = ""
    pod: str = ""
    container: str = ""
    is_polled: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a workload ended, as long as W&B can not be told: whoever goes on tells this, whatever it sees by then.

    ``has_run`` says that a run may have been begun; ``tail`` are the last lines. No text holds a key.
    """

    state: JobState
    diagnosis: Diagnosis | None = None
    has_run: bool = True
    tail: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """The ledger's entry for one claimed item: all that a new process needs to go on (design section 3).

    ``run_spec`` never holds ``_wandb_api_key``. Times are seconds since the epoch. ``release_after`` is the time to
    live in seconds that the finished object gets once its outcome is reported; until then it is held back.
    ``created_at`` is when the workload was created, 0 before. ``max_runtime`` is after how many seconds from then on
    the agent deletes it (None: never, or the object has a deadline of its own); for an endless kind that is its
    ordinary end, for all others a failure. ``max_resume_count`` is how often the item may be queued again after a
    preemption. ``shard`` is whose record was read (`shares`); the ledger writes its own.
    ``outcome`` is None for all but what has ended and could not be reported at once.
    """

    item_id: str
    queue: str
    queue_entity: str
    run_id: str
    run_entity: str
    run_project: str
    resource: Resource
    run_spec: Mapping[str, Any] = field(repr=False)
    step: Step = Step.CLAIMED
    object: ObjectRef | None = None
    claimed_at: float = 0.0
    release_after: int | None = None
    created_at: float = 0.0
    max_runtime: float | None = None
    is_endless: bool = False
    max_resume_count: int = MAX_RESUME_COUNT
    shard: int = 0
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class KeySecret:
    """Where a job takes its API key from: a Secret in its own namespace, and the key in it."""

    name: str
    key: str = "password"


@dataclass(frozen=True, slots=True)
class Plan:
    """The objects to create for one item.

    ``workload`` is followed and created last; ``secrets`` are made before the item is claimed, ``services`` after the
    ack, and waited for at most ``service_wait`` seconds (None: not at all). ``cluster`` is the key of another cluster
    than the agent's own. ``max_runtime`` counts in seconds from the workload's creation; ``is_endless`` says that its
    kind never ends by itself. ``pull_registry`` is the host whose credential the pull Secret holds.
    Secrets are the only values that must be masked when shown. ``warnings`` are for the item.
    """

    workload: Manifest = field(repr=False)
    secrets: tuple[Manifest, ...] = field(default=(), repr=False)
    services: tuple[Manifest, ...] = ()
    warnings: tuple[str, ...] = ()
    cluster: str = ""
    service_wait: float | None = 300.0
    max_runtime: float | None = None
    is_endless: bool = False
    pull_registry: str = ""
    max_resume_count: int = MAX_RESUME_COUNT

    @property
    def objects(self) -> tuple[Manifest, ...]:
        """All objects, in the order in which they are created."""
        return (*self.secrets, *self.services, self.workload)

    @property
    def own_deadline(self) -> float | None:
        """``max_runtime``, where the agent has to see to it: the object has no deadline that Kubernetes keeps."""
        has_deadline = bool((self.workload.get("spec") or {}).get("activeDeadlineSeconds"))
        return None if has_deadline else self.max_runtime

    @property
    def release_after(self) -> int | None:
        """The time to live in seconds that the workload's annotation holds back."""
        text = (self.workload["metadata"].get("annotations") or {}).get(TTL_ANNOTATION, "")
        return int(text) if text.isdigit() else None
