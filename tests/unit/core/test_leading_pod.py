"""Which pod, and which of its containers, tells most: the failed one first, else the leading one."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core.kinds import Kinds
from launch_agent.core.observation import observe
from tests.support.kind_statuses import condition

KINDS = Kinds()
LEADING = {"launch-agent/leading": "true"}
TORCH = "training.kubeflow.org/"


def pod(name: str, phase: str = "Running", *, at: str = "", code: int = 1, **metadata: Any) -> dict[str, Any]:
    state: dict[str, Any] = {"running": {}}
    if phase == "Failed":
        state = {"terminated": {"exitCode": code, "finishedAt": f"2026-01-01T{at or '00:00:00'}Z"}}
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", **metadata},
        "spec": {"nodeName": "n", "containers": [{"name": "proxy"}, {"name": "pytorch"}, {"name": "main"}]},
        "status": {"phase": phase, "containerStatuses": [{"name": "pytorch", "state": state}]},
    }


def label(key: str, value: str) -> dict[str, Any]:
    return {"labels": {key: value}}


RUNNING = {"conditions": [condition("Running")], "state": {"phase": "Running"}, "phase": "Running"}


@pytest.mark.parametrize(
    ("api_version", "kind", "pods", "leader"),
    [
        (
            "kubeflow.org/v1",
            "PyTorchJob",
            [pod("a-worker", **label(TORCH + "job-role", "worker")), pod("z", **label(TORCH + "job-role", "master"))],
            "z",
        ),
        (
            "kubeflow.org/v1",
            "PyTorchJob",
            [pod("worker-1", **label(TORCH + "replica-index", "1")), pod("w", **label(TORCH + "replica-index", "0"))],
            "w",
        ),
        (
            "kubeflow.org/v1",
            "PyTorchJob",
            [pod("w10", **label(TORCH + "replica-index", "10")), pod("w9", **label(TORCH + "replica-index", "9"))],
            "w9",
        ),
        (
            "kubeflow.org/v2beta1",
            "MPIJob",
            [pod("a", **label(TORCH + "job-role", "worker")), pod("z", **label(TORCH + "job-role", "launcher"))],
            "z",
        ),
        ("jobset.x-k8s.io/v1alpha2", "JobSet", [pod("a"), pod("z", annotations=LEADING)], "z"),
        (
            "jobset.x-k8s.io/v1alpha2",
            "JobSet",
            [
                pod("j1", annotations=LEADING, **label("jobset.sigs.k8s.io/job-index", "1")),
                pod("j0", annotations=LEADING, **label("jobset.sigs.k8s.io/job-index", "0")),
            ],
            "j0",
        ),
        (
            "batch.volcano.sh/v1alpha1",
            "Job",
            [pod("w", **label("volcano.sh/task-index", "0")), pod("m", annotations=LEADING)],
            "m",
        ),
        (
            "ray.io/v1",
            "RayCluster",
            [pod("w", **label("ray.io/node-type", "worker")), pod("h", **label("ray.io/node-type", "head"))],
            "h",
        ),
        (
            "leaderworkerset.x-k8s.io/v1",
            "LeaderWorkerSet",
            [
                pod("run-0-1", **label("leaderworkerset.sigs.k8s.io/worker-index", "1")),
                pod("run-0", **label("leaderworkerset.sigs.k8s.io/worker-index", "0")),
            ],
            "run-0",
        ),
        (
            "sparkoperator.k8s.io/v1beta2",
            "SparkApplication",
            [pod("exec-1", **label("spark-role", "executor")), pod("x-driver", **label("spark-role", "driver"))],
            "x-driver",
        ),
        (
            "batch/v1",
            "Job",
            [
                pod("i2", annotations={"batch.kubernetes.io/job-completion-index": "2"}),
                pod("i0", annotations={"batch.kubernetes.io/job-completion-index": "0"}),
            ],
            "i0",
        ),
        ("example.com/v1", "Thing", [pod("a"), pod("z", annotations=LEADING)], "z"),
        ("kubeflow.org/v1", "PyTorchJob", [pod("a", **label(TORCH + "replica-index", "x"))], "a"),
    ],
)
def test_a_running_workload_shows_its_leading_pod(
    api_version: str, kind: str, pods: list[dict[str, Any]], leader: str
) -> None:
    body = {"metadata": {"name": "r", "uid": "u"}, "status": RUNNING}
    for order in (pods, pods[::-1]):
        assert observe(KINDS.find(api_version, kind), body, order, image_pull_grace=60.0).pod == leader


FAILED = {"metadata": {"name": "r", "uid": "u"}, "status": {"conditions": [condition("Failed")]}}
TORCH_JOB = KINDS.find("kubeflow.org/v1", "PyTorchJob")


def test_a_failed_worker_goes_before_a_leader_that_was_well() -> None:
    pods = [pod("master", annotations=LEADING), pod("worker", "Failed")]
    assert observe(TORCH_JOB, FAILED, pods, image_pull_grace=60.0).pod == "worker"


def test_of_several_failed_pods_the_first_to_fall_tells_why() -> None:
    pods = [
        pod("master", "Failed", at="00:10:05", code=143, annotations=LEADING),
        pod("worker", "Failed", at="00:10:01", code=137),
    ]
    seen = observe(TORCH_JOB, FAILED, pods, image_pull_grace=60.0)
    assert seen.pod == "worker"
    assert seen.diagnosis is not None
    assert "137" in seen.diagnosis.summary


def test_pods_that_do_not_tell_when_they_fell_leave_the_leader_first() -> None:
    silent = {"metadata": {"name": "lost"}, "status": {"phase": "Failed"}}
    pods = [silent, pod("worker", "Failed", at="00:10:01")]
    assert observe(TORCH_JOB, FAILED, pods, image_pull_grace=60.0).pod == "worker"


@pytest.mark.parametrize(
    ("api_version", "kind", "annotations", "container"),
    [
        ("kubeflow.org/v1", "PyTorchJob", {}, "pytorch"),
        ("kubeflow.org/v1", "TFJob", {}, "proxy"),
        ("argoproj.io/v1alpha1", "Workflow", {}, "main"),
        ("batch/v1", "Job", {}, "proxy"),
        ("batch/v1", "Job", {"launch-agent/main-container": "main"}, "main"),
        ("kubeflow.org/v1", "PyTorchJob", {"launch-agent/main-container": "main"}, "main"),
        ("batch/v1", "Job", {"launch-agent/main-container": "nobody"}, "proxy"),
    ],
)
def test_the_log_is_that_of_the_job_s_container(
    api_version: str, kind: str, annotations: dict[str, str], container: str
) -> None:
    body = {"metadata": {"name": "r", "uid": "u"}, "status": RUNNING}
    pods = [pod("a", annotations=annotations)]
    assert observe(KINDS.find(api_version, kind), body, pods, image_pull_grace=60.0).container == container
