"""The life of an item, as tables: what happened → what is done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launch_agent.core import lifecycle
from launch_agent.core.actions import (
    Ack,
    Action,
    AskOwner,
    AskRun,
    Create,
    Delete,
    DeleteRecord,
    Fail,
    Look,
    ReadTail,
    Release,
    UpdateRecord,
    Warn,
    WriteRecord,
)
from launch_agent.core.events import (
    Acked,
    Created,
    Event,
    Observed,
    OwnerSeen,
    Popped,
    RecordDeleted,
    RecordWritten,
    Recovered,
    Refused,
    Released,
    Reported,
    RunSeen,
    StopSeen,
    TailRead,
    Vanished,
    Woken,
)
from launch_agent.core.lifecycle import Ending, Limits, Tracked
from launch_agent.core.models import Diagnosis, JobState, ObjectRef, Observation, Stage, Step
from tests.support.records import make_record

LIMITS = Limits(stopped_run_timeout=60.0, start_timeout=1800.0)
REF = ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid-1")
PULL = Diagnosis("ImagePull", "The image can not be pulled.", fails_after=60.0)
UNSCHEDULABLE = Diagnosis("Unschedulable", "No node fits.")
EXIT_3 = Diagnosis("ExitCode", "The container ended with exit code 3.")


def tracked_at(step: Step = Step.CREATED) -> Tracked:
    record = make_record(step=step, object=REF if step is Step.CREATED else None)
    return Tracked(record)


def play(tracked: Tracked, *events: tuple[float, Event]) -> tuple[Tracked | None, list[Action]]:
    """Apply events at their times; what became of the item, and the actions of the last one."""
    current: Tracked | None = tracked
    actions: tuple[Action, ...] = ()
    for now, event in events:
        assert current is not None, f"the item was forgotten before {event}"
        current, actions = lifecycle.step(current, event, now, LIMITS)
    return current, list(actions)


def kinds(actions: list[Action]) -> list[type]:
    return [type(action) for action in actions]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param([Popped()], [WriteRecord], id="a popped item is recorded before anything else"),
        pytest.param([Popped(), RecordWritten()], [Ack], id="it is acked once it is on record"),
        pytest.param([Popped(), RecordWritten(), Acked(True)], [Create], id="it is created once it is ours"),
        pytest.param([Popped(), RecordWritten(), Acked(False)], [AskOwner], id="a refused ack asks whose it is"),
        pytest.param(
            [Popped(), RecordWritten(), Acked(False), OwnerSeen("abc12345")],
            [Create],
            id="our own ack, repeated, goes on",
        ),
        pytest.param(
            [Popped(), RecordWritten(), Acked(False), OwnerSeen("another1")],
            [DeleteRecord],
            id="another agent's item is dropped without a word",
        ),
        pytest.param(
            [Popped(), RecordWritten(), Acked(True), Created(REF)],
            [UpdateRecord],
            id="a created object is put on record",
        ),
        pytest.param([Refused("no")], [Fail], id="a refused item fails before its ack"),
        pytest.param([Refused("no"), Reported()], [DeleteRecord], id="and leaves nothing behind"),
        pytest.param(
            [Popped(), RecordWritten(), Acked(True), Refused("forbidden"), Reported()],
            [DeleteRecord],
            id="an item whose object is refused fails",
        ),
    ],
)
def test_an_item_is_taken_in_the_order_that_loses_nothing(events: list[Event], expected: list[type]) -> None:
    _, actions = play(tracked_at(Step.CLAIMED), *[(float(n), event) for n, event in enumerate(events)])
    assert kinds(actions) == expected


@pytest.mark.parametrize(
    ("step", "events", "expected"),
    [
        pytest.param(Step.CREATED, [], [Look], id="a created one is looked at"),
        pytest.param(Step.CLAIMED, [], [Ack], id="a claimed one is acked again"),
        pytest.param(Step.CLAIMED, [Acked(True)], [AskRun], id="then its run is asked for before anything is created"),
        pytest.param(Step.CLAIMED, [Acked(True), RunSeen(None)], [Create], id="no run yet: it is created"),
        pytest.param(
            Step.CLAIMED, [Acked(True), RunSeen("running")], [Look], id="a run that began is never created again"
        ),
    ],
)
def test_a_recovered_item_goes_on_where_it_was(step: Step, events: list[Event], expected: list[type]) -> None:
    played = [(float(n), event) for n, event in enumerate([Recovered(), *events])]
    _, actions = play(tracked_at(step), *played)
    assert kinds(actions) == expected


def test_a_finished_workload_with_a_finished_run_is_released_without_a_report() -> None:
    after, actions = play(tracked_at(), (0, Observed(Observation(JobState.FINISHED))), (0, RunSeen("finished")))
    assert actions == [Release()]
    assert after is not None
    gone, last = play(after, (1, Released()), (1, RecordDeleted()))
    assert gone is None
    assert last == []


def test_a_finished_workload_that_never_called_init_fails_after_seven_questions() -> None:
    current, actions = play(tracked_at(), (0, Observed(Observation(JobState.FINISHED))))
    now, asked = 0.0, [0.0]
    assert actions == [AskRun()]
    while True:
        assert current is not None
        current, actions = play(current, (now, RunSeen(None)))
        if actions:
            break
        assert current is not None
        assert current.wake_at is not None
        now = current.wake_at
        asked.append(now)
        current, actions = play(current, (now, Woken()))
        assert actions == [AskRun()]
    assert asked == [0, 1, 3, 7, 15, 31, 63]
    (fail,) = actions
    assert isinstance(fail, Fail)
    assert fail.stage is Stage.RUN
    assert "wandb.init() was not called" in fail.message


def test_a_workload_that_never_called_init_has_its_last_lines_read_while_its_run_is_waited_for() -> None:
    seen = Observation(JobState.FINISHED, pod="pod-1", container="launch0")
    current, actions = play(tracked_at(), (0, Observed(seen)), (0, RunSeen(None)))
    assert actions == [ReadTail(seen)]
    assert current is not None
    current, actions = play(current, (0.5, TailRead("counted to three\n")))
    assert actions == []
    assert current is not None
    assert current.wake_at == 1.0
    for now in (1, 3, 7, 15, 31, 63):
        assert current is not None
        current, actions = play(current, (now, Woken()), (now, RunSeen(None)))
    (fail,) = actions
    assert isinstance(fail, Fail)
    assert fail.message.endswith("counted to three")


def test_a_failed_workload_reports_its_exit_code_and_last_lines() -> None:
    seen = Observation(JobState.FAILED, EXIT_3, pod="p", container="c")
    current, actions = play(tracked_at(), (0, Observed(seen)))
    assert actions == [ReadTail(seen)]
    assert current is not None
    current, actions = play(current, (0, TailRead("one\ntwo\n")), (0, RunSeen("failed")))
    warn, release = actions
    assert isinstance(warn, Warn)
    assert "exit code 3" in warn.message
    assert warn.message.endswith("Last lines:\none\ntwo")
    assert release == Release()


def test_a_killed_workload_whose_run_stays_open_fails_after_the_grace() -> None:
    current, _ = play(tracked_at(), (0, Observed(Observation(JobState.FAILED, EXIT_3))))
    assert current is not None
    current = replace(current, ending=replace(current.ending or Ending(JobState.FAILED), checks=6))
    _, actions = play(current, (63, RunSeen("running")))
    assert [type(action) for action in actions] == [Fail]


def test_an_image_that_can_not_be_pulled_fails_the_item_when_the_grace_is_over() -> None:
    seen = Observed(Observation(JobState.STARTING, PULL))
    current, actions = play(tracked_at(), (100, seen))
    assert [type(action) for action in actions] == [Warn]
    assert current is not None
    assert current.wake_at == 160
    _, early = play(current, (159, seen))
    assert early == []
    after, actions = play(current, (160, Woken()))
    (fail,) = actions
    assert isinstance(fail, Fail)
    assert fail.message.startswith("The image can not be pulled.")
    assert after is not None
    _, actions = play(after, (161, Reported()))
    assert actions == [Delete()]


def test_the_grace_starts_anew_when_the_image_was_pulled_meanwhile() -> None:
    current, _ = play(
        tracked_at(),
        (0, Observed(Observation(JobState.STARTING, PULL))),
        (30, Observed(Observation(JobState.RUNNING))),
        (50, Observed(Observation(JobState.STARTING, PULL))),
    )
    assert current is not None
    assert current.wake_at == 110


def test_an_unschedulable_pod_warns_once_and_waits_for_ever() -> None:
    seen = Observed(Observation(JobState.UNKNOWN, UNSCHEDULABLE, pod="p"))
    current, first = play(tracked_at(), (0, seen))
    assert [type(action) for action in first] == [Warn]
    assert current is not None
    after, again = play(current, (100_000, seen))
    assert again == []
    assert after is not None
    assert after.ending is None


def test_a_workload_without_pods_is_looked_at_soon_and_then_seldom() -> None:
    nothing = Observed(Observation(JobState.UNKNOWN))
    current, actions = play(tracked_at(), (0, nothing))
    assert (actions, current.wake_at if current else None) == ([], 15)
    assert current is not None
    current, actions = play(current, (15, Woken()))
    assert (actions, current.wake_at if current else None) == ([Look()], 315)
    assert current is not None
    refused = Observed(Observation(JobState.UNKNOWN, Diagnosis("PodsRefused", "The pods are refused.")))
    current, actions = play(current, (16, refused))
    assert [type(action) for action in actions] == [Warn]
    assert current is not None
    assert current.wake_at == 315
    current, actions = play(current, (20, Observed(Observation(JobState.RUNNING, pod="p"))))
    assert current is not None
    assert current.wake_at is None


def test_a_workload_that_starts_for_too_long_fails() -> None:
    current, _ = play(tracked_at(), (0, Observed(Observation(JobState.STARTING))))
    assert current is not None
    assert current.wake_at == 1800
    _, actions = play(current, (1800, Woken()))
    (fail,) = actions
    assert isinstance(fail, Fail)
    assert "did not start within 1800 s" in fail.message


def test_a_stop_request_gives_the_run_a_minute_then_deletes_and_reports_no_failure() -> None:
    current, actions = play(tracked_at(), (0, Observed(Observation(JobState.RUNNING))), (10, StopSeen()))
    assert actions == []
    assert current is not None
    assert current.wake_at == 70
    current, actions = play(current, (70, Woken()))
    assert actions == [Delete()]
    assert current is not None
    after, actions = play(current, (71, Released()), (72, Observed(Observation(JobState.MISSING))))
    assert actions == [Delete()]
    assert after is not None
    assert after.ending is not None
    assert after.ending.state is JobState.STOPPED


def test_an_object_missing_from_a_list_is_looked_at_before_it_is_believed() -> None:
    _, actions = play(tracked_at(), (0, Vanished()))
    assert actions == [Look()]


@pytest.mark.parametrize(
    ("run_state", "expected"),
    [("finished", [Release]), ("crashed", [Release]), ("running", []), (None, [])],
)
def test_an_object_deleted_by_somebody_else_is_judged_by_its_run(run_state: str | None, expected: list[type]) -> None:
    _, actions = play(tracked_at(), (0, Observed(Observation(JobState.MISSING))), (0, RunSeen(run_state)))
    assert kinds(actions) == expected


@pytest.mark.parametrize("event", [Acked(True), RecordWritten(), Released(), TailRead(""), Woken(), RunSeen("running")])
def test_an_event_that_comes_twice_or_late_starts_nothing_new(event: Event) -> None:
    current, _ = play(tracked_at(), (0, Observed(Observation(JobState.RUNNING))))
    assert current is not None
    after, actions = play(current, (1, event))
    assert [type(action) for action in actions] == []
    assert after is not None
    assert after.ending is None


def test_a_slot_is_held_until_the_workload_is_over() -> None:
    current = tracked_at()
    assert current.holds_slot
    after, _ = play(current, (0, Observed(Observation(JobState.FINISHED))))
    assert after is not None
    assert not after.holds_slot
