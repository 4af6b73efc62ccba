"""What comes of an action: an event, a refusal, or another attempt later."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from launch_agent.adapters.wandb.operation import Operation
from launch_agent.core import actions, events, retry
from launch_agent.core.actions import Action
from launch_agent.core.events import Event
from launch_agent.core.lifecycle import Tracked
from launch_agent.core.models import Diagnosis, JobState, Observation, Outcome, Plan, Record, Resource, Stage
from launch_agent.errors import (
    ConfigError,
    KubernetesConflict,
    KubernetesDenied,
    KubernetesInvalid,
    KubernetesUnavailable,
    LedgerError,
    LedgerUnavailable,
    RecordTaken,
    RefusedError,
    WandbDenied,
    WandbError,
    WandbRejected,
    WandbUnavailable,
)
from launch_agent.runtime.batcher import Done
from launch_agent.runtime.inbox import Deferred, Happened, Inbox
from launch_agent.runtime.performer import DENIED_ATTEMPTS, REPORT_ATTEMPTS, Performer
from tests.support.records import make_record
from tests.unit.runtime.places import REF, Place

KEY = "local-" + "k" * 40
RECORD = make_record()
PLAN = Plan({})


class Now:
    """Performs at once, on the caller's thread."""

    def submit(self, call: Callable[[], None], *, is_urgent: bool) -> None:
        call()


@dataclass
class Answers:
    """W&B: the same answer for each operation."""

    value: Any = None
    error: WandbError | None = None
    sent: list[Operation] = field(default_factory=list)

    def submit(
        self, operation: Operation, done: Done, /, *, is_kept: bool = False, put_off: Callable[[], None] | None = None
    ) -> None:
        self.sent.append(operation)
        done(self.value, self.error)


@dataclass
class Book:
    error: Exception | None = None
    unreadable: tuple[str, ...] = ()

    def create(self, record: Record) -> None:
        if self.error is not None:
            raise self.error

    def update(self, record: Record) -> None:
        self.create(record)

    def delete(self, item_id: str) -> None:
        self.create(RECORD)

    def list(self) -> list[Record]:
        return []

    def list_all(self) -> Sequence[Record]:
        return ()


def perform(
    action: Action,
    *,
    wandb: Answers | None = None,
    place: Place | None = None,
    book: Book | None = None,
    attempt: int = 0,
    check_lease: Callable[[], None] = lambda: None,
    requeue: Callable[..., str] = lambda _record, **_: "item-2",
    plan: Plan | None = PLAN,
    record: Record = RECORD,
) -> list[Any]:
    inbox = Inbox()
    performer = Performer(
        inbox=inbox,
        pool=Now(),
        batcher=wandb or Answers(),
        ledger=book or Book(),
        targets={Resource.KUBERNETES: place or Place()},
        replan=lambda _record: Plan({}),
        requeue=requeue,
        check_lease=check_lease,
        secrets=(KEY,),
    )
    performer.perform(Tracked(record), action, plan, attempt)
    found = []
    while not inbox.empty():
        message = inbox.get()
        found.append(message.event if isinstance(message, Happened) else message)
    return found


@pytest.mark.parametrize(
    ("action", "value", "event"),
    [
        (actions.Ack(), {"success": True}, events.Acked(True)),
        (actions.Ack(), {"success": False}, events.Acked(False)),
        (actions.Ack(), None, events.Acked(False)),
        (actions.AskOwner(), {"runQueue": {"runQueueItem": {"associatedRunId": "r1"}}}, events.OwnerSeen("r1")),
        (actions.AskOwner(), None, events.OwnerSeen(None)),
        (actions.AskRun(), {"run": {"state": "running"}}, events.RunSeen("running")),
        (actions.AskRun(), {"run": None}, events.RunSeen(None)),
        (actions.Fail("why", Stage.RUN), {"success": True}, events.Reported()),
    ],
)
def test_an_answer_of_wandb_becomes_an_event(action: Action, value: Any, event: Event) -> None:
    assert perform(action, wandb=Answers(value)) == [event]


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (actions.Ack(), [events.Acked(False)]),
        (actions.AskOwner(), [events.OwnerSeen(None)]),
        (actions.AskRun(), [events.RunSeen(None)]),
        (actions.Fail("why", Stage.RUN), [events.Reported()]),
        (actions.Warn("why", Stage.RUN), []),
    ],
)
def test_a_refusal_of_wandb_ends_the_question(action: Action, expected: list[Event]) -> None:
    assert perform(action, wandb=Answers(error=WandbRejected("no such run")), attempt=REPORT_ATTEMPTS) == expected


@pytest.mark.parametrize("action", [actions.Fail("why", Stage.RUN), actions.Warn("why", Stage.RUN)])
def test_a_report_that_wandb_refuses_is_sent_again_some_times(action: Action) -> None:
    (message,) = perform(action, wandb=Answers(error=WandbRejected("internal error")), attempt=REPORT_ATTEMPTS - 1)
    assert isinstance(message, Deferred)


@pytest.mark.parametrize("error", [WandbUnavailable("no answer", retry_after=7.0), WandbDenied("the key was changed")])
@pytest.mark.parametrize("action", [actions.Ack(), actions.Fail("why", Stage.RUN), actions.Warn("why", Stage.RUN)])
def test_nothing_for_wandb_is_lost_while_wandb_is_away(action: Action, error: WandbError) -> None:
    (message,) = perform(action, wandb=Answers(error=error), attempt=2)
    assert isinstance(message, Deferred)
    assert (message.action, message.attempt, message.after) == (action, 3, getattr(error, "retry_after", None))


@pytest.mark.parametrize(
    "action",
    [actions.Create(), actions.Look(), actions.Release(), actions.Delete()],
)
def test_nothing_for_the_cluster_is_lost_while_it_is_away(action: Action) -> None:
    (message,) = perform(action, place=Place(KubernetesUnavailable("no answer")))
    assert isinstance(message, Deferred)


@pytest.mark.parametrize(
    "error",
    [
        KubernetesInvalid("spec is wrong", status=422),
        RefusedError("the name is taken"),
        OSError("x"),
    ],
)
def test_an_object_that_can_not_be_made_refuses_the_item_with_the_reason(error: Exception) -> None:
    (event,) = perform(actions.Create(), place=Place(error))
    assert isinstance(event, events.Refused)
    assert str(error) in event.message


def test_a_claimed_item_waits_for_rights_that_may_come_back_and_then_is_refused_with_the_reason() -> None:
    for attempt in (0, DENIED_ATTEMPTS - 1):
        place = Place(KubernetesDenied("forbidden"))
        (message,) = perform(actions.Create(), place=place, attempt=attempt)
        assert message == Deferred("item-1", actions.Create(), attempt + 1, "forbidden")
        assert place.discarded == []
    (event,) = perform(actions.Create(), place=Place(KubernetesDenied("forbidden")), attempt=DENIED_ATTEMPTS)
    assert event == events.Refused("forbidden", Stage.AGENT)


def test_the_patience_with_missing_rights_is_between_four_and_ten_minutes() -> None:
    assert sum(retry.delay(attempt, 0.0) for attempt in range(DENIED_ATTEMPTS)) >= 240
    assert sum(retry.delay(attempt, 1.0) for attempt in range(DENIED_ATTEMPTS)) <= 600


def test_an_item_that_is_not_claimed_yet_fails_at_once_where_rights_are_missing() -> None:
    (event,) = perform(actions.WriteRecord(), book=Book(KubernetesDenied("forbidden")))
    assert event == events.Refused("forbidden", Stage.AGENT)


def test_a_refused_item_leaves_no_secret_behind() -> None:
    place = Place(KubernetesInvalid("spec is wrong", status=422))
    perform(actions.Create(), place=place)
    perform(actions.WriteRecord(), place=place, book=Book(LedgerError("too large")))
    assert len(place.discarded) == 2


def test_an_item_whose_cluster_is_away_keeps_its_secret() -> None:
    place = Place(KubernetesUnavailable("no answer"))
    perform(actions.Create(), place=place)
    assert place.discarded == []


def test_an_item_that_is_refused_after_a_restart_leaves_nothing_behind_either() -> None:
    place = Place(RefusedError("no"))
    perform(actions.Create(), place=place, plan=None)
    assert place.discarded == [Plan({})]


def test_a_refusal_waits_until_what_was_made_can_be_removed() -> None:
    place = Place(RefusedError("no"), error_of_discard=KubernetesUnavailable("away"))
    (deferred,) = perform(actions.Create(), place=place)
    assert isinstance(deferred, Deferred)
    assert deferred.action == actions.Create()


def test_an_item_whose_record_can_not_be_held_is_refused_before_its_ack() -> None:
    (event,) = perform(actions.WriteRecord(), book=Book(LedgerError("too large")))
    assert event == events.Refused("too large", Stage.AGENT)


def test_an_item_of_which_another_shard_has_the_record_is_left_to_that_one() -> None:
    place = Place()
    assert perform(actions.WriteRecord(), place=place, book=Book(RecordTaken("it is there"))) == [events.Taken()]
    assert place.discarded == []


def test_an_error_of_our_own_stays_with_its_item(caplog: pytest.LogCaptureFixture) -> None:
    (event,) = perform(actions.Create(), place=Place(ZeroDivisionError("a bug")))
    assert isinstance(event, events.Refused)
    assert "ZeroDivisionError" in event.message
    assert "failed unexpectedly" in caplog.text


def test_a_log_that_can_not_be_read_does_not_hold_the_report_up() -> None:
    action = actions.ReadTail(Observation(JobState.FAILED, pod="p"))
    assert isinstance(perform(action, place=Place(KubernetesUnavailable("500")))[0], Deferred)
    assert perform(action, place=Place(KubernetesUnavailable("500")), attempt=3) == [events.TailRead("")]
    assert perform(action, place=Place(KubernetesDenied("403"))) == [events.TailRead("")]


def test_an_object_that_may_not_be_deleted_does_not_hold_its_record_up() -> None:
    (released,) = perform(actions.Delete(), place=Place(KubernetesDenied("403")))
    assert released == events.Released("The workload's object stays as it is. 403")


def test_why_there_are_no_pods_is_an_event_and_no_reason_to_wait() -> None:
    (event,) = perform(actions.Explain())
    assert isinstance(event, events.Explained)
    assert event.diagnosis is not None
    assert perform(actions.Explain(), place=Place(KubernetesDenied("403"))) == [events.Explained(None)]
    assert isinstance(perform(actions.Explain(), place=Place(KubernetesUnavailable("500")))[0], Deferred)


def test_a_look_that_is_forbidden_is_told_with_verb_and_resource_and_not_repeated_at_once() -> None:
    error = KubernetesDenied("The API server forbids: get pytorchjobs/a in namespace ml.", status=403)
    (event,) = perform(actions.Look(), place=Place(error))
    assert isinstance(event, events.Troubled)
    assert "get pytorchjobs/a in namespace ml" in event.diagnosis.text


def test_a_cluster_that_can_not_be_reached_by_the_configuration_is_looked_at_again() -> None:
    assert isinstance(perform(actions.Look(), place=Place(ConfigError("no such file")))[0], Deferred)
    (event,) = perform(actions.Create(), place=Place(ConfigError("no such file")))
    assert event == events.Refused("no such file", Stage.AGENT)


def test_warnings_of_the_target_come_with_the_record() -> None:
    assert perform(actions.WriteRecord(), place=Place(warnings=("careful",))) == [events.RecordWritten(("careful",))]


def test_no_key_leaves_in_a_report() -> None:
    wandb = Answers({"success": True})
    perform(actions.Fail(f"it printed {KEY}", Stage.RUN), wandb=wandb)
    assert KEY not in str(wandb.sent)
    assert "it printed" in str(wandb.sent)


def _refuse() -> None:
    raise KubernetesUnavailable("another agent holds the Lease")


@pytest.mark.parametrize(
    "action",
    [
        actions.WriteRecord(),
        actions.UpdateRecord(),
        actions.DeleteRecord(),
        actions.Create(),
        actions.Delete(),
        actions.Release(),
    ],
)
def test_nothing_is_changed_while_another_agent_may_hold_the_lease(action: Action) -> None:
    forbidden = Place(AssertionError("it was done all the same"))
    book = Book(AssertionError("it was done all the same"))
    (message,) = perform(action, place=forbidden, book=book, check_lease=_refuse)
    assert isinstance(message, Deferred)
    assert message.reason == "another agent holds the Lease"


def test_looking_needs_no_lease() -> None:
    assert perform(actions.Look(), check_lease=_refuse) == [events.Observed(Observation(JobState.RUNNING))]


@pytest.mark.parametrize(("may_be_done", "expected"), [(True, actions.AskRun), (False, actions.Create)])
def test_an_object_that_may_have_been_made_is_asked_for_by_its_run_before_it_is_made_again(
    may_be_done: bool, expected: type
) -> None:
    error = KubernetesUnavailable("no answer")
    error.may_be_done = may_be_done
    (deferred,) = perform(actions.Create(), place=Place(error))
    assert isinstance(deferred, Deferred)
    assert isinstance(deferred.action, expected)


def test_an_item_that_is_put_back_has_its_step_on_record_and_its_object_deleted_before() -> None:
    seen: list[tuple[str, bool]] = []

    def requeue(record: Record, *, is_repeat: bool) -> str:
        seen.append((record.item_id, is_repeat))
        return "item-2"

    assert perform(actions.Requeue(), requeue=requeue) == [events.Requeued("item-2")]
    assert perform(actions.Requeue(), requeue=requeue, attempt=1) == [events.Requeued("item-2")]
    assert seen == [(RECORD.item_id, False), (RECORD.item_id, True)]


def test_a_queue_that_refuses_an_item_is_told() -> None:
    def refuse(_record: Record, **_: bool) -> str:
        raise WandbRejected("There is no such queue.")

    (event,) = perform(actions.Requeue(), requeue=refuse)
    assert isinstance(event, events.NotRequeued)
    assert "no such queue" in event.reason


@pytest.mark.parametrize(
    "error", [WandbUnavailable("away"), WandbDenied("an expired key"), KubernetesDenied("no right", status=403)]
)
def test_an_item_is_put_back_later_where_that_is_not_possible_now(error: Exception) -> None:
    def fail(_record: Record, **_: bool) -> str:
        raise error

    (deferred,) = perform(actions.Requeue(), requeue=fail)
    assert isinstance(deferred, Deferred)
    assert deferred.action == actions.Requeue()


def test_an_object_that_is_looked_for_and_gone_leaves_nothing_behind() -> None:
    place = Place(found=None)
    assert perform(actions.Find(), place=place) == [events.Observed(Observation(JobState.MISSING))]
    assert place.discarded == [PLAN]
    assert perform(actions.Find(), place=Place()) == [events.Created(REF)]


@pytest.mark.parametrize("action", [actions.Create(), actions.Release(), actions.Delete()])
def test_a_change_that_meets_another_one_is_made_again(action: Action) -> None:
    (deferred,) = perform(action, place=Place(KubernetesConflict("changed meanwhile", status=409)))
    assert isinstance(deferred, Deferred)
    assert deferred.action == action


@pytest.mark.parametrize("action", [actions.WriteRecord(), actions.UpdateRecord(), actions.Requeue()])
def test_a_disk_that_takes_nothing_fails_no_item(action: Action) -> None:
    (found,) = perform(action, book=Book(LedgerUnavailable("No space left on device.")))
    assert found == Deferred(RECORD.item_id, action, 1, "No space left on device.")


def test_a_process_whose_folder_finds_no_space_is_started_later() -> None:
    (found,) = perform(actions.Create(), place=Place(OSError(errno.ENOSPC, "No space left on device")))
    assert isinstance(found, Deferred)
    assert found.action == actions.Create()


@pytest.mark.parametrize("error", [WandbUnavailable("away"), WandbDenied("an expired key")])
def test_a_question_about_the_run_that_has_to_wait_is_said_once(error: WandbError) -> None:
    unreported, deferred = perform(actions.AskRun(), wandb=Answers(error=error))
    assert unreported == events.Unreported()
    assert isinstance(deferred, Deferred)
    (again,) = perform(actions.AskRun(), wandb=Answers(error=error), attempt=1)
    assert isinstance(again, Deferred)


def test_an_outcome_is_written_without_the_agent_s_key() -> None:
    written: list[Record] = []

    class Keeper(Book):
        def update(self, record: Record) -> None:
            written.append(record)

    seen = Diagnosis("ExitCode", f"It said {KEY}.", detail=KEY)
    perform(
        actions.UpdateRecord(), book=Keeper(), record=replace(RECORD, outcome=Outcome(JobState.FAILED, seen, tail=KEY))
    )
    assert written[0].outcome is not None
    assert KEY not in repr(written[0])
