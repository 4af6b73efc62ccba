"""One series of operations against the stand-in of these tests and against the real queue server: the same shapes."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.client import Client
from launch_agent.adapters.wandb.operation import Operation
from launch_agent.errors import WandbDenied, WandbRejected
from tests.adapters.wandb_server import Reply, Request, reply, serve
from tests.support.backend import PROJECT
from tests.support.servers import ENTITY, start_server

KEY = "c" * 40
BASIC = "Basic " + b64encode(f"api:{KEY}".encode()).decode()
QUEUE = "contract"
UNKNOWN_AGENT = b64encode(b"LaunchAgent:999999").decode()
SPEC = {"resource": "local-process", "overrides": {"entry_point": ["true"]}, "project": "vision", "entity": ENTITY}


@dataclass(frozen=True, slots=True)
class Peer:
    """A server that speaks W&B's API."""

    url: str
    client: Client


@pytest.fixture(scope="module", params=["stand-in", "launch-server"])
def peer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    if request.param == "stand-in":
        with serve() as standin:
            standin.answer = Memory()
            client = Client(standin.url, KEY, timeout=10)
            yield Peer(standin.url, client)
            client.close()
        return
    server = start_server(tmp_path_factory.mktemp("contract"), key=KEY)
    client = Client(server.url, KEY, timeout=10)
    yield Peer(server.url, client)
    client.close()
    server.stop()


class Memory:
    """What a queue server remembers, as far as this series goes."""

    def __init__(self) -> None:
        self._waiting: list[str] = []
        self._acked: dict[str, str] = {}
        self._pushed = 0
        self._answers: dict[str, Callable[[Mapping[str, Any]], Any]] = {
            "viewer": lambda _own: {"id": "VXNlcjox", "entity": ENTITY, "username": "admin"},
            "entity": lambda own: {"id": "RW50aXR5OjE=", "isTeam": False} if own["name"] == ENTITY else None,
            "createRunQueue": lambda _own: {"success": True, "queueID": "UnVuUXVldWU6MQ=="},
            "createLaunchAgent": lambda _own: {"launchAgentId": "TGF1bmNoQWdlbnQ6MQ=="},
            "launchAgent": self._agent,
            "updateLaunchAgent": lambda _own: {"success": True},
            "pushToRunQueueByName": self._push,
            "popFromRunQueue": self._pop,
            "ackRunQueueItem": self._ack,
            "failRunQueueItem": lambda _own: {"success": True},
            "updateRunQueueItemWarning": lambda _own: {"success": True},
            "project": self._project,
        }

    def __call__(self, request: Request) -> Reply:
        if request.headers["Authorization"] != BASIC:
            return reply({"errors": [{"message": "no such key"}]}, 401)
        variables = request.json["variables"]
        data = {}
        for alias, name in request.fields:
            prefix = f"v{alias[1:]}_"
            own = {key.removeprefix(prefix): value for key, value in variables.items() if key.startswith(prefix)}
            if "queueName" in own and own["queueName"] != QUEUE:
                errors = [{"message": "no such queue", "path": [alias]}]
                return reply({"data": {alias: None}, "errors": errors})
            data[alias] = self._answers[name](own)
        return reply({"data": data})

    def _agent(self, own: Mapping[str, Any]) -> Any:
        if own["id"] != "TGF1bmNoQWdlbnQ6MQ==":
            return None
        moment = "2026-01-01T00:00:00Z"
        return {"id": own["id"], "name": "agent", "agentStatus": "POLLING", "stopPolling": False, "heartbeatAt": moment}

    def _push(self, own: Mapping[str, Any]) -> Any:
        self._pushed += 1
        self._waiting.append(f"item-{self._pushed}")
        return {"runQueueItemId": f"item-{self._pushed}", "runSpec": own["runSpec"]}

    def _pop(self, own: Mapping[str, Any]) -> Any:
        return {"runQueueItemId": self._waiting.pop(0), "runSpec": dict(SPEC)} if self._waiting else None

    def _ack(self, own: Mapping[str, Any]) -> Any:
        holder = self._acked.setdefault(own["runQueueItemId"], own["runName"])
        return {"success": holder == own["runName"]}

    def _project(self, own: Mapping[str, Any]) -> Any:
        if "run" in own:
            return {"run": None}
        if "item" in own:
            run = self._acked.get(own["item"])
            state = "CLAIMED" if run else "PENDING"
            return {"runQueue": {"runQueueItem": {"id": own["item"], "state": state, "associatedRunId": run}}}
        return {"runQueues": [{"id": "UnVuUXVldWU6MQ==", "name": QUEUE, "createdBy": 1, "access": "PROJECT"}]}


def _do(peer: Peer, operation: Operation) -> Any:
    (result,) = peer.client.run([operation])
    assert result.error is None, str(result.error)
    return result.value


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return type(value).__name__


@pytest.fixture(scope="module")
def agent_id(peer: Peer) -> str:
    """A queue and an agent of it."""
    _do(peer, operations.create_queue(ENTITY, PROJECT, QUEUE))
    queue = next(one for one in _do(peer, operations.project_queues(ENTITY, PROJECT))["runQueues"])
    assert queue["name"] == QUEUE
    made = _do(peer, operations.create_agent(ENTITY, PROJECT, [queue["id"]], "host", "{}", "launch-agent@0"))
    assert _shape(made) == {"launchAgentId": "str"}
    return str(made["launchAgentId"])


def _push(peer: Peer) -> str:
    pushed = _do(peer, operations.push(ENTITY, PROJECT, QUEUE, json.dumps(SPEC)))
    assert _shape(pushed) == {"runQueueItemId": "str", "runSpec": "str"}
    return str(pushed["runQueueItemId"])


def test_who_asks_and_whether_an_entity_is_a_team(peer: Peer) -> None:
    assert _shape(_do(peer, operations.viewer())) == {"entity": "str", "id": "str", "username": "str"}
    assert _shape(_do(peer, operations.entity_is_team(ENTITY))) == {"id": "str", "isTeam": "bool"}
    assert _do(peer, operations.entity_is_team("nobody")) is None


def test_an_agent_is_read_back_and_an_unknown_one_is_none(peer: Peer, agent_id: str) -> None:
    assert _shape(_do(peer, operations.agent(agent_id))) == {
        "agentStatus": "str",
        "heartbeatAt": "str",
        "id": "str",
        "name": "str",
        "stopPolling": "bool",
    }
    assert _do(peer, operations.agent(UNKNOWN_AGENT)) is None
    assert _do(peer, operations.update_agent(agent_id, "POLLING")) == {"success": True}


def test_an_item_goes_from_push_to_claim_and_a_second_claim_is_false(peer: Peer, agent_id: str) -> None:
    item_id = _push(peer)
    popped = _do(peer, operations.pop(ENTITY, PROJECT, QUEUE, agent_id))
    assert popped["runQueueItemId"] == item_id
    assert isinstance(popped["runSpec"], dict)
    assert popped["runSpec"]["overrides"] == SPEC["overrides"]
    assert _do(peer, operations.ack(item_id, "run-1")) == {"success": True}
    assert _do(peer, operations.ack(item_id, "run-1")) == {"success": True}
    assert _do(peer, operations.ack(item_id, "run-2")) == {"success": False}
    found = _do(peer, operations.item(ENTITY, PROJECT, QUEUE, item_id))
    assert found == {"runQueue": {"runQueueItem": {"id": item_id, "state": "CLAIMED", "associatedRunId": "run-1"}}}
    assert _do(peer, operations.warn(item_id, "slow", "Kubernetes")) == {"success": True}
    assert _do(peer, operations.fail(item_id, "broken", "run", ["a/error.log"])) == {"success": True}


def test_an_empty_queue_pops_none(peer: Peer, agent_id: str) -> None:
    assert _do(peer, operations.pop(ENTITY, PROJECT, QUEUE, agent_id)) is None


def test_a_queue_that_is_not_there_is_rejected_by_name(peer: Peer, agent_id: str) -> None:
    (result,) = peer.client.run([operations.pop(ENTITY, PROJECT, "elsewhere", agent_id)])
    assert isinstance(result.error, WandbRejected)
    assert "popFromRunQueue" in str(result.error)


def test_the_state_of_a_run_that_never_began_is_none(peer: Peer, agent_id: str) -> None:
    for operation in (operations.run_state, operations.run_stopped):
        project = _do(peer, operation(ENTITY, "vision", "no-such-run"))
        assert project is None or project == {"run": None}


def test_a_hundred_items_are_popped_and_claimed_in_one_document_each(peer: Peer, agent_id: str) -> None:
    spec = json.dumps(SPEC)
    pushed = peer.client.run([operations.push(ENTITY, PROJECT, QUEUE, spec) for _ in range(100)])
    wanted = [result.value["runQueueItemId"] for result in pushed]
    popped = peer.client.run([operations.pop(ENTITY, PROJECT, QUEUE, agent_id)] * 100)
    assert [result.value["runQueueItemId"] for result in popped] == wanted
    acked = peer.client.run([operations.ack(item_id, f"run-{item_id}") for item_id in wanted])
    assert [result.value for result in acked] == [{"success": True}] * 100


def test_another_key_is_denied(peer: Peer) -> None:
    with pytest.raises(WandbDenied):
        Client(peer.url, "d" * 40, timeout=10).run([operations.viewer()])
