"""Rounds of kills in an arena, and the count after them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.crash.plan import Round
from tests.crash.results import Result, write_result
from tests.support.kills import Arena


def perform(arena: Arena, one: Round) -> bool:
    """One round; whether the agent came to the step and was killed there."""
    own, other = one.scripts
    arena.script(one.step.peer, own, other)
    arena.push(*one.items)
    return bool(arena.kill_at(one.hold, one.step.peer, is_late=one.is_late, timeout=45))


def kill_and_count(arena: Arena, title: str, rounds: Sequence[Round]) -> None:
    """Perform all rounds; fails the test unless each kill came to pass and nothing is lost or there twice."""
    missed = [one for one in rounds if not perform(arena, one)]
    # Under faults an agent may be kept from a step for long; then it is killed there without them.
    again = [replace(one, fault="none") for one in missed]
    never = [one.name for one in again if not perform(arena, one)]
    verdict = arena.judge()
    write_result(Result.of(title, arena.kills, verdict, never))
    assert verdict.is_clean, str(verdict)
    assert arena.player.seen_twice == []
    assert never == []
