"""A Job's state from its conditions, never from counting pods (W14). Source: Job API, status.conditions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launch_agent.core.models import JobState, Manifest

FINISHED = frozenset({"Complete", "SuccessCriteriaMet"})
FAILED = frozenset({"Failed", "FailureTarget"})


def conditions(body: Manifest) -> dict[str, Mapping[str, Any]]:
    """The conditions that are true, by type."""
    found = (body.get("status") or {}).get("conditions") or ()
    return {str(one.get("type")): one for one in found if one.get("status") == "True"}


def from_job(job: Manifest | None, pods: Sequence[Manifest] = ()) -> JobState:
    """The state of a Job, None being one that is not there.

    ``Complete`` and ``Failed`` end it; before them, a pod that runs makes it running, one that is scheduled and
    does not run yet makes it starting. A Job whose pod was taken away by the cluster is preempted, not failed.
    """
    if job is None:
        return JobState.MISSING
    true = conditions(job)
    if true.keys() & FINISHED:
        return JobState.FINISHED
    if true.keys() & FAILED:
        return JobState.PREEMPTED if any(is_disrupted(pod) for pod in pods) else JobState.FAILED
    if job["metadata"].get("deletionTimestamp"):
        return JobState.STOPPING
    return _from_pods(job, pods)


def _from_pods(job: Manifest, pods: Sequence[Manifest]) -> JobState:
    alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    if any((pod.get("status") or {}).get("phase") == "Running" for pod in alive):
        return JobState.RUNNING
    if any(_is_scheduled(pod) for pod in alive):
        return JobState.STARTING
    status = job.get("status") or {}
    return JobState.RUNNING if not pods and status.get("ready") else JobState.UNKNOWN


def _is_scheduled(pod: Manifest) -> bool:
    return bool((pod.get("spec") or {}).get("nodeName")) or "PodScheduled" in conditions(pod)


def is_disrupted(pod: Manifest) -> bool:
    """Whether the cluster took the pod away: eviction, preemption, a node that went (condition DisruptionTarget)."""
    return "DisruptionTarget" in conditions(pod)
