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
    Explain,
    Fail,
    Find,
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
    Explained,
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
    Troubled,
    Unreported,
    Vanished,
    Woken,
)
from launch_agent.core.lifecycle import Ending, Limits, Tracked
from launch_agent.core.models import Diagnosis, JobState, ObjectRef, Observation, Outcome, Stage, Step
from tests.support.records import make_record

LIMITS = Limits(stopped_run_timeout=60.0, start_timeout=1800.0)
NOW = 1000.0
REF = ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid-1")
PULL = Diagnosis("ImagePull", "The image can not be pulled.", fails_after=60.0)
UNSCHEDULABLE = Diagnosis("Unschedulable", "No node fits.")
REFUSED = Diagnosis("PodsRefused", "The pods are refused.")
SUSPENDED = Diagnosis("Suspended", "It waits.")
FORBIDDEN = Diagnosis("WatchRefused", "The API server forbids: watch jobs.")
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
            Step.CLAIMED, [Acked(True), RunSeen("running")], [Find], id="a run that began is never created again"
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
    seen = Observed(Observation(JobState.STARTING, PULL, pod="p"))
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
        (0, Observed(Observation(JobState.STARTING, PULL, pod="p"))),
        (30, Observed(Observation(JobState.RUNNING))),
        (50, Observed(Observation(JobState.STARTING, PULL, pod="p"))),
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


def looks_of(current: Tracked, until: float) -> list[tuple[float, Action]]:
    """What an undisturbed item asks for, and when."""
    asked: list[tuple[float, Action]] = []
    while current.wake_at is not None and current.wake_at <= until:
        now = current.wake_at
        after, actions = play(current, (now, Woken()))
        asked += [(now, action) for action in actions]
        assert after is not None
        current = after
    return asked


SOON = [(2.0, Explain()), (4.0, Explain()), (8.0, Explain())]
SOON_LIVE = [(2.0, Look()), (4.0, Look()), (8.0, Look())]
LATER = [(15.0, Look(is_late=True)), (75.0, Look(is_late=True)), (135.0, Look(is_late=True))]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        pytest.param(Observed(Observation(JobState.UNKNOWN)), SOON + LATER, id="no pods: events first"),
        pytest.param(Observed(Observation(JobState.STARTING)), SOON + LATER, id="an object that says it starts"),
        pytest.param(Observed(Observation(JobState.UNKNOWN, REFUSED)), SOON + LATER, id="while pods are refused"),
        pytest.param(
            Observed(Observation(JobState.RUNNING, is_polled=True)), SOON_LIVE + LATER, id="pods that no watch shows"
        ),
        pytest.param(Troubled(FORBIDDEN), SOON_LIVE + LATER, id="a watch that is refused"),
        pytest.param(Observed(Observation(JobState.UNKNOWN, SUSPENDED)), [], id="one that waits for leave"),
        pytest.param(Observed(Observation(JobState.STARTING, pod="p")), [], id="one whose pod is known"),
        pytest.param(Observed(Observation(JobState.RUNNING)), [], id="one that runs"),
        pytest.param(Observed(Observation(JobState.STOPPING)), [], id="one that is being deleted"),
    ],
)
def test_what_no_watch_will_tell_is_asked_for_soon_and_then_each_minute(
    event: Event, expected: list[tuple[float, Action]]
) -> None:
    current, _ = play(tracked_at(), (0, event))
    assert current is not None
    assert [one for one in looks_of(current, 140) if one[0] <= 140] == expected


def test_a_created_workload_of_which_nothing_is_heard_is_looked_at_live() -> None:
    current, _ = play(tracked_at(Step.ACKED), (0, Created(REF)))
    assert current is not None
    assert looks_of(current, 16) == [*SOON_LIVE, LATER[0]]


def test_looks_end_when_a_pod_is_seen_and_begin_anew_when_it_is_gone() -> None:
    current, _ = play(
        tracked_at(),
        (0, Observed(Observation(JobState.UNKNOWN))),
        (2, Woken()),
        (3, Observed(Observation(JobState.STARTING, pod="p"))),
    )
    assert current is not None
    assert current.wake_at == 1803
    current, _ = play(current, (100, Observed(Observation(JobState.UNKNOWN))))
    assert current is not None
    assert current.wake_at == 102


def test_an_agent_that_slept_looks_once_and_not_for_each_look_that_it_missed() -> None:
    current, _ = play(tracked_at(), (0, Observed(Observation(JobState.UNKNOWN))))
    assert current is not None
    current, actions = play(current, (500, Woken()))
    assert actions == [Look(is_late=True)]
    assert current is not None
    assert current.wake_at == 555


def test_pods_that_can_never_be_made_fail_the_item_at_the_first_look_with_the_clusters_words() -> None:
    never = Diagnosis("PodsRefused", "The pods are refused.", "violates PodSecurity", fails_after=0.0)
    current, actions = play(
        tracked_at(), (0, Observed(Observation(JobState.UNKNOWN))), (2, Woken()), (2.1, Explained(never))
    )
    (fail,) = actions
    assert isinstance(fail, Fail)
    assert "violates PodSecurity" in fail.message
    assert current is not None
    assert play(current, (3, Reported()))[1] == [Delete()]


def test_pods_that_are_refused_for_now_are_told_of_once_and_waited_for() -> None:
    current, actions = play(tracked_at(), (0, Observed(Observation(JobState.UNKNOWN))), (2.1, Explained(REFUSED)))
    assert kinds(actions) == [Warn, Explain]
    assert current is not None
    after, actions = play(current, (4.1, Explained(REFUSED)))
    assert Warn not in kinds(actions)
    assert after is not None
    assert after.ending is None


def test_an_explanation_that_comes_after_the_pods_changes_nothing() -> None:
    current, actions = play(
        tracked_at(), (0, Observed(Observation(JobState.STARTING, pod="p"))), (1, Explained(REFUSED))
    )
    assert actions == []
    assert current is not None
    assert current.observation == Observation(JobState.STARTING, pod="p")


def test_a_refused_watch_is_told_on_the_item_once() -> None:
    current, actions = play(tracked_at(), (0, Troubled(FORBIDDEN)))
    assert actions == [Warn(FORBIDDEN.text, Stage.KUBERNETES)]
    assert current is not None
    assert play(current, (1, Troubled(FORBIDDEN)))[1] == []


def limited(*, is_endless: bool = False) -> Tracked:
    return Tracked(make_record(step=Step.ACKED, max_runtime=100.0, is_endless=is_endless))


RUNNING = Observed(Observation(JobState.RUNNING, pod="p"))
GONE = Observed(Observation(JobState.MISSING))


@pytest.mark.parametrize("end", [GONE, Observed(Observation(JobState.FAILED, EXIT_3, pod="p"))])
def test_a_workload_that_runs_for_too_long_is_deleted_and_fails_by_its_deadline(end: Event) -> None:
    current, _ = play(limited(), (50, Created(REF)), (60, RUNNING))
    assert current is not None
    assert current.wake_at == 150
    current, actions = play(current, (150, Woken()))
    assert actions == [Delete()]
    assert current is not None
    assert play(current, (151, Woken()))[1] == []
    _, actions = play(current, (152, Observed(Observation(JobState.STOPPING))), (160, end))
    (fail,) = actions
    assert isinstance(fail, Fail)
    assert "max_runtime of 100 s" in fail.message


def test_an_endless_workload_ends_with_its_time_and_that_is_no_failure() -> None:
    current, actions = play(limited(is_endless=True), (1, Created(REF)), (2, RUNNING), (101, Woken()), (102, GONE))
    assert kinds(actions) == [Warn, AskRun]
    assert current is not None
    _, actions = play(current, (103, RunSeen("running")))
    assert actions == [Delete()]
    _, actions = play(current, (103, RunSeen("running")), (104, Released()))
    assert actions == [DeleteRecord()]


def test_an_endless_workload_in_which_no_run_began_ends_its_item() -> None:
    happened = ((1, Created(REF)), (2, RUNNING), (101, Woken()), (102, GONE), (103, RunSeen(None)))
    current, (fail,) = play(limited(is_endless=True), *happened)
    assert isinstance(fail, Fail)
    assert "never ends by itself" in fail.message
    assert current is not None
    assert kinds(play(current, (104, Reported()))[1]) == [Delete]


@pytest.mark.parametrize(("is_endless", "expected"), [(False, [Fail]), (True, [Warn, AskRun])])
def test_a_deadline_holds_across_a_restart(is_endless: bool, expected: list[type]) -> None:
    current, _ = play(limited(is_endless=is_endless), (50, Created(REF)))
    assert current is not None
    assert current.record.created_at == 50
    again = Tracked(current.record)
    late, actions = play(again, (400, Recovered()), (401, RUNNING))
    assert actions == [Delete()]
    assert late is not None
    assert kinds(play(late, (402, GONE))[1]) == expected
    _, actions = play(again, (400, Recovered()), (401, GONE))
    assert kinds(actions) == expected


def test_a_workload_that_failed_before_its_deadline_keeps_its_own_reason_after_a_long_absence() -> None:
    record = make_record(step=Step.CREATED, object=REF, max_runtime=100.0, created_at=1.0)
    failed = Observation(JobState.FAILED, EXIT_3, pod="p", container="c")
    _, actions = play(Tracked(record), (400, Recovered()), (401, Observed(failed)))
    assert actions == [ReadTail(failed)]


def test_a_workload_that_just_finished_at_its_deadline_finished() -> None:
    current, _ = play(limited(), (1, Created(REF)), (2, RUNNING), (101, Woken()))
    assert current is not None
    _, actions = play(current, (102, Observed(Observation(JobState.FINISHED))))
    assert actions == [AskRun()]


def test_an_object_that_can_not_be_deleted_is_told_on_the_item() -> None:
    current, _ = play(tracked_at(), (0, RUNNING), (1, StopSeen()), (61, Woken()))
    assert current is not None
    _, actions = play(current, (62, Released("The API server forbids: delete jobs.")))
    assert actions == [Warn("The API server forbids: delete jobs.", Stage.KUBERNETES)]


def test_a_workload_that_starts_for_too_long_fails() -> None:
    current, _ = play(tracked_at(), (0, Observed(Observation(JobState.STARTING, pod="p"))))
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
    assert actions == [AskRun()]
    assert after is not None
    assert after.ending is not None
    assert after.ending.state is JobState.STOPPED
    assert play(after, (73, RunSeen("killed")))[1] == [Delete()]


def test_a_run_that_is_stopped_before_it_begins_ends_its_item_with_that_word() -> None:
    ended = ((10, StopSeen()), (71, Woken()), (72, Observed(Observation(JobState.MISSING))), (73, RunSeen("pending")))
    _, (fail,) = play(tracked_at(), *ended)
    assert fail == Fail("The run was stopped before it began.", Stage.RUN)


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


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.FINISHED, JobState.MISSING])
def test_a_run_that_ended_itself_when_it_was_stopped_leaves_no_object_and_no_reproach(state: JobState) -> None:
    _, actions = play(tracked_at(), (0, Observed(Observation(state, EXIT_3))), (1, RunSeen("killed")))
    assert actions == [Delete()]


def test_how_it_ended_goes_into_the_record_once_where_wandb_is_away() -> None:
    over = replace(tracked_at(), ending=Ending(JobState.FAILED, EXIT_3, tail="last words"))
    tracked, actions = play(over, (NOW, Unreported()))
    assert actions == [UpdateRecord()]
    assert tracked is not None
    assert tracked.record.outcome == Outcome(JobState.FAILED, EXIT_3, tail="last words")
    assert play(tracked, (NOW, Unreported())) == (tracked, [])


def test_a_record_with_an_outcome_is_told_whatever_became_of_its_object() -> None:
    record = replace(tracked_at().record, outcome=Outcome(JobState.FAILED, EXIT_3, has_run=False))
    tracked, actions = play(Tracked(record), (NOW, Recovered()))
    assert actions == [Fail(EXIT_3.text, Stage.AGENT)]
    assert tracked is not None
    assert not tracked.holds_slot
    gone = Observed(Observation(JobState.MISSING))
    tracked, actions = play(tracked, (NOW, gone))
    assert actions == []
    assert tracked is not None
    assert tracked.ending == Ending(JobState.FAILED, EXIT_3, has_run=False)
    may_have_run = replace(record, outcome=Outcome(JobState.FAILED, EXIT_3))
    assert play(Tracked(may_have_run), (NOW, Recovered()))[1] == [AskRun()]


def test_what_was_refused_before_it_was_made_is_refused_again_and_has_no_outcome() -> None:
    refused = Tracked(make_record(step=Step.ACKED), ending=Ending(JobState.FAILED, has_run=False))
    assert play(refused, (NOW, Unreported())) == (refused, [])
