"""The state of a workload: by its own status, by its kind's table, and by its pods where that says too little.

A Job has rules of its own: its conditions (Kubernetes' Job API), never a count of pods (W14).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launch_agent.core import places
from launch_agent.core.kind_facts import GENERIC, Kind, StateTexts
from launch_agent.core.models import JobState, Manifest

SUCCEEDED = ("Complete", "SuccessCriteriaMet")
FAILED = ("Failed", "FailureTarget")

DISRUPTIONS = frozenset(
    {
        "PreemptionByScheduler",
        "EvictionByEvictionAPI",
        "DeletionByTaintManager",
        "DeletionByPodGC",
        "TerminationByKubelet",
    }
)
"""The reasons of a pod's condition ``DisruptionTarget``: the cluster took the pod away."""

_PRIORITY = (
    JobState.FINISHED,
    JobState.FAILED,
    JobState.STOPPED,
    JobState.STOPPING,
    JobState.UNKNOWN,  # waits for leave
    JobState.RUNNING,
    JobState.STARTING,
)
"""Which of several true conditions counts: the one nearest to an end (protocol 7.3.5)."""

_CHILDREN = ("status.replicatedJobsStatus[]", "status.jobsStatus[]")
"""Counts of child Jobs in the status of a JobSet and of a TrainJob."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What an object's own status says.

    ``state`` is None where nothing in it has a meaning; ``JobState.UNKNOWN`` means that it waits for leave. ``said`` is
    where that stands and what it is, ``reason`` and ``message`` are the operator's own words for it.
    """

    state: JobState | None = None
    said: str = ""
    reason: str = ""
    message: str = ""


# ── any kind ────────────────────────────────────────────────────────────────────────────────────────────────────────


def from_object(kind: Kind, body: Manifest | None, pods: Sequence[Manifest] = ()) -> JobState:
    """The state of a workload of any kind. ``pods`` are its own, as far as they are known, in any order."""
    if body is None:
        return JobState.MISSING
    if kind.is_job:
        return from_job(body, pods)
    if kind.is_pod:
        pods = (body,)
    reading = read(kind, body)
    if reading.state is JobState.FAILED:
        return JobState.PREEMPTED if _was_disrupted(true_conditions(body), pods) else JobState.FAILED
    if reading.state is not None and reading.state.is_over:
        return reading.state
    if is_deleted(body) or reading.state is JobState.STOPPING:
        return JobState.STOPPING
    return _refine(kind, body, reading, pods)


def _refine(kind: Kind, body: Manifest, reading: Reading, pods: Sequence[Manifest]) -> JobState:
    """Not over: what the pods do says more than a status that only says that it waits or starts."""
    live = _from_live(pods)
    if live is JobState.RUNNING:
        return live
    if is_suspended(kind, body):
        return JobState.UNKNOWN
    if reading.state is JobState.RUNNING:
        return JobState.RUNNING
    if reading.state is None and kind.states is GENERIC:
        return _from_ended(pods) or live or JobState.UNKNOWN
    if live is None and reading.state is JobState.STARTING and not pods and not kind.is_known:
        return JobState.STARTING  # its pods may be out of our sight
    return live or JobState.UNKNOWN


def _from_live(pods: Sequence[Manifest]) -> JobState | None:
    """Running if any pod runs, starting if a node has taken one; None: there is none, or each waits for a node."""
    live = [pod for pod in pods if not is_deleted(pod) and phase_of(pod) in {"", "Pending", "Running"}]
    if any(phase_of(pod) == "Running" for pod in live):
        return JobState.RUNNING
    return JobState.STARTING if any(_is_scheduled(pod) for pod in live) else None


def _from_ended(pods: Sequence[Manifest]) -> JobState | None:
    """The outcome by pods that all ended, for kinds whose own status says nothing."""
    phases = {phase_of(pod) for pod in pods}
    if not phases or not phases <= {"Succeeded", "Failed"}:
        return None
    if phases == {"Succeeded"}:
        return JobState.FINISHED
    return JobState.PREEMPTED if _was_disrupted({}, pods) else JobState.FAILED


def read(kind: Kind, body: Manifest) -> Reading:
    """The object's own status by its kind's table: a phase, else the conditions, else the counts of child Jobs."""
    unread = ""
    for pattern, texts in kind.states.phases:
        for path, value in places.find(body, pattern):
            if not isinstance(value, str) or not value:
                continue
            said = f"{places.text(path)} is {value}"
            if (state := texts.get(value.lower())) is not None:
                return Reading(state, said, *_words(body, path))
            unread = unread or said
    by_condition = _read_conditions(kind.states.conditions, body)
    if by_condition.state is not None:
        return by_condition
    return _read_children(body) or Reading(None, unread or by_condition.said)


def _words(body: Manifest, path: places.Path) -> tuple[str, str]:
    """The reason and the message that stand beside a phase."""
    beside = places.get(body, path[:-1], {})
    words = beside if isinstance(beside, Mapping) else {}
    message = words.get("message") or words.get("errorMessage") or ""
    reason = words.get("reason") or ""
    return (reason if isinstance(reason, str) else "", message if isinstance(message, str) else "")


def _read_conditions(texts: StateTexts, body: Manifest) -> Reading:
    held = true_conditions(body)
    meant = [(texts.get(name.lower()), name) for name in held]
    for state in _PRIORITY:
        for meaning, name in meant:
            if meaning is state:
                entry = held[name]
                return Reading(
                    state,
                    f"the condition {name} is True",
                    str(entry.get("reason") or ""),
                    str(entry.get("message") or ""),
                )
    names = ", ".join(sorted(held))
    return Reading(None, f"of its conditions, True are: {names}" if names else "")


def _read_children(body: Manifest) -> Reading | None:
    children = [entry for pattern in _CHILDREN for _, entry in places.find(body, pattern) if isinstance(entry, Mapping)]
    for field, state in (("ready", JobState.RUNNING), ("active", JobState.STARTING)):
        if any(entry.get(field) for entry in children):
            return Reading(state, f"one of its Jobs is {field}")
    return None


def is_suspended(kind: Kind, body: Manifest) -> bool:
    """Whether the object waits for leave to start (Kueue and the like). That is no start that takes too long."""
    if kind.suspend and (given := places.get(body, places.path_of(kind.suspend))) is not None:
        return bool(given)
    conditions = _conditions(body)
    if any(entry["type"] == "QuotaReserved" and entry.get("status") == "False" for entry in conditions):
        return True
    return "Suspended" in true_conditions(body)


# ── a Job ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def from_job(job: Manifest | None, pods: Sequence[Manifest] = ()) -> JobState:
    """The state of a Job. ``pods`` tell a Job that failed by itself from one whose pods were taken away."""
    if job is None:
        return JobState.MISSING
    conditions = true_conditions(job)
    if any(kind in conditions for kind in SUCCEEDED):
        return JobState.FINISHED
    if any(kind in conditions for kind in FAILED):
        was_taken = any(map(is_disruption, conditions.values())) or _was_disrupted(conditions, pods)
        return JobState.PREEMPTED if was_taken else JobState.FAILED
    if is_deleted(job):
        return JobState.STOPPING
    if is_suspended(JOB, job):
        return JobState.UNKNOWN
    return _from_pods(job, pods)


JOB = Kind(group="batch", kind="Job", suspend="spec.suspend")
"""What is known of a Job where only its suspension matters."""


def _from_pods(job: Manifest, pods: Sequence[Manifest]) -> JobState:
    """Not over: running if any pod runs, starting if a node has taken one, else it waits for its turn (unknown)."""
    counts = job.get("status") or {}
    if counts.get("ready") or counts.get("succeeded") or any(phase_of(pod) == "Running" for pod in pods):
        return JobState.RUNNING
    return JobState.STARTING if any(_is_scheduled(pod) for pod in pods) else JobState.UNKNOWN


def _is_scheduled(pod: Manifest) -> bool:
    return bool((pod.get("spec") or {}).get("nodeName")) or "PodScheduled" in true_conditions(pod)


def _was_disrupted(conditions: Mapping[str, Mapping[str, Any]], pods: Sequence[Manifest]) -> bool:
    """Whether the cluster, and not the workload, ended it: all pods that failed were taken away."""
    if any("DeadlineExceeded" in str(entry.get("reason")) for entry in conditions.values()):
        return False
    ended = [pod for pod in pods if phase_of(pod) == "Failed" or is_deleted(pod)]
    return bool(ended) and all(disruption_of(pod) is not None for pod in ended)


# ── parts of objects ────────────────────────────────────────────────────────────────────────────────────────────────


def is_disruption(condition: Mapping[str, Any]) -> bool:
    """Whether a Job's condition says that a rule of its podFailurePolicy ended it as its pod was taken away."""
    return condition.get("reason") == "PodFailurePolicy" and "DisruptionTarget" in str(condition.get("message"))


def disruption_of(pod: Manifest) -> Mapping[str, Any] | None:
    """The condition that says that the cluster takes this pod away, if it does."""
    condition = true_conditions(pod).get("DisruptionTarget")
    return condition if condition is not None and condition.get("reason") in DISRUPTIONS else None


def true_conditions(body: Manifest) -> dict[str, Mapping[str, Any]]:
    """The conditions of an object that hold, by their type."""
    return {entry["type"]: entry for entry in _conditions(body) if entry.get("status") == "True"}


def _conditions(body: Manifest) -> Iterator[Mapping[str, Any]]:
    """Conditions of the usual form; some kinds (Volcano) have others under that name."""
    state = body.get("status")
    entries = state.get("conditions") if isinstance(state, Mapping) else None
    for entry in entries if isinstance(entries, (list, tuple)) else ():
        if isinstance(entry, Mapping) and isinstance(entry.get("type"), str):
            yield entry


def is_deleted(body: Manifest) -> bool:
    """Whether someone has asked for the object's deletion."""
    return bool((body.get("metadata") or {}).get("deletionTimestamp"))


def phase_of(pod: Manifest) -> str:
    """The pod's phase, empty where it has none yet."""
    return str((pod.get("status") or {}).get("phase") or "")
