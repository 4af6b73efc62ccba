"""The comparison's table says what was counted; both agents meet the same kills."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.crash.contestants import OURS, THEIRS
from tests.crash.match import find_unlaunched, make_scenarios
from tests.crash.plan import FAULTS
from tests.crash.tables import COUNTED, Row, put_between, write_full, write_short
from tests.support.audit_log import JobEvent
from tests.support.auditor import FAILED, Item

pytestmark = [pytest.mark.crash, pytest.mark.sim]


def make_row(agent: str, scenario: str = "kills, no fault", **changes: Any) -> Row:
    evidence = {name: changes.pop(name, []) for name in COUNTED}
    made = {"agent": agent, "scenario": scenario, "seed": 1, "kills": 3, "exits": [], "items": 24, "creations": 20}
    return {**made, **changes, "evidence": evidence}


ROWS = [
    make_row(OURS),
    make_row(THEIRS, lost=["early-3: item 3 is CLAIMED"], stuck=["5 of 10 slots take no item"], exits=[1, 1]),
    make_row(OURS, "only ours"),
]


def test_the_table_counts_slots_and_leaves_out_what_only_one_agent_met() -> None:
    table = write_full(ROWS)
    assert "| kills, no fault | 24 / 24 | 3 / 3 | 20 / 20 | 0 / 1 | 0 / 0 | 0 / 0 | 0 / 0 | 0 / 5 | 0 / 0 |" in table
    assert "only ours" not in table
    assert "* W&B's agent, lost: early 1." in table


def test_the_sums_are_those_of_the_table() -> None:
    lines = write_short(ROWS).splitlines()
    assert "| items | 24 | 24 |" in lines
    assert "| ends of the agent by itself | 2 | 0 |" in lines


def test_a_table_goes_between_its_markers_and_nowhere_else(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- compared: begin -->\nold\n<!-- compared: end -->\nafter\n")
    put_between(page, "compared", "new")
    assert page.read_text() == "before\n<!-- compared: begin -->\nnew\n<!-- compared: end -->\nafter\n"
    with pytest.raises(ValueError, match="has no lines"):
        put_between(page, "other", "new")


def test_items_that_never_became_a_job_are_told_but_for_those_that_are_refused() -> None:
    items = [Item(1, "finish-1", "FINISHED"), Item(2, "early-2", FAILED, error="no key"), Item(3, "refused-3", FAILED)]
    made = JobEvent("create", "2026-01-01T00:00:01.000000Z", "job-1", "agent", "finish-1")
    assert find_unlaunched(items, [made]) == ("early-2: no Job; FAILED (no key)",)


def test_a_seed_draws_the_same_kills_under_every_kind_of_fault() -> None:
    first, second, other = make_scenarios(1), make_scenarios(1), make_scenarios(2)
    assert first == second
    assert first != other
    assert [len(one.kills) for one in first if one.kills] == [3] * len(FAULTS)
