"""Performs the actions that the life of an item asks for, and tells the tracker what came of each.

An action ends in one of three ways: it succeeded (its event), it failed for good (an event too: a refusal, or nothing
more to do), or its peer was away (`Deferred`: the tracker asks again later). No thread ever sleeps here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.operation import Operation
from launch_agent.core import actions, events, messages
from launch_agent.core.actions import Action
from launch_agent.core.categories import Category
from launch_agent.core.events import Event
from launch_agent.core.lifecycle import Tracked
from launch_agent.core.models import Diagnosis, JobState, ObjectRef, Observation, Plan, Record, Resource, Stage
from launch_agent.errors import (
    ItemError,
    KubernetesConflict,
    KubernetesDenied,
    KubernetesError,
    KubernetesMissing,
    KubernetesUnavailable,
    LaunchAgentError,
    LedgerUnavailable,
    RecordTaken,
    WandbError,
    WandbRejected,
)
from launch_agent.runtime.batcher import Done
from launch_agent.runtime.inbox import Deferred, Happened, Inbox
from launch_agent.runtime.ledger import PASSING, Ledger
from launch_agent.runtime.registration import PROJECT
from launch_agent.targets.base import Target

log = logging.getLogger(__name__)

TAIL_ATTEMPTS = 3
REPORT_ATTEMPTS = 6
"""How often a report is sent again that W&B refuses: half a minute in all."""

DENIED_ATTEMPTS = 15
"""How often a workload of an acked item is tried that the cluster's rights forbid: for 4 to 10 minutes (`core.retry`).

A token may be about to be renewed, or the rights about to be changed. An item that is not acked yet fails at once.
"""

URGENT = (actions.WriteRecord, actions.Create)
"""What an item waits for; all else is about items that run or ran."""

READING = (actions.Look, actions.Explain, actions.ReadTail)
"""What changes nothing."""


class Workers(Protocol):
    """Who performs calls on threads of their own."""

    def submit(self, call: Callable[[], None], *, is_urgent: bool) -> None:
        """Perform one, urgent ones first."""


class PutBack(Protocol):
    """Who puts items back into their queues."""

    def __call__(self, record: Record, /, *, is_repeat: bool) -> str:
        """The id of the item that continues the record's; ``is_repeat``: there may be one already."""


class Sender(Protocol):
    """Who sends operations to W&B."""

    def submit(
        self, operation: Operation, done: Done, /, *, is_kept: bool = False, put_off: Callable[[], None] | None = None
    ) -> None:
        """Send one, and call ``done`` with its value or its error; ``is_kept``: in order, until there is an answer.

        ``put_off`` is called once where such a one has to wait.
        """


@dataclass(frozen=True, slots=True)
class Task:
    """One action of one item, with all that is needed to perform it."""

    record: Record
    action: Action
    plan: Plan | None
    attempt: int
    is_repeat: bool = False


class Performer:
    """Targets and the ledger through a bounded pool, W&B through the batcher."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        pool: Workers,
        batcher: Sender,
        ledger: Ledger,
        targets: Mapping[Resource, Target],
        replan: Callable[[Record], Plan],
        requeue: PutBack,
        check_lease: Callable[[], None] = lambda: None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        """``requeue`` puts an item back into its queue, once, and gives the new item's id.

        ``check_lease`` raises KubernetesUnavailable while another agent may be the one that changes things.
        """
        self._inbox = inbox
        self._pool = pool
        self._batcher = batcher
        self._ledger = ledger
        self._targets = targets
        self._replan = replan
        self._requeue = requeue
        self._check_lease = check_lease
        self._secrets = secrets

    def perform(self, tracked: Tracked, action: Action, plan: Plan | None, attempt: int = 0) -> None:
        """Start one action; what comes of it arrives in the inbox."""
        task = Task(
            self._mask_record(tracked.record), action, plan, attempt, is_repeat=attempt > 0 or tracked.recovered
        )
        operation = _operation(tracked.record, self._mask(action))
        if operation is not None:
            self._batcher.submit(
                operation,
                lambda value, error: self._answered(task, value, error),
                is_kept=isinstance(action, actions.Fail | actions.Warn),
                put_off=(lambda: self._tell_put_off(task)) if isinstance(action, actions.Fail) else None,
            )
        else:
            self._pool.submit(lambda: self._run(task), is_urgent=isinstance(action, URGENT))

    def _mask(self, action: Action) -> Action:
        """A report without the keys that a log or an error may have quoted."""
        if isinstance(action, actions.Fail | actions.Warn):
            return replace(action, message=messages.redact(action.message, self._secrets))
        return action

    def _mask_record(self, record: Record) -> Record:
        """The same with its outcome: a log may have quoted a key."""
        if record.outcome is None:
            return record
        outcome, seen = record.outcome, record.outcome.diagnosis
        hide = partial(messages.redact, secrets=self._secrets)
        if seen is not None:
            seen = replace(seen, summary=hide(seen.summary), detail=hide(seen.detail), resolution=hide(seen.resolution))
        return replace(record, outcome=replace(outcome, diagnosis=seen, tail=hide(outcome.tail)))

    # ── W&B ──

    def _tell_put_off(self, task: Task) -> None:
        self._inbox.put(Happened(task.record.item_id, events.Unreported()))

    def _answered(self, task: Task, value: Any, error: WandbError | None) -> None:
        if error is None:
            event = _read_answer(task.action, value)
        elif isinstance(error, WandbRejected) and not _is_worth_a_repeat(task):
            event = _read_rejection(task, error)
        else:
            if isinstance(task.action, actions.AskRun) and not task.attempt:
                self._tell_put_off(task)
            self._defer(task, error)
            return
        if event is not None:
            self._inbox.put(Happened(task.record.item_id, event))

    # ── targets and the ledger ──

    def _run(self, task: Task) -> None:
        """The per-item boundary: whatever an item does wrong stays with that item."""
        try:
            event = self._perform(task)
        except KubernetesUnavailable as error:
            self._defer(_repeat(task) if error.may_be_done else task, error)
        except KubernetesConflict as error:  # somebody changed it at the same time: what a name means is settled below
            self._defer(task, error)
        except LedgerUnavailable as error:
            self._defer(task, error)
        except (LaunchAgentError, OSError) as error:
            if isinstance(error, OSError) and error.errno in PASSING:  # the disk's fault, not the item's
                self._defer(task, error)
            else:
                self._fall(task, error)
        except Exception as error:  # an error of ours must not lose the item
            log.exception("item %s: %s failed unexpectedly", task.record.item_id, type(task.action).__name__)
            self._fall(task, error)
        else:
            if event is not None:
                self._inbox.put(Happened(task.record.item_id, event))

    def _fall(self, task: Task, error: Exception) -> None:
        event = self._read_failure(task, error)
        try:
            if isinstance(event, events.Refused):
                self._discard(task)
        except KubernetesUnavailable as away:  # it is refused again, and then nothing stays behind
            self._defer(task, away)
            return
        if event is None:
            self._defer(task, error)
        else:
            self._inbox.put(Happened(task.record.item_id, event))

    def _discard(self, task: Task) -> None:
        """A refused item leaves nothing behind. Raises KubernetesUnavailable where that can not be seen to now."""
        try:
            plan = self._plan(task)
        except ItemError:
            return  # it never had one, so nothing was made of it
        try:
            self._targets[task.record.resource].discard(plan)
        except KubernetesUnavailable:
            raise
        except LaunchAgentError as error:
            log.warning("item %s: its Secrets and services may stay behind: %s", task.record.item_id, error)

    def _perform(self, task: Task) -> Event | None:
        record = task.record
        if not isinstance(task.action, READING):
            self._check_lease()
        match task.action:
            case actions.WriteRecord():
                warnings = self._targets[record.resource].prepare(self._plan(task))
                self._ledger.create(record)
                return events.RecordWritten(warnings)
            case actions.UpdateRecord():
                self._ledger.update(record)
                return None
            case actions.KeepRecord():
                self._ledger.create(record)
                return None
            case actions.DeleteRecord():
                self._ledger.delete(record.item_id)
                return events.RecordDeleted()
        return self._perform_on(self._targets[record.resource], task)

    def _perform_on(self, target: Target, task: Task) -> Event:
        record = task.record
        match task.action:
            case actions.Create():
                return events.Created(target.create(self._plan(task), record.item_id))
            case actions.Find():
                found = target.find(self._plan(task), record.item_id)
                if found is None:
                    self._discard(task)
                return events.Created(found) if found else events.Observed(Observation(JobState.MISSING))
            case actions.Look(is_late):
                return events.Observed(target.look(self._ref(task), is_late=is_late))
            case actions.Explain():
                return events.Explained(target.explain(self._ref(task)))
            case actions.ReadTail(observation):
                return events.TailRead(target.tail(self._ref(task), observation))
            case actions.Delete():
                target.delete(self._ref(task))
                return events.Released()
            case actions.Requeue():
                self._ledger.update(record)
                if record.object is not None:
                    target.delete(record.object)
                return events.Requeued(self._requeue(record, is_repeat=task.is_repeat))
            case actions.Release():
                target.release(self._ref(task), record.release_after)
                return events.Released()
        raise AssertionError(f"no way to perform {task.action}")

    def _plan(self, task: Task) -> Plan:
        return task.plan if task.plan is not None else self._replan(task.record)

    def _ref(self, task: Task) -> ObjectRef:
        """The object's place; one that was made just before a crash is on no record. KubernetesMissing without it."""
        record = task.record
        found = record.object or self._targets[record.resource].find(self._plan(task), record.item_id)
        if found is None:
            raise KubernetesMissing("The object that was made for the item is gone.")
        return found

    def _read_failure(self, task: Task, error: Exception) -> Event | None:
        """What a failure for good means; None for one that is worth a repeat."""
        text = str(error) if isinstance(error, LaunchAgentError) else f"{type(error).__name__}: {error}"
        match task.action:
            case actions.WriteRecord() if isinstance(error, RecordTaken):
                log.info("item %s was popped by another replica before; it is left to that one", task.record.item_id)
                return events.Taken()
            case actions.Create() if isinstance(error, KubernetesDenied) and task.attempt < DENIED_ATTEMPTS:
                return None
            case actions.WriteRecord() | actions.Create():
                stage = error.stage if isinstance(error, ItemError) else Stage.AGENT
                return events.Refused(text, Stage(stage))
            case actions.Find() | actions.Look() if isinstance(error, KubernetesDenied):
                return events.Troubled(
                    Diagnosis(Category.WATCH_REFUSED, "The agent may not look at the workload.", text)
                )
            case actions.Find() | actions.Look():
                is_gone = isinstance(error, ItemError | KubernetesMissing)
                return events.Observed(Observation(JobState.MISSING)) if is_gone else None
            case actions.Explain():
                log.warning("item %s: why it has no pods can not be read: %s", task.record.item_id, text)
                return events.Explained(None)
            case actions.ReadTail():
                return events.TailRead("")
            case actions.Requeue() if isinstance(error, WandbRejected | ItemError):
                return events.NotRequeued(f"It could not be put back into its queue. {text}")
            case actions.Delete() | actions.Release() if isinstance(error, KubernetesMissing):
                return events.Released()
            case actions.Delete() | actions.Release() if isinstance(error, KubernetesError):
                log.error("item %s: its object stays behind: %s", task.record.item_id, text)
                return events.Released(f"The workload's object stays as it is. {text}")
        return None

    def _defer(self, task: Task, error: Exception) -> None:
        if isinstance(task.action, actions.ReadTail) and task.attempt >= TAIL_ATTEMPTS:
            self._inbox.put(Happened(task.record.item_id, events.TailRead("")))
            return
        after = getattr(error, "retry_after", None)
        self._inbox.put(Deferred(task.record.item_id, task.action, task.attempt + 1, str(error), after))


def _repeat(task: Task) -> Task:
    """What to do next where an action may have been done: an object that was made and is gone is not made again."""
    return replace(task, action=actions.AskRun()) if isinstance(task.action, actions.Create) else task


def _operation(record: Record, action: Action) -> Operation | None:
    """The W&B operation of an action, None for one that is not W&B's."""
    match action:
        case actions.Ack():
            return operations.ack(record.item_id, record.run_id)
        case actions.AskOwner():
            return operations.item(record.queue_entity, PROJECT, record.queue, record.item_id)
        case actions.AskRun():
            return operations.run_state(record.run_entity, record.run_project, record.run_id)
        case actions.Fail(message, stage):
            return operations.fail(record.item_id, message, stage)
        case actions.Warn(message, stage):
            return operations.warn(record.item_id, message, stage)
    return None


def _read_answer(action: Action, value: Any) -> Event | None:
    match action:
        case actions.Ack():
            return events.Acked(bool((value or {}).get("success")))
        case actions.AskOwner():
            item = (((value or {}).get("runQueue") or {}).get("runQueueItem")) or {}
            return events.OwnerSeen(item.get("associatedRunId"))
        case actions.AskRun():
            run = (value or {}).get("run") or {}
            return events.RunSeen(run.get("state"))
        case actions.Fail():
            return events.Reported()
    return None


def _is_worth_a_repeat(task: Task) -> bool:
    """A report is what the user reads: W&B may have refused it for a moment only, so it is tried some times more."""
    return isinstance(task.action, actions.Fail | actions.Warn) and task.attempt < REPORT_ATTEMPTS


def _read_rejection(task: Task, error: WandbRejected) -> Event | None:
    """W&B understood and said no: no such run, no such item, or an item that is not ours."""
    match task.action:
        case actions.Ack():
            return events.Acked(False)
        case actions.AskOwner():
            return events.OwnerSeen(None)
        case actions.AskRun():
            return events.RunSeen(None)
        case actions.Fail(message):
            log.error("item %s: W&B did not take its failure (%s). It was: %s", task.record.item_id, error, message)
            return events.Reported()
        case actions.Warn(message):
            log.warning("item %s: W&B did not take a warning (%s). It was: %s", task.record.item_id, error, message)
    return None
