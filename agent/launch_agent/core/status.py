"""A Job's state, by its conditions (Kubernetes' Job API), never by counting pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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


def from_job(job: Manifest | None, pods: Sequence[Manifest] = ()) -> JobState:
    """The state of a Job. ``pods`` tell a Job that failed by itself from one whose pods were taken away."""
    if job is None:
        return JobState.MISSING
    conditions = true_conditions(job)
    if any(kind in conditions for kind in SUCCEEDED):
        return JobState.FINISHED
    if any(kind in conditions for kind in FAILED):
        return JobState.PREEMPTED if _was_disrupted(conditions, pods) else JobState.FAILED
    if job["metadata"].get("deletionTimestamp"):
        return JobState.STOPPING
    if is_suspended(job):
        return JobState.UNKNOWN
    return _from_pods(job, pods)


def _from_pods(job: Manifest, pods: Sequence[Manifest]) -> JobState:
    """Not over: running if any pod runs, starting if a node has taken one, else it waits for its turn (unknown)."""
    counts = job.get("status") or {}
    if counts.get("ready") or counts.get("succeeded") or any(phase_of(pod) == "Running" for pod in pods):
        return JobState.RUNNING
    return JobState.STARTING if any(_is_scheduled(pod) for pod in pods) else JobState.UNKNOWN


def _is_scheduled(pod: Manifest) -> bool:
    return bool((pod.get("spec") or {}).get("nodeName")) or "PodScheduled" in true_conditions(pod)


def is_suspended(job: Manifest) -> bool:
    """Whether the Job waits for someone's leave to start (Kueue and the like). That is no start that takes too long."""
    if "suspend" in (job.get("spec") or {}):
        return bool(job["spec"]["suspend"])
    return "Suspended" in true_conditions(job)


def _was_disrupted(conditions: Mapping[str, Mapping[str, Any]], pods: Sequence[Manifest]) -> bool:
    """Whether the cluster, and not the job, ended it: all pods that failed were taken away."""
    if any((conditions.get(kind) or {}).get("reason") == "DeadlineExceeded" for kind in FAILED):
        return False
    ended = [pod for pod in pods if phase_of(pod) == "Failed" or pod["metadata"].get("deletionTimestamp")]
    return bool(ended) and all(disruption_of(pod) is not None for pod in ended)


def disruption_of(pod: Manifest) -> Mapping[str, Any] | None:
    """The condition that says that the cluster takes this pod away, if it does."""
    condition = true_conditions(pod).get("DisruptionTarget")
    return condition if condition is not None and condition.get("reason") in DISRUPTIONS else None


def true_conditions(body: Manifest) -> dict[str, Mapping[str, Any]]:
    """The conditions of an object that hold, by their type."""
    conditions = (body.get("status") or {}).get("conditions") or ()
    return {entry["type"]: entry for entry in conditions if entry.get("status") == "True"}


def phase_of(pod: Manifest) -> str:
    """The pod's phase, empty where it has none yet."""
    return str((pod.get("status") or {}).get("phase") or "")
