"""A queue, a cluster and a ledger as plain dictionaries, and an agent of the pure life cycle that acts on them.

What the runtime does around the life cycle is done here in the smallest way: actions are performed one by one, in any
order, perhaps twice, perhaps without an answer; the agent may die between any two of them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from launch_agent.core import lifecycle, requeues
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
    KeepRecord,
    Look,
    ReadTail,
    Release,
    Requeue,
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
    Released,
    Reported,
    Requeued,
    RunSeen,
    TailRead,
    Unreported,
    Vanished,
    Woken,
)
from launch_agent.core.lifecycle import Limits, Tracked
from launch_agent.core.models import Diagnosis, JobState, ObjectRef, Observation, Record, Step
from tests.support.records import make_record

TAKEN = Diagnosis("Disrupted", "The pod was evicted.")
GONE = Observed(Observation(JobState.MISSING))
BROKEN = Diagnosis("ExitCode", "The container ended with exit code 3.")


@dataclass(slots=True)
class Item:
    """What the queue server has: ``state`` is pending, leased, claimed, failed or finished."""

    id: str
    run_id: str
    state: str = "pending"
    count: int = 0
    source: str = ""


@dataclass(slots=True)
class Workload:
    """What the cluster has."""

    item: str
    uid: str
    run_id: str
    state: JobState = JobState.STARTING
    is_released: bool = False


@dataclass(slots=True)
class Pending:
    """An action that was asked for, with the record as it was then."""

    record: Record
    action: Action


@dataclass(slots=True)
class World:
    """All of it. ``now`` in seconds."""

    limits: Limits = field(default_factory=lambda: Limits(stopped_run_timeout=5.0, start_timeout=None))
    now: float = 1000.0
    items: dict[str, Item] = field(default_factory=dict)
    runs: dict[str, str] = field(default_factory=dict)
    workloads: dict[str, Workload] = field(default_factory=dict)
    ledger: dict[str, Record] = field(default_factory=dict)
    tracked: dict[str, Tracked] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    made: Counter[str] = field(default_factory=Counter)
    failures: dict[str, list[str]] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    taken: set[str] = field(default_factory=set)
    """Runs whose workload somebody deleted."""
    is_away: bool = False
    """W&B does not answer."""
    seen: dict[str, tuple[JobState, str]] = field(default_factory=dict)
    """How an item ended, by the agent's own record, since W&B could not be told: it is never told otherwise."""

    # ── the queue ──

    def push(self, run_id: str, count: int = 0, source: str = "") -> str:
        """A new item's id."""
        item_id = f"item-{len(self.items) + 1}"
        self.items[item_id] = Item(item_id, run_id, count=count, source=source)
        return item_id

    def pop(self, item_id: str) -> None:
        """Give the item to the agent; one that it has already is not taken again."""
        item = self.items[item_id]
        item.state = "leased"
        if item_id in self.tracked:
            return
        spec = {requeues.COUNT: item.count, requeues.SOURCE: item.source}
        record = make_record(item_id, run_id=item.run_id, run_spec=spec, max_resume_count=2, claimed_at=self.now)
        self.tracked[item_id] = Tracked(record)
        self.tell(item_id, Popped())

    # ── the agent ──

    def tell(self, item_id: str, event: Event) -> None:
        """Something happened to an item."""
        before = self.tracked.get(item_id)
        if before is None:
            return
        after, actions = lifecycle.step(before, event, self.now, self.limits)
        if after is None:
            del self.tracked[item_id]
            return
        assert not (before.ending is not None and after.holds_slot), "a slot that was given back is not taken again"
        self.tracked[item_id] = after
        self.pending += [Pending(after.record, action) for action in actions]

    def die(self) -> None:
        """The agent is killed, and started again."""
        self.tracked = {}
        self.pending = []
        for record in list(self.ledger.values()):
            self.tracked[record.item_id] = Tracked(record)
        for item_id in list(self.tracked):
            self.tell(item_id, Recovered())

    def watch(self, item_id: str) -> None:
        """The cluster tells of the item's workload."""
        tracked = self.tracked.get(item_id)
        if tracked is None or tracked.record.step is not Step.CREATED:
            return
        seen = self.look(tracked.record)
        self.tell(item_id, Vanished() if seen.state is JobState.MISSING else Observed(seen))

    def wake(self) -> None:
        """What is due is told."""
        for item_id, tracked in list(self.tracked.items()):
            if tracked.wake_at is not None and tracked.wake_at <= self.now:
                self.tell(item_id, Woken())

    def look(self, record: Record) -> Observation:
        """The workload of a record, as the cluster has it."""
        found = self.workloads.get(record.item_id)
        if found is None or (record.object is not None and record.object.uid != found.uid):
            return Observation(JobState.MISSING)
        reason = {JobState.FAILED: BROKEN, JobState.PREEMPTED: TAKEN}.get(found.state)
        return Observation(found.state, reason, found.uid, "pod")

    # ── actions ──

    def perform(self, task: Pending, *, is_heard: bool = True) -> None:
        """Do an action; with ``is_heard`` false nobody learns of it."""
        if self.is_away and isinstance(task.action, ASKING):
            self._put_off(task)
            return
        event = self._do(task.record, task.action)
        if is_heard and event is not None:
            self.tell(task.record.item_id, event)

    def _put_off(self, task: Pending) -> None:
        """W&B is away: it stays to be done, and the agent learns that it has to wait."""
        self.pending.append(task)
        if isinstance(task.action, AskRun | Fail):
            self.tell(task.record.item_id, Unreported())

    def repeat(self, task: Pending) -> Pending:
        """What follows an action whose answer was lost (`runtime/performer.py`)."""
        return Pending(task.record, AskRun()) if isinstance(task.action, Create) else task

    def _do(self, record: Record, action: Action) -> Event | None:
        item = self.items[record.item_id]
        match action:
            case WriteRecord():
                self.ledger[record.item_id] = record
                return RecordWritten()
            case UpdateRecord():
                if record.item_id in self.ledger:
                    self._note(record)
            case KeepRecord():
                self.ledger[record.item_id] = record
            case DeleteRecord():
                self.ledger.pop(record.item_id, None)
                return RecordDeleted()
            case Ack():
                return Acked(self._ack(item, record))
            case AskOwner():
                return OwnerSeen(item.run_id if item.state not in {"pending", "leased"} else None)
            case AskRun():
                return RunSeen(self.runs.get(record.run_id))
            case Fail(message):
                self._fail(item, message)
                return Reported()
            case Warn():
                return None
            case _:
                return self._act_on_cluster(record, action)
        return None

    def _note(self, record: Record) -> None:
        """Writes of one record come in order: there are seconds between the two that there may be."""
        known = self.ledger[record.item_id]
        self.ledger[record.item_id] = record if record.outcome or not known.outcome else known
        outcome = record.outcome
        if outcome is not None:
            words = outcome.diagnosis.summary if outcome.diagnosis else ""
            assert self.seen.setdefault(record.item_id, (outcome.state, words)) == (outcome.state, words)

    def _ack(self, item: Item, record: Record) -> bool:
        if item.state in {"pending", "leased"}:
            item.state, item.run_id = "claimed", record.run_id
            return True
        return item.state == "claimed" and item.run_id == record.run_id

    def _fail(self, item: Item, message: str) -> None:
        assert message, "every failure has words"
        assert self.runs.get(item.run_id) != "finished", f"{item.id} finished, and is called failed: {message}"
        state, words = self.seen.get(item.id, (JobState.FAILED, ""))
        assert words in message, f"{item.id} was {state} ({words}), and is told otherwise: {message}"
        assert "by somebody else" not in message or state not in KNOWN, f"{item.id} was {state}: {message}"
        self.failures.setdefault(item.id, []).append(message)
        item.state = "failed"

    def _act_on_cluster(self, record: Record, action: Action) -> Event:
        found = self.workloads.get(record.item_id)
        match action:
            case Create():
                return Created(self._create(record))
            case Find():
                found = self.workloads.get(record.item_id)
                return Created(ObjectRef("batch/v1", "Job", "ml", found.item, found.uid)) if found else GONE
            case Look():
                return Observed(self.look(record))
            case Explain():
                return Explained(None)
            case ReadTail():
                return TailRead("last words")
            case Release():
                if found is not None:
                    found.is_released = True
                return Released()
            case Delete():
                self._remove(record)
                return Released()
            case Requeue():
                if record.item_id in self.ledger:
                    self.ledger[record.item_id] = record
                self._remove(record)
                return Requeued(self._put_back(record))
        raise AssertionError(action)

    def _create(self, record: Record) -> ObjectRef:
        if record.item_id not in self.workloads:
            assert record.run_id not in self.runs or self._is_resumed(record), "what began is never made again"
            self.made[record.item_id] += 1
            uid = f"{record.item_id}-{self.made[record.item_id]}"
            self.workloads[record.item_id] = Workload(record.item_id, uid, record.run_id)
        return ObjectRef("batch/v1", "Job", "ml", record.item_id, self.workloads[record.item_id].uid)

    def _is_resumed(self, record: Record) -> bool:
        """Whether the run began with the item before, and not with this one."""
        return self.items[record.item_id].count > 0 and self.made[record.item_id] == 0

    def _remove(self, record: Record) -> None:
        found = self.workloads.get(record.item_id)
        if found is not None and record.object is not None and record.object.uid == found.uid:
            del self.workloads[record.item_id]
            if self.runs.get(found.run_id) == "running" and found.state is not JobState.PREEMPTED:
                self.runs[found.run_id] = "killed"

    def _put_back(self, record: Record) -> str:
        count = requeues.read_count(record.run_spec) + 1
        for item in self.items.values():
            if item.source == record.item_id and item.count == count:
                return item.id
        return self.push(record.run_id, count, record.item_id)

    # ── the cluster ──

    def begin(self, workload: Workload) -> None:
        """Its pod runs, and the script begins the run."""
        workload.state = JobState.RUNNING
        self.runs[workload.run_id] = "running"

    def end(self, workload: Workload, state: JobState) -> None:
        """Its pod ends; the run says the same, or a little later that it crashed."""
        has_run = workload.run_id in self.runs
        workload.state = state
        if has_run:
            words = {JobState.FINISHED: "finished", JobState.FAILED: "failed"}
            self.runs[workload.run_id] = words.get(state, "crashed")

    def take_away(self, workload: Workload) -> None:
        """Somebody deletes it."""
        del self.workloads[workload.item]
        self.taken.add(workload.run_id)
        if self.runs.get(workload.run_id) == "running":
            self.runs[workload.run_id] = "crashed"

    # ── quiet ──

    def settle(self) -> None:
        """No more trouble: everything is performed, the items are popped, the workloads end well."""
        self.is_away = False
        for _ in range(400):
            self.now += 10.0
            for item in list(self.items.values()):
                if item.state == "leased" and item.id not in self.tracked:
                    item.state = "pending"
                if item.state == "pending":
                    self.pop(item.id)
            while self.pending:
                self.perform(self.pending.pop(0))
            for workload in list(self.workloads.values()):
                if workload.state is JobState.STARTING:
                    self.begin(workload)
                elif workload.state is JobState.RUNNING:
                    self.end(workload, JobState.FINISHED)
            for item_id in list(self.tracked):
                self.watch(item_id)
            self.wake()
            for item in self.items.values():
                if item.state == "claimed" and self.runs.get(item.run_id) in {
                    "finished",
                    "failed",
                    "crashed",
                    "killed",
                }:
                    self._close(item)
            if not self.tracked and not self.pending and all(one.state in ENDED for one in self.items.values()):
                return
        raise AssertionError(f"it never came to rest: {self}")

    def _close(self, item: Item) -> None:
        """The server ends a claimed item by its run's state (protocol 2.5)."""
        goes_on = any(other.source == item.id for other in self.items.values())
        if item.id not in self.tracked or goes_on:
            item.state = "finished" if self.runs[item.run_id] == "finished" else "failed"
            if item.state == "failed":
                self.failures.setdefault(item.id, []).append(f"the run {self.runs[item.run_id]}")


ENDED = frozenset({"failed", "finished"})
ASKING = (Ack, AskOwner, AskRun, Fail, Warn, Requeue)
"""Actions that need W&B."""

KNOWN = frozenset({JobState.FINISHED, JobState.PREEMPTED})
