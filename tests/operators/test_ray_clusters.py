"""RayClusters under the real KubeRay; a script stands in for Ray, so KubeRay's probes are off (`ci/operators`)."""

from __future__ import annotations

import pytest

from tests.operators.conftest import Works, container
from tests.support.backend import ENDED, Json
from tests.support.place import PROJECT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.operators, pytest.mark.timeout(240)]


def ray_cluster(max_runtime: str) -> Json:
    """A head and one worker that keep their own command: KubeRay would start Ray instead."""
    head = {
        "rayStartParams": {},
        "template": {"spec": {"containers": [container("head", ACT="wait", ROLE="head", HEEDS_SIGTERM="1")]}},
    }
    worker = {
        "groupName": "workers", "replicas": 1, "minReplicas": 1, "maxReplicas": 1, "rayStartParams": {},
        "template": {"spec": {"containers": [container("worker", ACT="wait", ROLE="worker")]}},
    }  # fmt: skip
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "max_runtime": max_runtime,
        "metadata": {"annotations": {"ray.io/overwrite-container-cmd": "true"}},
        "spec": {"headGroupSpec": head, "workerGroupSpecs": [worker]},
    }


def wait_until_nothing_is_left(works: Works, item_id: str, name: str) -> None:
    wait_until(lambda: works.pods(item_id), 90, "its pods to go", until=lambda pods: not pods)
    wait_until(
        lambda: works.place.cluster.get("RayCluster", works.namespace, name), 30, "the RayCluster to go",
        until=lambda one: one is None,
    )  # fmt: skip


def test_a_ray_cluster_has_run_and_key_in_all_its_pods_and_leaves_nothing_after_max_runtime(works: Works) -> None:
    item_id = works.launch(ray_cluster("70s"))  # long enough for both pods on a busy machine
    name = works.find("RayCluster", item_id)["metadata"]["name"]
    pods = works.wait_for_pods(item_id, 2, {"Running"})
    run_id = works.run_of(item_id)
    told: dict[str, Json] = {one["role"]: one for one in map(works.told_by, pods)}
    assert {role: one.get("WANDB_RUN_ID") for role, one in told.items()} == {"head": run_id, "worker": None}
    assert {role: one["key"] for role, one in told.items()} == {"head": 40, "worker": 40}
    for pod in pods:
        (key,) = [one for one in pod["spec"]["containers"][0]["env"] if one["name"] == "WANDB_API_KEY"]
        assert "secretKeyRef" in key["valueFrom"]
        assert works.place.server.key not in str(pod)
    wait_until_nothing_is_left(works, item_id, name)
    wait_until(lambda: works.item(item_id)["state"], 60, "the item to end", until=lambda state: state in ENDED)


def test_a_stopped_ray_cluster_leaves_nothing(works: Works) -> None:
    item_id = works.launch(ray_cluster("1h"))
    name = works.find("RayCluster", item_id)["metadata"]["name"]
    works.wait_for_pods(item_id, 2, {"Running"})
    works.place.backend.stop_run(works.place.backend.start_run(PROJECT, works.run_of(item_id)))
    wait_until_nothing_is_left(works, item_id, name)
    works.wait_for_stop(item_id)
