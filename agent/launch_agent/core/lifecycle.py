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

from launch_agent.core import endings, patience
from launch_agent.core.actions import (
    Ack,
    Action,
    AskOwner,
    AskRun,
    Create,
    Delete,
    DeleteRecord,
    Fail,
    Find,
    Look,
    UpdateRecord,
    Warn,
    WriteRecord,
)
from launch_agent.core.categories import Category
from launch_agent.core.endings import Result
from launch_agent.core.events import (
    Acked,
    Created,
    Event,
    Explained,
    NotRequeued,
    Observed,
    OwnerSeen,
    Popped,
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
    Taken,
    Troubled,
    Unreported,
    Vanished,
    Woken,
)
from launch_agent.core.models import Diagnosis, JobState, Observation, Record, Stage, Step
from launch_agent.core.patience import Ending, Limits, Tracked

__all__ = ["Ending", "Limits", "Result", "Tracked", "step"]


def step(tracked: Tracked, event: Event, now: float, limits: Limits) -> Result:
    """What the item becomes by ``event``, and what is to be done."""
    return _HANDLERS[type(event)](tracked, event, now, limits)


# ── taking ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _on_popped(tracked: Tracked, _event: Popped, _now: float, _limits: Limits) -> Result:
    return tracked, (WriteRecord(),)


def _on_recovered(tracked: Tracked, event: Recovered, now: float, _limits: Limits) -> Result:
    record = tracked.record
    if record.created_at > now:  # the clock was ahead then: its max_runtime counts from here
        record = replace(record, created_at=now)
    tracked = replace(tracked, recovered=True, record=record)
    if record.outcome is not None and record.step in {Step.CREATED, Step.REQUEUEING}:
        return endings.resume(tracked, record.outcome)
    if tracked.record.step is Step.REQUEUEING:
        return replace(tracked, ending=Ending(JobState.PREEMPTED)), (AskRun(),)
    if tracked.record.step is Step.CREATED:
        return tracked, () if event.is_awaited else (Look(),)
    return tracked, (Ack(),)


def _on_record_written(tracked: Tracked, event: RecordWritten, _now: float, _limits: Limits) -> Result:
    if not _is_claimed(tracked):
        return tracked, ()
    return tracked, (Ack(), *(Warn(text, Stage.KUBERNETES) for text in event.warnings))


def _is_claimed(tracked: Tracked) -> bool:
    """Whether the item still waits to be ours; what is heard later than that is old."""
    return tracked.record.step is Step.CLAIMED and tracked.ending is None


def _on_taken(tracked: Tracked, _event: Taken, _now: float, _limits: Limits) -> Result:
    """The other shard goes on with it; nothing was made here."""
    return (None, ()) if _is_claimed(tracked) else (tracked, ())


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
    if tracked.record.step is Step.REQUEUEING:
        return tracked, ()  # an answer that comes late
    record = replace(_begin(tracked.record, now), object=event.ref)
    tracked, actions = _weigh(replace(tracked, record=record), now, limits)
    return tracked, (UpdateRecord(), *actions)


def _begin(record: Record, now: float) -> Record:
    """The workload exists; ``max_runtime`` counts from here."""
    return replace(record, step=Step.CREATED, created_at=record.created_at or now)


def _on_refused(tracked: Tracked, event: Refused, _now: float, _limits: Limits) -> Result:
    if tracked.ending is not None or tracked.record.step not in {Step.CLAIMED, Step.ACKED}:
        return tracked, ()  # of a second attempt, after the first was heard of
    ending = Ending(JobState.FAILED, has_run=False)
    return replace(tracked, ending=ending), (Fail(event.message, event.stage),)


# ── following ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _on_observed(tracked: Tracked, event: Observed, now: float, limits: Limits) -> Result:
    tracked = replace(
        tracked, observation=event.observation, disruption=_find_disruption(tracked.disruption, event.observation)
    )
    if tracked.ending is not None or tracked.record.step is not Step.CREATED:
        return tracked, ()
    return _weigh(tracked, now, limits)


def _find_disruption(known: Diagnosis | None, seen: Observation) -> Diagnosis | None:
    """What takes the pod away, as long as no other pod came."""
    if seen.diagnosis is not None and seen.diagnosis.category == Category.DISRUPTED:
        return seen.diagnosis
    return None if seen.pod else known


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
        return tracked, () if tracked.ending.is_leaving else (AskRun(),)
    return _weigh(tracked, now, limits) if tracked.record.step is Step.CREATED else (tracked, ())


def _weigh(tracked: Tracked, now: float, limits: Limits) -> tuple[Tracked, tuple[Action, ...]]:
    """Judge the last observation: over, waiting in vain, to be stopped, or all well."""
    seen = tracked.observation
    if tracked.ending is not None:
        return tracked, ()
    if seen is not None and seen.state.is_over:
        return endings.end(tracked, seen.state, seen.diagnosis, now)
    tracked, deadlines = patience.note_times(tracked, seen, now, limits)
    for deadline, diagnosis in deadlines:
        if diagnosis is not None and now >= deadline:
            return endings.give_up(tracked, diagnosis)
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


# ── ending: the rest is in `endings` ────────────────────────────────────────────────────────────────────────────────


def _on_run_seen(tracked: Tracked, event: RunSeen, now: float, _limits: Limits) -> Result:
    if tracked.ending is not None:
        return endings.judge(tracked, tracked.ending, event.state, now)
    if tracked.record.step is not Step.ACKED:
        return tracked, ()
    if event.state in {None, "pending"}:
        return tracked, (Create(),)
    # The run began, so the object was created before the crash; it is never created again (design section 3).
    return replace(tracked, record=_begin(tracked.record, now)), (Find(),)


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
    TailRead: endings.on_tail_read,
    RunSeen: _on_run_seen,
    Requeued: endings.on_requeued,
    NotRequeued: endings.on_not_requeued,
    StopSeen: _on_stop_seen,
    Reported: endings.on_reported,
    Unreported: endings.on_unreported,
    Released: endings.on_released,
    RecordDeleted: _on_record_deleted,
    Taken: _on_taken,
    Woken: _on_woken,
}
