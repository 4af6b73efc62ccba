"""One step, one kill, the audit: the suite at its smallest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.faults import hold_at
from tests.support.kills import open_arena

pytestmark = [pytest.mark.crash, pytest.mark.sim]

SLOTS = 10


def test_an_agent_killed_after_a_job_was_created_loses_nothing(tmp_path: Path) -> None:
    with open_arena(tmp_path) as arena:
        arena.slots = SLOTS
        arena.push("finish", "key", "fail", "early", "stop", "preempt", "removed", "overrun", "refused")
        arena.script("kube", [hold_at({"verb": "create", "resource": "jobs"}, at="after")])
        arena.launch()
        hold = arena.kube.faults.wait_for_hold()
        arena.kill()
        arena.kube.faults.release(hold, "drop")
        verdict = arena.judge()
        assert arena.player.seen_twice == []
        assert verdict.is_clean, verdict
        assert verdict.items == 9 + SLOTS
