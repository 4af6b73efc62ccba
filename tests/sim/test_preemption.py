"""What the cluster takes away goes back into the queue: the same run, once, as often as it may."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.backend import PROJECT as QUEUES
from tests.support.backend import image_spec, texts
from tests.support.cluster import Json, environment_of
from tests.support.place import IMAGE, PROJECT, Place, run_id_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

_QUEUE = """mutation Make(
  $entity: String!, $project: String!, $queue: String!, $config: JSONString!, $variables: JSONString!
) {
  upsertRunQueue(input: {entityName: $entity, projectName: $project, queueName: $queue, resourceType: "kubernetes",
    resourceConfig: $config, templateVariables: $variables, prioritizationMode: V0}) { success }
}"""
_PUSH = """mutation Push(
  $entity: String!, $project: String!, $queue: String!, $spec: JSONString!, $priority: Int, $values: JSONString
) {
  pushToRunQueueByName(input: {entityName: $entity, projectName: $project, queueName: $queue, runSpec: $spec,
    priority: $priority, templateVariableValues: $values}) { runQueueItemId }
}"""
_ITEMS = """query Items($entity: String!, $project: String!, $queue: String!) {
  project(entityName: $entity, name: $project) {
    runQueue(name: $queue) { runQueueItems(first: 100) { edges { node { id state priority runSpec } } } }
  }
}"""


def items_of(place: Place, queue: str = "") -> list[Json]:
    found = place.backend.execute(_ITEMS, entity=place.backend.entity, project=QUEUES, queue=queue or place.name)
    return [edge["node"] for edge in found["project"]["runQueue"]["runQueueItems"]["edges"]]


def evict(place: Place, job: Json) -> None:
    """What a drain of its node does to the Job's pod."""
    pod = place.wait_for_pod(job)["metadata"]["name"]
    place.cluster.post(
        f"/api/v1/namespaces/{place.name}/pods/{pod}/eviction",
        {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": place.name}},
    )


def wait_for_next(place: Place, count: int, queue: str = "") -> Json:
    """The newest item, once there are so many."""
    found = wait_until(lambda: items_of(place, queue), 30, f"{count} items", until=lambda items: len(items) >= count)
    assert len(found) == count
    return max(found, key=lambda item: json.loads(item["runSpec"]).get("_resume_count", 0))


def test_an_evicted_job_goes_on_as_a_new_item_of_the_same_run(place: Place) -> None:
    queue = f"{place.name}-prior"
    config = {"resource_args": {"kubernetes": {"metadata": {"namespace": place.name, "labels": {"size": "{{size}}"}}}}}
    place.backend.execute(
        _QUEUE,
        entity=place.backend.entity, project=QUEUES, queue=queue, config=json.dumps(config),
        variables=json.dumps({"size": {"schema": {"type": "string", "enum": ["small", "large"]}}}),
    )  # fmt: skip
    place.start(queue)
    spec = image_spec(place.backend.entity, PROJECT, IMAGE, ours={"kept": [1, None]})
    pushed = place.backend.execute(
        _PUSH,
        entity=place.backend.entity, project=QUEUES, queue=queue, spec=json.dumps(spec), priority=1,
        values=json.dumps({"size": "large"}),
    )["pushToRunQueueByName"]["runQueueItemId"]  # fmt: skip
    job = place.wait_for_job_of(pushed)
    place.wait_for_pod(job)
    run_id = run_id_of(job)
    place.backend.start_run(PROJECT, run_id)
    evict(place, job)
    item = wait_for_next(place, 2, queue)
    kept = json.loads(item["runSpec"])
    assert (kept["run_id"], kept["_resume_count"], kept["_requeued_from"]) == (run_id, 1, pushed)
    assert kept["ours"] == {"kept": [1, None]}
    assert item["priority"] == 1
    resumed = place.wait_for_job_of(item["id"])
    assert resumed["metadata"]["labels"]["size"] == "large"
    assert environment_of(resumed)["WANDB_RUN_ID"] == run_id
    assert environment_of(resumed)["WANDB_RESUME"] == "allow"
    wait_until(lambda: place.item(pushed, queue)["warnings"], 10, "a word on the first item")
    assert f"Its run goes on with item {item['id']}" in texts(place.item(pushed, queue))
    place.wait_until_job(job["metadata"]["name"], "the evicted Job to be gone", lambda seen: seen is None)
    place.play(resumed)
    place.wait_for_item(item["id"], "FINISHED", queue=queue)
    place.wait_until_no_record()
    assert len(items_of(place, queue)) == 2


def test_a_job_of_a_fixed_name_follows_itself(place: Place) -> None:
    place.start()
    named = {"kubernetes": {"metadata": {"name": "train-${run_id}"}}}
    pushed = place.push(resource_args=named, run_id="again1")
    evict(place, place.wait_for_job_of(pushed))
    item = wait_for_next(place, 2)
    resumed = place.wait_for_job_of(item["id"])
    assert resumed["metadata"]["name"] == "train-again1"
    assert place.wait_for_item(pushed, "FAILED")["error"]["message"].startswith("The pod")
    place.play(resumed)
    place.wait_for_item(item["id"], "FINISHED")


@pytest.mark.parametrize(
    ("config", "arguments", "reason"),
    [
        ({"max_resume_count": 0}, {}, "max_resume_count is 0"),
        ({}, {"max_resume_count": 0}, "max_resume_count is 0"),
        ({"max_resume_count": 1}, {"max_resume_count": 9}, "queued again 1 times already"),
    ],
)
def test_as_often_as_it_may(place: Place, config: dict[str, Any], arguments: dict[str, Any], reason: str) -> None:
    place.start(**config)
    count = 1 if "1" in reason else 0
    pushed = place.push(resource_args={"kubernetes": arguments}, run_id="again2", _resume_count=count)
    evict(place, place.wait_for_job_of(pushed))
    assert reason in place.wait_for_item(pushed, "FAILED")["error"]["message"]
    place.wait_until_no_record()
    assert [one["id"] for one in items_of(place)] == [pushed]


def test_a_stopped_run_is_not_put_back(place: Place) -> None:
    agent = place.start(stopped_run_timeout=0)
    pushed = place.push()
    job = place.wait_for_job_of(pushed)
    place.wait_for_pod(job)
    storage_id = place.backend.start_run(PROJECT, run_id_of(job))
    place.backend.stop_run(storage_id)
    place.wait_until_job(job["metadata"]["name"], "the Job to be deleted", lambda seen: seen is None)
    place.wait_until_no_record()
    assert [one["id"] for one in items_of(place)] == [pushed]
    agent.stop()
