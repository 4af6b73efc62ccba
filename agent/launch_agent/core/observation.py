"""A workload and its pods as one observation: state, reason, and where to read the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from launch_agent.core import diagnosis, status
from launch_agent.core.diagnosis import Category, Finding
from launch_agent.core.kind_facts import Kind
from launch_agent.core.marks import LEADING_ANNOTATION, MAIN_ANNOTATION
from launch_agent.core.models import Diagnosis, JobState, Manifest, Observation

INDEXES = (
    "leaderworkerset.sigs.k8s.io/group-index",
    "jobset.sigs.k8s.io/job-index",
    "batch.kubernetes.io/job-completion-index",
    "training.kubeflow.org/replica-index",
    "volcano.sh/task-index",
    "leaderworkerset.sigs.k8s.io/worker-index",
)
"""Labels and annotations that number the pods of one role, the outer ones first; 0 leads."""


def observe(kind: Kind, body: Manifest | None, pods: Sequence[Manifest], *, image_pull_grace: float) -> Observation:
    """What is to be known of a workload now. ``pods`` are its own, in any order; ``image_pull_grace`` is in seconds."""
    if kind.is_pod:
        pods = () if body is None else (body,)
    state = status.from_object(kind, body, pods)
    if body is None:
        return Observation(state)
    pod, finding = _choose(kind, state, pods, image_pull_grace)
    return Observation(
        state,
        _explain(kind, state, body, pods, finding),
        uid=(body.get("metadata") or {}).get("uid", ""),
        pod=pod["metadata"]["name"] if pod is not None else "",
        container=_choose_container(kind, pod, finding),
    )


# ── the pod ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _choose(
    kind: Kind, state: JobState, pods: Sequence[Manifest], grace: float
) -> tuple[Manifest | None, Finding | None]:
    """The pod that tells most about the state, and what is wrong with it: a failed one first, else the leading one."""
    ordered = sorted(sorted(pods, key=_created_at, reverse=True), key=lambda pod: _rank(kind, pod))
    if state in {JobState.FAILED, JobState.PREEMPTED}:
        return _choose_failed(kind, ordered, grace)
    if state is JobState.FINISHED:
        return _first([pod for pod in ordered if status.phase_of(pod) == "Succeeded"] or ordered)
    live = [pod for pod in ordered if status.phase_of(pod) in {"", "Pending", "Running"}]
    troubled = _first_finding(live, grace)
    if state is not JobState.RUNNING:
        return troubled or _first(live or ordered)
    running = [pod for pod in live if status.phase_of(pod) == "Running"]
    pod, _ = _first(running or live or ordered)
    return pod, _never_final(troubled[1]) if troubled is not None else None


def _choose_failed(kind: Kind, pods: Sequence[Manifest], grace: float) -> tuple[Manifest | None, Finding | None]:
    """Of a Job the latest attempt; of a kind with roles the pod that failed first: the others fell with it."""
    latest_first = sorted(pods, key=_created_at, reverse=True)
    failed = latest_first if kind.is_job else sorted(pods, key=_ended_at)
    return (
        _first_finding(failed, grace, phases=("Failed",))
        or _first_finding(latest_first if kind.is_job else pods, grace)
        or _first([pod for pod in pods if status.phase_of(pod) == "Failed"] or pods)
    )


def _rank(kind: Kind, pod: Manifest) -> tuple[int, ...]:
    """Sorts the leading pod first, then by number; pods of one rank keep their order."""
    metadata = pod["metadata"]
    annotations, labels = metadata.get("annotations") or {}, metadata.get("labels") or {}
    marks = {f"{key}={value}" for key, value in labels.items()}
    leads = annotations.get(LEADING_ANNOTATION) == "true" or any(label in marks for label in kind.lead)
    numbers = (str(labels.get(index) or annotations.get(index) or "0") for index in INDEXES)
    return (0 if leads else 1, *(int(number) if number.isdecimal() else 0 for number in numbers))


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
    """Other pods of the workload work: one that waits is told of, but ends nothing."""
    return replace(finding, diagnosis=replace(finding.diagnosis, fails_after=None))


def _created_at(pod: Manifest) -> str:
    """RFC 3339 in UTC, which sorts as text."""
    return str(pod["metadata"].get("creationTimestamp") or "")


def _ended_at(pod: Manifest) -> str:
    """When the first of its containers ended badly; pods that do not tell come last."""
    ends = [
        str(ended.get("finishedAt"))
        for entry in (pod.get("status") or {}).get("containerStatuses") or ()
        if (ended := (entry.get("state") or {}).get("terminated")) and ended.get("exitCode") and ended.get("finishedAt")
    ]
    return min(ends, default="~")


# ── the reason ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _explain(
    kind: Kind, state: JobState, body: Manifest, pods: Sequence[Manifest], finding: Finding | None
) -> Diagnosis | None:
    """The pod's reason, unless the object's own says more (a deadline, a rule)."""
    if state in {JobState.FINISHED, JobState.STOPPING, JobState.STOPPED}:
        return None
    of_object = diagnosis.from_object(kind, body, state, pods)
    of_pod = finding.diagnosis if finding else None
    if of_object is not None and (of_pod is None or of_object.category in _OBJECT_FIRST):
        return of_object
    return of_pod


_OBJECT_FIRST = frozenset({Category.DEADLINE_EXCEEDED, Category.SUSPENDED})
"""Where the pods only show the consequence: they were ended because of it."""


# ── the container ───────────────────────────────────────────────────────────────────────────────────────────────────


def _choose_container(kind: Kind, pod: Manifest | None, finding: Finding | None) -> str:
    """The container that the finding is about, else the job's: the one that is named as such, else the first."""
    if finding is not None and finding.container:
        return finding.container
    containers = ((pod or {}).get("spec") or {}).get("containers") or ()
    names = [str(container.get("name") or "") for container in containers]
    for name in _main_names(kind, pod or {}):
        if name in names:
            return name
    return names[0] if names else ""


def _main_names(kind: Kind, pod: Mapping[str, Any]) -> tuple[str, ...]:
    """What the job's container may be called: by the owner, by the kind's operator."""
    annotations = (pod.get("metadata") or {}).get("annotations") or {}
    return (
        str(annotations.get(MAIN_ANNOTATION) or ""),
        kind.log_container,
        *(template.main for template in kind.templates if template.main),
    )
