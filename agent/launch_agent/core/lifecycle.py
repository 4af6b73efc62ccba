"""The life of one item: (tracked, event, now, limits) → (tracked or None, actions).

    CLAIMED ── record written ──▶ ack ──▶ ACKED ── create ──▶ CREATED ── over ──▶ ending ──▶ reported ──▶ forgotten

Actions are performed by the runtime, each until it succeeds or fails for good; what came of it is the next event. Any
action may be performed twice (a crash between the action and its event): names, run ids and patches are stable, so
twice is once. ``None`` for the tracked item means that nothing is left to do for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from launch_agent.core import reports
from launch_agent.core.actions import (
    Ack,
    Action,
    AskOwner,
    AskRun,
    Create,
    Delete,
    DeleteRecord,
    Fail,
    Look,
    ReadTail,
    Release,
    UpdateRecord,
    Warn,
    WriteRecord,
)
from launch_agent.core.events import (
    Acked,
    Created,
    Event,
    Observed,
    OwnerSeen,
    Popped,
    RecordDeleted,
    RecordWritten,
    Recovered,
    Refused,
    Released,
    Reported,
    RunSeen,
    StopSeen,
    TailRead,
    Vanished,
    Woken,
)
from launch_agent.core.models import Diagnosis, JobState, Observation, Record, Stage, Step

RUN_CHECKS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds between the questions whether the run exists (protocol 2.5 and 2.10): 7 checks, 63 s."""

FAILED_RUN_CHECKS = 2
"""After a workload that failed, a run that was never created is not waited for longer than 3 s."""

FIRST_LOOK = 15.0
LATER_LOOKS = 300.0
"""Seconds until a workload that nothing is known of is looked at live: why it has no pods stands in events only."""

OPEN_RUN_STATES = frozenset({"pending", "running", "preempting"})
"""Run states that may still change by themselves."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient to be, in seconds; ``start_timeout`` None waits for ever."""

    stopped_run_timeout: float = 60.0
    start_timeout: float | None = 1800.0


@dataclass(frozen=True, slots=True)
class Ending:
    """The workload is over, or was given up; what is left is to report it."""

    state: JobState
    diagnosis: Diagnosis | None = None
    has_run: bool = True
    tail: str = ""
    checks: int = 0


@dataclass(frozen=True, slots=True)
class Tracked:
    """One item in memory: its record, and what can be seen again after a restart.

    ``wake_at`` is when the item wants a `Woken` event; ``waiting`` is the category of trouble and since when.
    """

    record: Record
    recovered: bool = False
    observation: Observation | None = None
    waiting: tuple[str, float] | None = None
    starting_since: float | None = None
    look_at: float | None = None
    stop_seen_at: float | None = None
    is_deleted: bool = False
    warned: frozenset[str] = frozenset()
    ending: Ending | None = None
    wake_at: float | None = None

    @property
    def holds_slot(self) -> bool:
        """Whether the item counts against ``max_jobs``: until its workload is over."""
        return self.ending is None


Result = tuple[Tracked | None, tuple[Action, ...]]


def step(tracked: Tracked, event: Event, now: float, limits: Limits) -> Result:
    """What the item becomes by ``event``, and what is to be done."""
    return _HANDLERS[type(event)](tracked, event, now, limits)


# ── taking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _on_popped(tracked: Tracked, _event: Popped, _now: float, _limits: Limits) -> Result:
    return tracked, (WriteRecord(),)


def _on_recovered(tracked: Tracked, _event: Recovered, _now: float, _limits: Limits) -> Result:
    tracked = replace(tracked, recovered=True)
    return tracked, (Look(),) if tracked.record.step is Step.CREATED else (Ack(),)


def _on_record_written(tracked: Tracked, _event: RecordWritten, _now: float, _limits: Limits) -> Result:
    return tracked, (Ack(),) if tracked.record.step is Step.CLAIMED else ()


def _on_acked(tracked: Tracked, event: Acked, _now: float, _limits: Limits) -> Result:
    if tracked.record.step is not Step.CLAIMED:
        return tracked, ()
    return _own(tracked) if event.is_accepted else (tracked, (AskOwner(),))


def _on_owner_seen(tracked: Tracked, event: OwnerSeen, _now: float, _limits: Limits) -> Result:
    if event.run_id == tracked.record.run_id:
        return _own(tracked)
    return replace(tracked, ending=Ending(JobState.MISSING)), (DeleteRecord(),)


def _own(tracked: Tracked) -> Result:
    """Ours. A recovered item may have been created just before the crash: if its run has begun, it was."""
    tracked = replace(tracked, record=replace(tracked.record, step=Step.ACKED))
    return tracked, (AskRun(),) if tracked.recovered else (Create(),)


def _on_created(tracked: Tracked, event: Created, now: float, limits: Limits) -> Result:
    record = replace(tracked.record, step=Step.CREATED, object=event.ref)
    tracked, actions = _weigh(replace(tracked, record=record), now, limits)
    return tracked, (UpdateRecord(), *actions)


def _on_refused(tracked: Tracked, event: Refused, _now: float, _limits: Limits) -> Result:
    ending = Ending(JobState.FAILED, has_run=False)
    return replace(tracked, ending=ending), (Fail(event.message, event.stage),)


# ── following ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _on_observed(tracked: Tracked, event: Observed, now: float, limits: Limits) -> Result:
    tracked = replace(tracked, observation=event.observation)
    if tracked.ending is not None or tracked.record.step is not Step.CREATED:
        return tracked, ()
    return _weigh(tracked, now, limits)


def _on_vanished(tracked: Tracked, _event: Vanished, _now: float, _limits: Limits) -> Result:
    is_followed = tracked.ending is None and tracked.record.step is Step.CREATED
    return tracked, (Look(),) if is_followed else ()


def _on_stop_seen(tracked: Tracked, _event: StopSeen, now: float, limits: Limits) -> Result:
    if tracked.ending is not None or tracked.stop_seen_at is not None:
        return tracked, ()
    tracked = replace(tracked, stop_seen_at=now)
    return _weigh(tracked, now, limits) if tracked.record.step is Step.CREATED else (tracked, ())


def _on_woken(tracked: Tracked, _event: Woken, now: float, limits: Limits) -> Result:
    tracked = replace(tracked, wake_at=None)
    if tracked.ending is not None:
        return tracked, (AskRun(),)
    return _weigh(tracked, now, limits) if tracked.record.step is Step.CREATED else (tracked, ())


def _weigh(tracked: Tracked, now: float, limits: Limits) -> tuple[Tracked, tuple[Action, ...]]:
    """Judge the last observation: over, waiting in vain, to be stopped, or all well."""
    seen = tracked.observation
    if seen is None:
        return tracked, ()
    if seen.state.is_over:
        return _end(tracked, seen.state, seen.diagnosis, has_run=True)
    tracked, deadlines = _note_times(tracked, seen, now, limits)
    for deadline, diagnosis in deadlines:
        if diagnosis is not None and now >= deadline:
            return _end(tracked, JobState.FAILED, diagnosis, has_run=False)
    tracked, warnings = _warn(tracked, seen.diagnosis)
    tracked, deletions = _stop(tracked, now, limits)
    tracked, looks = _look_again(tracked, seen, now)
    pending = [deadline for deadline, _ in deadlines if deadline > now]
    if tracked.look_at is not None:
        pending.append(tracked.look_at)
    if tracked.stop_seen_at is not None and not tracked.is_deleted:
        pending.append(tracked.stop_seen_at + limits.stopped_run_timeout)
    return replace(tracked, wake_at=min(pending, default=None)), (*warnings, *deletions, *looks)


def _look_again(tracked: Tracked, seen: Observation, now: float) -> tuple[Tracked, tuple[Action, ...]]:
    """A workload without pods is looked at: soon, then seldom."""
    if seen.state is not JobState.UNKNOWN or seen.pod:
        return replace(tracked, look_at=None), ()
    if tracked.look_at is None:
        return replace(tracked, look_at=now + FIRST_LOOK), ()
    if now < tracked.look_at:
        return tracked, ()
    return replace(tracked, look_at=now + LATER_LOOKS), (Look(),)


def _note_times(
    tracked: Tracked, seen: Observation, now: float, limits: Limits
) -> tuple[Tracked, list[tuple[float, Diagnosis | None]]]:
    """Since when the workload waits and starts, and until when it may."""
    deadlines: list[tuple[float, Diagnosis | None]] = []
    trouble = seen.diagnosis if seen.diagnosis is not None and seen.diagnosis.fails_after is not None else None
    waiting = tracked.waiting
    if trouble is None:
        waiting = None
    else:
        if waiting is None or waiting[0] != trouble.category:
            waiting = (trouble.category, now)
        deadlines.append((waiting[1] + (trouble.fails_after or 0.0), trouble))
    is_starting = seen.state is JobState.STARTING
    starting_since = (now if tracked.starting_since is None else tracked.starting_since) if is_starting else None
    if starting_since is not None and limits.start_timeout is not None:
        late = reports.start_timeout(limits.start_timeout, seen.diagnosis)
        deadlines.append((starting_since + limits.start_timeout, late))
    return replace(tracked, waiting=waiting, starting_since=starting_since), deadlines


def _warn(tracked: Tracked, diagnosis: Diagnosis | None) -> tuple[Tracked, tuple[Action, ...]]:
    """Say on the item why it waits, once for each text of this item (W18)."""
    if diagnosis is None or diagnosis.text in tracked.warned:
        return tracked, ()
    warned = tracked.warned | {diagnosis.text}
    return replace(tracked, warned=warned), (Warn(diagnosis.text, Stage.KUBERNETES),)


def _stop(tracked: Tracked, now: float, limits: Limits) -> tuple[Tracked, tuple[Action, ...]]:
    """The run is asked to stop by itself first; after the grace its object is deleted (protocol 2.4)."""
    since = tracked.stop_seen_at
    if since is None or tracked.is_deleted or now < since + limits.stopped_run_timeout:
        return tracked, ()
    return replace(tracked, is_deleted=True), (Delete(),)


# ── ending ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _end(
    tracked: Tracked, state: JobState, diagnosis: Diagnosis | None, *, has_run: bool
) -> tuple[Tracked, tuple[Action, ...]]:
    """The workload is over (or given up): read its last lines if it failed, then ask what became of the run."""
    if tracked.stop_seen_at is not None and state in {JobState.MISSING, JobState.FAILED}:
        state, diagnosis = JobState.STOPPED, None
    ending = Ending(state, diagnosis, has_run=has_run)
    tracked = replace(tracked, ending=ending, wake_at=None)
    seen = tracked.observation
    if state in {JobState.FAILED, JobState.PREEMPTED} and has_run and seen is not None and seen.pod:
        return tracked, (ReadTail(seen),)
    return _ask(tracked, ending)


def _on_tail_read(tracked: Tracked, event: TailRead, _now: float, _limits: Limits) -> Result:
    if tracked.ending is None:
        return tracked, ()
    ending = replace(tracked.ending, tail=event.text)
    tracked = replace(tracked, ending=ending)
    return (tracked, ()) if ending.checks else _ask(tracked, ending)


def _ask(tracked: Tracked, ending: Ending) -> tuple[Tracked, tuple[Action, ...]]:
    """A workload that never ran has no run to ask for; one that was stopped needs no judgement."""
    if ending.state is JobState.STOPPED:
        return tracked, _leave(ending)
    if not ending.has_run:
        return tracked, (Fail(reports.failed(ending.diagnosis, ending.tail), Stage.AGENT),)
    return tracked, (AskRun(),)


def _on_run_seen(tracked: Tracked, event: RunSeen, now: float, limits: Limits) -> Result:
    if tracked.ending is not None:
        return _judge(tracked, tracked.ending, event.state, now)
    if tracked.record.step is not Step.ACKED:
        return tracked, ()
    if event.state in {None, "pending"}:
        return tracked, (Create(),)
    # The run began, so the object was created before the crash; it is never created again (design section 3).
    tracked = replace(tracked, record=replace(tracked.record, step=Step.CREATED))
    tracked, actions = _weigh(tracked, now, limits)
    return tracked, actions or (Look(),)


def _judge(tracked: Tracked, ending: Ending, run_state: str | None, now: float) -> Result:
    """What to report, from how the workload ended and what the run says; or ask once more later."""
    is_begun = run_state not in {None, "pending"}
    is_open = run_state in OPEN_RUN_STATES
    if ending.state is JobState.FINISHED and is_begun:
        return tracked, _leave(ending)
    if is_begun and not is_open:
        text = reports.failed(ending.diagnosis, ending.tail)
        notes = (Warn(text, Stage.RUN),) if ending.state is not JobState.MISSING else ()
        return tracked, (*notes, *_leave(ending))
    patience = len(RUN_CHECKS)
    if not is_begun and ending.state in {JobState.FAILED, JobState.PREEMPTED}:
        patience = FAILED_RUN_CHECKS
    if ending.checks < patience:
        wake_at = now + RUN_CHECKS[ending.checks]
        reading = _read_tail(tracked) if ending.state is JobState.FINISHED and not ending.checks else ()
        return replace(tracked, ending=replace(ending, checks=ending.checks + 1), wake_at=wake_at), reading
    return tracked, (Fail(reports.unfinished(ending.state, ending.diagnosis, ending.tail, is_begun), Stage.RUN),)


def _read_tail(tracked: Tracked) -> tuple[Action, ...]:
    """The last lines of a workload that ended well and has no run: read at the first miss (protocol 2.5)."""
    seen = tracked.observation
    return (ReadTail(seen),) if seen is not None and seen.pod else ()


def _leave(ending: Ending) -> tuple[Action, ...]:
    """Let the object go: at once if it never ran or was stopped, else by its own time to live."""
    is_useless = not ending.has_run or ending.state is JobState.STOPPED
    return (Delete(),) if is_useless else (Release(),)


def _on_reported(tracked: Tracked, _event: Reported, _now: float, _limits: Limits) -> Result:
    if tracked.ending is None:
        return tracked, ()
    if tracked.record.step is not Step.CREATED:
        return tracked, (DeleteRecord(),)
    return tracked, _leave(tracked.ending)


def _on_released(tracked: Tracked, _event: Released, _now: float, _limits: Limits) -> Result:
    return tracked, (DeleteRecord(),) if tracked.ending is not None else ()


def _on_record_deleted(_tracked: Tracked, _event: RecordDeleted, _now: float, _limits: Limits) -> Result:
    return None, ()


_HANDLERS: Mapping[type, Callable[[Tracked, Any, float, Limits], Result]] = {
    Popped: _on_popped,
    Recovered: _on_recovered,
    RecordWritten: _on_record_written,
    Acked: _on_acked,
    OwnerSeen: _on_owner_seen,
    Created: _on_created,
    Refused: _on_refused,
    Observed: _on_observed,
    Vanished: _on_vanished,
    TailRead: _on_tail_read,
    RunSeen: _on_run_seen,
    StopSeen: _on_stop_seen,
    Reported: _on_reported,
    Released: _on_released,
    RecordDeleted: _on_record_deleted,
    Woken: _on_woken,
}
