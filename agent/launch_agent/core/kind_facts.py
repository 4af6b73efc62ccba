"""What the agent must know of a kind of object to launch it and to follow it: nouns only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from launch_agent.core.models import JobState


@dataclass(frozen=True, slots=True)
class PodTemplate:
    """Where pod templates stand: an object with ``metadata`` and ``spec``.

    ``main`` is the name of the container that the kind's operator insists on; empty: the first is the job's.
    """

    path: str
    main: str = ""


StateTexts = Mapping[str, JobState]
"""Lower-cased text → state. `JobState.UNKNOWN` means: known to wait for someone's leave (suspended, queued)."""


@dataclass(frozen=True, slots=True)
class States:
    """How an object's status tells its state.

    ``phases``: (pattern of a text in the object, what its texts mean); the first that means something decides.
    ``conditions``: type of a condition that is True → state; where several are, the one that is nearest to an end.
    """

    phases: tuple[tuple[str, StateTexts], ...] = ()
    conditions: StateTexts = field(default_factory=dict)


class Entry(StrEnum):
    """Who gets a launch's command and arguments (``overrides.entry_point`` and ``overrides.args``)."""

    EACH = "each"  # the main container of each template
    LEAD = "lead"  # the main container of the leading template only
    TEXT = "text"  # a shell text in the object itself
    NOWHERE = "nowhere"  # the kind has no place for it: refused by name


_STARTING, _RUNNING, _STOPPING = JobState.STARTING, JobState.RUNNING, JobState.STOPPING
_FINISHED, _FAILED, _WAITING = JobState.FINISHED, JobState.FAILED, JobState.UNKNOWN

GENERIC_TEXTS: StateTexts = {
    "created": _STARTING,
    "pending": _STARTING,
    "running": _RUNNING,
    "completing": _RUNNING,
    "succeeded": _FINISHED,
    "completed": _FINISHED,
    "failed": _FAILED,
    "aborted": _FAILED,
    "timeout": _FAILED,
    "terminated": _FAILED,
    "terminating": _STOPPING,
    # above: W&B's own map (protocol 7.3.5); below: other words for the same that operators use
    "starting": _STARTING,
    "initializing": _STARTING,
    "restarting": _STARTING,
    "complete": _FINISHED,
    "finished": _FINISHED,
    "success": _FINISHED,
    "failure": _FAILED,
    "error": _FAILED,
    "stopping": _STOPPING,
    "deleting": _STOPPING,
    "queued": _WAITING,
    "suspended": _WAITING,
    "suspending": _WAITING,
}

GENERIC = States(
    phases=(("status.state.phase", GENERIC_TEXTS), ("status.phase", GENERIC_TEXTS), ("status.state", GENERIC_TEXTS)),
    conditions=GENERIC_TEXTS,
)
"""For kinds that nobody described: a phase, else the conditions (protocol 7.3.5)."""


NAME_LIMIT = 57
"""Characters of a name that the agent makes, where a kind says nothing else: pods add ``-`` and five letters."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of object, any version of its group. Paths and patterns are those of `core/places.py`.

    ``templates`` are in order of leadership: the first match of the first pattern that is found is the leading pod.
    Where a kind has no template, the first match in ``containers`` takes that place: container-like objects (``image``,
    ``command``, ``args``, ``env``) in no pod template. ``pod_metadata`` are further metadata that reach pods;
    ``pod_spec`` is where the pull secrets and volumes of all pods stand if not in templates. ``refusal`` says why it is
    not launched. ``entrypoint`` is the path of the shell text of `Entry.TEXT`. ``ttl`` and ``suspend`` are paths, empty
    where the kind has none. ``name_limit`` is in characters, for names that the agent makes. ``pod_selector`` is a
    label selector with ``{name}`` where pods can not carry our own labels. ``role_names`` is where the names of roles
    stand that become parts of pods' names. ``lead`` are labels (``key=value``) that the
    kind's operator gives its leading pod; ``log_container`` is what it calls the job's container in its pods.
    """

    group: str
    kind: str
    templates: tuple[PodTemplate, ...] = ()
    containers: tuple[str, ...] = ()
    pod_metadata: tuple[str, ...] = ()
    pod_spec: str = ""
    states: States = GENERIC
    is_endless: bool = False
    refusal: str = ""
    entry: Entry = Entry.EACH
    entrypoint: str = ""
    ttl: str = ""
    suspend: str = ""
    name_limit: int = NAME_LIMIT
    pod_selector: str = ""
    is_known: bool = True
    role_names: str = ""
    lead: tuple[str, ...] = ()
    log_container: str = ""

    @property
    def is_job(self) -> bool:
        """Whether it is Kubernetes' own Job, which has rules of its own."""
        return (self.group, self.kind) == ("batch", "Job")

    @property
    def is_pod(self) -> bool:
        """Whether it is a single pod."""
        return (self.group, self.kind) == ("", "Pod")
