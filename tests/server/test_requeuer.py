"""An item goes back into a real queue once, however long the queue and whatever became of the answer before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from launch_agent.adapters.wandb.client import Client
from launch_agent.core.models import Record
from launch_agent.errors import RefusedError, WandbRejected
from launch_agent.runtime.requeuer import Requeuer
from tests.support.backend import image_spec
from tests.support.records import make_record
from tests.support.servers import Server, start_server

QUEUE = "gpu"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start_server(tmp_path_factory.mktemp("server"))
    running.backend.create_queue(QUEUE, "kubernetes", {"metadata": {"labels": {"size": "small"}}})
    yield running
    running.stop()


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    made = Client(server.url, server.key, timeout=10.0)
    yield made
    made.close()


def record_of(server: Server, **spec: Any) -> Record:
    pushed = server.backend.push(QUEUE, image_spec(server.backend.entity, "demo", "train:1", **spec))
    run_spec = {"entity": server.backend.entity, "project": "demo", "docker": {"docker_image": "train:1"}, **spec}
    return make_record(pushed, queue=QUEUE, queue_entity=server.backend.entity, run_id="abc12345", run_spec=run_spec)


def test_a_lost_answer_puts_nothing_into_the_queue_a_second_time(server: Server, client: Client) -> None:
    requeuer = Requeuer(client, list)
    record = record_of(server)
    first = requeuer.put_back(record, is_repeat=False)
    for _ in range(120):  # more than a page of items that came later
        server.backend.push(QUEUE, image_spec(server.backend.entity, "demo", "train:1"))
    before = len(server.backend.items(QUEUE))
    assert requeuer.put_back(record, is_repeat=True) == first
    assert len(server.backend.items(QUEUE)) == before
    other = record_of(server)
    second = requeuer.put_back(other, is_repeat=False)
    assert requeuer.put_back(other, is_repeat=True) == second != first


def test_an_item_that_this_agent_has_taken_already_is_known_by_its_record(server: Server, client: Client) -> None:
    record = record_of(server)
    taken = replace(record, item_id="item-9", run_spec={"_requeued_from": record.item_id, "_resume_count": 1})
    assert Requeuer(client, lambda: [taken]).put_back(record, is_repeat=True) == "item-9"


def test_a_key_that_is_in_a_secret_only_is_not_guessed(server: Server, client: Client) -> None:
    record = record_of(server)
    hidden = replace(record, run_spec={**record.run_spec, "_wandb_api_key": "(in a Secret)"})
    with pytest.raises(RefusedError, match="in its Secret only"):
        Requeuer(client, list).put_back(hidden, is_repeat=True)


def test_a_queue_that_is_gone_says_so(server: Server, client: Client) -> None:
    record = replace(record_of(server), queue="none")
    with pytest.raises(WandbRejected, match="none"):
        Requeuer(client, list).put_back(record, is_repeat=False)


def test_what_is_put_back_is_whole(server: Server, client: Client) -> None:
    record = record_of(server, ours={"a": [1]})
    made = Requeuer(client, list).put_back(record, is_repeat=False)
    found = server.backend.execute(
        """query($entity: String!, $queue: String!, $item: ID!) {
          project(entityName: $entity, name: "model-registry") { runQueue(name: $queue) {
            runQueueItem(id: $item) { runSpec } } } }""",
        entity=server.backend.entity, queue=QUEUE, item=made,
    )  # fmt: skip
    spec = json.loads(found["project"]["runQueue"]["runQueueItem"]["runSpec"])
    assert spec["ours"] == {"a": [1]}
    assert (spec["run_id"], spec["_resume_count"], spec["_requeued_from"]) == ("abc12345", 1, record.item_id)
