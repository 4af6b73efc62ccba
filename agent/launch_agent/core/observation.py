"""A Job and its pods as one observation: state, reason, and where to read the log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from launch_agent.core import diagnosis, status
from launch_agent.core.diagnosis import Category, Finding
from launch_agent.core.models import Diagnosis, JobState, Manifest, Observation


def observe(job: Manifest | None, pods: Sequence[Manifest], *, image_pull_grace: float) -> Observation:
    """What is to be known of a Job now. ``pods`` are its own, in any order; ``image_pull_grace`` is in seconds."""
    state = status.from_job(job, pods)
    if job is None:
        return Observation(state)
    pod, finding = _choose(state, pods, image_pull_grace)
    return Observation(
        state,
        _explain(state, job, finding),
        uid=job["metadata"].get("uid", ""),
        pod=pod["metadata"]["name"] if pod is not None else "",
        container=_choose_container(pod, finding),
    )


def _choose(state: JobState, pods: Sequence[Manifest], grace: float) -> tuple[Manifest | None, Finding | None]:
    """The pod that tells most about the state, and what is wrong with it."""
    newest = sorted(pods, key=_created_at, reverse=True)
    if state in {JobState.FAILED, JobState.PREEMPTED}:
        return _first_finding(newest, grace, phases=("Failed",)) or _first_finding(newest, grace) or _first(newest)
    if state is JobState.FINISHED:
        return _first([pod for pod in newest if status.phase_of(pod) == "Succeeded"] or newest)
    live = [pod for pod in newest if status.phase_of(pod) in {"", "Pending", "Running"}]
    troubled = _first_finding(live, grace)
    if state is not JobState.RUNNING:
        return troubled or _first(newest)
    running = [pod for pod in live if status.phase_of(pod) == "Running"]
    pod, _ = _first(running or newest)
    return pod, _never_final(troubled[1]) if troubled is not None else None


def _first(pods: Sequence[Manifest]) -> tuple[Manifest | None, None]:
    return (pods[0] if pods else None), None


def _first_finding(
    pods: Sequence[Manifest], grace: float, *, phases: tuple[str, ...] = ()
) -> tuple[Manifest, Finding] | None:
    for pod in pods:
        if phases and status.phase_of(pod) not in phases:
            continue
        if (finding := diagnosis.examine(pod, grace)) is not None:
            return pod, finding
    return None


def _never_final(finding: Finding) -> Finding:
    """Other pods of the Job work: one that waits is told of, but ends nothing."""
    return replace(finding, diagnosis=replace(finding.diagnosis, fails_after=None))


def _explain(state: JobState, job: Manifest, finding: Finding | None) -> Diagnosis | None:
    """The pod's reason, unless the Job's own says more (a deadline, a rule)."""
    if state in {JobState.FINISHED, JobState.STOPPING}:
        return None
    of_job = diagnosis.from_job(job)
    of_pod = finding.diagnosis if finding else None
    if of_job is not None and (of_pod is None or of_job.category in _JOB_FIRST):
        return of_job
    return of_pod


_JOB_FIRST = frozenset({Category.DEADLINE_EXCEEDED, Category.SUSPENDED})
"""Where the pods only show the consequence: they were ended because of it."""


def _choose_container(pod: Manifest | None, finding: Finding | None) -> str:
    """The container that the finding is about, else the job's: the first."""
    if finding is not None and finding.container:
        return finding.container
    containers = ((pod or {}).get("spec") or {}).get("containers") or ()
    return str(containers[0]["name"]) if containers else ""


def _created_at(pod: Manifest) -> str:
    """RFC 3339 in UTC, which sorts as text."""
    return str(pod["metadata"].get("creationTimestamp") or "")
