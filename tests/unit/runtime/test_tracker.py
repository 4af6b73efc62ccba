"""The tracker: messages in, actions out; slots, polls, repeats."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from launch_agent.core import actions, events
from launch_agent.core.actions import Action, Look
from launch_agent.core.lifecycle import Limits, Tracked
from launch_agent.core.models import JobState, ObjectRef, Observation, Plan, Record, Resource, Stage, Step
from launch_agent.runtime.inbox import Claim, Deferred, Found, Happened, Inbox, OwnerReplaced, Polled, Stopping
from launch_agent.runtime.metrics import Metrics
from launch_agent.runtime.tracker import TELL_AFTER, UNACKED_LIMIT, Pace, Tracker
from tests.support.records import make_record
from tests.unit.runtime.places import Place

REF = ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid")


@dataclass
class Recorder:
    """Performs nothing, remembers everything."""

    done: list[tuple[str, Action, int]] = field(default_factory=list)
    polls: list[tuple[int, bool]] = field(default_factory=list)

    def perform(self, tracked: Tracked, action: Action, plan: Plan | None, attempt: int = 0) -> None:
        del plan
        self.done.append((tracked.record.item_id, action, attempt))

    def poll(self, slots: int, is_busy: bool) -> None:
        self.polls.append((slots, is_busy))


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Bench:
    tracker: Tracker
    hands: Recorder
    inbox: Inbox
    clock: Clock

    def say(self, *messages: Claim | Deferred | Found | Happened | OwnerReplaced | Polled | Stopping) -> None:
        for message in messages:
            self.inbox.put(message if not isinstance(message, Claim) else Polled((message,)))
        self.tracker.turn(0)


def bench(max_jobs: int = 2, poll_interval: float = 3.4, place: Place | None = None) -> Bench:
    hands, inbox, clock = Recorder(), Inbox(), Clock()
    tracker = Tracker(
        inbox=inbox,
        hands=hands,
        poll=hands.poll,
        targets={Resource.KUBERNETES: place or Place()},
        limits=Limits(),
        pace=Pace(max_jobs, poll_interval),
        metrics=Metrics(),
        clock=clock,
        jitter=lambda: 0.0,
    )
    return Bench(tracker, hands, inbox, clock)


def record(item_id: str, step: Step = Step.CLAIMED) -> Record:
    return make_record(item_id, queue="q", run_id="r" + item_id, step=step, claimed_at=1000.0)


def test_nothing_is_popped_before_the_records_of_the_last_start_are_read() -> None:
    it = bench()
    it.tracker.turn(0)
    assert it.hands.polls == []
    it.say(Found(()))
    assert it.hands.polls == [(2, False)]


def test_a_poll_is_not_repeated_while_one_is_under_way_and_waits_for_the_interval() -> None:
    it = bench()
    it.say(Found(()))
    it.tracker.turn(0)
    assert len(it.hands.polls) == 1
    it.say(Polled(()))
    it.clock.now += 3.3
    it.tracker.turn(0)
    assert len(it.hands.polls) == 1
    it.clock.now += 0.2
    it.tracker.turn(0)
    assert len(it.hands.polls) == 2


def test_items_are_asked_for_again_at_once_after_a_poll_that_brought_some() -> None:
    it = bench(max_jobs=-1)
    it.say(Found(()), Polled((Claim(record("1"), Plan({})),)))
    assert it.hands.polls[-1] == (100, True)


def test_claimed_items_count_against_max_jobs() -> None:
    it = bench(max_jobs=2)
    it.say(Found(()), Polled((Claim(record("1"), Plan({})), Claim(record("2"), Plan({})))))
    assert it.hands.polls[-1] == (0, True)


def test_a_record_whose_target_is_out_of_reach_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    it = bench(max_jobs=2)
    it.say(Found((replace(record("1", Step.CREATED), resource=Resource.LOCAL_PROCESS),)))
    assert it.hands.done == []
    assert it.hands.polls == [(2, False)]
    assert "is left alone" in caplog.text


def test_adopted_items_count_against_max_jobs() -> None:
    it = bench(max_jobs=2)
    it.say(Found((record("1"),)))
    assert it.hands.polls == [(1, True)]


def test_a_record_that_can_not_be_read_counts_as_a_used_slot_and_is_told() -> None:
    it = bench(max_jobs=4)
    it.say(Found((record("1"),), unreadable=2))
    assert it.hands.polls == [(1, True)]
    assert it.tracker.note == "2 records can not be read; each counts as a used slot"
    assert it.tracker.summary.startswith("3 of 4 slots used")
    assert it.tracker.summary.endswith(it.tracker.note)


def test_more_unreadable_records_than_slots_leave_no_slot() -> None:
    it = bench(max_jobs=2)
    it.say(Found((), unreadable=3))
    assert it.hands.polls == [(0, False)]


def test_a_slot_is_free_again_when_the_workload_is_over_though_its_report_is_not_taken() -> None:
    it = bench(max_jobs=1)
    it.say(Found((record("1"),)))
    it.say(Polled(()), Happened("1", events.Acked(True)), Happened("1", events.RunSeen(None)))
    it.say(Happened("1", events.Refused("forbidden", Stage.AGENT)))
    assert it.tracker.free_slots() == 1


def test_no_more_is_taken_than_can_be_acked_within_a_lease() -> None:
    it = bench(max_jobs=-1)
    it.say(Found(()), Polled(tuple(Claim(record(str(n)), Plan({})) for n in range(UNACKED_LIMIT - 20))))
    assert it.tracker.free_slots() == 20


def test_an_item_popped_again_while_it_is_being_launched_starts_nothing() -> None:
    it = bench()
    it.say(Found(()), Polled((Claim(record("1"), Plan({})),)))
    before = list(it.hands.done)
    it.say(Polled((Claim(record("1"), Plan({})),)))
    assert it.hands.done == before


def test_a_refused_item_fails_and_is_forgotten() -> None:
    it = bench()
    refused = events.Refused("SageMaker is not built here.", Stage.AGENT)
    it.say(Found(()), Polled((Claim(record("1"), refused=refused),)))
    assert it.hands.done == [("1", actions.Fail("SageMaker is not built here.", Stage.AGENT), 0)]
    it.say(Happened("1", events.Reported()), Happened("1", events.RecordDeleted()))
    assert it.tracker.free_slots() == 2


def test_an_action_whose_peer_is_away_is_repeated_with_growing_pauses() -> None:
    it = bench()
    it.say(Found((record("1"),)))
    it.hands.done.clear()
    waits = []
    for attempt in range(1, 6):
        it.say(Deferred("1", actions.Ack(), attempt, "no answer"))
        start = it.clock.now
        while not it.hands.done:
            it.clock.now += 0.25
            it.tracker.turn(0)
        assert it.hands.done.pop() == ("1", actions.Ack(), attempt)
        waits.append(it.clock.now - start)
    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(("action", "is_told"), [(actions.Create(), True), (actions.Look(), False)])
def test_why_a_launch_has_to_wait_is_told_once_on_its_item(action: Action, is_told: bool) -> None:
    it = bench()
    it.say(Found((record("1"),)))
    it.hands.done.clear()
    for attempt in range(1, 2 * TELL_AFTER):
        it.say(Deferred("1", action, attempt, "Service redis is not ready.", after=1000.0))
    told = [one.message for _, one, _ in it.hands.done if isinstance(one, actions.Warn)]
    expected = ["The launch has to wait and is tried again and again: Service redis is not ready."]
    assert told == (expected if is_told else [])


def test_what_is_known_of_a_workload_when_it_is_created_is_not_waited_for() -> None:
    known = (("1", events.Observed(Observation(JobState.FAILED))),)
    it = bench(place=Place(known=known))
    it.say(Found(()), Claim(record("1", Step.ACKED), plan=Plan({})), Happened("1", events.Created(REF)))
    assert [type(one) for _, one, _ in it.hands.done][-2:] == [actions.UpdateRecord, actions.AskRun]


def test_a_peer_that_names_a_time_is_asked_then() -> None:
    it = bench()
    it.say(Found((record("1"),)))
    it.hands.done.clear()
    it.say(Deferred("1", actions.Ack(), 1, "429", after=30.0))
    it.clock.now += 29.9
    it.tracker.turn(0)
    assert it.hands.done == []
    it.clock.now += 0.1
    it.tracker.turn(0)
    assert it.hands.done == [("1", actions.Ack(), 1)]


def test_nothing_is_taken_any_more_when_the_agent_is_leaving() -> None:
    it = bench()
    it.say(Found(()))
    it.say(Polled(()), Stopping())
    it.clock.now += 100
    it.tracker.turn(0)
    assert len(it.hands.polls) == 1


def test_polls_that_fail_are_repeated_slower_each_time() -> None:
    it = bench()
    it.say(Found(()))
    gaps = []
    for _ in range(4):
        start, before = it.clock.now, len(it.hands.polls)
        it.say(Polled((), is_ok=False))
        while len(it.hands.polls) == before:
            it.clock.now += 0.25
            it.tracker.turn(0)
        gaps.append(it.clock.now - start)
    assert gaps == [1.0, 2.0, 4.0, 8.0]


def test_an_event_of_an_unknown_item_is_nothing() -> None:
    it = bench()
    it.say(Found(()), Happened("x", events.Observed(Observation(JobState.FAILED))))
    assert it.hands.done == []


def test_it_is_settled_when_nothing_is_between_its_pop_and_its_workload() -> None:
    it = bench(poll_interval=0.0)
    it.say(Found(()))
    assert it.hands.polls == [(2, False)]
    it.say(Stopping())
    assert not it.tracker.is_settled.is_set()
    it.say(Claim(record("1"), Plan({})))
    assert not it.tracker.is_settled.is_set()
    it.say(Happened("1", events.RecordWritten()), Happened("1", events.Acked(True)))
    assert not it.tracker.is_settled.is_set()
    it.say(Happened("1", events.Created(REF)))
    assert it.tracker.is_settled.is_set()
    assert len(it.hands.polls) == 1


def test_records_of_items_in_work_are_written_again_when_their_owner_was_replaced() -> None:
    it = bench(max_jobs=-1)
    running = replace(record("running", Step.CREATED), object=REF)
    it.say(Found((running, record("acked", Step.ACKED))), Polled((Claim(record("claimed"), Plan({})),)))
    it.hands.done.clear()
    it.say(OwnerReplaced())
    assert it.hands.done == [(name, actions.KeepRecord(), 0) for name in ("running", "acked")]


def test_adopted_items_that_a_list_will_tell_of_are_not_looked_at_one_by_one() -> None:
    created = replace(record("1", Step.CREATED), object=REF)
    awaited, alone = bench(place=Place(has_list_to_come=True)), bench()
    awaited.say(Found((created,)))
    alone.say(Found((created,)))
    assert awaited.hands.done == []
    assert alone.hands.done == [("1", Look(), 0)]


def test_an_adopted_item_whose_object_is_not_known_is_looked_for_whatever_list_will_come() -> None:
    it = bench(place=Place(has_list_to_come=True))
    it.say(Found((record("1", Step.CREATED),)))
    assert it.hands.done == [("1", Look(), 0)]
