"""Who takes items: a table of what is seen of the Lease, and what follows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_agent.core import leadership
from launch_agent.core.leadership import DEADLINE, DURATION, POLL, RENEW, RETRY, Candidate, Move, View

ME = Candidate("agent-b", "22222222")
OTHER = "agent-a_11111111"
BEFORE_ME = "agent-b_00000000"
WALL = 1_800_000_000.25


def lease(holder: str | None = OTHER, renewed: str = "2027-01-15T07:59:00.000000Z", **spec: Any) -> dict[str, Any]:
    """A Lease as an API server shows it; None: the key is absent."""
    named = {} if holder is None else {"holderIdentity": holder}
    metadata = {"name": "rel", "namespace": "ns", "resourceVersion": "7", "uid": "u", "managedFields": [{}]}
    return {"metadata": metadata, "spec": {**named, "leaseDurationSeconds": 15, "renewTime": renewed, **spec}}


def decide(seen: dict[str, Any] | None, *, waited: float = 0.0, me: Candidate = ME, has_held: bool = False) -> Move:
    """What to do about a Lease that has not changed for ``waited`` seconds."""
    view = leadership.observe(None, seen, 100.0)
    return leadership.decide(seen, view, me, 100.0 + waited, has_held=has_held)


@pytest.mark.parametrize(
    ("seen", "waited", "has_held", "move"),
    [
        (None, 0.0, False, Move.CREATE),
        (None, 0.0, True, Move.CREATE),
        (lease(None), 0.0, False, Move.TAKE),
        (lease(""), 0.0, False, Move.TAKE),
        (lease(None), 0.0, True, Move.TAKE),
        ({"metadata": {}, "spec": None}, 0.0, False, Move.TAKE),
        (lease(), 0.0, False, Move.WAIT),
        (lease(), DURATION - 0.01, False, Move.WAIT),
        (lease(), DURATION, False, Move.TAKE),
        (lease(), DURATION, True, Move.YIELD),
        (lease(), 0.0, True, Move.YIELD),
        (lease(ME.identity), 0.0, True, Move.RENEW),
        (lease(ME.identity), 1000.0, True, Move.RENEW),
        (lease(BEFORE_ME), 0.0, False, Move.TAKE),
        (lease(BEFORE_ME), 0.0, True, Move.YIELD),
    ],
)
def test_what_is_seen_decides(seen: dict[str, Any] | None, waited: float, has_held: bool, move: Move) -> None:
    assert decide(seen, waited=waited, has_held=has_held) is move


def test_outside_of_a_pod_a_holder_of_the_same_host_is_somebody_else() -> None:
    assert decide(lease(BEFORE_ME), me=Candidate("agent-b", "22222222", is_pod=False)) is Move.WAIT


@pytest.mark.parametrize("holder", ["agent_00000000", "agent-b2_00000000", "agent-b", "x_agent-b", "_agent-b_1"])
def test_a_pod_with_a_similar_name_is_somebody_else(holder: str) -> None:
    assert decide(lease(holder)) is Move.WAIT


@pytest.mark.parametrize(
    ("written", "good_for"), [(15, 15.0), (60, 60.0), (5, DURATION), (None, DURATION), ("x", DURATION), (-3, DURATION)]
)
def test_a_holder_is_believed_that_promises_more_but_never_given_less(written: Any, good_for: float) -> None:
    seen = lease(leaseDurationSeconds=written)
    assert decide(seen, waited=good_for - 0.01) is Move.WAIT
    assert decide(seen, waited=good_for) is Move.TAKE


def test_each_renewal_starts_the_wait_again_whatever_time_it_names() -> None:
    first = leadership.observe(None, lease(), 100.0)
    same = leadership.observe(first, lease(), 110.0)
    earlier_by_its_clock = lease(renewed="1999-01-01T00:00:00.000000Z")
    renewed = leadership.observe(same, earlier_by_its_clock, 114.0)
    assert (same.since, renewed.since) == (100.0, 114.0)
    assert leadership.decide(earlier_by_its_clock, renewed, ME, 128.9) is Move.WAIT
    assert leadership.decide(earlier_by_its_clock, renewed, ME, 129.0) is Move.TAKE


def test_what_changes_beside_the_spec_is_no_renewal() -> None:
    first = leadership.observe(None, lease(), 100.0)
    labelled = lease()
    labelled["metadata"] = {**labelled["metadata"], "resourceVersion": "8", "labels": {"a": "b"}}
    assert leadership.observe(first, labelled, 110.0) == first


def test_a_lease_that_is_deleted_is_not_taken_from_its_holder_before_its_time() -> None:
    view = leadership.observe(None, lease(), 100.0)
    view = leadership.observe(view, None, 102.0)
    assert leadership.decide(None, view, ME, 102.0) is Move.WAIT
    assert leadership.decide(None, view, ME, 115.0) is Move.CREATE


def test_a_lease_that_is_emptied_is_not_taken_from_its_holder_before_its_time() -> None:
    emptied = {"metadata": {"name": "rel", "namespace": "ns", "resourceVersion": "8"}, "spec": {}}
    view = leadership.observe(leadership.observe(None, lease(), 100.0), emptied, 102.0)
    assert leadership.decide(emptied, view, ME, 102.0) is Move.WAIT
    assert leadership.decide(emptied, view, ME, 115.0) is Move.TAKE
    mine = leadership.observe(leadership.observe(None, lease(ME.identity), 100.0), emptied, 102.0)
    assert leadership.decide(emptied, mine, ME, 102.0, has_held=True) is Move.RENEW
    body = leadership.write(emptied, ME, WALL, namespace="ns", name="rel")
    assert body["spec"]["holderIdentity"] == ME.identity


def test_a_holder_whose_lease_was_deleted_makes_it_again() -> None:
    view = leadership.observe(None, lease(ME.identity), 100.0)
    assert leadership.decide(None, leadership.observe(view, None, 103.0), ME, 103.0, has_held=True) is Move.CREATE


def test_a_new_lease_names_its_holder_and_its_times() -> None:
    body = leadership.write(None, ME, WALL, namespace="ns", name="rel")
    assert body == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "rel", "namespace": "ns"},
        "spec": {
            "holderIdentity": "agent-b_22222222",
            "leaseDurationSeconds": 15,
            "acquireTime": "2027-01-15T08:00:00.250000Z",
            "renewTime": "2027-01-15T08:00:00.250000Z",
            "leaseTransitions": 0,
        },
    }


def test_taking_counts_and_renewing_keeps_all_but_the_time() -> None:
    taken = leadership.write(lease(leaseTransitions=4), ME, WALL, namespace="ns", name="rel")
    assert taken["metadata"] == {"name": "rel", "namespace": "ns", "resourceVersion": "7", "uid": "u"}
    assert taken["spec"]["leaseTransitions"] == 5
    renewed = leadership.write(taken, ME, WALL + 3, namespace="ns", name="rel")
    assert renewed == {**taken, "spec": {**taken["spec"], "renewTime": "2027-01-15T08:00:03.250000Z"}}


def test_a_released_lease_is_free_for_the_next_one_to_look() -> None:
    taken = leadership.write(lease(), ME, WALL, namespace="ns", name="rel")
    freed = leadership.release(taken, WALL + 1)
    assert "holderIdentity" not in freed["spec"]
    assert freed["metadata"]["resourceVersion"] == "7"
    assert decide(freed, me=Candidate("agent-c", "33333333")) is Move.TAKE


@given(st.floats(0, 1, exclude_max=True))
def test_pauses_leave_room_for_two_attempts_before_the_deadline_and_for_the_deadline_before_the_end(
    jitter: float,
) -> None:
    request = 3.0  # runtime.lease.TIMEOUT
    renewal = leadership.pause(RENEW, 0.2, jitter)
    assert 2.4 <= renewal <= 3.6
    assert renewal + request + leadership.pause(RETRY, 0.25, jitter) <= DEADLINE
    assert leadership.pause(POLL, 0.25, jitter) <= 2.5
    assert DURATION - DEADLINE >= 5.0


SKEWS = st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))


@given(st.lists(st.tuples(st.booleans(), st.floats(0.01, 30)), max_size=40), SKEWS)
def test_two_candidates_with_any_clocks_never_both_count_themselves_as_the_holder(
    turns: list[tuple[bool, float]], skews: tuple[float, float]
) -> None:
    """Any order of turns with any pauses between them, each process with a clock of its own that starts anywhere."""
    world = World(skews)
    for is_first, wait in turns:
        world.now += wait
        world.turn(0 if is_first else 1)
        assert sum(world.counts_itself(number) for number in (0, 1)) <= 1


class World:
    """Two candidates and one Lease, which the API server changes only if it is as its writer read it."""

    def __init__(self, skews: tuple[float, float]) -> None:
        self.now = 0.0
        self.lease: dict[str, Any] | None = None
        self.skews = skews
        self.them = (Candidate("agent-a", "1"), Candidate("agent-b", "2"))
        self.views: list[View | None] = [None, None]
        self.renewed: list[float | None] = [None, None]
        self.lost = [False, False]

    def clock(self, number: int) -> float:
        return self.now + self.skews[number]

    def counts_itself(self, number: int) -> bool:
        renewed = self.renewed[number]
        return renewed is not None and not self.lost[number] and self.clock(number) - renewed < DEADLINE

    def turn(self, number: int) -> None:
        me, now = self.them[number], self.clock(number)
        view = self.views[number] = leadership.observe(self.views[number], self.lease, now)
        held = self.renewed[number] is not None
        move = leadership.decide(self.lease, view, me, now, has_held=held)
        if self.lost[number] or move is Move.WAIT:
            return
        if move is Move.YIELD:
            self.lost[number] = True
            return
        self.lease = leadership.write(self.lease, me, self.now, namespace="ns", name="rel")
        self.renewed[number] = now
