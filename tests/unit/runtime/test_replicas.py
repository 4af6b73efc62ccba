"""What a process makes of the Leases of all shards: who takes which, who asks, who gives, and how many items."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import leadership, shares
from launch_agent.core.draining import annotate
from launch_agent.core.leadership import Candidate
from launch_agent.core.shares import MOST, Posting, Terms
from launch_agent.runtime.replicas import KEEP_AWAY, REACH, SETTLED, Board

ME, OTHER, THIRD = Candidate("pod-a", "1"), Candidate("pod-b", "2"), Candidate("pod-c", "3")
TERMS = Terms(3, 9)


class Process:
    """One with a clock of its own, and Leases that it reads at once."""

    def __init__(self, terms: Terms = TERMS) -> None:
        self.now = 100.0
        self.board = Board(ME, terms, clock=lambda: self.now, jitter=lambda: 0.0)

    def see(self, shard: int, holder: Candidate | None, used: int | None = 0, *, wanted: str = "") -> None:
        """Read a Lease that one of our kind holds."""
        by = holder or OTHER
        body = leadership.write(None, by, 0.0, namespace="ns", name="rel")
        told = {"launch-agent/share": shares.write(Posting(self.board.terms, used, by.identity))}
        body = annotate(body, {**told, "launch-agent/wanted": wanted})
        if holder is None:
            del body["spec"]["holderIdentity"]
        self.board.note(shard, body, self.now)

    def hold(self, shard: int, used: int | None = 0, *, before: dict[str, Any] | None = None) -> None:
        """Write a Lease."""
        told = self.board.post(shard, before, used)
        body = annotate(leadership.write(before, ME, 0.0, namespace="ns", name="rel"), told)
        self.board.note(shard, body, self.now, is_ours=True)


@pytest.fixture
def process() -> Process:
    return Process()


def test_a_process_without_a_shard_takes_one_at_once_and_a_second_one_some_seconds_later(process: Process) -> None:
    process.see(0, None)
    assert process.board.may_claim(1, "", 0.0)
    assert not process.board.may_claim(2, "", 0.0)  # it reaches for one
    process.hold(1)
    assert not process.board.may_claim(2, "", 2.4)
    assert process.board.may_claim(2, "", 2.5)
    process.hold(2)
    assert not process.board.may_claim(0, "", 3.4)
    assert process.board.may_claim(0, "", 3.5)


def test_what_an_earlier_container_of_this_pod_held_is_taken_at_once(process: Process) -> None:
    process.hold(0)
    assert process.board.may_claim(1, "pod-a_0", 0.0)
    assert not process.board.may_claim(2, "pod-b_0", 0.0)


def test_a_claim_that_another_one_won_is_given_up(process: Process) -> None:
    process.see(0, None)
    assert process.board.may_claim(1, "", 0.0)
    process.see(1, OTHER)
    assert process.board.may_claim(2, "", 0.0)


def test_a_claim_of_which_nothing_is_heard_is_given_up_after_a_while(process: Process) -> None:
    process.see(0, None)
    assert process.board.may_claim(1, "", 0.0)
    assert not process.board.may_claim(2, "", 0.0)
    process.now += REACH
    assert process.board.may_claim(2, "", 0.0)


def test_a_shard_waits_for_the_release_s_lease(process: Process) -> None:
    assert not process.board.may_claim(1, "", 99.0)
    process.board.note(0, None, process.now)
    assert not process.board.may_claim(1, "", 99.0)
    assert process.board.may_claim(0, "", 0.0)


def test_who_has_several_gives_one_to_who_asks_and_keeps_away_from_it(process: Process) -> None:
    for shard in range(2):
        process.hold(shard)
    assert process.board.find_asked() is None
    process.see(1, ME, wanted=OTHER.identity)
    assert process.board.find_asked() == 1
    process.board.keep_away(1)
    process.see(1, None)
    assert process.board.find_asked() is None
    assert not process.board.may_claim(1, "", 29.0)
    process.now += KEEP_AWAY
    assert process.board.may_claim(1, "", 29.0)


def test_who_got_one_elsewhere_is_given_none(process: Process) -> None:
    for shard in range(2):
        process.hold(shard)
    process.see(1, ME, wanted=OTHER.identity)
    process.see(2, OTHER)
    assert process.board.find_asked() is None


def test_who_has_one_keeps_it(process: Process) -> None:
    process.hold(0)
    process.see(0, ME, wanted=OTHER.identity)
    assert process.board.find_asked() is None


def test_who_has_none_asks_one_that_has_several_after_a_while(process: Process) -> None:
    for shard, holder in enumerate((OTHER, THIRD, OTHER)):
        process.see(shard, holder)
    assert process.board.find_plenty() is None
    process.now += SETTLED
    assert process.board.find_plenty() == 2
    assert process.board.find_plenty() is None  # once in a while
    process.now += SETTLED
    process.see(2, None)
    assert process.board.find_plenty() is None  # there is a free one
    process.see(2, Candidate("pod-d", "4"))
    process.now += SETTLED
    assert process.board.find_plenty() is None  # all have one


def see_the_rest(process: Process) -> None:
    for shard in range(process.board.terms.replicas, MOST):
        process.board.note(shard, None, process.now)


def test_items_are_taken_by_copies_that_were_read_after_the_first_posting(process: Process) -> None:
    process.see(1, OTHER)
    process.see(2, OTHER)
    see_the_rest(process)
    process.now += 1
    process.hold(0, None)
    assert process.board.allow(0, 0) == 0
    process.hold(0, 0)
    assert process.board.allow(0, 0) == 0
    process.see(1, OTHER)
    process.see(2, OTHER, 4)
    assert process.board.allow(0, 0) == 0
    assert process.board.lacking() == list(range(3, MOST))
    see_the_rest(process)
    assert process.board.lacking() == []
    assert process.board.allow(0, 1) == 1  # 3 are its part, 1 is in use, the other has 1 too many
    process.see(0, None)
    assert process.board.allow(0, 1) == 0


def test_a_single_replica_posts_nothing_and_takes_all_that_nothing_is_left_of() -> None:
    process = Process(Terms(1, 9))
    process.hold(0)
    assert process.board.post(0, None, 3) == {}
    assert process.board.allow(0, 2) == 0
    see_the_rest(process)
    assert process.board.allow(0, 2) == 7
    process.see(1, OTHER, 4)
    assert process.board.allow(0, 2) == 3
    assert process.board.allow(1, 0) == 0


def test_an_agent_that_posts_nothing_bars_the_other_shards() -> None:
    process = Process()
    process.hold(1)
    process.see(0, OTHER)
    assert not process.board.is_barred(1)
    process.board.note(0, leadership.write(None, THIRD, 0.0, namespace="ns", name="rel"), process.now)
    assert process.board.is_barred(1)
    assert not process.board.is_barred(0)
    assert not process.board.may_claim(2, "", 99.0)
