"""The life of one item: (tracked, event, now, limits) → (tracked or None, actions).

    CLAIMED ── record written ──▶ ack ──▶ ACKED ── create ──▶ CREATED ── over ──▶ ending ──▶ reported ──▶ forgotten

Actions are performed by the runtime, each until it succeeds or fails for good; what came of it is the next event. Any
action may be performed twice (a crash between the action and its event): names, run ids and patches are stable, so
twice is once. ``None`` for the tracked item means that nothing is left to do for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from launch_agent.core import patience, reports
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
    Explained,
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
    Troubled,
    Vanished,
    Woken,
)
from launch_agent.core.models import Diagnosis, JobState, Record, Stage, Step
from launch_agent.core.patience import Ending, Limits, Tracked

__all__ = ["Ending", "Limits", "Result", "Tracked", "step"]

RUN_CHECKS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds between the questions whether the run exists (protocol 2.5 and 2.10): 7 checks, 63 s."""

FAILED_RUN_CHECKS = 2
"""After a workload that failed, a run that was never created is not waited for longer than 3 s."""

TAKEN_AWAY = frozenset({JobState.MISSING, JobState.FAILED, JobState.STOPPED})
"""How a workload ends that somebody deleted."""

OPEN_RUN_STATES = frozenset({"pending", "running", "preempting"})
"""Run states that may still change by themselves."""


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


def _on_record_written(tracked: Tracked, event: RecordWritten, _now: float, _limits: Limits) -> Result:
    if not _is_claimed(tracked):
        return tracked, ()
    return tracked, (Ack(), *(Warn(text, Stage.KUBERNETES) for text in event.warnings))


def _is_claimed(tracked: Tracked) -> bool:
    """Whether the item still waits to be ours; what is heard later than that is old."""
    return tracked.record.step is Step.CLAIMED and tracked.ending is None


def _on_acked(tracked: Tracked, event: Acked, _now: float, _limits: Limits) -> Result:
    if not _is_claimed(tracked):
        return tracked, ()
    return _own(tracked) if event.is_accepted else (tracked, (AskOwner(),))


def _on_owner_seen(tracked: Tracked, event: OwnerSeen, _now: float, _limits: Limits) -> Result:
    if not _is_claimed(tracked):
        return tracked, ()
    if event.run_id == tracked.record.run_id:
        return _own(tracked)
    return replace(tracked, ending=Ending(JobState.MISSING)), (DeleteRecord(),)


def _own(tracked: Tracked) -> Result:
    """Ours. A recovered item may have been created just before the crash: if its run has begun, it was."""
    tracked = replace(tracked, record=replace(tracked.record, step=Step.ACKED))
    return tracked, (AskRun(),) if tracked.recovered else (Create(),)


def _on_created(tracked: Tracked, event: Created, now: float, limits: Limits) -> Result:
    record = replace(_begin(tracked.record, now), object=event.ref)
    tracked, actions = _weigh(replace(tracked, record=record), now, limits)
    return tracked, (UpdateRecord(), *actions)


def _begin(record: Record, now: float) -> Record:
    """The workload exists; ``max_runtime`` counts from here."""
    return replace(record, step=Step.CREATED, created_at=record.created_at or now)


def _on_refused(tracked: Tracked, event: Refused, _now: float, _limits: Limits) -> Result:
    ending = Ending(JobState.FAILED, has_run=False)
    return replace(tracked, ending=ending), (Fail(event.message, event.stage),)


# ── following ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _on_observed(tracked: Tracked, event: Observed, now: float, limits: Limits) -> Result:
    tracked = replace(tracked, observation=event.observation)
    if tracked.ending is not None or tracked.record.step is not Step.CREATED:
        return tracked, ()
    return _weigh(tracked, now, limits)


def _on_explained(tracked: Tracked, event: Explained, now: float, limits: Limits) -> Result:
    seen = tracked.observation
    if tracked.ending is not None or seen is None or not patience.is_blank(tracked, seen):
        return tracked, ()  # pods came in the meantime
    return _weigh(replace(tracked, observation=replace(seen, diagnosis=event.diagnosis)), now, limits)


def _on_troubled(tracked: Tracked, event: Troubled, now: float, limits: Limits) -> Result:
    if tracked.ending is not None or tracked.record.step is not Step.CREATED:
        return tracked, ()
    tracked, warnings = _warn(replace(tracked, is_blind=True), event.diagnosis)
    tracked, actions = _weigh(tracked, now, limits)
    return tracked, (*warnings, *actions)


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
    if tracked.ending is not None:
        return tracked, ()
    if seen is not None and seen.state.is_over:
        return _end(tracked, seen.state, seen.diagnosis, now)
    tracked, deadlines = patience.note_times(tracked, seen, now, limits)
    for deadline, diagnosis in deadlines:
        if diagnosis is not None and now >= deadline:
            return _give_up(tracked, diagnosis)
    tracked, warnings = _warn(tracked, seen.diagnosis if seen is not None else None)
    tracked, deletions = _stop(tracked, now, limits)
    tracked, overruns = _end_in_time(tracked, now)
    tracked, looks, look_at = patience.look_again(tracked, seen, now)
    pending = [deadline for deadline, _ in deadlines if deadline > now]
    if look_at is not None:
        pending.append(look_at)
    if not tracked.is_deleted:
        if tracked.stop_seen_at is not None:
            pending.append(tracked.stop_seen_at + limits.stopped_run_timeout)
        if (due := patience.due_at(tracked.record)) is not None:
            pending.append(due)
    return replace(tracked, wake_at=min(pending, default=None)), (*warnings, *deletions, *overruns, *looks)


def _end_in_time(tracked: Tracked, now: float) -> tuple[Tracked, tuple[Action, ...]]:
    """Delete a workload whose ``max_runtime`` is over; its end is judged when it is gone."""
    due = patience.due_at(tracked.record)
    if due is None or now < due or tracked.is_deleted:
        return tracked, ()
    return replace(tracked, is_deleted=True, is_overdue=True), (Delete(),)


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
    tracked: Tracked, state: JobState, diagnosis: Diagnosis | None, now: float
) -> tuple[Tracked, tuple[Action, ...]]:
    """The workload is over: read its last lines if it failed, then ask what became of the run."""
    if state in TAKEN_AWAY and tracked.stop_seen_at is not None:
        return _ask(tracked, Ending(JobState.STOPPED))
    if _is_overrun(tracked, state, now):
        return _end_overrun(tracked, tracked.record.max_runtime or 0.0)
    ending = Ending(state, diagnosis)
    tracked = replace(tracked, ending=ending, wake_at=None)
    seen = tracked.observation
    if state in {JobState.FAILED, JobState.PREEMPTED} and seen is not None and seen.pod:
        return tracked, (ReadTail(seen),)
    return _ask(tracked, ending)


def _give_up(tracked: Tracked, diagnosis: Diagnosis) -> tuple[Tracked, tuple[Action, ...]]:
    """The workload waited in vain: it never ran."""
    return _ask(tracked, Ending(JobState.FAILED, diagnosis, has_run=False))


def _is_overrun(tracked: Tracked, state: JobState, now: float) -> bool:
    """Whether we took it away at the end of its time; one that is gone may have been deleted before a restart."""
    due = patience.due_at(tracked.record)
    return (tracked.is_overdue and state in TAKEN_AWAY) or (
        state is JobState.MISSING and due is not None and now >= due
    )


def _end_overrun(tracked: Tracked, limit: float) -> tuple[Tracked, tuple[Action, ...]]:
    """For a kind that never ends this is its end, and no failure."""
    if not tracked.record.is_endless:
        return _give_up(tracked, reports.overrun(limit))
    tracked, actions = _ask(tracked, Ending(JobState.STOPPED))
    return tracked, (Warn(reports.endless_over(limit), Stage.AGENT), *actions)


def _on_tail_read(tracked: Tracked, event: TailRead, _now: float, _limits: Limits) -> Result:
    if tracked.ending is None:
        return tracked, ()
    ending = replace(tracked.ending, tail=event.text)
    tracked = replace(tracked, ending=ending)
    return (tracked, ()) if ending.checks else _ask(tracked, ending)


def _ask(tracked: Tracked, ending: Ending) -> tuple[Tracked, tuple[Action, ...]]:
    """A workload that never ran has no run to ask for; one that was stopped needs no judgement."""
    tracked = replace(tracked, ending=ending, wake_at=None)
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
    tracked = replace(tracked, record=_begin(tracked.record, now))
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


def _on_released(tracked: Tracked, event: Released, _now: float, _limits: Limits) -> Result:
    warnings = (Warn(event.trouble, Stage.KUBERNETES),) if event.trouble else ()
    return tracked, (*warnings, DeleteRecord()) if tracked.ending is not None else warnings


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
    Explained: _on_explained,
    Troubled: _on_troubled,
    Vanished: _on_vanished,
    TailRead: _on_tail_read,
    RunSeen: _on_run_seen,
    StopSeen: _on_stop_seen,
    Reported: _on_reported,
    Released: _on_released,
    RecordDeleted: _on_record_deleted,
    Woken: _on_woken,
}
