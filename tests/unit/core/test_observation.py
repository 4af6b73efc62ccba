"""A Job and its pods, seen as one."""

from __future__ import annotations

from typing import Any

from launch_agent.core.diagnosis import Category
from launch_agent.core.kinds import Kinds
from launch_agent.core.models import JobState, Observation
from launch_agent.core.observation import observe

JOB = Kinds().find("batch/v1", "Job")


def job(*conditions: tuple[str, str], **spec: Any) -> dict[str, Any]:
    held = [{"type": kind, "status": "True", "reason": reason} for kind, reason in conditions]
    return {"metadata": {"name": "job", "uid": "u1"}, "spec": spec, "status": {"conditions": held}}


def pod(name: str, phase: str, state: dict[str, Any] | None = None, **status: Any) -> dict[str, Any]:
    containers = [{"name": "launch0", "image": "img"}, {"name": "helper", "image": "h"}]
    return {
        "metadata": {"name": name, "creationTimestamp": f"2026-01-01T00:00:0{name[-1]}Z"},
        "spec": {"nodeName": "n1", "containers": containers},
        "status": {
            "phase": phase,
            "containerStatuses": [{"name": "launch0", "state": state or {"running": {}}}],
            **status,
        },
    }


def see(body: Any, *pods: Any) -> Observation:
    return observe(JOB, body, pods, image_pull_grace=60.0)


def exit_with(code: int) -> dict[str, Any]:
    return {"terminated": {"exitCode": code}}


FAILED = ("Failed", "BackoffLimitExceeded")
PULL = {"waiting": {"reason": "ErrImagePull", "message": "not found"}}


def test_a_job_that_is_gone_is_missing() -> None:
    assert see(None, pod("p1", "Running")) == Observation(JobState.MISSING)


def test_a_running_job_names_its_pod_and_the_job_s_container() -> None:
    assert see(job(), pod("p1", "Running")) == Observation(JobState.RUNNING, None, "u1", "p1", "launch0")


def test_an_image_that_can_not_be_pulled_fails_after_the_grace() -> None:
    seen = see(job(), pod("p1", "Pending", PULL))
    assert seen.diagnosis is not None
    assert (seen.state, seen.diagnosis.category, seen.diagnosis.fails_after) == (
        JobState.STARTING,
        Category.IMAGE_PULL,
        60.0,
    )


def test_a_pod_that_waits_ends_nothing_while_others_of_the_job_run() -> None:
    seen = see(job(), pod("p1", "Running"), pod("p2", "Pending", PULL))
    assert (seen.state, seen.pod) == (JobState.RUNNING, "p1")
    assert seen.diagnosis is not None
    assert (seen.diagnosis.category, seen.diagnosis.fails_after) == (Category.IMAGE_PULL, None)


def test_an_attempt_that_failed_is_no_trouble_of_the_next_one() -> None:
    assert see(job(), pod("p1", "Failed", exit_with(1)), pod("p2", "Running")).diagnosis is None


def test_a_failed_job_shows_the_last_pod_that_failed() -> None:
    seen = see(job(FAILED), pod("p2", "Failed", exit_with(4)), pod("p1", "Failed", exit_with(3)))
    assert (seen.state, seen.pod, seen.container) == (JobState.FAILED, "p2", "launch0")
    assert seen.diagnosis is not None
    assert "exit code 4" in seen.diagnosis.summary


def test_a_failed_job_shows_the_pod_that_failed_not_one_that_was_ended_with_it() -> None:
    seen = see(job(FAILED), pod("p1", "Failed", exit_with(3)), pod("p2", "Running"))
    assert seen.pod == "p1"


def test_a_failed_helper_is_the_container_whose_log_to_read() -> None:
    statuses = [
        {"name": "helper", "state": exit_with(2)},
        {"name": "launch0", "state": exit_with(0)},
    ]
    assert see(job(FAILED), pod("p1", "Failed", containerStatuses=statuses)).container == "helper"


def test_a_failed_job_without_pods_says_what_the_job_says() -> None:
    seen = see(job(FAILED))
    assert seen.diagnosis is not None
    assert (seen.pod, seen.container, seen.diagnosis.category) == ("", "", Category.BACKOFF_LIMIT)


def test_a_deadline_of_the_job_goes_before_what_it_did_to_the_pods() -> None:
    seen = see(job(("Failed", "DeadlineExceeded")), pod("p1", "Failed", exit_with(143)))
    assert seen.diagnosis is not None
    assert seen.diagnosis.category == Category.DEADLINE_EXCEEDED
    assert seen.pod == "p1"


def test_a_preempted_job_says_who_took_its_pod() -> None:
    taken = [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
    seen = see(job(FAILED), pod("p1", "Failed", exit_with(143), conditions=taken))
    assert seen.diagnosis is not None
    assert (seen.state, seen.diagnosis.category) == (JobState.PREEMPTED, Category.DISRUPTED)


def test_a_finished_job_has_no_trouble_and_names_the_pod_that_did_it() -> None:
    seen = see(job(("Complete", "")), pod("p1", "Succeeded", exit_with(0)), pod("p2", "Failed", exit_with(1)))
    assert seen == Observation(JobState.FINISHED, None, "u1", "p1", "launch0")


def test_a_job_that_is_being_deleted_has_no_trouble() -> None:
    body = job()
    body["metadata"]["deletionTimestamp"] = "t"
    seen = see(body, pod("p1", "Running", exit_with(143)))
    assert (seen.state, seen.diagnosis) == (JobState.STOPPING, None)


def test_a_suspended_job_waits_and_says_why() -> None:
    seen = see(job(suspend=True))
    assert seen.diagnosis is not None
    assert (seen.state, seen.diagnosis.category) == (JobState.UNKNOWN, Category.SUSPENDED)


def test_a_pod_that_fits_no_node_waits_without_a_deadline() -> None:
    body = pod("p1", "Pending", containerStatuses=[])
    body["spec"].pop("nodeName")
    body["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]
    seen = see(job(), body)
    assert seen.diagnosis is not None
    assert (seen.state, seen.diagnosis.category, seen.diagnosis.fails_after) == (
        JobState.UNKNOWN,
        Category.UNSCHEDULABLE,
        None,
    )
