"""A Job's state, by its conditions."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import status
from launch_agent.core.models import JobState


def condition(kind: str, reason: str = "", value: str = "True") -> dict[str, str]:
    return {"type": kind, "status": value, "reason": reason}


def job(
    *conditions: dict[str, str], deleted: bool = False, suspend: bool | None = None, **counts: int
) -> dict[str, Any]:
    metadata = {"name": "job", "uid": "u1", **({"deletionTimestamp": "t"} if deleted else {})}
    spec = {} if suspend is None else {"suspend": suspend}
    return {"metadata": metadata, "spec": spec, "status": {"conditions": list(conditions), **counts}}


def pod(phase: str = "", *conditions: dict[str, str], node: str = "n1", deleted: bool = False) -> dict[str, Any]:
    metadata = {"name": "pod", **({"deletionTimestamp": "t"} if deleted else {})}
    return {
        "metadata": metadata,
        "spec": {"nodeName": node} if node else {},
        "status": {"phase": phase, "conditions": list(conditions)},
    }


DISRUPTED = condition("DisruptionTarget", "PreemptionByScheduler")
TAKEN = {
    **condition("Failed", "PodFailurePolicy"),
    "message": "Pod ml/launch-x-abcde has condition DisruptionTarget matching FailJob rule at index 0",
}
RULED = {
    **condition("Failed", "PodFailurePolicy"),
    "message": "Container main for pod ml/x failed with exit code 3 matching FailJob rule at index 0",
}
FAILED = condition("Failed", "BackoffLimitExceeded")


@pytest.mark.parametrize(
    ("seen", "pods", "state"),
    [
        (None, (), JobState.MISSING),
        (job(), (), JobState.UNKNOWN),
        ({"metadata": {"name": "just-made"}}, (), JobState.UNKNOWN),
        (job(active=1), (pod("Pending", node=""),), JobState.UNKNOWN),
        (job(active=1), (pod("Pending", condition("PodScheduled", value="False"), node=""),), JobState.UNKNOWN),
        (job(active=1), (pod("Pending"),), JobState.STARTING),
        (job(active=1), (pod("Pending", condition("PodScheduled"), node=""),), JobState.STARTING),
        (job(active=1), (pod("Running"),), JobState.RUNNING),
        (job(active=1, ready=1), (), JobState.RUNNING),
        (job(active=1, succeeded=3), (pod("Pending"),), JobState.RUNNING),
        (job(active=1, failed=1), (pod("Failed"), pod("Pending")), JobState.STARTING),
        (job(succeeded=1), (pod("Succeeded"),), JobState.RUNNING),
        (job(condition("Complete")), (pod("Succeeded"),), JobState.FINISHED),
        (job(condition("SuccessCriteriaMet")), (), JobState.FINISHED),
        (job(condition("Complete"), deleted=True), (), JobState.FINISHED),
        (job(condition("Complete", value="False")), (), JobState.UNKNOWN),
        (job(FAILED), (pod("Failed"),), JobState.FAILED),
        (job(condition("FailureTarget")), (), JobState.FAILED),
        (job(FAILED, deleted=True), (), JobState.FAILED),
        (job(deleted=True, active=1), (pod("Running"),), JobState.STOPPING),
        (job(suspend=True), (), JobState.UNKNOWN),
        (job(condition("Suspended"), suspend=False, active=1), (pod("Running"),), JobState.RUNNING),
        (job(condition("Suspended")), (pod("Pending"),), JobState.UNKNOWN),
        (job(FAILED), (pod("Failed", DISRUPTED),), JobState.PREEMPTED),
        (job(TAKEN), (), JobState.PREEMPTED),
        (job(RULED), (), JobState.FAILED),
        (job(FAILED), (pod("Running", DISRUPTED, deleted=True),), JobState.PREEMPTED),
        (job(FAILED), (pod("Failed", DISRUPTED), pod("Failed")), JobState.FAILED),
        (job(FAILED), (pod("Succeeded"), pod("Failed", DISRUPTED)), JobState.PREEMPTED),
        (job(FAILED), (pod("Failed", condition("DisruptionTarget", "SomethingNew")),), JobState.FAILED),
        (job(condition("Failed", "DeadlineExceeded")), (pod("Failed", DISRUPTED),), JobState.FAILED),
        (job(), (pod("Failed", DISRUPTED),), JobState.STARTING),
    ],
)
def test_the_state_follows_the_conditions(seen: Any, pods: tuple[Any, ...], state: JobState) -> None:
    assert status.from_job(seen, pods) is state


def test_a_parallel_job_is_not_finished_by_its_first_pod() -> None:
    assert status.from_job(job(active=3, succeeded=1)) is JobState.RUNNING


def test_a_job_with_retries_left_has_not_failed() -> None:
    assert status.from_job(job(active=1, failed=2), (pod("Running"),)) is JobState.RUNNING
