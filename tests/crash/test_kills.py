"""Kill -9 at every named step, before and after it is performed, under every kind of fault; then count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.counting import kill_and_count
from tests.crash.plan import make_rounds, sample_rounds, split_rounds
from tests.support.kills import open_arena

pytestmark = [pytest.mark.crash, pytest.mark.timeout(2400)]

TIMES = int(os.environ.get("LAUNCH_AGENT_CRASH_TIMES", "4"))
SEED = int(os.environ.get("LAUNCH_AGENT_CRASH_SEED", "1"))
PORTIONS = split_rounds(make_rounds(TIMES), 32)


@pytest.mark.parametrize("number", range(len(PORTIONS)))
def test_nothing_is_lost_and_nothing_is_done_twice(number: int, tmp_path: Path) -> None:
    with open_arena(tmp_path) as arena:
        kill_and_count(arena, f"kills, portion {number + 1}", PORTIONS[number])


def test_a_sample_of_the_kills(tmp_path: Path) -> None:
    with open_arena(tmp_path) as arena:
        kill_and_count(arena, f"sample, seed {SEED}", sample_rounds(18, SEED))
