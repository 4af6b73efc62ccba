"""Why a pod or a Job waits or failed, in words."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import diagnosis
from launch_agent.core.diagnosis import Category
from launch_agent.core.models import Diagnosis

GRACE = 60.0


def pod(
    state: dict[str, Any] | None = None,
    *,
    last: dict[str, Any] | None = None,
    init: dict[str, Any] | None = None,
    **status: Any,
) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "launch0", "image": "reg/train:1"}, {"name": "a", "image": "h"}]}
    statuses = [{"name": "a", "state": {"running": {}}}]
    if state is not None:
        statuses.append({"name": "launch0", "state": state, "lastState": last or {}})
    whole = {"phase": "Pending", "containerStatuses": statuses, **status}
    if init is not None:
        spec["initContainers"] = [{"name": "fetch", "image": "git"}]
        whole["initContainerStatuses"] = [{"name": "fetch", "state": init}]
    return {"metadata": {"name": "pod-1"}, "spec": spec, "status": whole}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def ended(code: int, reason: str = "Error", message: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def judge(body: dict[str, Any]) -> Diagnosis:
    found = diagnosis.from_pod(body, image_pull_grace=GRACE)
    assert found is not None
    assert found.summary.endswith(".")
    assert found.resolution.endswith(".")
    return found


@pytest.mark.parametrize(
    ("reason", "category", "fails_after"),
    [
        ("ErrImagePull", Category.IMAGE_PULL, GRACE),
        ("ImagePullBackOff", Category.IMAGE_PULL, GRACE),
        ("RegistryUnavailable", Category.IMAGE_PULL, GRACE),
        ("InvalidImageName", Category.IMAGE_NAME, 0.0),
        ("ErrImageNeverPull", Category.IMAGE_PULL, 0.0),
        ("CreateContainerConfigError", Category.CONFIG_MISSING, GRACE),
        ("CreateContainerError", Category.CONTAINER_START, GRACE),
        ("RunContainerError", Category.CONTAINER_START, GRACE),
        ("CrashLoopBackOff", Category.CRASH_LOOP, None),
    ],
)
def test_a_container_that_waits_in_trouble_says_why(reason: str, category: str, fails_after: float | None) -> None:
    found = judge(pod(waiting(reason, "kubelet says")))
    assert (found.category, found.fails_after) == (category, fails_after)
    assert "container launch0 (image reg/train:1)" in found.summary


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing", ""])
def test_a_container_that_is_on_its_way_is_no_trouble(reason: str) -> None:
    assert diagnosis.from_pod(pod(waiting(reason)), image_pull_grace=GRACE) is None


def test_the_kubelet_s_words_are_passed_on() -> None:
    assert judge(pod(waiting("CreateContainerConfigError", 'secret "x" not found'))).detail == 'secret "x" not found.'


def test_a_pull_is_told_the_same_while_the_kubelet_takes_turns() -> None:
    pulling = judge(pod(waiting("ErrImagePull", "not found: reg/train:1")))
    resting = judge(
        pod(waiting("ImagePullBackOff", 'Back-off pulling image "reg/train:1": ErrImagePull: not found: reg/train:1'))
    )
    assert pulling == resting
    assert judge(pod(waiting("ImagePullBackOff", 'Back-off pulling image "reg/train:1"'))).detail == ""


def test_an_image_that_runs_as_root_is_not_a_missing_secret() -> None:
    message = "container has runAsNonRoot and image will run as root"
    assert judge(pod(waiting("CreateContainerConfigError", message))).category == Category.CONTAINER_START


@pytest.mark.parametrize(
    ("code", "words", "cure"),
    [
        (1, "exit code 1.", "log lines"),
        (126, "exit code 126.", "permissions"),
        (127, "exit code 127.", "spelling"),
        (137, "exit code 137 (killed by SIGKILL).", "memory"),
        (139, "exit code 139 (killed by SIGSEGV).", "native library"),
        (143, "exit code 143 (killed by SIGTERM).", "asked to end"),
        (150, "exit code 150 (killed by signal 22).", "log lines"),
        (255, "exit code 255.", "log lines"),
    ],
)
def test_an_exit_code_is_put_into_words(code: int, words: str, cure: str) -> None:
    found = judge(pod(ended(code, message="last words")))
    assert found.category == Category.EXIT_CODE
    assert found.summary == f"The container launch0 (image reg/train:1) ended with {words}"
    assert found.detail == "last words."
    assert cure in found.resolution


def test_out_of_memory_is_not_just_an_exit_code() -> None:
    found = judge(pod(ended(137, "OOMKilled")))
    assert found.category == Category.OUT_OF_MEMORY
    assert "resources.limits.memory" in found.resolution


def test_out_of_memory_is_seen_behind_a_crash_loop() -> None:
    assert judge(pod(waiting("CrashLoopBackOff"), last=ended(137, "OOMKilled"))).category == Category.OUT_OF_MEMORY


def test_a_crash_loop_names_the_last_exit_code() -> None:
    assert "last with exit code 3" in judge(pod(waiting("CrashLoopBackOff"), last=ended(3))).summary


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun"])
def test_a_command_that_is_not_there_could_not_be_started(reason: str) -> None:
    found = judge(pod(ended(128, reason, 'exec: "trian.py": executable file not found')))
    assert found.category == Category.CONTAINER_START
    assert "trian.py" in found.detail


def test_an_exit_without_failure_is_no_trouble() -> None:
    assert diagnosis.from_pod(pod(ended(0, "Completed"), phase="Running"), image_pull_grace=GRACE) is None


def test_an_init_container_is_told_apart_and_comes_first() -> None:
    found = judge(pod(waiting("PodInitializing"), init=ended(1)))
    assert found.summary == "The init container fetch (image git) ended with exit code 1."


def test_a_finding_names_the_container_whose_log_to_read() -> None:
    found = diagnosis.examine(pod(waiting("PodInitializing"), init=ended(1)), GRACE)
    assert found is not None
    assert found.container == "fetch"


def test_a_pod_that_fits_no_node_waits_for_ever_and_says_so() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    found = judge(pod(conditions=[condition], containerStatuses=[]))
    assert (found.category, found.fails_after, found.detail) == (Category.UNSCHEDULABLE, None, "0/3 nodes.")


def test_a_gated_pod_is_not_unschedulable() -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert judge(pod(conditions=[condition], containerStatuses=[])).category == Category.SUSPENDED


def test_an_eviction_goes_before_the_exit_code_that_it_caused() -> None:
    found = judge(pod(ended(137), phase="Failed", reason="Evicted", message="low on ephemeral-storage"))
    assert (found.category, found.detail) == (Category.EVICTED, "low on ephemeral-storage.")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("PreemptionByScheduler", "was preempted"),
        ("EvictionByEvictionAPI", "was evicted"),
        ("DeletionByTaintManager", "taint"),
        ("DeletionByPodGC", "its node is gone"),
        ("TerminationByKubelet", "ended by its node"),
    ],
)
def test_a_disruption_says_who_took_the_pod(reason: str, words: str) -> None:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason}
    found = judge(pod(ended(143), phase="Failed", conditions=[condition]))
    assert found.category == Category.DISRUPTED
    assert words in found.summary


def test_a_pod_s_own_deadline_is_named() -> None:
    assert judge(pod(phase="Failed", reason="DeadlineExceeded")).category == Category.DEADLINE_EXCEEDED


def test_a_pod_that_its_node_turned_down_names_the_reason() -> None:
    found = judge(pod(phase="Failed", reason="OutOfcpu", message="Pod was rejected", containerStatuses=[]))
    assert (found.category, found.detail) == (Category.ADMISSION, "Pod was rejected.")
    assert "(OutOfcpu)" in found.summary


def test_a_pod_that_failed_without_a_word_is_unknown() -> None:
    assert judge(pod(phase="Failed", containerStatuses=[])).category == Category.UNKNOWN


def test_a_healthy_pod_has_no_diagnosis() -> None:
    assert diagnosis.from_pod(pod({"running": {}}, phase="Running"), image_pull_grace=GRACE) is None
    assert diagnosis.from_pod({"metadata": {"name": "new"}}, image_pull_grace=GRACE) is None


def test_long_words_of_the_kubelet_s_are_cut() -> None:
    detail = judge(pod(waiting("CreateContainerError", "x\n" * 2000))).detail
    assert len(detail) == diagnosis.DETAIL_LIMIT
    assert "\n" not in detail


@pytest.mark.parametrize(
    ("reason", "category"),
    [
        ("DeadlineExceeded", Category.DEADLINE_EXCEEDED),
        ("BackoffLimitExceeded", Category.BACKOFF_LIMIT),
        ("PodFailurePolicy", Category.FAILURE_POLICY),
        ("MaxFailedIndexesExceeded", Category.BACKOFF_LIMIT),
        ("SomethingNew", Category.UNKNOWN),
    ],
)
@pytest.mark.parametrize("kind", ["Failed", "FailureTarget"])
def test_a_failed_job_says_why(reason: str, category: str, kind: str) -> None:
    body = {
        "metadata": {"name": "job-1"},
        "status": {"conditions": [{"type": kind, "status": "True", "reason": reason, "message": "says"}]},
    }
    found = diagnosis.from_job(body)
    assert found is not None
    assert (found.category, found.detail) == (category, "says.")
    assert found.summary.startswith("The Job job-1 ")


def test_a_suspended_job_says_whom_it_waits_for() -> None:
    found = diagnosis.from_job({"metadata": {"name": "job-1"}, "spec": {"suspend": True}})
    assert found is not None
    assert (found.category, found.fails_after) == (Category.SUSPENDED, None)


@pytest.mark.parametrize("conditions", [[], [{"type": "Complete", "status": "True"}]])
def test_a_job_that_is_well_has_no_diagnosis(conditions: list[Any]) -> None:
    assert diagnosis.from_job({"metadata": {"name": "j"}, "status": {"conditions": conditions}}) is None


def test_a_job_whose_own_rule_ended_it_when_its_pod_was_taken_lost_its_pod() -> None:
    text = "Pod ml/launch-x has condition DisruptionTarget matching FailJob rule at index 0"
    condition = {"type": "Failed", "status": "True", "reason": "PodFailurePolicy", "message": text}
    found = diagnosis.from_job({"metadata": {"name": "job-1"}, "status": {"conditions": [condition]}})
    assert found is not None
    assert (found.category, found.detail) == (Category.DISRUPTED, f"{text}.")
