"""The end of an item: how its workload ended and what its run says decide what is reported; then all is let go."""

from __future__ import annotations

from dataclasses import replace

from launch_agent.core import messages, patience, reports, requeues
from launch_agent.core.actions import (
    Action,
    AskRun,
    Delete,
    DeleteRecord,
    Fail,
    ReadTail,
    Release,
    Requeue,
    UpdateRecord,
    Warn,
)
from launch_agent.core.events import NotRequeued, Released, Reported, Requeued, TailRead, Unreported
from launch_agent.core.models import Diagnosis, JobState, Outcome, Stage, Step
from launch_agent.core.patience import Ending, Limits, Tracked

Result = tuple[Tracked | None, tuple[Action, ...]]

RUN_CHECKS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Seconds between the questions whether the run exists (protocol 2.5 and 2.10): 7 checks, 63 s."""

FAILED_RUN_CHECKS = 2
"""After a workload that failed, a run that was never created is not waited for longer than 3 s."""

TAKEN_AWAY = frozenset({JobState.MISSING, JobState.FAILED, JobState.STOPPED})
"""How a workload ends that somebody deleted."""

LEFT_RUN_STATES = frozenset({"finished", "killed"})
"""Run states after which a preempted workload is not wanted any more: it was done, or somebody stopped it."""

OPEN_RUN_STATES = frozenset({"pending", "running", "preempting"})
"""Run states that may still change by themselves."""


def end(
    tracked: Tracked, state: JobState, diagnosis: Diagnosis | None, now: float
) -> tuple[Tracked, tuple[Action, ...]]:
    """The workload is over: read its last lines if it failed, then ask what became of the run."""
    if state in TAKEN_AWAY | {JobState.PREEMPTED} and tracked.stop_seen_at is not None:
        return _ask(tracked, Ending(JobState.STOPPED))
    if _is_overrun(tracked, state, now):
        return _end_overrun(tracked, tracked.record.max_runtime or 0.0)
    seen = tracked.observation
    if state is JobState.FAILED and tracked.disruption is not None and seen is not None and not seen.pod:
        state, diagnosis = JobState.PREEMPTED, tracked.disruption
    ending = Ending(state, diagnosis)
    tracked = replace(tracked, ending=ending, wake_at=None)
    if state in {JobState.FAILED, JobState.PREEMPTED} and seen is not None and seen.pod:
        return tracked, (ReadTail(seen),)
    return _ask(tracked, ending)


def give_up(tracked: Tracked, diagnosis: Diagnosis) -> tuple[Tracked, tuple[Action, ...]]:
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
        return give_up(tracked, reports.overrun(limit))
    over = reports.endless_over(limit)
    tracked, actions = _ask(tracked, Ending(JobState.STOPPED, over))
    return tracked, (Warn(over.text, Stage.AGENT), *actions)


def on_tail_read(tracked: Tracked, event: TailRead, _now: float, _limits: Limits) -> Result:
    """The last lines are known."""
    if tracked.ending is None or tracked.ending.is_leaving:
        return tracked, ()
    ending = replace(tracked.ending, tail=event.text)
    tracked = replace(tracked, ending=ending)
    return (tracked, ()) if ending.checks else _ask(tracked, ending)


def _ask(tracked: Tracked, ending: Ending) -> tuple[Tracked, tuple[Action, ...]]:
    """A workload that never ran has no run to ask for."""
    tracked = replace(tracked, ending=ending, wake_at=None)
    if not ending.has_run:
        return tracked, (Fail(reports.failed(ending.diagnosis, ending.tail), Stage.AGENT),)
    return tracked, (AskRun(),)


def judge(tracked: Tracked, ending: Ending, run_state: str | None, now: float) -> Result:
    """What to report, from how the workload ended and what the run says; or ask once more later."""
    if ending.is_leaving or ending.is_final:
        return tracked, ()  # it is judged already
    is_begun = run_state not in {None, "pending"}
    if ending.state is JobState.PREEMPTED and run_state not in LEFT_RUN_STATES:
        return _requeue(replace(tracked, ending=replace(ending, has_run=is_begun)))
    if run_state == "killed":  # by its own script, which heard of the stop before us
        ending = replace(ending, state=JobState.STOPPED)
        tracked = replace(tracked, ending=ending)
    if ending.state is JobState.STOPPED:
        # a run that was begun ends its item by itself; where there is none, nobody else would ever end it
        text = (ending.diagnosis or reports.STOPPED).text
        return _leave(tracked) if is_begun else (tracked, (Fail(text, Stage.RUN),))
    is_open = run_state in OPEN_RUN_STATES
    if ending.state is JobState.FINISHED and is_begun:
        return _leave(tracked)
    if is_begun and not is_open:
        text = reports.failed(ending.diagnosis, ending.tail)
        notes = (Warn(text, Stage.RUN),) if ending.state is not JobState.MISSING else ()
        tracked, actions = _leave(tracked)
        return tracked, (*notes, *actions)
    limit = len(RUN_CHECKS)
    if not is_begun and ending.state in {JobState.FAILED, JobState.PREEMPTED}:
        limit = FAILED_RUN_CHECKS
    if ending.checks < limit:
        wake_at = now + RUN_CHECKS[ending.checks]
        reading = _read_tail(tracked) if ending.state is JobState.FINISHED and not ending.checks else ()
        return replace(tracked, ending=replace(ending, checks=ending.checks + 1), wake_at=wake_at), reading
    return tracked, (Fail(reports.unfinished(ending.state, ending.diagnosis, ending.tail, is_begun), Stage.RUN),)


def _requeue(tracked: Tracked) -> Result:
    """Put a preempted item back into its queue, where it may be; else its end is a failure."""
    reason = requeues.refuse(tracked.record)
    if reason:
        return _end_here(tracked, reason)
    return replace(tracked, record=replace(tracked.record, step=Step.REQUEUEING)), (Requeue(),)


def on_requeued(tracked: Tracked, event: Requeued, _now: float, _limits: Limits) -> Result:
    """The run is the new item's by now. A run that was begun ends this item, too; another one is not there to do so."""
    ending, record = tracked.ending, tracked.record
    if ending is None or ending.is_final or record.step is not Step.REQUEUEING:
        return tracked, ()
    count = requeues.read_count(record.run_spec) + 1
    text = reports.requeued(ending.diagnosis, event.item_id, count, record.max_resume_count)
    tracked = replace(tracked, ending=replace(ending, is_final=True))
    return tracked, (Warn(text, Stage.KUBERNETES), DeleteRecord()) if ending.has_run else (Fail(text, Stage.AGENT),)


def on_not_requeued(tracked: Tracked, event: NotRequeued, _now: float, _limits: Limits) -> Result:
    """It stays as it is."""
    return _end_here(tracked, event.reason)


def _end_here(tracked: Tracked, reason: str) -> Result:
    """The failure is told with the reason why it is the end."""
    if tracked.ending is None or tracked.ending.is_leaving or tracked.ending.is_final:
        return tracked, ()
    ending = replace(tracked.ending, is_final=True)
    text = f"{reports.failed(ending.diagnosis, ending.tail)}\n{reason}"
    return replace(tracked, ending=ending), (Fail(text, Stage.RUN),)


def _read_tail(tracked: Tracked) -> tuple[Action, ...]:
    """The last lines of a workload that ended well and has no run: read at the first miss (protocol 2.5)."""
    seen = tracked.observation
    return (ReadTail(seen),) if seen is not None and seen.pod else ()


def _leave(tracked: Tracked) -> tuple[Tracked, tuple[Action, ...]]:
    """Let the object go: at once if it never ran or was stopped, else by its own time to live."""
    ending = tracked.ending
    if ending is None:
        return tracked, ()
    is_useless = not ending.has_run or ending.state is JobState.STOPPED
    tracked = replace(tracked, ending=replace(ending, is_leaving=True))
    return tracked, (Delete(),) if is_useless else (Release(),)


def on_reported(tracked: Tracked, _event: Reported, _now: float, _limits: Limits) -> Result:
    """W&B took the failure: let the object go."""
    if tracked.ending is None or tracked.ending.is_leaving:
        return tracked, ()
    if tracked.record.step in {Step.CLAIMED, Step.ACKED}:
        return tracked, (DeleteRecord(),)
    return _leave(tracked)


def on_unreported(tracked: Tracked, _event: Unreported, _now: float, _limits: Limits) -> Result:
    """W&B is away: how it ended goes into the record, once, so that a restart tells the same."""
    ending, record = tracked.ending, tracked.record
    if ending is None or ending.is_leaving or ending.is_final or record.outcome is not None:
        return tracked, ()
    if record.step not in {Step.CREATED, Step.REQUEUEING}:
        return tracked, ()  # nothing was made: it is refused again
    outcome = Outcome(ending.state, ending.diagnosis, ending.has_run, messages.last_lines(ending.tail))
    return replace(tracked, record=replace(record, outcome=outcome)), (UpdateRecord(),)


def resume(tracked: Tracked, outcome: Outcome) -> Result:
    """What an earlier process saw, and could not tell, is told now."""
    return _ask(tracked, Ending(outcome.state, outcome.diagnosis, outcome.has_run, outcome.tail))


def on_released(tracked: Tracked, event: Released, _now: float, _limits: Limits) -> Result:
    """The object is gone or will be: nothing is left but the record.

    Of a stopped workload's object, too, whose end is still to be judged: then the record stays.
    """
    warnings = (Warn(event.trouble, Stage.KUBERNETES),) if event.trouble else ()
    is_done = tracked.ending is not None and tracked.ending.is_leaving
    return tracked, (*warnings, DeleteRecord()) if is_done else warnings
