"""The report: order, columns, counts, exit codes, colour, and never a secret."""

from __future__ import annotations

import json
from itertools import combinations

import pytest

from launch_agent.checks.report import (
    EXIT_CODES,
    Area,
    Check,
    Status,
    find_exit_code,
    write_json,
    write_text,
)

CHECKS = [
    Check("jobs in team-a", Area.PERMISSIONS, Status.FAIL, "the account may not create.", "Add it."),
    Check("c.yaml", Area.CONFIGURATION, Status.OK, "queues gpu"),
    Check("API key", Area.WANDB, Status.WARN, "is\nold"),
    Check("a name that is longer than any column should be wide", Area.WANDB, Status.SKIP, "why"),
]


def test_lines_stand_in_the_order_of_the_areas_and_in_columns() -> None:
    assert write_text(CHECKS, has_colour=False) == (
        "configuration\n"
        "  ok    c.yaml          queues gpu\n"
        "W&B\n"
        "  warn  API key         is old\n"
        "  skip  a name that is longer than any column should be wide  why\n"
        "permissions\n"
        "  fail  jobs in team-a  the account may not create  → Add it\n"
        "1 ok, 1 warn, 1 fail, 1 skip\n"
    )


def test_colour_is_around_the_word_only() -> None:
    text = write_text(CHECKS, has_colour=True)
    assert "\033[31mfail\033[0m  jobs in team-a" in text
    assert "\033[32mok  \033[0m  c.yaml" in text


def test_json_says_the_same() -> None:
    found = json.loads(write_json(CHECKS))
    assert found["ok"] is False
    assert [(one["class"], one["status"]) for one in found["checks"]] == [
        ("configuration", "ok"),
        ("wandb", "warn"),
        ("wandb", "skip"),
        ("permissions", "fail"),
    ]
    assert found["checks"][3]["resolution"] == "Add it"


@pytest.mark.parametrize("status", [Status.OK, Status.WARN, Status.SKIP])
def test_nothing_but_a_failure_is_an_error(status: Status) -> None:
    assert find_exit_code([Check("a", Area.JOBS, status)]) == 0


def test_each_area_has_an_exit_code_of_its_own_and_the_first_that_failed_counts() -> None:
    assert len(set(EXIT_CODES.values())) == len(Area)
    assert not {0, 1, 5} & set(EXIT_CODES.values())
    for first, second in combinations(Area, 2):
        checks = [Check("x", area, Status.FAIL) for area in (second, first)]
        assert find_exit_code(checks) == EXIT_CODES[first]


def test_a_secret_is_masked_wherever_it_stands() -> None:
    checks = [Check("hunter2", Area.WANDB, Status.FAIL, "no hunter2", "not hunter2")]
    assert "hunter2" not in write_text(checks, has_colour=False, secrets=("hunter2",))
    assert "hunter2" not in write_json(checks, secrets=("hunter2",))
