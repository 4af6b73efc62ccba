"""The documentation's PyTorchJob under Kubeflow's real training operator."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest

from tests.operators.conftest import IMAGE, Works, container
from tests.support.backend import Json, image_spec, texts
from tests.support.place import PROJECT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.operators, pytest.mark.timeout(240)]


def _replica(replicas: int) -> Json:
    one = {"name": "pytorch", "image": "${image_uri}", "imagePullPolicy": "Always"}
    return {"replicas": replicas, "template": {"spec": {"containers": [one]}}, "restartPolicy": "Never"}


DOCUMENTED: Json = {
    "kind": "PyTorchJob",
    "spec": {"pytorchReplicaSpecs": {"Master": _replica(1), "Worker": _replica(2)}, "ttlSecondsAfterFinished": 600},
    "metadata": {"name": "${run_id}-pytorch-job"},
    "apiVersion": "kubeflow.org/v1",
}
"""The queue's config of W&B's tutorial."""


def with_roles(master: Json, worker: Json, workers: int = 1) -> Json:
    roles = {"Master": {**_replica(1)}, "Worker": {**_replica(workers)}}
    for role, one in zip(roles.values(), (master, worker), strict=True):
        role["template"] = {"spec": {"containers": [one]}}
    return {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": {"pytorchReplicaSpecs": roles}}


@pytest.fixture(scope="module")
def documented(works: Works) -> Json:
    """An item of a queue with the documented config, launched by an agent of its own; finished."""
    queue = f"{works.namespace}-pytorch"
    config = copy.deepcopy(DOCUMENTED)
    config["metadata"]["namespace"] = works.namespace
    works.place.backend.create_queue(queue, "kubernetes", config)
    works.place.start(queue, ready=False).wait_until_ready(60)
    item_id = works.place.backend.push(queue, image_spec(works.place.backend.entity, PROJECT, IMAGE))
    return works.place.wait_for_item(item_id, "FINISHED", 120, queue)


def test_the_documented_pytorch_job_runs_a_master_and_two_workers(works: Works, documented: Json) -> None:
    run_id = documented["associatedRunId"]
    found = works.place.cluster.find("PyTorchJob", works.namespace, f"wandb.ai/run-id={run_id}")
    assert [one["metadata"]["name"] for one in found] == [f"{run_id}-pytorch-job"]
    pods = works.place.cluster.find("Pod", works.namespace, f"wandb.ai/run-id={run_id}")
    assert sorted(pod["metadata"]["name"] for pod in pods) == [
        f"{run_id}-pytorch-job-master-0",
        f"{run_id}-pytorch-job-worker-0",
        f"{run_id}-pytorch-job-worker-1",
    ]
    assert {pod["spec"]["containers"][0]["image"] for pod in pods} == {IMAGE}
    # The tutorial's place for it is wrong: it belongs into spec.runPolicy, and the API server says so.
    assert texts(documented) == 'unknown field "spec.ttlSecondsAfterFinished"'


def test_only_its_master_has_the_run_and_all_of_its_pods_have_the_key_by_reference(
    works: Works, documented: Json
) -> None:
    run_id = documented["associatedRunId"]
    pods = wait_until(
        lambda: works.place.cluster.find("Pod", works.namespace, f"wandb.ai/run-id={run_id}"), 60,
        "the workers to end after the master",
        until=lambda seen: {pod["status"].get("phase") for pod in seen} == {"Succeeded"},
    )  # fmt: skip
    told = {works.told_by(pod)["RANK"]: works.told_by(pod) for pod in pods}
    assert {rank: one.get("WANDB_RUN_ID") for rank, one in told.items()} == {"0": run_id, "1": None, "2": None}
    assert {one["key"] for one in told.values()} == {40}
    for pod in pods:
        (key,) = [one for one in pod["spec"]["containers"][0]["env"] if one["name"] == "WANDB_API_KEY"]
        assert "secretKeyRef" in key["valueFrom"]
        assert works.place.server.key not in str(pod)


def test_a_worker_that_fails_is_told_with_its_code_and_last_line_while_the_master_still_runs(
    works: Works, tell: Callable[[str, object], None]
) -> None:
    master = container("pytorch", ACT="wait", ROLE="master")
    item_id = works.launch(with_roles(master, container("pytorch", ACT="fail", ROLE="worker")))
    works.wait_for(item_id, "FAILED")
    told = wait_until(
        lambda: texts(works.item(item_id)), 30, "the worker's words", until=lambda text: "no shard" in text
    )
    assert "exit code 7" in told
    assert "no shard for worker" in told
    tell("PyTorchJob", told)


def test_a_stopped_pytorch_job_leaves_no_pod(works: Works) -> None:
    one = container("pytorch", ACT="wait")
    item_id = works.launch(with_roles(one, one))
    works.wait_for_pods(item_id, 2, {"Running"})
    works.place.backend.stop_run(works.place.backend.start_run(PROJECT, works.run_of(item_id)))
    wait_until(lambda: works.pods(item_id), 90, "its pods to go", until=lambda pods: not pods)
    works.wait_for_stop(item_id)


def test_a_suspended_pytorch_job_waits_and_says_so_then_runs(works: Works) -> None:
    manifest = with_roles(container("pytorch"), container("pytorch"))
    manifest["spec"]["runPolicy"] = {"suspend": True}
    item_id = works.launch(manifest)
    name = works.find("PyTorchJob", item_id)["metadata"]["name"]
    wait_until(
        lambda: texts(works.item(item_id)), 60, "the suspension on the item", until=lambda text: "suspended" in text
    )
    assert not works.pods(item_id)
    resumed = {"spec": {"runPolicy": {"suspend": False}}}
    works.place.cluster.patch("PyTorchJob", works.namespace, name, resumed)
    works.wait_for(item_id, "FINISHED")


def test_what_the_operators_webhook_refuses_fails_the_item_with_its_words(works: Works) -> None:
    manifest = with_roles(container("pytorch"), container("pytorch"))
    manifest["spec"]["pytorchReplicaSpecs"]["Boss"] = manifest["spec"]["pytorchReplicaSpecs"].pop("Worker")
    item = works.wait_for(works.launch(manifest), "FAILED", 30)
    assert "Boss" in item["error"]["message"]
    assert not item["associatedRunId"]
