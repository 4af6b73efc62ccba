"""Our server under each fault, by a real HTTP client: what is performed, what is answered, what is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.backend import PROJECT
from tests.support.faults import Faults, faulty_server, hold_at
from tests.support.servers import Server, start_server
from tests.support.waiting import wait_until

_POP = """mutation($queue: String!, $agent: ID) {
  popFromRunQueue(input: {entityName: "local", projectName: "model-registry", queueName: $queue,
    launchAgentId: $agent}) { runQueueItemId } }"""
_ACK = """mutation($item: ID!, $run: String!) {
  ackRunQueueItem(input: {runQueueItemId: $item, runName: $run}) { success } }"""
_TWO_ACKS = """mutation Both($a: ID!, $b: ID!) {
  a0: ackRunQueueItem(input: {runQueueItemId: $a, runName: "run-a"}) { success }
  a1: ackRunQueueItem(input: {runQueueItemId: $b, runName: "run-b"}) { success } }"""
_VIEWER = "query Me { viewer { id } }"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Faults]]:
    with faulty_server(tmp_path_factory.mktemp("faulty"), {"rules": []}) as (server, faults):
        yield server, faults


@pytest.fixture
def server(running: tuple[Server, Faults]) -> Server:
    return running[0]


@pytest.fixture
def faults(running: tuple[Server, Faults]) -> Iterator[Faults]:
    yield running[1]
    running[1].replace({"rules": []})


_names = iter(f"queue-{number}" for number in range(1000))


@pytest.fixture
def queue(server: Server, faults: Faults) -> str:
    name = next(_names)
    server.backend.create_queue(name)
    return name


def post(server: Server, query: str, **variables: Any) -> httpx.Response:
    body = {"query": query, "variables": variables}
    return httpx.post(f"{server.url}/graphql", json=body, auth=("api", server.key), timeout=20, trust_env=False)


def push(server: Server, queue: str) -> str:
    return server.backend.push(queue, {"entity": "local", "project": "demo"})


def pop(server: Server, queue: str) -> str | None:
    popped = post(server, _POP, queue=queue).json()["data"]["popFromRunQueue"]
    return None if popped is None else popped["runQueueItemId"]


def rule(fault: Any, operation: str = "ackRunQueueItem", **more: Any) -> dict[str, Any]:
    return {"rules": [{"name": "it", "match": {"operation": operation}, "fault": fault, **more}]}


def state(server: Server, queue: str, item: str) -> str:
    found: str = server.backend.item(queue, item)["state"]
    return found


def test_replies_say_that_faults_are_on_and_which_rule_bit(server: Server, faults: Faults) -> None:
    faults.replace(rule("pass", "viewer", nth=2))
    assert [post(server, _VIEWER).headers["x-launch-faults"] for _ in range(3)] == ["on", "it", "on"]
    assert "FAULTS ARE ON" in server.program.log


def test_without_the_flag_no_reply_says_so(tmp_path: Path) -> None:
    plain = start_server(tmp_path)
    try:
        assert "x-launch-faults" not in post(plain, _VIEWER).headers
        assert "FAULTS" not in plain.program.log
    finally:
        plain.stop()


def test_latency_delays_the_operation_and_nothing_else(server: Server, faults: Faults) -> None:
    faults.replace(rule({"latency": "300ms"}, "viewer"))
    began = time.monotonic()
    assert post(server, _VIEWER).status_code == 200
    assert time.monotonic() - began >= 0.3
    began = time.monotonic()
    assert httpx.get(f"{server.url}/healthz", trust_env=False).text == "ok\n"
    assert time.monotonic() - began < 0.3


def test_a_status_comes_in_place_of_the_performance(server: Server, faults: Faults, queue: str) -> None:
    item = push(server, queue)
    faults.replace(rule({"status": {"code": 429, "retry_after": 2}}, "popFromRunQueue", times=1))
    answer = post(server, _POP, queue=queue)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert answer.json() == {"errors": [{"message": "fault injection: HTTP 429"}]}
    assert state(server, queue, item) == "PENDING"
    assert pop(server, queue) == item


def test_a_status_may_hide_that_the_request_was_performed(server: Server, faults: Faults, queue: str) -> None:
    item = push(server, queue)
    body = {"errors": [{"message": "bad gateway"}]}
    faults.replace(rule({"status": {"code": 502, "body": body, "performed": True}}, "popFromRunQueue", times=1))
    answer = post(server, _POP, queue=queue)
    assert (answer.status_code, answer.json()) == (502, body)
    assert state(server, queue, item) == "LEASED"


def test_an_error_befalls_one_operation_of_a_document_and_the_others_are_performed(
    server: Server, faults: Faults, queue: str
) -> None:
    first, second = push(server, queue), push(server, queue)
    assert [pop(server, queue), pop(server, queue)] == [first, second]
    faults.replace(rule({"error": "no luck"}, nth=1))
    answer = post(server, _TWO_ACKS, a=first, b=second)
    assert answer.json() == {
        "data": {"a0": None, "a1": {"success": True}},
        "errors": [{"message": "no luck", "path": ["a0"]}],
    }
    assert [state(server, queue, one) for one in (first, second)] == ["LEASED", "CLAIMED"]


def test_an_error_for_all_operations_performs_nothing(server: Server, faults: Faults, queue: str) -> None:
    item = push(server, queue)
    assert pop(server, queue) == item
    faults.replace(rule({"error": "no luck"}))
    answer = post(server, _ACK, item=item, run="run-a").json()
    assert answer == {
        "data": {"ackRunQueueItem": None},
        "errors": [{"message": "no luck", "path": ["ackRunQueueItem"]}],
    }
    assert state(server, queue, item) == "LEASED"


def test_a_refused_connection_is_closed_and_nothing_is_performed(server: Server, faults: Faults, queue: str) -> None:
    item = push(server, queue)
    faults.replace(rule("refuse", "popFromRunQueue"))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        post(server, _POP, queue=queue)
    faults.replace({"rules": []})
    assert state(server, queue, item) == "PENDING"


def test_a_lost_reply_is_of_a_request_that_was_performed(server: Server, faults: Faults, queue: str) -> None:
    item = push(server, queue)
    assert pop(server, queue) == item
    faults.replace(rule("lose-reply", times=1))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        post(server, _ACK, item=item, run="run-a")
    assert state(server, queue, item) == "CLAIMED"
    assert post(server, _ACK, item=item, run="run-a").json()["data"]["ackRunQueueItem"]["success"] is True
    phases = [one.phase for one in faults.events() if one.rule == "it" and one.fault == "lose-reply"]
    assert phases[-4:] == ["bite", "performed", "dropped", "match"]


def test_a_duplicated_request_is_performed_twice(server: Server, faults: Faults, queue: str) -> None:
    items = [push(server, queue) for _ in range(3)]
    faults.replace(rule("duplicate", "popFromRunQueue", times=1))
    assert [pop(server, queue), pop(server, queue)] == items[1:]
    assert state(server, queue, items[0]) == "LEASED"


def test_a_delivery_is_repeated_in_place_of_the_next_empty_pop(server: Server, faults: Faults, queue: str) -> None:
    first, second = push(server, queue), push(server, queue)
    faults.replace(rule({"duplicate": "delivery"}, "popFromRunQueue", nth=1))
    assert [pop(server, queue) for _ in range(4)] == [first, second, first, None]


def test_a_delivery_is_repeated_in_the_very_document_that_pops_several(
    server: Server, faults: Faults, queue: str
) -> None:
    item = push(server, queue)
    field = f'popFromRunQueue(input: {{entityName: "local", projectName: "{PROJECT}", queueName: "{queue}"}})'
    document = "mutation { " + " ".join(f"a{n}: {field} {{ runQueueItemId }}" for n in range(3)) + " }"
    faults.replace(rule({"duplicate": "delivery"}, "popFromRunQueue", times=1))
    data = post(server, document).json()["data"]
    assert data == {"a0": {"runQueueItemId": item}, "a1": {"runQueueItemId": item}, "a2": None}


def test_a_delivery_of_one_queue_is_not_repeated_in_another(server: Server, faults: Faults, queue: str) -> None:
    other = next(_names)
    server.backend.create_queue(other)
    item = push(server, queue)
    faults.replace(rule({"duplicate": "delivery"}, "popFromRunQueue", nth=1))
    assert [pop(server, queue), pop(server, other), pop(server, queue)] == [item, None, item]


@pytest.mark.parametrize("then", ["continue", "drop"])
@pytest.mark.parametrize("at", ["before", "after"])
def test_a_held_request_goes_on_or_is_dropped_as_it_is_released(
    server: Server, faults: Faults, queue: str, at: Any, then: Any
) -> None:
    item = push(server, queue)
    assert pop(server, queue) == item
    faults.replace({"rules": [hold_at("ackRunQueueItem", at=at)]})
    outcome: list[Any] = []

    def ask() -> None:
        try:
            outcome.append(post(server, _ACK, item=item, run="run-a").json()["data"]["ackRunQueueItem"]["success"])
        except httpx.RemoteProtocolError as error:
            outcome.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    hold = faults.wait_for_hold()
    assert (hold.operation, hold.at, hold.arguments) == (
        "ackRunQueueItem",
        at,
        {"runQueueItemId": item, "runName": "run-a"},
    )
    assert state(server, queue, item) == ("CLAIMED" if at == "after" else "LEASED")
    assert outcome == []
    faults.release(hold, then)
    asker.join(10)
    assert (outcome == [True]) is (then == "continue")
    assert state(server, queue, item) == ("LEASED" if (at, then) == ("before", "drop") else "CLAIMED")
    assert faults.holds() == []


def test_a_request_that_was_held_is_performed_though_its_asker_is_gone(
    server: Server, faults: Faults, queue: str
) -> None:
    item = push(server, queue)
    assert pop(server, queue) == item
    faults.replace({"rules": [hold_at("ackRunQueueItem")]})
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{server.url}/graphql",
            json={"query": _ACK, "variables": {"item": item, "run": "run-a"}},
            auth=("api", server.key),
            timeout=1,
            trust_env=False,
        )
    faults.release(faults.wait_for_hold(), "continue")
    server.backend.wait_for_state(queue, item, "CLAIMED", 10)


def test_a_hold_ends_by_itself_as_its_rule_says(server: Server, faults: Faults) -> None:
    faults.replace({"rules": [hold_at("viewer", timeout=0.2, then="drop", name="short")]})
    with pytest.raises(httpx.RemoteProtocolError):
        post(server, _VIEWER)
    released = faults.wait_for_event(rule="short", phase="released")
    assert released.more == {"hold": released.more["hold"], "then": "drop", "by": "timeout", "at": "before"}


def test_an_outage_by_schedule_ends_by_itself(server: Server, faults: Faults) -> None:
    outage = {"name": "outage", "match": {"path": "/graphql"}, "for": "1s", "fault": "refuse"}
    faults.replace({"rules": [outage]})
    with pytest.raises(httpx.RemoteProtocolError):
        post(server, _VIEWER)

    def is_back() -> bool:
        try:
            return post(server, _VIEWER).status_code == 200
        except httpx.RemoteProtocolError:
            return False

    wait_until(is_back, 10, "the outage's end")
    seen = faults.rules()["outage"]
    assert seen["matched"] == seen["bitten"] > 0


def test_counts_are_of_operations_and_nested_queries_have_their_path(
    server: Server, faults: Faults, queue: str
) -> None:
    before = faults.counts()
    document = 'query($n: String!) { project(entityName: "local", name: $n) { runQueues { name } } }'
    post(server, document, n=PROJECT)
    post(server, _TWO_ACKS, a="x", b="y")
    after = faults.counts()
    assert after["project.runQueues"] - before.get("project.runQueues", 0) == 1
    assert after["ackRunQueueItem"] - before.get("ackRunQueueItem", 0) == 2


def test_events_are_waited_for_and_none_is_told_twice(server: Server, faults: Faults) -> None:
    faults.replace(rule("pass", "viewer"))
    last = max((one.number for one in faults.events()), default=0)
    timer = threading.Timer(0.2, post, (server, _VIEWER))
    timer.start()
    found = faults.events(since=last, wait=20)
    timer.join()
    assert [one.phase for one in found] == ["bite"]
    assert faults.events(since=found[-1].number) == []


def test_a_wrong_script_is_refused_with_all_its_mistakes_and_the_old_one_stays(server: Server, faults: Faults) -> None:
    faults.replace(rule("pass", "viewer"))
    wrong = {"rules": [{"match": {"operatoin": "x"}, "fault": "refuse", "nth": 0}]}
    answer = httpx.post(f"{faults.url}/rules", content=json.dumps(wrong), trust_env=False)
    assert answer.status_code == 400
    assert answer.json()["problems"] == [
        "rules[0].match.operatoin: this key is not known. Did you mean operation?",
        "rules[0].nth: 0 is no whole number from 1 on. Write 1, for example.",
    ]
    assert list(faults.rules()) == ["it"]
    assert httpx.post(f"{faults.url}/release/999", trust_env=False).status_code == 404
    assert httpx.post(f"{faults.url}/release/1?then=perhaps", trust_env=False).status_code == 400
    assert httpx.get(f"{faults.url}/events?since=x", trust_env=False).status_code == 400
