"""A preempted item goes back into its queue, once, as often as it may; else it fails with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from launch_agent.core import lifecycle, requeues, template_values
from launch_agent.core.actions import Action, AskRun, Delete, DeleteRecord, Fail, ReadTail, Release, Requeue, Warn
from launch_agent.core.categories import Category
from launch_agent.core.events import (
    Event,
    NotRequeued,
    Observed,
    RecordDeleted,
    Recovered,
    Released,
    Reported,
    Requeued,
    RunSeen,
    StopSeen,
    TailRead,
)
from launch_agent.core.lifecycle import Limits, Tracked
from launch_agent.core.models import Diagnosis, JobState, ObjectRef, Observation, Stage, Step
from tests.support.records import make_record

REF = ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid-1")
TAKEN = Diagnosis(Category.DISRUPTED, "The pod was evicted.")
PREEMPTED = Observed(Observation(JobState.PREEMPTED, TAKEN, "uid-1", "pod-1"))


def play(record: Any, *happened: Event) -> tuple[Tracked | None, list[Action]]:
    """What became of the item, and the actions of the last event."""
    current: Tracked | None = Tracked(record)
    actions: tuple[Action, ...] = ()
    for event in happened:
        assert current is not None
        current, actions = lifecycle.step(current, event, 1000.0, Limits())
    return current, list(actions)


def launched(**changes: Any) -> Any:
    return make_record(**{"step": Step.CREATED, "object": REF, "created_at": 900.0, **changes})


@pytest.mark.parametrize("run_state", [None, "pending", "running", "crashed", "failed", "preempting", "preempted"])
def test_it_is_put_back_whatever_its_run_says_that_is_not_done(run_state: str | None) -> None:
    tracked, actions = play(launched(), PREEMPTED, TailRead("last words"), RunSeen(run_state))
    assert actions == [Requeue()]
    assert tracked is not None
    assert tracked.record.step is Step.REQUEUEING
    assert not tracked.holds_slot


@pytest.mark.parametrize(("run_state", "expected"), [("finished", [Warn, Release]), ("killed", [Delete])])
def test_a_run_that_was_done_or_stopped_is_not_put_back(run_state: str, expected: list[type]) -> None:
    _, actions = play(launched(), PREEMPTED, TailRead(""), RunSeen(run_state))
    assert [type(one) for one in actions] == expected


def test_a_run_that_somebody_asked_to_stop_is_not_put_back() -> None:
    assert play(launched(), StopSeen(), PREEMPTED)[1] == [AskRun()]
    assert play(launched(), StopSeen(), PREEMPTED, RunSeen("crashed"))[1] == [Delete()]


def test_a_pod_that_was_gone_before_its_job_failed_is_remembered() -> None:
    leaving = Observed(Observation(JobState.RUNNING, TAKEN, "uid-1", "pod-1"))
    failed = Observed(Observation(JobState.FAILED, None, "uid-1"))
    tracked, actions = play(launched(), leaving, failed)
    assert actions == [AskRun()]
    assert tracked is not None
    assert tracked.ending is not None
    assert (tracked.ending.state, tracked.ending.diagnosis) == (JobState.PREEMPTED, TAKEN)
    again = Observed(Observation(JobState.RUNNING, None, "uid-1", "pod-2"))
    tracked, _ = play(launched(), leaving, again, failed)
    assert tracked is not None
    assert tracked.ending is not None
    assert tracked.ending.state is JobState.FAILED, "another pod came, and failed by itself"


def test_the_last_lines_are_read_before() -> None:
    _, actions = play(launched(), PREEMPTED)
    assert [type(one) for one in actions] == [ReadTail]


def test_an_item_whose_run_was_begun_is_left_to_it_with_a_word_on_where_it_goes_on() -> None:
    tracked, actions = play(launched(), PREEMPTED, TailRead(""), RunSeen("running"), Requeued("item-2"))
    text = "The pod was evicted. Its run goes on with item item-2, which was put into the queue (1 of 5 times)."
    assert actions == [Warn(text, Stage.KUBERNETES), DeleteRecord()]
    assert tracked is not None
    assert lifecycle.step(tracked, RecordDeleted(), 1001.0, Limits()) == (None, ())


def test_an_item_whose_run_never_began_ends_with_that_word() -> None:
    _, actions = play(launched(), PREEMPTED, TailRead(""), RunSeen(None), Requeued("item-2"))
    assert [type(one) for one in actions] == [Fail]
    _, actions = play(launched(), PREEMPTED, TailRead(""), RunSeen(None), Requeued("item-2"), Reported())
    assert actions == [Delete()]
    _, actions = play(launched(), PREEMPTED, TailRead(""), RunSeen(None), Requeued("item-2"), Reported(), Released())
    assert actions == [DeleteRecord()]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"max_resume_count": 0}, "It is not queued again: max_resume_count is 0."),
        ({"run_spec": {"_resume_count": 5}}, "It was queued again 5 times already (max_resume_count)."),
        ({"run_spec": {"_resume_count": 2}, "max_resume_count": 2}, "It was queued again 2 times already"),
    ],
)
def test_at_its_limit_it_fails_with_the_last_lines_and_the_reason(changes: dict[str, Any], reason: str) -> None:
    tracked, (fail,) = play(launched(**changes), PREEMPTED, TailRead("last words"), RunSeen("running"))
    assert isinstance(fail, Fail)
    assert fail.message.startswith("The pod was evicted.\nLast lines:\n")
    assert "last words" in fail.message
    assert reason in fail.message
    assert tracked is not None
    assert tracked.record.step is Step.CREATED


def test_a_queue_that_does_not_take_it_back_fails_it_with_what_it_said() -> None:
    events = (PREEMPTED, TailRead(""), RunSeen("running"), NotRequeued("The queue was deleted."))
    tracked, (fail,) = play(launched(), *events)
    assert isinstance(fail, Fail)
    assert fail.message.endswith("The queue was deleted.")
    assert tracked is not None
    _, actions = lifecycle.step(tracked, RunSeen("running"), 1001.0, Limits())
    assert not [one for one in actions if isinstance(one, Requeue)], "it is not tried for ever"


def test_an_agent_that_was_killed_on_the_way_goes_on_with_it() -> None:
    record = launched(step=Step.REQUEUEING)
    tracked, actions = play(record, Recovered())
    assert actions == [AskRun()]
    assert tracked is not None
    assert not tracked.holds_slot
    assert play(record, Recovered(), RunSeen("running"))[1] == [Requeue()]


def test_a_word_that_comes_twice_means_nothing_the_second_time() -> None:
    assert play(launched(), Requeued("item-2"))[1] == []
    assert play(launched(), NotRequeued("no"))[1] == []


def test_the_new_item_is_the_same_run_with_every_key_as_it_came() -> None:
    spec = {"entity": "team", "unknown": {"kept": [1, None]}, "sweep_id": "s1", "_wandb_api_key": "secret"}
    record = make_record(run_spec=spec)
    made = requeues.make_spec(record)
    assert made == {**spec, "run_id": "abc12345", "_resume_count": 1, "_requeued_from": "item-1"}
    again = requeues.make_spec(replace(record, item_id="item-2", run_spec=made))
    assert again == {**made, "_resume_count": 2, "_requeued_from": "item-2"}


@pytest.mark.parametrize(
    ("nodes", "found"),
    [
        ([], ""),
        ([{"id": "a", "runSpec": None}, {"id": "b", "runSpec": "not json"}, {"id": "c", "runSpec": "[1]"}], ""),
        ([{"id": "a", "runSpec": '{"_requeued_from": "item-9", "_resume_count": 1}'}], ""),
        ([{"id": "a", "runSpec": '{"_requeued_from": "item-1", "_resume_count": 2}'}], ""),
        ([{"id": "a", "runSpec": '{"_requeued_from": "item-1", "_resume_count": 1}'}], "a"),
        ([{"id": "a", "runSpec": {"_requeued_from": "item-1", "_resume_count": 1}}], "a"),
    ],
)
def test_the_item_that_continues_another_is_found_by_its_mark(nodes: list[Any], found: str) -> None:
    assert requeues.find(nodes, make_record()) == found


INTEGER, TEXT, FLAG = {"type": "integer"}, {"type": "string"}, {"type": "boolean"}


@pytest.mark.parametrize(
    ("filled", "template", "schemas", "expected"),
    [
        ({"a": 4}, {"a": "{{gpus}}"}, {"gpus": INTEGER}, {"gpus": 4}),
        ({"a": "4"}, {"a": "{{ gpus }}"}, {"gpus": TEXT}, {"gpus": "4"}),
        ({"a": "gpu-4"}, {"a": "gpu-{{gpus}}"}, {"gpus": INTEGER}, {"gpus": 4}),
        ({"a": "x-true"}, {"a": "x-{{on}}"}, {"on": FLAG}, {"on": True}),
        ({"a": ["x", {"b": "v1"}]}, {"a": ["x", {"b": "v{{n}}"}]}, {"n": TEXT}, {"n": "1"}),
        ({"a": "other"}, {"a": "gpu-{{gpus}}"}, {"gpus": INTEGER}, {}),
        ({"a": "1-2"}, {"a": "{{x}}-{{y}}"}, {"x": TEXT, "y": TEXT}, {}),
        ({"a": "4"}, {"a": "{{foreign}}"}, {"gpus": INTEGER}, {}),
        ({"a": {"b": 1}}, {"a": "{{gpus}}"}, {"gpus": INTEGER}, {}),
        ({}, {"a": "{{gpus}}"}, {"gpus": INTEGER}, {}),
        (None, {"a": "{{gpus}}"}, {"gpus": INTEGER}, {}),
        ({"a": "x-many"}, {"a": "x-{{n}}"}, {"n": INTEGER}, {"n": "many"}),
    ],
)
def test_values_of_template_variables_are_found_again(
    filled: Any, template: Any, schemas: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert template_values.derive(filled, template, schemas) == expected


@pytest.mark.parametrize("text", [None, "", "{", "[1]", 5, "[" * 100_000])
def test_what_is_no_object_counts_as_empty(text: object) -> None:
    assert template_values.read_json(text) == {}
