"""Outages, storms and cut watches while items run, with kills in between; then count.

The short forms take a minute or two each; the outages of ten minutes have a mark of their own (`make crash`).
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from operator import le
from pathlib import Path
from typing import Any

import pytest

from tests.crash.plan import FAULTS
from tests.crash.results import Result, write_result
from tests.support.kill_items import FLAVOURS
from tests.support.kills import Arena, open_arena
from tests.support.place import RELEASE
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.crash, pytest.mark.timeout(2400)]

CUTS = int(os.environ.get("LAUNCH_AGENT_CRASH_CUTS", "1000"))
CUTS_A_LIFE = 50
FIELDS = 7
HOUR, SPEED = 3600.0, 12
AWAY: dict[str, dict[str, Any]] = {
    "W&B": {"wandb": {"match": {"path": "/graphql"}, "fault": "refuse"}},
    "the API server": {"kube": {"match": {"path": "*"}, "fault": "refuse"}},
}


def pass_time(seconds: float) -> None:
    """What a test of an outage has to wait for is time itself."""
    threading.Event().wait(seconds)


def finish(arena: Arena, title: str) -> None:
    verdict = arena.judge()
    write_result(Result.of(title, arena.kills, verdict))
    assert verdict.is_clean, str(verdict)
    assert arena.player.seen_twice == []


def begin(arena: Arena) -> None:
    arena.push(*FLAVOURS, *["finish"] * 5)
    arena.launch()
    arena.agent.wait_until_ready(120)


def shut(arena: Arena, who: str) -> None:
    for peer, rule in AWAY[who].items():
        # A window without an end: what is open is cut as it opens.
        rules = [{"name": f"{who} is away", "for": "1h", **rule}]
        arena.side(peer).replace({"rules": rules})


def kill_and_restart(arena: Arena) -> None:
    arena.kill()
    arena.launch()


@pytest.mark.parametrize("who", list(AWAY))
def test_an_outage_with_a_kill_in_it_loses_nothing(who: str, tmp_path: Path) -> None:
    with open_arena(tmp_path) as arena:
        begin(arena)
        shut(arena, who)
        arena.push(*FLAVOURS)
        pass_time(20)
        kill_and_restart(arena)
        pass_time(15)
        finish(arena, f"{who} away for 35 s, a kill in between")


@pytest.mark.parametrize("kind", [kind for kind in FAULTS if kind != "none"])
def test_a_fault_that_goes_on_with_kills_at_random_moments_loses_nothing(kind: str, tmp_path: Path) -> None:
    wandb, kube = FAULTS[kind]
    with open_arena(tmp_path) as arena:
        arena.script("wandb", wandb, kube)
        arena.push(*FLAVOURS)
        arena.launch()
        for turn in range(4):
            pass_time(2.0 + 0.7 * turn)
            arena.push("finish", "preempt", "fail")
            kill_and_restart(arena)
        finish(arena, f"{kind}, 4 kills at random moments")


def test_watches_cut_a_thousand_times_lose_nothing(tmp_path: Path) -> None:
    """Each after one event or half a second.

    What is cut again and again is opened ever more slowly. So there are many namespaces, of two watches each, and the
    agent starts anew when they have become slow.
    """
    cuts = [
        {"name": "after an event", "match": {"watch": True, "resource": "pods"}, "fault": {"cut": {"events": 1}}},
        {"name": "after a while", "match": {"watch": True}, "fault": {"cut": {"seconds": 0.5}}},
    ]
    with open_arena(tmp_path) as arena, fields(arena, FIELDS):
        arena.script("kube", cuts)
        arena.launch()
        flavours, done = itertools.cycle(FLAVOURS), 0
        while done < CUTS:
            arena.push(*itertools.islice(flavours, 2))
            arena.push_afield()
            goal = done + CUTS_A_LIFE
            done = wait_until(partial(bitten, arena), 240, f"{goal} cuts", until=partial(le, goal))
            kill_and_restart(arena)
        finish(arena, f"watches cut {done} times")


@contextmanager
def fields(arena: Arena, count: int) -> Iterator[None]:
    """Further namespaces for items, with the Secret that the chart would make there."""
    names = [f"{arena.place.name}-{number}" for number in range(count)]
    try:
        for name in names:
            arena.cluster.create_namespace(name)
            arena.fields.append(name)
            arena.cluster.create("Secret", name, {
                "metadata": {"name": f"wandb-api-key-{RELEASE}", "labels": {"wandb.ai/created-by": "helm-chart"}},
                "type": "kubernetes.io/basic-auth",
                "stringData": {"password": arena.server.key},
            })  # fmt: skip
        yield
    finally:
        for name in names:
            arena.cluster.delete_namespace(name)


def bitten(arena: Arena) -> int:
    return sum(one["bitten"] for one in arena.kube.faults.rules().values())


@pytest.mark.parametrize("who", list(AWAY))
def test_ten_minutes_of_outage_lose_nothing(who: str, tmp_path: Path) -> None:
    with open_arena(tmp_path) as arena:
        begin(arena)
        shut(arena, who)
        arena.push(*FLAVOURS)
        pass_time(300)
        kill_and_restart(arena)
        pass_time(300)
        finish(arena, f"{who} away for 10 min, a kill in the middle")


@pytest.mark.parametrize("who", list(AWAY))
def test_an_hour_of_outage_loses_nothing_by_a_clock_that_runs_twelve_times_as_fast(who: str, tmp_path: Path) -> None:
    with open_arena(tmp_path) as arena:
        arena.speed = SPEED
        begin(arena)
        shut(arena, who)
        arena.push(*FLAVOURS)
        pass_time(HOUR / SPEED / 2)
        kill_and_restart(arena)
        pass_time(HOUR / SPEED / 2)
        finish(arena, f"{who} away for 1 h of the agent's clock (12 times as fast), a kill in the middle")
