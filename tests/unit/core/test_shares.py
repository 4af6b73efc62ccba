"""Shards share ``max_jobs``: the table of who may take how many; a world of deaths, old copies and changed terms."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from launch_agent.core import shares
from launch_agent.core.shares import MOST, UNLIMITED, Posting, Sight, Terms

TWO = Terms(2, 10)


def posted(used: int | None, terms: Terms = TWO, *, by: str = "pod_1", holder: str = "pod_1") -> Sight:
    return Sight(True, holder, Posting(terms, used, by))


def others(*inner: Sight, start: int = 1) -> dict[int, Sight]:
    """The Leases from ``start`` on; those after them were never there."""
    return {number: Sight() for number in range(start, MOST)} | dict(enumerate(inner, start))


@pytest.mark.parametrize(
    ("max_jobs", "replicas", "parts"),
    [
        (10, 1, [10]),
        (10, 3, [4, 3, 3]),
        (2, 3, [1, 1, 0]),
        (0, 2, [0, 0]),
        (-1, 2, [-1, -1]),
    ],
)
def test_the_parts_make_the_whole(max_jobs: int, replicas: int, parts: list[int]) -> None:
    assert [shares.share(max_jobs, replicas, shard) for shard in range(replicas)] == parts
    if max_jobs >= 0:
        assert sum(parts) == max_jobs
        assert shares.share(max_jobs, replicas, replicas) == 0


@pytest.mark.parametrize(
    ("used", "terms", "seen", "count"),
    [
        pytest.param(2, Terms(1, 10), others(), 8, id="alone, all that is left"),
        pytest.param(2, Terms(1, -1), others(), UNLIMITED, id="alone and unlimited"),
        pytest.param(2, TWO, others(posted(0)), 3, id="its own half"),
        pytest.param(2, TWO, others(posted(5)), 3, id="the other's half is in use"),
        pytest.param(2, TWO, others(posted(7)), 1, id="the other has two too many"),
        pytest.param(5, TWO, others(posted(0)), 0, id="its half is in use"),
        pytest.param(0, TWO, others(posted(20)), 0, id="the other has all and more"),
        pytest.param(2, TWO, others(posted(0, holder="")), 3, id="the other is free for now"),
        pytest.param(2, TWO, others(posted(None)), 0, id="the other's records are not read"),
        pytest.param(2, TWO, others(posted(0, Terms(3, 10))), 0, id="another number of replicas"),
        pytest.param(2, TWO, others(posted(0, Terms(2, 11))), 0, id="another max_jobs"),
        pytest.param(2, TWO, others(), 0, id="the other was never held"),
        pytest.param(2, TWO, others(Sight(True, "pod_2")), 0, id="the other is held by an older agent"),
        pytest.param(2, TWO, others(posted(0, holder="pod_2")), 0, id="the other's posting is its predecessor's"),
        pytest.param(2, TWO, {}, 0, id="nothing was read yet"),
        pytest.param(2, TWO, others(posted(0), posted(4)), 1, id="four are left of a third shard"),
        pytest.param(2, TWO, others(posted(0), posted(0, holder="")), 3, id="nothing is left of a third shard"),
        pytest.param(2, TWO, others(posted(0), posted(0, Terms(3, 10))), 0, id="the third shard is still at work"),
        pytest.param(2, TWO, others(posted(0), posted(1, Terms(3, 10), holder="")), 0, id="nobody follows the third"),
        pytest.param(2, Terms(2, -1), others(posted(9, Terms(2, -1))), UNLIMITED, id="unlimited"),
        pytest.param(2, Terms(1, 10), others(posted(3, Terms(1, 10))), 5, id="one that has a deputy"),
        pytest.param(2, Terms(1, 10), others(posted(3, Terms(2, 10))), 0, id="one that waits for the old pods"),
    ],
)
def test_shard_0_may_take(used: int, terms: Terms, seen: Mapping[int, Sight], count: int) -> None:
    found = shares.allow(0, used, terms, seen)
    assert found.count == count
    assert count == 0 or not found.reason


def test_a_posting_is_read_as_it_was_written_and_nonsense_is_none() -> None:
    one = Posting(Terms(3, -1), None, "pod_1", 7)
    assert shares.read(shares.write(one)) == one
    for text in ("", "{}", "[]", '{"replicas":"x","max_jobs":1,"used":0,"by":"","turn":0}', '{"used":0}'):
        assert shares.read(text) is None


def lease(posting: Posting | None, turns: int, holder: str, *, wanted: str = "") -> dict[str, Any]:
    told = {"launch-agent/share": shares.write(posting)} if posting else {}
    found = told | ({"launch-agent/wanted": wanted} if wanted else {})
    return {"metadata": {"annotations": found}, "spec": {"holderIdentity": holder, "leaseTransitions": turns}}


def test_a_lease_tells_who_holds_it_and_what_is_posted_and_wanted() -> None:
    one = Posting(TWO, 3, "pod_1", 4)
    assert shares.look(lease(one, 4, "pod_1", wanted="pod_2")) == Sight(True, "pod_1", one, "pod_2")
    assert shares.look(None) == Sight()


def test_a_posting_is_void_once_somebody_held_the_lease_who_posts_nothing() -> None:
    one = Posting(TWO, 3, "pod_1", 4)
    assert shares.look(lease(one, 5, "older_1")).is_strange
    assert shares.look(lease(one, 5, "")).posting is None
    assert shares.renew(lease(one, 5, ""), TWO, None, "pod_2") == Posting(TWO, None, "pod_2", 6)


@pytest.mark.parametrize(
    ("before", "used", "after"),
    [
        (lease(Posting(TWO, 4, "pod_1", 1), 1, "pod_1"), None, Posting(TWO, 4, "pod_2", 2)),
        (lease(Posting(TWO, 4, "pod_1", 1), 1, ""), None, Posting(TWO, 4, "pod_2", 2)),
        (lease(Posting(TWO, 4, "pod_2", 2), 2, "pod_2"), 1, Posting(TWO, 1, "pod_2", 2)),
        (lease(Posting(Terms(3, 10), 4, "pod_1", 1), 1, ""), None, Posting(TWO, None, "pod_2", 2)),
        (lease(None, 0, ""), None, Posting(TWO, None, "pod_2", 1)),
        (None, None, Posting(TWO, None, "pod_2", 0)),
    ],
)
def test_a_predecessor_s_use_stands_until_one_s_own_is_known(
    before: dict[str, Any] | None, used: int | None, after: Posting
) -> None:
    assert shares.renew(before, TWO, used, "pod_2") == after


# ── a world ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Holder:
    """A process that holds one shard: what it has read since it posted its own use."""

    name: str
    terms: Terms
    has_posted: bool = False
    copies: dict[int, Sight] = field(default_factory=dict)


class Machine(RuleBasedStateMachine):
    """Leases that can be read and written one at a time; processes of several releases that hold them, and die."""

    def __init__(self) -> None:
        super().__init__()
        self.terms = Terms(2, 4)
        self.old = Terms(2, 4)
        self.leases: dict[int, Sight] = {}
        self.records = dict.fromkeys(range(MOST), 0)
        self.holders: dict[int, Holder] = {}
        self.names = itertools.count()

    @rule(replicas=st.integers(1, 3), max_jobs=st.integers(0, 7))
    def change_terms(self, replicas: int, max_jobs: int) -> None:
        """A rollout: new processes come with new terms, while old ones may still take what is free."""
        self.old, self.terms = self.terms, Terms(replicas, max_jobs)

    @rule(
        replicas=st.integers(1, 3),
        max_jobs=st.integers(1, 7),
        die=st.booleans(),
        replaced=st.sets(st.integers(0, 2), min_size=1),
    )
    def roll_out(self, replicas: int, max_jobs: int, die: bool, replaced: set[int]) -> None:
        """A rollout that comes to its end, or stops half-way; all have read all just before the new ones come."""
        self.change_terms(replicas, max_jobs)
        for shard in range(3):
            self.read_all(shard)
        for shard in replaced:
            self.die(shard) if die else self.hand_over(shard)
            self.take_lease(shard, is_old=False)
        for shard in replaced:
            self.renew(shard)
        for shard in replaced:
            self.read_all(shard)

    @rule(shard=st.integers(0, 2), is_old=st.booleans())
    def take_lease(self, shard: int, is_old: bool) -> None:
        """A free Lease, or a dead one's that lapsed; a shard beyond the replicas only if there is something left."""
        terms = self.old if is_old else self.terms
        before = self.leases.get(shard, Sight())
        if shard in self.holders or (shard >= terms.replicas and before.is_clean):
            return
        name = f"pod_{next(self.names)}"
        self.holders[shard] = Holder(name, terms)
        if shard == 0 and terms.replicas == 1:  # it posts nothing, and what stood there is void
            self.leases[shard] = Sight(True, name)
            self.holders[shard].has_posted = True
        else:
            used = before.posting.used if before.posting and before.posting.terms == terms else None
            self.leases[shard] = Sight(True, name, Posting(terms, used, name))

    @rule(shard=st.integers(0, 2))
    def renew(self, shard: int) -> None:
        holder = self.holders.get(shard)
        if holder is None or (shard == 0 and holder.terms.replicas == 1):
            return
        self.leases[shard] = Sight(True, holder.name, Posting(holder.terms, self.records[shard], holder.name))
        holder.has_posted = True

    @rule(shard=st.integers(0, 2), other=st.integers(0, 2))
    def read(self, shard: int, other: int) -> None:
        holder = self.holders.get(shard)
        if holder is not None and holder.has_posted:
            holder.copies[other] = self.leases.get(other, Sight())

    @rule(shard=st.integers(0, 2))
    def read_all(self, shard: int) -> None:
        for other in range(3):
            self.read(shard, other)

    @rule(shard=st.integers(0, 2), wanted=st.integers(1, 7))
    def take_items(self, shard: int, wanted: int) -> None:
        holder = self.holders.get(shard)
        if holder is None or shard >= holder.terms.replicas:
            return
        never = {number: Sight() for number in range(3, MOST)}
        found = shares.allow(shard, self.records[shard], holder.terms, never | holder.copies)
        taken = min(wanted, found.count)
        self.records[shard] += taken
        assert not taken or sum(self.records.values()) <= holder.terms.max_jobs

    @rule(shard=st.integers(0, 2))
    def end_item(self, shard: int) -> None:
        if shard in self.holders:
            self.records[shard] = max(0, self.records[shard] - 1)

    @rule(shard=st.integers(0, 2))
    def hand_over(self, shard: int) -> None:
        """It ends in order: its last use is posted, and the Lease is free."""
        holder = self.holders.pop(shard, None)
        if holder is None:
            return
        is_silent = shard == 0 and holder.terms.replicas == 1
        posting = None if is_silent else Posting(holder.terms, self.records[shard], holder.name)
        self.leases[shard] = Sight(True, "", posting)

    @rule(shard=st.integers(0, 2))
    def die(self, shard: int) -> None:
        self.holders.pop(shard, None)


TestMachine: Any = Machine.TestCase
TestMachine.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)


def test_a_holder_of_new_terms_takes_nothing_beside_one_that_may_still_go_by_the_old_ones() -> None:
    world = Machine()
    world.roll_out(replicas=2, max_jobs=4, die=False, replaced={0, 1, 2})
    world.roll_out(replicas=2, max_jobs=7, die=False, replaced={0})
    world.take_items(shard=0, wanted=3)
    assert world.records[0] == 0
    world.take_items(shard=1, wanted=3)
    assert world.records[1] == 2  # its copy of the other Lease is of before
    world.roll_out(replicas=2, max_jobs=7, die=True, replaced={1})
    world.read_all(shard=0)
    for shard in (0, 1):
        world.take_items(shard=shard, wanted=7)
    assert sum(world.records.values()) == 7
