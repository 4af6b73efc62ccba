"""Why a workload failed or waits, or why its state can not be told, by the object's own status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from launch_agent.core import status
from launch_agent.core.categories import Category, clip
from launch_agent.core.kind_facts import GENERIC, Kind
from launch_agent.core.models import Diagnosis, JobState, Manifest


def from_object(kind: Kind, body: Manifest, state: JobState, pods: Sequence[Manifest] = ()) -> Diagnosis | None:
    """What the object itself says of its failure or its waiting; None where it says nothing, or all is well."""
    if kind.is_job:
        return from_job(body)
    if kind.is_pod:
        return None
    reading = status.read(kind, body)
    name = f"The {kind.kind} {_name(body)}"
    if reading.state is JobState.FAILED:
        return _explain_failure(name, reading)
    if state is JobState.UNKNOWN and (status.is_suspended(kind, body) or _says_suspended(reading)):
        return _explain_suspension(name, reading.message if reading.state is JobState.UNKNOWN else "")
    if reading.state is None and kind.states is GENERIC and not state.is_over:
        return _explain_silence(name, kind, body, reading, has_pods=bool(pods))
    return None


def _says_suspended(reading: status.Reading) -> bool:
    return reading.state is JobState.UNKNOWN and "suspend" in reading.said.lower()


def _explain_failure(name: str, reading: status.Reading) -> Diagnosis:
    for words, category, what, cure in _FAILURES:
        if words in reading.reason:
            return Diagnosis(category, f"{name} {what}.", clip(reading.message), cure)
    reason = f" ({reading.reason})" if reading.reason else ""
    return Diagnosis(
        Category.WORKLOAD_FAILED,
        f"{name} failed{reason}: {reading.said}.",
        clip(reading.message),
        "Its pods' last log lines say why.",
    )


_FAILURES: tuple[tuple[str, Category, str, str], ...] = (
    (
        "DeadlineExceeded",
        Category.DEADLINE_EXCEEDED,
        "ran longer than its deadline allows",
        "Raise the deadline in the queue's config, or make the job shorter.",
    ),
    (
        "MaxRestarts",
        Category.BACKOFF_LIMIT,
        "failed as often as its maxRestarts allows",
        "Its pods' last log lines say why.",
    ),
    (
        "BackoffLimit",
        Category.BACKOFF_LIMIT,
        "failed as often as its backoffLimit allows",
        "Its pods' last log lines say why.",
    ),
)


def _explain_suspension(name: str, message: str) -> Diagnosis:
    return Diagnosis(
        Category.SUSPENDED,
        f"{name} is suspended.",
        clip(message),
        "It waits until its queueing system (or whoever suspended it) lets it start.",
    )


def _explain_silence(
    name: str, kind: Kind, body: Manifest, reading: status.Reading, *, has_pods: bool
) -> Diagnosis | None:
    """Nobody described the kind, and its status says nothing that is understood."""
    if not reading.said and not has_pods and not body.get("status"):
        return None  # just made: its operator has not spoken yet
    found = f"{reading.said}, which has no meaning here" if reading.said else "it has neither a phase nor conditions"
    return Diagnosis(
        Category.STATE_UNKNOWN,
        f"The state of {name[0].lower()}{name[1:]} is unknown: {found}.",
        "Its pods are followed instead.",
        f"Describe {kind.kind} ({kind.group}) under customResources in the launch config: phases or conditions.",
    )


def without_pods(kind: Kind, body: Manifest) -> Diagnosis:
    """For a workload that still has no pods and no event that tells why, a while after it was made."""
    reading = status.read(kind, body)
    name = f"The {kind.kind} {_name(body)}"
    if status.is_suspended(kind, body):
        return _explain_suspension(name, reading.message)
    if not body.get("status"):
        return Diagnosis(
            Category.NO_PODS,
            f"{name} has no pods and no status.",
            "",
            f"See whether the controller of {kind.kind} ({kind.group or 'core'}) runs in the cluster.",
        )
    said = f" ({reading.said})" if reading.said else ""
    return Diagnosis(
        Category.NO_PODS,
        f"{name} has no pods yet{said}.",
        clip(reading.message),
        "It waits for its controller or its queue. Its events and those of its children say more.",
    )


# ── the Job ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def from_job(job: Manifest) -> Diagnosis | None:
    """Why the Job failed or waits, by its conditions; None if it does neither."""
    conditions = status.true_conditions(job)
    name = f"The Job {_name(job)}"
    failed = next((conditions[kind] for kind in status.FAILED if kind in conditions), None)
    if failed is None:
        if any(kind in conditions for kind in status.SUCCEEDED) or not status.is_suspended(status.JOB, job):
            return None
        return _explain_suspension(name, str((conditions.get("Suspended") or {}).get("message") or ""))
    if status.is_disruption(failed):
        what, cure = "lost its pod: it was evicted or preempted, or its node is gone", "Launch it again."
        return Diagnosis(Category.DISRUPTED, f"{name} {what}.", clip(failed.get("message")), cure)
    category, what, cure = _JOB_REASONS.get(
        failed.get("reason") or "", (Category.UNKNOWN, "failed", "Look at the Job's events and pods.")
    )
    return Diagnosis(category, f"{name} {what}.", clip(failed.get("message")), cure)


_JOB_REASONS: Mapping[str, tuple[Category, str, str]] = {
    "DeadlineExceeded": (
        Category.DEADLINE_EXCEEDED,
        "ran longer than its activeDeadlineSeconds",
        "Raise activeDeadlineSeconds in the queue's config, or make the job shorter.",
    ),
    "BackoffLimitExceeded": (
        Category.BACKOFF_LIMIT,
        "failed as often as its backoffLimit allows",
        "Its pods' last log lines say why.",
    ),
    "PodFailurePolicy": (
        Category.FAILURE_POLICY,
        "was ended by a rule of its podFailurePolicy",
        "Its pods' last log lines say why; the rule is in the queue's config.",
    ),
    "MaxFailedIndexesExceeded": (
        Category.BACKOFF_LIMIT,
        "has more failed indexes than its maxFailedIndexes allows",
        "Its pods' last log lines say why.",
    ),
    "FailedIndexes": (Category.BACKOFF_LIMIT, "has failed indexes", "Its pods' last log lines say why."),
}


def _name(body: Manifest) -> str:
    return str((body.get("metadata") or {}).get("name") or "")
