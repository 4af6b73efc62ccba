"""A kill at each named step while a kubelet runs real pods; counted by the same auditor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.counting import kill_and_count
from tests.crash.plan import sample_rounds
from tests.crash.steps import STEPS
from tests.support.kills import open_arena
from tests.support.real_pods import IMAGE, RealPods

pytestmark = [pytest.mark.crash_pods, pytest.mark.timeout(2400)]

SEED = int(os.environ.get("LAUNCH_AGENT_CRASH_SEED", "1"))
SLOTS = 8
"""As many real pods at once."""


def test_nothing_is_lost_and_nothing_is_done_twice_with_real_pods(tmp_path: Path) -> None:
    with open_arena(tmp_path, connect=RealPods) as arena:
        arena.image, arena.slots = IMAGE, SLOTS
        kill_and_count(arena, f"real pods, seed {SEED}", sample_rounds(len(STEPS), SEED))
