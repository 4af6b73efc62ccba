"""Queue items over HTTP: push, pop, acknowledge, fail, warn, follow the run."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.server.conftest import KEY, PROJECT, Clock, Server

PREEMPTED = "the run was preempted: exit code 1"


def test_a_push_gives_text_and_a_pop_gives_an_object_both_with_the_queues_config(server: Server) -> None:
    server.make_queue(config={"spec": {"backoffLimit": 0, "template": {"a": 1}}})
    spec = {"entity": "local", "project": "demo", "resource_args": {"kubernetes": {"spec": {"backoffLimit": 2}}}}
    pushed = server.ask(
        "pushToRunQueueByName", entityName="local", projectName=PROJECT, queueName="q", runSpec=json.dumps(spec)
    )["pushToRunQueueByName"]
    popped = server.pop()
    assert popped is not None
    assert popped["runQueueItemId"] == pushed["runQueueItemId"]
    assert popped["runSpec"] == json.loads(pushed["runSpec"])
    assert popped["runSpec"]["resource"] == "kubernetes"
    assert popped["runSpec"]["resource_args"]["kubernetes"]["spec"] == {"backoffLimit": 2, "template": {"a": 1}}


def test_the_older_push_finds_the_queue_by_id(server: Server) -> None:
    server.make_queue()
    queues = server.ask("ProjectRunQueues", entity="local", projectName=PROJECT)["project"]["runQueues"]
    spec = json.dumps({"entity": "local", "project": "demo"})
    pushed = server.ask("pushToRunQueue", queueID=queues[0]["id"], runSpec=spec)["pushToRunQueue"]
    assert server.pop_id() == pushed["runQueueItemId"]


def test_an_empty_queue_pops_null(server: Server) -> None:
    server.make_queue()
    assert server.pop() is None


def test_items_leave_in_the_order_they_came(server: Server) -> None:
    server.make_queue()
    pushed = [server.push(priority=priority) for priority in (3, 0, 2, 1)]
    assert [server.pop_id() for _ in pushed] == pushed


def test_a_queue_with_priorities_gives_the_lower_number_first_then_the_older(server: Server) -> None:
    server.make_queue(mode="V0")
    low, first_high, second_high, unset, medium, critical = (
        server.push(priority=priority) for priority in (3, 1, 1, None, 2, 0)
    )
    assert [server.pop_id() for _ in range(6)] == [critical, first_high, second_high, unset, medium, low]


def test_a_queue_that_gets_priorities_later_puts_waiting_items_in_order(server: Server) -> None:
    server.make_queue()
    low, high = server.push(priority=3), server.push(priority=1)
    server.make_queue(mode="V0")
    assert [server.pop_id(), server.pop_id()] == [high, low]


def test_a_leased_item_is_not_given_to_others_until_its_lease_lapses(server: Server, clock: Clock) -> None:
    server.make_queue()
    item = server.push()
    assert server.pop_id() == item
    assert server.item(item)["state"] == "LEASED"
    clock.advance(59.9)
    assert server.pop() is None
    clock.advance(0.3)
    assert server.item(item)["state"] == "PENDING"
    assert server.pop_id() == item


def test_a_lapsed_item_keeps_its_place(server: Server, clock: Clock) -> None:
    server.make_queue()
    first, second = server.push(), server.push()
    assert server.pop_id() == first
    clock.advance(61)
    assert [server.pop_id(), server.pop_id()] == [first, second]


def test_an_ack_with_the_same_run_id_succeeds_again_and_with_another_does_not(server: Server) -> None:
    server.make_queue()
    item = server.claim("run-a")
    assert server.ack(item, "run-a") is True
    assert server.ack(item, "run-b") is False
    assert server.item(item)["associatedRunId"] == "run-a"


def test_a_late_ack_succeeds_while_nobody_else_has_the_item(server: Server, clock: Clock) -> None:
    server.make_queue()
    item = server.push()
    server.pop()
    clock.advance(300)
    assert server.ack(item, "run-a") is True
    assert server.pop() is None


def test_of_two_agents_with_one_item_only_the_first_ack_counts(server: Server, clock: Clock) -> None:
    server.make_queue()
    item = server.push()
    server.pop()
    clock.advance(61)
    assert server.pop_id() == item
    assert server.ack(item, "run-of-the-second") is True
    assert server.ack(item, "run-of-the-first") is False
    assert server.item(item)["associatedRunId"] == "run-of-the-second"


def test_an_item_that_was_never_popped_cannot_be_acked_or_failed(server: Server) -> None:
    server.make_queue()
    item = server.push()
    assert server.ack(item, "run") is False
    assert server.fail(item) is False
    assert server.item(item)["state"] == "PENDING"


def test_a_failed_item_tells_stage_message_and_files(server: Server) -> None:
    server.make_queue()
    item = server.claim("run")
    assert server.fail(item, "no such image", "run", filePaths=["x/error/error.log"]) is True
    found = server.item(item)
    assert found["state"] == "FAILED"
    assert found["error"] == {"message": "no such image", "stage": "run", "filePaths": ["x/error/error.log"]}
    assert server.fail(item, "said again", "agent") is True
    assert server.item(item)["error"]["message"] == "no such image"


def test_an_item_that_is_only_leased_can_fail(server: Server) -> None:
    server.make_queue()
    item = server.push()
    server.pop()
    assert server.fail(item, "refused by policy", "agent") is True
    assert server.item(item)["state"] == "FAILED"


def test_warnings_are_kept_once_each_in_their_order(server: Server) -> None:
    server.make_queue()
    item = server.claim("run")
    for message in ("unschedulable", "slow", "unschedulable"):
        data = server.ask(
            "updateRunQueueItemWarning", runQueueItemId=item, message=message, stage="Kubernetes", filePaths=None
        )
        assert data["updateRunQueueItemWarning"]["success"] is True
    assert [warning["message"] for warning in server.item(item)["warnings"]] == ["unschedulable", "slow"]


@pytest.mark.parametrize(
    ("end", "state", "run_state", "message"),
    [
        ({"complete": True, "exitcode": 0}, "FINISHED", "finished", None),
        ({"complete": True, "exitcode": 1}, "FAILED", "failed", "the run failed: exit code 1"),
        (
            {"complete": True, "exitcode": 1, "preempting": True},
            "FAILED",
            "preempted",
            "the run was preempted: exit code 1",
        ),
    ],
)
def test_a_claimed_item_ends_as_its_run_ends(
    server: Server, end: dict[str, Any], state: str, run_state: str, message: str | None
) -> None:
    server.make_queue()
    item = server.claim("run")
    server.start_run("run")
    assert server.item(item)["state"] == "CLAIMED"
    server.stream("run", end)
    assert server.run_state("run") == run_state
    found = server.item(item)
    assert found["state"] == state
    assert (found["error"] or {}).get("message") == message


@pytest.mark.parametrize(("code", "state"), [(0, "FINISHED"), (1, "FAILED")])
def test_all_items_that_are_claimed_for_a_run_end_with_it(server: Server, code: int, state: str) -> None:
    server.make_queue()
    first, second = server.claim("run"), server.claim("run")
    other = server.claim("other")
    server.start_run("run")
    server.stream("run", {"complete": True, "exitcode": code})
    assert [server.item(one)["state"] for one in (first, second, other)] == [state, state, "CLAIMED"]


def test_the_agents_own_reason_replaces_the_runs(server: Server) -> None:
    server.make_queue()
    item = server.claim("run")
    server.start_run("run")
    server.stream("run", {"complete": True, "exitcode": 137})
    assert server.fail(item, "out of memory: the limit is 1Gi", "run") is True
    assert server.item(item)["error"]["message"] == "out of memory: the limit is 1Gi"


def test_a_finished_item_does_not_fail_any_more(server: Server) -> None:
    server.make_queue()
    item = server.claim("run")
    server.start_run("run")
    server.stream("run", {"complete": True, "exitcode": 0})
    assert server.fail(item) is False
    assert server.item(item)["state"] == "FINISHED"


def test_a_run_without_heartbeats_has_crashed_and_a_sign_of_life_takes_it_back(server: Server, clock: Clock) -> None:
    server.make_queue()
    item = server.claim("run")
    server.start_run("run")
    clock.advance(299)
    assert server.item(item)["state"] == "CLAIMED"
    clock.advance(2)
    assert server.item(item)["state"] == "FAILED"
    assert server.run_state("run") == "crashed"
    assert "stopped sending heartbeats" in server.item(item)["error"]["message"]
    server.stream("run", {})
    assert server.run_state("run") == "running"
    assert server.item(item)["state"] == "CLAIMED"
    assert server.item(item)["error"] is None


def test_heartbeats_keep_a_run_alive(server: Server, clock: Clock) -> None:
    server.start_run("run")
    for _ in range(5):
        clock.advance(250)
        server.stream("run", {})
    assert server.run_state("run") == "running"


def test_a_run_in_a_project_written_in_capitals_is_still_its_items_run(server: Server) -> None:
    server.make_queue()
    item = server.push(project="Demo")
    server.pop()
    server.ack(item, "run")
    server.start_run("run", project="demo")
    server.stream("run", {"complete": True, "exitcode": 0})
    assert server.item(item)["state"] == "FINISHED"


def test_a_run_of_the_same_name_in_another_project_is_not_the_items(server: Server) -> None:
    server.make_queue()
    item = server.claim("run")
    server.start_run("run", project="other")
    server.stream("run", {"complete": True, "exitcode": 0}, project="other")
    assert server.item(item)["state"] == "CLAIMED"


def test_a_requeued_run_moves_the_new_item_and_not_the_old(server: Server) -> None:
    server.make_queue()
    old = server.claim("run")
    server.start_run("run")
    server.stream("run", {"complete": True, "exitcode": 1, "preempting": True})
    new = server.claim("run")
    server.start_run("run")
    server.stream("run", {"complete": True, "exitcode": 0})
    assert (server.item(old)["state"], server.item(new)["state"]) == ("FAILED", "FINISHED")


def test_a_waiting_item_can_be_deleted_and_a_claimed_one_cannot(server: Server) -> None:
    server.make_queue()
    claimed, waiting = server.claim("run"), server.push()
    found = server.ask("fetchRunQueuesFromProject", entityName="local", projectName=PROJECT, runQueueName="q")
    queue = found["project"]["runQueue"]["id"]
    answers = [
        server.ask("DeleteFromRunQueue", queueID=queue, runQueueItemId=item)["deleteFromRunQueue"]["success"]
        for item in (waiting, claimed)
    ]
    assert answers == [True, False]
    assert server.item(waiting) is None
    assert server.pop() is None


def test_a_hundred_pops_and_acks_in_one_document_happen_in_order(server: Server) -> None:
    server.make_queue()
    pushed = [server.push() for _ in range(12)]
    pops = " ".join(
        f'p{i}: popFromRunQueue(input: {{entityName: "local", projectName: "model-registry", queueName: "q"}})'
        " { runQueueItemId runSpec }"
        for i in range(100)
    )
    popped = list(server.post("mutation Pops { " + pops + " }")["data"].values())
    assert [item["runQueueItemId"] for item in popped if item] == pushed
    assert popped[12:] == [None] * 88
    acks = " ".join(
        f'a{i}: ackRunQueueItem(input: {{runQueueItemId: "{item}", runName: "run-{i}"}}) {{ success }}'
        for i, item in enumerate(pushed)
    )
    acked = server.post("mutation Acks { " + acks + " }")["data"].values()
    assert [ack["success"] for ack in acked] == [True] * 12


def test_agents_that_pop_at_the_same_time_never_get_the_same_item(server: Server) -> None:
    server.make_queue()
    pushed = {server.push() for _ in range(40)}
    with ThreadPoolExecutor(8) as agents:
        popped = [item for item in agents.map(lambda _: server.pop_id(), range(60)) if item is not None]
    assert sorted(popped) == sorted(pushed)


def test_one_bad_alias_does_not_spoil_the_others(server: Server) -> None:
    server.make_queue()
    item = server.push()
    server.pop()
    reply = server.post(
        "mutation M($good: ID!, $bad: ID!) {"
        ' bad: ackRunQueueItem(input: {runQueueItemId: $bad, runName: "x"}) { success }'
        ' good: ackRunQueueItem(input: {runQueueItemId: $good, runName: "r"}) { success } }',
        {"good": item, "bad": "bm90IGFuIGlk"},
    )
    assert reply["data"] == {"bad": None, "good": {"success": True}}
    assert reply["errors"] == [{"message": "'bm90IGFuIGlk' is not the id of a RunQueueItem", "path": ["bad"]}]
    assert server.item(item)["state"] == "CLAIMED"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{", "runSpec is not valid JSON"),
        ("[1]", "runSpec must be a JSON object, not list"),
        ('{"entity": "other"}', "user 'reader' has no access to entity 'other'"),
        ('{"project": "\\ud800"}', "project of the run spec"),
        ('{"entity": "a/b"}', "entity of the run spec 'a/b' must not contain '/'"),
        ("[" * 100_000, "runSpec is nested too deeply"),
    ],
)
def test_a_bad_run_spec_is_refused_in_words(server: Server, spec: str, message: str) -> None:
    server.make_queue()
    key = server.ask("generateApiKey", input={"username": "reader", "entityName": "local"})["generateApiKey"]["apiKey"]
    said = server.refusal(
        "pushToRunQueueByName",
        key=key["name"],
        entityName="local",
        projectName=PROJECT,
        queueName="q",
        runSpec=spec,
    )
    assert message in said
    assert server.pop() is None


def test_template_variables_are_filled_at_push(server: Server) -> None:
    schema = {"cpu": {"schema": {"type": "integer", "maximum": 4}}}
    server.make_queue(config={"limits": {"cpu": "{{cpu}}"}}, variables=schema)
    push = {"entityName": "local", "projectName": PROJECT, "queueName": "q", "runSpec": '{"project": "p"}'}
    operation = "pushToRunQueueByName with priority"
    assert "9 is greater than the maximum of 4" in server.refusal(
        operation, **push, templateVariableValues='{"cpu": 9}'
    )
    server.ask(operation, **push, templateVariableValues='{"cpu": 3}')
    popped = server.pop()
    assert popped is not None
    assert popped["runSpec"]["resource_args"]["kubernetes"]["limits"]["cpu"] == 3


def test_a_missing_queue_is_named_with_those_that_exist(server: Server) -> None:
    server.make_queue("gpu")
    said = server.refusal(
        "pushToRunQueueByName", entityName="local", projectName=PROJECT, queueName="gpus", runSpec="{}"
    )
    assert said == "queue 'gpus' does not exist in entity 'local', project 'model-registry'. Queues there: gpu."


def test_ids_of_items_do_not_repeat_in_another_database(server: Server) -> None:
    server.make_queue()
    assert server.engine.secrets.item_offset >= 10**9
    assert KEY not in json.dumps(server.item(server.push()))
