"""What is said on an item when its workload is over: what happened, the facts, the cure, the last lines."""

from __future__ import annotations

from launch_agent.core import messages
from launch_agent.core.models import Diagnosis, JobState

INIT_HINT = (
    "Call wandb.init() in the script, and leave WANDB_API_KEY, WANDB_BASE_URL, WANDB_ENTITY, WANDB_PROJECT and "
    "WANDB_RUN_ID as the agent sets them."
)


def start_timeout(limit: float, diagnosis: Diagnosis | None) -> Diagnosis:
    """The workload was starting for longer than the start timeout (WANDB_LAUNCH_START_TIMEOUT)."""
    return Diagnosis(
        category="StartTimeout",
        summary=f"The workload did not start within {limit:g} s.",
        detail=diagnosis.text if diagnosis else "",
        resolution="Cure the cause, or raise the start timeout (agent.startTimeout, WANDB_LAUNCH_START_TIMEOUT).",
    )


def overrun(limit: float) -> Diagnosis:
    """The workload ran for longer than its ``max_runtime``, and was deleted."""
    return Diagnosis(
        category="DeadlineExceeded",
        summary=f"The workload ran for longer than its max_runtime of {limit:g} s and was deleted.",
        resolution="Raise max_runtime in the queue's config, or make the job shorter.",
    )


def endless_over(limit: float) -> Diagnosis:
    """A workload that never ends by itself has had its time."""
    return Diagnosis(
        category="DeadlineExceeded",
        summary=f"The workload's max_runtime of {limit:g} s is over: it was deleted, as it never ends by itself.",
    )


STOPPED = Diagnosis(category="Stopped", summary="The run was stopped before it began.")
"""Somebody stopped a run whose script had not come to wandb.init()."""


def failed(diagnosis: Diagnosis | None, tail: str) -> str:
    """The workload failed: why, and its last lines."""
    text = diagnosis.text if diagnosis else "The workload failed."
    return text + _last_lines(tail)


def requeued(diagnosis: Diagnosis | None, item_id: str, count: int, limit: int) -> str:
    """The workload was preempted, and its item is in the queue again."""
    what = diagnosis.summary if diagnosis else "The workload was preempted."
    return f"{what} Its run goes on with item {item_id}, which was put into the queue ({count} of {limit} times)."


def unfinished(state: JobState, diagnosis: Diagnosis | None, tail: str, is_begun: bool) -> str:
    """The workload is over, and the run was never begun, or begun and never finished (protocol 2.5)."""
    if state is JobState.FINISHED:
        what = "The workload ended well (exit code 0), but it never started its run: wandb.init() was not called."
        return f"{what} {INIT_HINT}{_last_lines(tail)}"
    if state is JobState.MISSING:
        what = "The workload's object was deleted by somebody else while it was in use"
        return (
            f"{what}; {'its run did not finish' if is_begun else 'its run never started'}. Launch it again if needed."
        )
    text = diagnosis.text if diagnosis else "The workload failed."
    if not is_begun:
        text = f"{text} It failed before its run started (before wandb.init())."
    return text + _last_lines(tail)


def _last_lines(tail: str) -> str:
    """The end of a log as a part of a message; nothing where there is none."""
    lines = messages.last_lines(tail)
    return f"\nLast lines:\n{lines}" if lines else ""
