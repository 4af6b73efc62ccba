"""The life cycle in a world that loses answers, repeats, reorders and kills (docs/architecture.md, invariants)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from launch_agent.core.actions import Create
from launch_agent.core.events import StopSeen
from launch_agent.core.models import JobState, Step
from tests.support.world import Workload, World

ANY = st.integers(0, 1000)


class Machine(RuleBasedStateMachine):
    """Two items; everything that may go wrong, in any order. At the end all trouble stops."""

    world: World

    @initialize()
    def push(self) -> None:
        self.world = World()
        for run_id in ("run-1", "run-2"):
            self.world.push(run_id)

    # ── the queue ──

    @rule(which=ANY)
    @precondition(lambda self: any(one.state == "pending" for one in self.world.items.values()))
    def pop(self, which: int) -> None:
        waiting = [one.id for one in self.world.items.values() if one.state == "pending"]
        self.world.pop(waiting[which % len(waiting)])

    @rule(which=ANY)
    @precondition(lambda self: any(one.state == "leased" for one in self.world.items.values()))
    def lapse(self, which: int) -> None:
        """The lease of 60 s is over: the item may be popped again, also by the agent that has it."""
        leased = [one for one in self.world.items.values() if one.state == "leased"]
        leased[which % len(leased)].state = "pending"

    # ── actions ──

    @rule(which=ANY, copies=st.integers(1, 2))
    @precondition(lambda self: self.world.pending)
    def perform(self, which: int, copies: int) -> None:
        """Any one, not the oldest; perhaps twice."""
        task = self.world.pending.pop(which % len(self.world.pending))
        for _ in range(copies):
            self.world.perform(task)

    @rule(which=ANY)
    @precondition(lambda self: self.world.pending)
    def lose_the_answer(self, which: int) -> None:
        """It is done, and will be repeated."""
        place = which % len(self.world.pending)
        task = self.world.pending[place]
        self.world.perform(task, is_heard=False)
        self.world.pending[place] = self.world.repeat(task)

    @rule()
    @precondition(lambda self: self.world.pending)
    def work(self) -> None:
        """In order, without trouble."""
        for _ in range(min(5, len(self.world.pending))):
            self.world.perform(self.world.pending.pop(0))

    @rule()
    def die(self) -> None:
        self.world.die()

    @rule()
    def lose_wandb(self) -> None:
        """It goes away, or comes back."""
        self.world.is_away = not self.world.is_away

    @rule(which=ANY, state=st.sampled_from([JobState.FINISHED, JobState.FAILED, JobState.PREEMPTED]))
    @precondition(lambda self: self._in(JobState.STARTING) or self._in(JobState.RUNNING))
    def end_in_an_outage_with_a_kill(self, which: int, state: JobState) -> None:
        """W&B is away, the agent sees the end, does what it can, and is killed; then the object goes."""
        live = self._in(JobState.STARTING) + self._in(JobState.RUNNING)
        workload = live[which % len(live)]
        self.world.is_away = True
        self.world.end(workload, state)
        self.world.watch(workload.item)
        for _ in range(6):
            for task in [one for one in self.world.pending if one.record.item_id == workload.item]:
                self.world.pending.remove(task)
                self.world.perform(task)
        self.world.die()
        if which % 2 and workload.item in self.world.workloads:
            self.world.take_away(workload)

    # ── time and news ──

    @rule(seconds=st.sampled_from([1.0, 5.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.world.now += seconds
        self.world.wake()

    @rule(which=ANY)
    @precondition(lambda self: self.world.tracked)
    def watch(self, which: int) -> None:
        known = list(self.world.tracked)
        self.world.watch(known[which % len(known)])

    @rule(which=ANY)
    @precondition(lambda self: self._launched())
    def stop(self, which: int) -> None:
        launched = self._launched()
        item_id = launched[which % len(launched)]
        self.world.stopped.add(item_id)
        self.world.tell(item_id, StopSeen())

    def _launched(self) -> list[str]:
        return [one for one, tracked in self.world.tracked.items() if tracked.record.step is Step.CREATED]

    # ── the cluster ──

    @rule(which=ANY)
    @precondition(lambda self: self._in(JobState.STARTING))
    def begin(self, which: int) -> None:
        starting = self._in(JobState.STARTING)
        self.world.begin(starting[which % len(starting)])

    @rule(which=ANY, state=st.sampled_from([JobState.FINISHED, JobState.FAILED, JobState.PREEMPTED]))
    @precondition(lambda self: self._in(JobState.RUNNING))
    def end(self, which: int, state: JobState) -> None:
        running = self._in(JobState.RUNNING)
        self.world.end(running[which % len(running)], state)

    @rule(which=ANY)
    @precondition(lambda self: self._in(JobState.STARTING))
    def evict_before_it_begins(self, which: int) -> None:
        starting = self._in(JobState.STARTING)
        self.world.end(starting[which % len(starting)], JobState.PREEMPTED)

    @rule(which=ANY)
    @precondition(lambda self: self.world.workloads)
    def take_away(self, which: int) -> None:
        """Not in the moment between the question whether the run began and the creation that follows: no order of
        questions helps against that."""
        asked = {task.record.item_id for task in self.world.pending if isinstance(task.action, Create)}
        known = [one for one in self.world.workloads.values() if one.item not in asked]
        if known:
            self.world.take_away(known[which % len(known)])

    @rule()
    def sweep(self) -> None:
        """The time to live of what is over: it counts only where the agent has set it."""
        for one in list(self.world.workloads.values()):
            if one.is_released and one.state.is_over:
                del self.world.workloads[one.item]

    def _in(self, state: JobState) -> list[Workload]:
        return [one for one in self.world.workloads.values() if one.state is state]

    # ── what must hold ──

    @invariant()
    def a_run_has_at_most_one_live_workload(self) -> None:
        if not hasattr(self, "world"):
            return
        live = [one.run_id for one in self.world.workloads.values() if not one.state.is_over]
        assert len(live) == len(set(live)), live

    @invariant()
    def what_exists_has_a_record(self) -> None:
        """So that a start finds all that runs."""
        if not hasattr(self, "world"):
            return
        for one in self.world.workloads.values():
            assert one.state.is_over or one.item in self.world.ledger, f"nobody would follow {one}"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        world.settle()
        assert not world.ledger
        assert not [one for one in world.workloads.values() if not one.is_released and one.state.is_over], "held back"
        for item in world.items.values():
            assert item.state == "finished" or world.failures.get(item.id), f"{item} ended without a word"
            copies = [other for other in world.items.values() if other.source == item.id]
            assert len(copies) <= 1, f"queued again twice: {copies}"


TestMachine: Any = Machine.TestCase
TestMachine.settings = settings(max_examples=300, stateful_step_count=60, deadline=None)


@pytest.mark.parametrize("state", [JobState.FAILED, JobState.FINISHED, JobState.PREEMPTED])
def test_how_a_workload_ended_is_told_after_an_outage_a_kill_and_its_deletion(state: JobState) -> None:
    world = World()
    item_id = world.push("run-1")
    world.pop(item_id)
    while world.pending:
        world.perform(world.pending.pop(0))
    world.end(world.workloads[item_id], state)
    world.is_away = True
    world.watch(item_id)
    for _ in range(4):
        world.perform(world.pending.pop(0))
    outcome = world.ledger[item_id].outcome
    assert outcome is not None
    assert outcome.state is state
    world.die()
    del world.workloads[item_id]
    assert not world.tracked[item_id].holds_slot
    world.settle()
    told = " ".join(world.failures.get(item_id, []))
    assert {JobState.FAILED: "exit code 3", JobState.FINISHED: "ended well", JobState.PREEMPTED: "evicted"}[
        state
    ] in told


@pytest.mark.parametrize("kills", range(12))
def test_a_kill_after_any_number_of_actions_loses_nothing(kills: int) -> None:
    world = World()
    item_id = world.push("run-1")
    world.pop(item_id)
    for _ in range(kills):
        if world.pending:
            world.perform(world.pending.pop(0))
        world.watch(item_id)
    world.die()
    world.settle()
    assert world.items[item_id].state == "finished"
    assert world.made[item_id] == 1
