"""Items that wait in Kueue's queues: shown as waiting, neither started nor failed, until Kueue lets them in."""

from __future__ import annotations

import secrets

import pytest

from tests.operators.conftest import Works, container, job, template
from tests.support.backend import Json, texts
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.operators, pytest.mark.timeout(240)]

API = "kueue.x-k8s.io/v1beta1"
QUEUE = "kueue.x-k8s.io/queue-name"


@pytest.fixture(scope="module")
def queue(works: Works) -> str:
    """A queue of Kueue's that lets nothing in until a test opens it (`open_queue`)."""
    name = f"held-{secrets.token_hex(3)}"
    cluster = works.place.cluster
    cluster.create("ResourceFlavor", "", {"apiVersion": API, "kind": "ResourceFlavor", "metadata": {"name": name}})
    quotas = {"name": name, "resources": [{"name": "cpu", "nominalQuota": 100}]}
    spec = {
        "namespaceSelector": {},
        "stopPolicy": "Hold",
        "resourceGroups": [{"coveredResources": ["cpu"], "flavors": [quotas]}],
    }
    cluster.create(
        "ClusterQueue", "", {"apiVersion": API, "kind": "ClusterQueue", "metadata": {"name": name}, "spec": spec}
    )
    local = {"apiVersion": API, "kind": "LocalQueue", "metadata": {"name": name}, "spec": {"clusterQueue": name}}
    cluster.create("LocalQueue", works.namespace, local)
    return name


def switch(works: Works, queue: str, policy: str) -> None:
    """``None`` lets workloads in, ``Hold`` does not."""
    works.place.cluster.patch("ClusterQueue", "", queue, {"spec": {"stopPolicy": policy}})


def queued(manifest: Json, queue: str) -> Json:
    """The manifest with Kueue's label, and with what Kueue counts."""
    return {**manifest, "metadata": {"labels": {QUEUE: queue}}}


def small() -> Json:
    return {**container(), "resources": {"requests": {"cpu": "50m"}}}


def job_set() -> Json:
    one = {"name": "main", "template": {"spec": {"backoffLimit": 0, "template": template(small())}}}
    return {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "spec": {"replicatedJobs": [one]}}


@pytest.mark.parametrize("kind", ["Job", "JobSet"])
def test_a_queued_item_waits_and_says_so_and_runs_when_kueue_admits_it(works: Works, queue: str, kind: str) -> None:
    switch(works, queue, "Hold")
    item_id = works.launch(queued(job(small()) if kind == "Job" else job_set(), queue))
    assert works.find(kind, item_id)["spec"]["suspend"] is True
    told = wait_until(
        lambda: texts(works.item(item_id)), 60, "the waiting on the item", until=lambda text: "suspended" in text
    )
    assert kind in told
    assert works.item(item_id)["state"] == "CLAIMED"
    assert not works.pods(item_id)
    switch(works, queue, "None")
    works.wait_for(item_id, "FINISHED")
    assert len(works.pods(item_id)) == 1
