"""One Job and its pods, seen together: the state, the trouble, and whose log to read."""

from __future__ import annotations

from collections.abc import Sequence

from launch_agent.core import diagnosis, status
from launch_agent.core.models import Diagnosis, JobState, Manifest, Observation

QUIET = frozenset({JobState.FINISHED, JobState.MISSING, JobState.STOPPING})
"""States in which no trouble is told."""


def observe(job: Manifest | None, pods: Sequence[Manifest], *, image_pull_grace: float) -> Observation:
    """What there is to say of a Job now. ``image_pull_grace`` in seconds."""
    state = status.from_job(job, pods)
    if job is None:
        return Observation(state)
    uid = str(job["metadata"].get("uid", ""))
    ordered = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))
    latest = ordered[-1] if ordered else None
    if state in QUIET or latest is None:
        return Observation(state, diagnosis.from_job(job) if state is JobState.FAILED else None, uid=uid)
    found, pod = None, latest
    for one in reversed(ordered):
        found = diagnosis.from_pod(one, image_pull_grace=image_pull_grace)
        if found is not None:
            pod = one
            break
    if state in {JobState.FAILED, JobState.PREEMPTED}:
        found = _of_failure(job, found)
    return Observation(
        state, found, uid=uid, pod=str(pod["metadata"]["name"]), container=diagnosis.failed_container(pod)
    )


def _of_failure(job: Manifest, found: Diagnosis | None) -> Diagnosis | None:
    """A deadline is the Job's own reason; else the pod knows best."""
    own = diagnosis.from_job(job)
    if own is not None and (own.category == "DeadlineExceeded" or found is None or found.fails_after is not None):
        return own
    return found
