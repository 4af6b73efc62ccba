"""Whatever happens to an item, in whatever order: it is never created twice, never forgotten early, never busy."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from launch_agent.core import lifecycle
from launch_agent.core.actions import (
    Ack,
    Create,
    Delete,
    DeleteRecord,
    Explain,
    Fail,
    Look,
    Release,
    Requeue,
    WriteRecord,
)
from launch_agent.core.events import (
    Acked,
    Created,
    Event,
    Explained,
    NotRequeued,
    Observed,
    OwnerSeen,
    RecordDeleted,
    RecordWritten,
    Recovered,
    Refused,
    Released,
    Reported,
    Requeued,
    RunSeen,
    StopSeen,
    TailRead,
    Troubled,
    Vanished,
    Woken,
)
from launch_agent.core.lifecycle import Limits, Tracked
from launch_agent.core.models import Diagnosis, JobState, ObjectRef, Observation, Record, Step
from tests.support.records import make_record

REF = ObjectRef("a.b/v1", "Thing", "ml", "launch-x", "uid-1")
DIAGNOSES = st.sampled_from(
    [
        None,
        Diagnosis("PodsRefused", "refused"),
        Diagnosis("PodsRefused", "never", fails_after=0.0),
        Diagnosis("ImagePull", "no image", fails_after=60.0),
        Diagnosis("Suspended", "held"),
    ]
)
OBSERVATIONS = st.builds(
    Observation,
    state=st.sampled_from(JobState),
    diagnosis=DIAGNOSES,
    pod=st.sampled_from(["", "p"]),
    is_polled=st.booleans(),
)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from([RecordWritten(), RecordWritten(("careful",)), Refused("no"), Vanished()]),
    st.sampled_from([StopSeen(), Reported(), Released(), Released("no right"), Woken(), TailRead("lines")]),
    st.sampled_from([Requeued("item-2"), NotRequeued("no")]),
    st.sampled_from([Acked(True), Acked(False), OwnerSeen("abc12345"), OwnerSeen(None), Created(REF)]),
    st.sampled_from([RunSeen(None), RunSeen("pending"), RunSeen("running"), RunSeen("finished"), RunSeen("crashed")]),
    st.builds(Observed, OBSERVATIONS),
    st.builds(Explained, DIAGNOSES),
    st.just(Troubled(Diagnosis("WatchRefused", "forbidden"))),
)
HISTORIES = st.lists(st.tuples(st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0, 15.0, 60.0, 1000.0]), EVENTS), max_size=30)
RECORDS: st.SearchStrategy[Record] = st.builds(
    make_record,
    st.just("item-1"),
    step=st.sampled_from(Step),
    object=st.sampled_from([None, REF]),
    created_at=st.sampled_from([0.0, 900.0]),
    max_runtime=st.sampled_from([None, 1.0, 100.0]),
    is_endless=st.booleans(),
)
LIMITS = st.builds(Limits, start_timeout=st.sampled_from([None, 30.0]))


@settings(max_examples=400, deadline=None)
@given(RECORDS, HISTORIES, LIMITS)
def test_whatever_happens_an_item_is_neither_made_twice_nor_left_busy(
    record: Record, history: list[tuple[float, Event]], limits: Limits
) -> None:
    current: Tracked | None = Tracked(record)
    now = 1000.0
    for pause, event in [(0.0, Recovered()), *history]:
        assert current is not None
        now += pause
        before, (current, actions) = current, lifecycle.step(current, event, now, limits)
        done = {type(action) for action in actions}
        if before.record.step is Step.CREATED or before.ending is not None:
            assert Create not in done
        if current is None:
            assert isinstance(event, RecordDeleted)
            return
        assert not (done & {Look, Explain} and current.ending is not None), "what is over is not looked at"
        assert DeleteRecord not in done or current.ending is not None
        if isinstance(event, Woken) and current.wake_at is not None:
            assert current.wake_at > now, "it would be woken again at once, for ever"
        if before.ending is not None:
            assert current.ending is not None, "what is over stays over"
            assert not done & {WriteRecord, Ack}


@settings(max_examples=300, deadline=None)
@given(RECORDS, st.lists(st.tuples(st.sampled_from([0.0, 1.0, 30.0]), st.builds(Observed, OBSERVATIONS)), max_size=8))
def test_a_followed_item_ends_when_its_workload_is_gone(record: object, history: list[tuple[float, Event]]) -> None:
    made = make_record(
        step=Step.CREATED, object=REF, created_at=999.0, max_runtime=getattr(record, "max_runtime", None)
    )
    current: Tracked | None = Tracked(made)
    now = 1000.0
    for pause, event in [*history, (0.0, Observed(Observation(JobState.MISSING)))]:
        assert current is not None
        now += pause
        current, _ = lifecycle.step(current, event, now, Limits())
    assert current is not None
    assert current.ending is not None
    for _ in range(20):
        assert current is not None
        event = _answer(current, now)
        current, actions = lifecycle.step(current, event, now, Limits())
        now = current.wake_at if current is not None and current.wake_at is not None else now
        if current is None:
            return
        if any(isinstance(action, Requeue) for action in actions):
            assert current is not None
            current, actions = lifecycle.step(current, Requeued("item-2"), now, Limits())
        if any(isinstance(action, DeleteRecord) for action in actions):
            assert current is not None
            current, _ = lifecycle.step(current, RecordDeleted(), now, Limits())
            assert current is None
            return
        if any(isinstance(action, Fail) for action in actions):
            assert current is not None
            current, actions = lifecycle.step(current, Reported(), now, Limits())
        if any(isinstance(action, (Release, Delete)) for action in actions):
            assert current is not None
            current, actions = lifecycle.step(current, Released(), now, Limits())
            assert DeleteRecord in {type(action) for action in actions}
            return
    raise AssertionError(f"it did not end: {current}")


def _answer(tracked: Tracked, now: float) -> Event:
    """What the world says next to an item that is ending: its tail, or that there is no run."""
    if tracked.ending is not None and not tracked.ending.tail and tracked.ending.checks == 0 and now < 1e6:
        return TailRead("lines")
    return RunSeen(None)
