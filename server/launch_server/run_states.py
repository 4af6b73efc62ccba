"""The states of a run and how a run comes to them. Pure."""

from enum import StrEnum


class RunState(StrEnum):
    """State of a run; the names are W&B's."""

    PENDING = "pending"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CRASHED = "crashed"
    KILLED = "killed"
    PREEMPTING = "preempting"
    PREEMPTED = "preempted"


LIVE = frozenset({RunState.PENDING, RunState.RUNNING, RunState.PREEMPTING})


def parse_state(text: str | None) -> RunState | None:
    """The state that a client names; None when it names none or one that is not a run's."""
    try:
        return RunState(text) if text else None
    except ValueError:
        return None


def end_state(exit_code: int, *, stop_requested: bool, preempting: bool) -> RunState:
    """The state of a run whose process ended."""
    if exit_code == 0:
        return RunState.FINISHED
    if preempting:
        return RunState.PREEMPTED
    return RunState.KILLED if stop_requested else RunState.FAILED


def describe_end(state: RunState, exit_code: int | None) -> str:
    """Why an item failed whose run came to this state, for people; empty for states that are no failure."""
    code = "" if exit_code is None else f": exit code {exit_code}"
    match state:
        case RunState.FAILED:
            return f"the run failed{code}"
        case RunState.KILLED:
            return f"the run was stopped on request{code}"
        case RunState.PREEMPTED:
            return f"the run was preempted{code}"
        case RunState.CRASHED:
            return "the run crashed: its process stopped sending heartbeats"
        case _:
            return ""
