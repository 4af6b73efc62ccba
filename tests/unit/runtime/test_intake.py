"""Every poll is answered, and every popped item becomes a claim: to launch or refused."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from launch_agent.adapters.wandb.operation import Operation, Result
from launch_agent.core.models import Plan, Resource
from launch_agent.errors import WandbError, WandbUnavailable
from launch_agent.runtime.inbox import Inbox, Polled
from launch_agent.runtime.intake import Intake, ItemJudge, new_run_id
from launch_agent.runtime.registration import Agent


class Known:
    """A registration that is done."""

    agent = Agent("agent-1", "calm-sea-1", "team", ("gpu", "cpu"))


class Lenient:
    """A policy that lets everything pass."""

    rests = 0

    def check(self, *_: Any) -> None:
        pass

    def rest(self) -> None:
        self.rests += 1


class Queues:
    """W&B: what each queue holds."""

    def __init__(self, held: dict[str, list[Any]], error: Exception | None = None) -> None:
        self.held = held
        self.error = error
        self.asked: list[str] = []

    def run(self, batch: Sequence[Operation], /) -> list[Result]:
        if self.error is not None:
            raise self.error
        results = []
        for one in batch:
            values = {argument.name: argument.value for argument in one.arguments}
            if one.name != "popFromRunQueue":
                results.append(Result(value={"success": True}))
                continue
            self.asked.append(values["queueName"])
            waiting = self.held.get(values["queueName"]) or []
            found = waiting.pop(0) if waiting else None
            results.append(Result(error=found) if isinstance(found, WandbError) else Result(value=found))
        return results


def popped(item_id: str, **spec: Any) -> dict[str, Any]:
    base = {"entity": "team", "project": "p", "resource": "kubernetes", "docker": {"docker_image": "x"}}
    return {"runQueueItemId": item_id, "runSpec": {**base, **spec}}


def poll(queues: Queues, slots: int, times: int = 1, judge: ItemJudge | None = None) -> Polled:
    inbox = Inbox()
    intake = Intake(
        client=queues,
        registration=Known(),
        inbox=inbox,
        planners={Resource.KUBERNETES: lambda *_: Plan({"metadata": {}})},
        secure_mode=False,
        clock=lambda: 1000.0,
        judge=judge or Lenient(),
    )
    for _ in range(times):
        intake.serve(slots, False)
    for _ in range(times - 1):
        inbox.get_nowait()
    answer = inbox.get_nowait()
    assert isinstance(answer, Polled)
    return answer


def test_free_slots_are_spread_over_the_queues_in_turn() -> None:
    queues = Queues({})
    poll(queues, 3, times=2)
    assert queues.asked == ["gpu", "cpu", "gpu", "cpu", "gpu", "cpu"]


def test_an_item_becomes_a_claim_with_a_run_id_of_its_own() -> None:
    (claim,) = poll(Queues({"gpu": [popped("1")]}), 1).claims
    assert claim.plan is not None
    assert len(claim.record.run_id) == 8
    assert claim.record.run_id.isalnum()


def test_a_run_id_that_the_spec_names_is_used() -> None:
    (claim,) = poll(Queues({"gpu": [popped("1", run_id="mine")]}), 1).claims
    assert claim.record.run_id == "mine"


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (popped("1", resource="sagemaker"), "can not launch on sagemaker"),
        (popped("1", resource="local-process", docker=None, overrides={"entry_point": ["x"]}), "can not launch on"),
        ({"runQueueItemId": "1", "runSpec": "[]"}, "no JSON object"),
        ({"runQueueItemId": "1", "runSpec": "{"}, "The run spec is no JSON"),
    ],
)
def test_an_item_that_can_not_be_launched_is_refused_with_words(item: dict[str, Any], words: str) -> None:
    (claim,) = poll(Queues({"gpu": [item]}), 1).claims
    assert claim.refused is not None
    assert words in claim.refused.message


def test_one_bad_item_does_not_keep_the_others() -> None:
    held = {"gpu": [popped("1", docker=7), popped("2")], "cpu": [popped("3")]}
    answer = poll(Queues(held), 4)
    assert {claim.record.item_id: claim.refused is None for claim in answer.claims} == {
        "1": False,
        "2": True,
        "3": True,
    }


def test_a_queue_that_answers_with_an_error_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    answer = poll(Queues({"gpu": [WandbUnavailable("the queue was deleted")], "cpu": [popped("3")]}), 2)
    assert [claim.record.item_id for claim in answer.claims] == ["3"]
    assert "queue gpu: the queue was deleted" in caplog.text


def test_a_poll_that_wandb_does_not_answer_is_answered_all_the_same() -> None:
    assert poll(Queues({}, WandbUnavailable("away")), 1) == Polled((), is_ok=False)


def test_a_poll_that_meets_an_error_of_ours_is_answered_before_the_loop_starts_again() -> None:
    inbox = Inbox()
    intake = Intake(
        client=Queues({}, ZeroDivisionError("a bug")),
        registration=Known(),
        inbox=inbox,
        planners={},
        secure_mode=False,
        judge=Lenient(),
        clock=lambda: 0.0,
    )
    with pytest.raises(ZeroDivisionError):
        intake.serve(1, False)
    assert inbox.get_nowait() == Polled((), is_ok=False)


def test_a_poll_waits_until_items_may_be_taken() -> None:
    inbox, queues, stop, asked = Inbox(), Queues({"gpu": [popped("1")]}), threading.Event(), threading.Event()
    answers = [False, False, True]

    def may_take() -> bool:
        asked.set()
        return answers.pop(0) if len(answers) > 1 else answers[0]

    intake = Intake(
        client=queues,
        registration=Known(),
        inbox=inbox,
        planners={},
        secure_mode=False,
        judge=Lenient(),
        clock=lambda: 0.0,
        may_take=may_take,
    )
    thread = threading.Thread(target=intake.run, args=(stop, lambda: None))
    thread.start()
    intake.poll(1, False)
    assert asked.wait(5)
    assert queues.asked == []
    answer = inbox.get(timeout=5)
    stop.set()
    thread.join(5)
    assert isinstance(answer, Polled)
    assert len(answer.claims) == 1


def test_a_drawn_run_id_can_begin_the_name_of_an_object_and_is_the_item_s_own() -> None:
    drawn = {new_run_id(f"rel.ns/item-{number}") for number in range(500)}
    assert len(drawn) == 500
    assert all(re.fullmatch(r"[a-z][a-z0-9]{7}", one) for one in drawn)
    assert new_run_id("rel.ns/item-1") == new_run_id("rel.ns/item-1") != new_run_id("other.ns/item-1")
