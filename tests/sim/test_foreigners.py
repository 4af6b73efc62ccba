"""While W&B's own agent has work running, its Jobs are counted and never touched."""

from __future__ import annotations

import pytest

from tests.support.cluster import Json
from tests.support.place import Place, item_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

LABELS = {"wandb.ai/run-id": "abc123", "wandb.ai/monitor": "true", "wandb.ai/agent": "old-agent"}
POD = {"restartPolicy": "Never", "containers": [{"name": "launch0", "image": "registry.example/team/train:1"}]}


def _launch_as_wandb(place: Place) -> Json:
    """A Job as W&B's agent makes it, with its pod running."""
    job = place.cluster.create("Job", place.name, {
        "metadata": {"name": "launch-old", "labels": LABELS},
        "spec": {"backoffLimit": 0, "template": {"spec": POD}},
    })  # fmt: skip
    place.wait_for_pod(job)

    def is_counted(seen: Json | None) -> bool:
        return seen is not None and (seen.get("status") or {}).get("ready") == 1

    place.wait_until_job("launch-old", "the Job controller to have seen the pod", is_counted)
    return job


def _find(place: Place) -> Json:
    found = place.cluster.get("Job", place.name, "launch-old")
    assert found is not None
    return found


def _own_jobs(place: Place) -> list[Json]:
    return place.cluster.find("Job", place.name, "launch-agent/item")


def test_a_job_of_wandbs_agent_uses_a_slot_from_the_first_second_until_it_is_over(place: Place) -> None:
    job = _launch_as_wandb(place)
    before = _find(place)
    items = {place.push(), place.push()}
    place.start(max_jobs=2)
    (first,) = wait_until(lambda: _own_jobs(place), 20, "a Job of ours")
    place.wait_for_pod(first)
    place.wait_for_item(item_of(first), "CLAIMED")
    (waiting,) = items - {item_of(first)}
    assert place.item(waiting)["state"] == "PENDING"
    seen = _find(place)
    assert seen["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"], "somebody wrote to the Job"
    place.play(job, with_run=False)
    place.wait_for_item(waiting, "CLAIMED")
    assert len(wait_until(lambda: _own_jobs(place), 20, "both Jobs", until=lambda jobs: len(jobs) == 2)) == 2
    over = _find(place)
    writers = {one["manager"] for one in over["metadata"]["managedFields"]}
    assert writers - {one["manager"] for one in before["metadata"]["managedFields"]} <= {"kube-controller-manager"}
    assert over["metadata"]["labels"].items() >= LABELS.items()
    assert "ttlSecondsAfterFinished" not in over["spec"]


def test_jobs_of_wandbs_agent_use_no_slot_where_that_is_not_wished(place: Place) -> None:
    _launch_as_wandb(place)
    place.push()
    place.start(max_jobs=1, adopt_foreign=False)
    assert len(wait_until(lambda: _own_jobs(place), 20, "a Job of ours")) == 1
