"""A trial: something to ask, what it is called, and what its failure means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from launch_agent.checks.effort import ask
from launch_agent.checks.report import Area, Check, Status
from launch_agent.errors import LaunchAgentError


@dataclass(frozen=True, slots=True)
class Trial:
    """``call`` gives the check, or raises what becomes a failed one of this name and area."""

    name: str
    area: Area
    call: Callable[[], Check]


def perform(trials: Sequence[Trial]) -> list[Check]:
    """One check for each trial, in order."""
    answers = ask([one.call for one in trials])
    return [
        answer if isinstance(answer, Check) else fail(one.name, one.area, answer)
        for one, answer in zip(trials, answers, strict=True)
    ]


def fail(name: str, area: Area, error: LaunchAgentError, *, resolution: str = "") -> Check:
    """A failed check with the error's own words; ``resolution`` stands where the error has none."""
    detail = " ".join(part for part in (error.summary, error.detail) if part)
    return Check(name, area, Status.FAIL, detail, error.resolution or resolution)
