"""Kill -9 at every named step, before and after it is performed, under every kind of fault; then count."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash.plan import Round, make_rounds, sample_rounds, split_rounds
from tests.crash.results import Result, write_result
from tests.support.kills import Arena, open_arena

pytestmark = [pytest.mark.crash, pytest.mark.timeout(2400)]

TIMES = int(os.environ.get("LAUNCH_AGENT_CRASH_TIMES", "4"))
SEED = int(os.environ.get("LAUNCH_AGENT_CRASH_SEED", "1"))
PORTIONS = split_rounds(make_rounds(TIMES), 32)


def perform(arena: Arena, one: Round) -> bool:
    """One round; whether the agent came to the step and was killed there."""
    own, other = one.scripts
    arena.script(one.step.peer, own, other)
    arena.push(*one.items)
    return bool(arena.kill_at(one.hold, one.step.peer, is_late=one.is_late, timeout=45))


def kill_and_count(title: str, rounds: Sequence[Round], folder: Path) -> None:
    with open_arena(folder) as arena:
        missed = [one for one in rounds if not perform(arena, one)]
        # Under faults an agent may be kept from a step for long; then it is killed there without them.
        again = [replace(one, fault="none") for one in missed]
        never = [one.name for one in again if not perform(arena, one)]
        verdict = arena.judge()
        write_result(Result.of(title, arena.kills, verdict, never))
        assert verdict.is_clean, str(verdict)
        assert arena.player.seen_twice == []
        assert never == []


@pytest.mark.parametrize("number", range(len(PORTIONS)))
def test_nothing_is_lost_and_nothing_is_done_twice(number: int, tmp_path: Path) -> None:
    kill_and_count(f"kills, portion {number + 1}", PORTIONS[number], tmp_path)


def test_a_sample_of_the_kills(tmp_path: Path) -> None:
    kill_and_count(f"sample, seed {SEED}", sample_rounds(18, SEED), tmp_path)
