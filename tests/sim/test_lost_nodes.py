"""A node that vanishes under its pods, and pods that are simply gone: real controllers judge, simulated pods."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.sim.test_preemption import wait_for_next
from tests.support.cluster import Cluster
from tests.support.place import Place, run_id_of
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.sim, pytest.mark.timeout(240)]

GARBAGE_COLLECTED = 150.0
"""Seconds: Kubernetes waits 40 s for a node to come back, and looks for its pods each 20 s."""


@pytest.fixture
def node(cluster: Cluster) -> Iterator[str]:
    """A node of this test's own; no other pod may go there."""
    name = f"own-{secrets.token_hex(4)}"
    room = {"cpu": "8", "memory": "8Gi", "pods": "10"}
    cluster.post(
        "/api/v1/nodes",
        {
            "metadata": {"name": name, "labels": {"own": name}},
            "spec": {"taints": [{"key": "own", "value": name, "effect": "NoSchedule"}]},
            "status": {"capacity": room, "allocatable": room},
        },
    )
    yield name
    cluster.delete_path(f"/api/v1/nodes/{name}")


@pytest.mark.long
def test_a_node_that_vanishes_is_no_failure_of_its_items(place: Place, cluster: Cluster, node: str) -> None:
    place.start()
    pod = {"spec": {"nodeSelector": {"own": node}, "tolerations": [{"key": "own", "operator": "Exists"}]}}
    item_id = place.push(pod=pod)
    job = place.wait_for_job()
    found = place.wait_for_pod(job)
    assert found["spec"]["nodeName"] == node
    place.wait_for_item(item_id, "CLAIMED")
    cluster.delete_path(f"/api/v1/nodes/{node}")
    wait_until(lambda: place.cluster.pods(place.name, job["metadata"]["name"]), GARBAGE_COLLECTED,
               "Kubernetes to take the pod away", until=lambda pods: not pods)  # fmt: skip
    copy = wait_for_next(place, 2)
    old = place.wait_for_item(item_id, "FAILED")
    assert copy["id"] in old["error"]["message"]
    place.wait_for_job_of(copy["id"])  # it waits for a node, and runs on no other
    assert len(place.cluster.jobs(place.name)) == 1


def test_a_pod_that_is_gone_without_a_word_fails_its_item_with_the_job_s_own_reason(place: Place) -> None:
    place.start(max_jobs=1)
    item_id = place.push()
    job = place.wait_for_job()
    pod = place.wait_for_pod(job)["metadata"]["name"]
    place.wait_for_item(item_id, "CLAIMED")
    place.cluster.delete_path(f"/api/v1/namespaces/{place.name}/pods/{pod}?gracePeriodSeconds=0")
    item = place.wait_for_item(item_id, "FAILED")
    assert "backoff limit" in item["error"]["message"], item
    place.wait_until_no_record()
    place.push()
    assert run_id_of(place.wait_for_jobs(2)[-1])  # its slot is free


def test_a_pod_that_is_gone_without_a_word_after_its_run_began_leaves_the_end_to_the_run(place: Place) -> None:
    place.start()
    item_id = place.push()
    job = place.wait_for_job()
    pod = place.wait_for_pod(job)["metadata"]["name"]
    place.wait_for_item(item_id, "CLAIMED")
    place.backend.start_run("demo", run_id_of(job))
    place.backend.end_run("demo", run_id_of(job), 0)
    place.cluster.delete_path(f"/api/v1/namespaces/{place.name}/pods/{pod}?gracePeriodSeconds=0")
    place.wait_for_item(item_id, "FINISHED")
    place.wait_until_no_record()
