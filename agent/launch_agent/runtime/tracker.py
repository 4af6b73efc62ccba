"""The one thread that owns all items: takes messages in order, asks the pure life cycle, starts what it wants done."""

from __future__ import annotations

import heapq
import itertools
import logging
import queue
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from launch_agent.core import actions, events, lifecycle, retry
from launch_agent.core.actions import Action
from launch_agent.core.draining import Answer
from launch_agent.core.events import Event
from launch_agent.core.lifecycle import Limits, Tracked
from launch_agent.core.models import Plan, Record, Resource, Stage, Step
from launch_agent.runtime.inbox import (
    Claim,
    Deferred,
    Draining,
    ForeignSeen,
    Found,
    Happened,
    Inbox,
    Message,
    OwnerReplaced,
    Polled,
    Stopping,
)
from launch_agent.runtime.metrics import Metrics
from launch_agent.targets.base import Notice, Target

log = logging.getLogger(__name__)

POP_LIMIT = 100
"""Items asked for at once."""

UNACKED_LIMIT = 300
"""Items taken but not yet acked. More would let leases of 60 s lapse while they wait for their turn."""

TELL_AFTER = 5
"""After so many attempts at a launch its people are told why it waits."""

PUBLISH_INTERVAL = 0.5
"""Seconds between two counts of all items for others to see."""


class Hands(Protocol):
    """Who performs actions."""

    def perform(self, tracked: Tracked, action: Action, plan: Plan | None, attempt: int = 0) -> None:
        """Start one action."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many, and how often. ``max_jobs`` -1 is unlimited; ``poll_interval`` in seconds.

    ``quota`` says, where ``max_jobs`` is not all that counts, how many more items may be taken beside so many used
    slots.
    """

    max_jobs: int
    poll_interval: float
    quota: Callable[[int], int] | None = None


@dataclass(order=True, slots=True)
class Alarm:
    """Something to do at a time."""

    when: float
    number: int
    item_id: str
    deferred: Deferred | None = None


class Tracker:
    """All items of this agent, and when to ask for more."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        hands: Hands,
        poll: Callable[[int, bool], None],
        targets: Mapping[Resource, Target],
        limits: Limits,
        pace: Pace,
        metrics: Metrics,
        clock: Callable[[], float],
        jitter: Callable[[], float],
    ) -> None:
        self._inbox = inbox
        self._hands = hands
        self._poll = poll
        self._targets = targets
        self._limits = limits
        self._pace = pace
        self._metrics = metrics
        self._clock = clock
        self._jitter = jitter
        self._items: dict[str, Tracked] = {}
        self._plans: dict[str, Plan] = {}
        self._alarms: list[Alarm] = []
        self._numbers = itertools.count()
        self._is_polling = False
        self._is_recovered = False
        self._is_stopping = False
        self._drain_mark = ""
        self._unreadable = 0
        self._foreign = 0
        self._next_poll = 0.0
        self._failed_polls = 0
        self._next_publish = 0.0
        self._asked = 0
        self.used: int | None = None
        """Used slots, with those that a poll under way may fill; None until the records are read. For other threads."""
        self.active: tuple[Record, ...] = ()
        """The records of running workloads, replaced as a whole: other threads may read it."""
        self.summary = "starting"
        """How things are, in one line; other threads may read it."""
        self.wants_items = False
        """Whether there was a free slot at the last poll; other threads may read it."""
        self.drained: Answer | None = None
        """While no item is taken: the mark that says so, and how many items are left; other threads may read it."""
        self.is_settled = threading.Event()
        """Set when the agent is to stop and no item is between its pop and its workload; others may wait for it."""

    # ── the loop ──

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Take messages until stopped."""
        while not stop.is_set():
            beat()
            self.turn(self._patience())

    def turn(self, patience: float) -> None:
        """Wait for one message at most ``patience`` seconds, take all that are there, then see to what is due."""
        try:
            message: Message | None = self._inbox.get(timeout=patience) if patience > 0 else self._inbox.get_nowait()
        except queue.Empty:
            message = None
        taken = 0
        while message is not None and taken < 1000:
            self._take(message)
            taken += 1
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                message = None
        self._ring_alarms()
        self._ask_for_more()
        if self._is_recovered:
            self.used = self._used_slots() + self._asked
        if self._is_stopping and not self._is_polling and all(map(_is_launched, self._items.values())):
            self.is_settled.set()
        self.drained = self._count_left() if self._drain_mark else None
        if self._clock() >= self._next_publish:
            self._publish()

    def _patience(self) -> float:
        now = self._clock()
        due = [self._alarms[0].when] if self._alarms else []
        if not self._is_polling and self._is_recovered and not self._is_stopping:
            due.append(self._next_poll)
        return max(0.0, min(min(due, default=now + 1.0) - now, 1.0))

    # ── messages ──

    def _take(self, message: Message) -> None:
        match message:
            case Happened(item_id, event):
                self._apply(item_id, event)
            case Deferred():
                self._put_off(message)
            case Notice(resource):
                for item_id, event in self._targets[resource].absorb(message):
                    self._apply(item_id, event)
            case Polled(claims, is_ok):
                self._take_claims(claims, is_ok)
            case Found(records, unreadable):
                self._unreadable = unreadable
                self._adopt(records)
            case ForeignSeen(count):
                self._foreign = count
                self._metrics.foreign.set(count)
            case OwnerReplaced():
                self._keep_records()
            case Stopping():
                self._is_stopping = True
            case Draining(mark):
                self._drain_mark = mark

    def _apply(self, item_id: str, event: Event) -> None:
        tracked = self._items.get(item_id)
        if tracked is None:
            return
        before = tracked
        now = self._clock()
        changed, actions = lifecycle.step(tracked, event, now, self._limits)
        if changed is None:
            self._forget(tracked)
            return
        self._items[item_id] = changed
        if changed.wake_at is not None and changed.wake_at != before.wake_at:
            self._set_alarm(changed.wake_at, item_id)
        if isinstance(event, events.Created):
            self._note_launch(changed, now)
        if changed.ending is not None and before.ending is None:
            self._note_end(changed)
        if actions:
            plan = self._plans.get(item_id)
            for action in actions:
                self._hands.perform(changed, action, plan)
        if isinstance(event, events.Created):
            self._follow(changed)

    def _note_launch(self, tracked: Tracked, now: float) -> None:
        record = tracked.record
        self._plans.pop(record.item_id, None)
        self._metrics.launched.labels(record.resource).inc()
        self._metrics.launch_seconds.observe(max(0.0, now - record.claimed_at))
        log.info("item %s of queue %s runs as %s", record.item_id, record.queue, _where(record))

    def _note_end(self, tracked: Tracked) -> None:
        ending, record = tracked.ending, tracked.record
        if ending is None:
            return
        self._metrics.ended.labels(ending.state).inc()
        reason = f": {ending.diagnosis.summary}" if ending.diagnosis else ""
        log.info("item %s (run %s) %s%s", record.item_id, record.run_id, ending.state, reason)

    def _follow(self, tracked: Tracked) -> None:
        record = tracked.record
        if record.object is not None:
            for item_id, event in self._targets[record.resource].follow(record.item_id, record.object):
                self._apply(item_id, event)

    def _forget(self, tracked: Tracked) -> None:
        item_id = tracked.record.item_id
        del self._items[item_id]
        self._plans.pop(item_id, None)
        target = self._targets.get(tracked.record.resource)
        if target is not None:
            target.forget(item_id)

    def _keep_records(self) -> None:
        """Write the records of what W&B thinks is in work.

        An item that is not acked goes back to its queue by itself; the record of one that is ending might come back
        after its deletion.
        """
        for tracked in self._items.values():
            if tracked.ending is None and tracked.record.step is not Step.CLAIMED:
                self._hands.perform(tracked, actions.KeepRecord(), None)

    # ── repeats ──

    def _put_off(self, message: Deferred) -> None:
        self._metrics.deferred.labels(type(message.action).__name__).inc()
        wait = message.after if message.after is not None else retry.delay(message.attempt - 1, self._jitter())
        if message.attempt in {1, 5} or message.attempt % 20 == 0:
            name = type(message.action).__name__
            log.warning("item %s: %s is repeated in %.1f s: %s", message.item_id, name, wait, message.reason)
        if message.attempt == TELL_AFTER and isinstance(message.action, actions.WriteRecord | actions.Create):
            self._tell(message.item_id, f"The launch has to wait and is tried again and again: {message.reason}")
        self._set_alarm(self._clock() + wait, message.item_id, message)

    def _tell(self, item_id: str, text: str) -> None:
        """Say something on the item."""
        tracked = self._items.get(item_id)
        if tracked is not None:
            self._hands.perform(tracked, actions.Warn(text, Stage.AGENT), None)

    def _set_alarm(self, when: float, item_id: str, deferred: Deferred | None = None) -> None:
        heapq.heappush(self._alarms, Alarm(when, next(self._numbers), item_id, deferred))

    def _ring_alarms(self) -> None:
        now = self._clock()
        while self._alarms and self._alarms[0].when <= now:
            alarm = heapq.heappop(self._alarms)
            tracked = self._items.get(alarm.item_id)
            if tracked is None:
                continue
            if alarm.deferred is not None:
                plan = self._plans.get(alarm.item_id)
                self._hands.perform(tracked, alarm.deferred.action, plan, alarm.deferred.attempt)
            elif tracked.wake_at == alarm.when:
                self._apply(alarm.item_id, events.Woken())

    # ── taking items ──

    def _adopt(self, records: tuple[Record, ...]) -> None:
        for record in records:
            if record.item_id in self._items:
                continue
            if record.resource not in self._targets:
                log.error("item %s is left alone: this agent can not reach %s now", record.item_id, record.resource)
                continue
            tracked = Tracked(record)
            self._items[record.item_id] = tracked
            if record.step is Step.CREATED:
                self._follow(tracked)
            is_awaited = record.object is not None and self._targets[record.resource].awaits(record.item_id)
            self._apply(record.item_id, events.Recovered(is_awaited))
        self._is_recovered = True
        if records:
            log.info("adopted %d items of an earlier start", len(records))

    def _take_claims(self, claims: tuple[Claim, ...], is_ok: bool) -> None:
        self._is_polling = False
        self._asked = 0
        now = self._clock()
        self._failed_polls = 0 if is_ok else self._failed_polls + 1
        if claims:
            self._next_poll = now
        elif is_ok:
            self._next_poll = now + self._pace.poll_interval
        else:
            self._next_poll = now + retry.delay(self._failed_polls, self._jitter(), first=1.0)
        self._metrics.polls.labels("ok" if is_ok else "error").inc()
        for claim in claims:
            self._take_claim(claim)

    def _take_claim(self, claim: Claim) -> None:
        record = claim.record
        self._metrics.popped.labels(record.queue).inc()
        if record.item_id in self._items:
            log.info("item %s was popped again; it is being launched already", record.item_id)
            return
        self._items[record.item_id] = Tracked(record)
        if claim.refused is not None:
            log.warning("item %s of queue %s is refused: %s", record.item_id, record.queue, claim.refused.message)
            self._apply(record.item_id, claim.refused)
            return
        if claim.plan is not None:
            self._plans[record.item_id] = claim.plan
            for warning in claim.plan.warnings:
                self._hands.perform(self._items[record.item_id], actions.Warn(warning, Stage.AGENT), None)
        self._apply(record.item_id, events.Popped())

    def _ask_for_more(self) -> None:
        if self._is_polling or self._is_stopping or not self._is_recovered or self._clock() < self._next_poll:
            return
        self._is_polling = True
        slots = self.free_slots()
        self.wants_items = slots > 0
        self._asked = slots
        self.used = self._used_slots() + slots
        self._poll(slots, bool(self._items))

    def free_slots(self) -> int:
        """How many items may be taken now."""
        if self._drain_mark:
            return 0
        unacked = sum(1 for one in self._items.values() if one.ending is None and one.record.step is Step.CLAIMED)
        room = max(0, min(POP_LIMIT, UNACKED_LIMIT - unacked))
        if self._pace.quota is not None:
            return max(0, min(room, self._pace.quota(self._used_slots())))
        if self._pace.max_jobs < 0:
            return room
        return max(0, min(room, self._pace.max_jobs - self._used_slots()))

    def _used_slots(self) -> int:
        return self._unreadable + self._foreign + sum(1 for one in self._items.values() if one.holds_slot)

    # ── what others may see ──

    @property
    def is_empty(self) -> bool:
        """Whether the records are read, and nothing is left to do. Other threads may read it."""
        return self.used == 0 and not self._items

    @property
    def note(self) -> str:
        """What uses slots and is no item of this agent; empty for nothing. Other threads may read it."""
        notes = {
            "records can not be read; each counts as a used slot": self._unreadable,
            "Jobs of W&B's own agent use slots until they are over": self._foreign,
        }
        return "; ".join(f"{count} {text}" for text, count in notes.items() if count)

    def _count_left(self) -> Answer | None:
        """None while it is not known: the records are not read, or a poll that may bring items is under way."""
        if not self._is_recovered or (self._is_polling and self.wants_items):
            return None
        return Answer(self._drain_mark, len(self._items) + self._unreadable)

    def _publish(self) -> None:
        self._next_publish = self._clock() + PUBLISH_INTERVAL
        counts: Counter[str] = Counter()
        active = []
        for tracked in self._items.values():
            counts[_state(tracked)] += 1
            if tracked.ending is None and tracked.record.step is Step.CREATED:
                active.append(tracked.record)
        self.active = tuple(active)
        for state in STATES:
            self._metrics.items.labels(state).set(counts[state])
        slots = "unlimited" if self._pace.max_jobs < 0 else str(self._pace.max_jobs)
        used = self._used_slots()
        told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))
        idle = "draining, no items are taken" if self._drain_mark else "waiting for items"
        self.summary = f"{used} of {slots} slots used" + (f": {told}" if told else f"; {idle}")
        if self.note:
            self.summary += f"; {self.note}"


STATES = ("claimed", "acked", "unknown", "starting", "running", "stopping", "ending")


def _state(tracked: Tracked) -> str:
    if tracked.ending is not None:
        return "ending"
    if tracked.record.step is not Step.CREATED:
        return tracked.record.step.value
    seen = tracked.observation
    return seen.state.value if seen is not None and seen.state.value in STATES else "unknown"


def _is_launched(tracked: Tracked) -> bool:
    return tracked.ending is not None or tracked.record.step is Step.CREATED


def _where(record: Record) -> str:
    ref = record.object
    return f"{ref.kind} {ref.namespace}/{ref.name}".replace(" /", " ") if ref else "nothing"
