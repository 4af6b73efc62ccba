"""The scenarios of the comparison: the same items, faults, kills and judge for either agent."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from operator import eq
from pathlib import Path
from typing import Any

import pytest

from tests.crash.contestants import Contestant, make_contestant
from tests.crash.plan import FAULTS, Rule
from tests.support.audit_log import JobEvent
from tests.support.auditor import Item, Verdict, audit, find_open
from tests.support.cluster import is_over
from tests.support.faults import hold_at
from tests.support.kill_items import flavour_of
from tests.support.kills import SLOT_PATIENCE, Arena, open_arena
from tests.support.waiting import wait_until

ITEMS = ("finish", "fail", "early", "stop", "preempt", "removed", "vanished", "refused")
"""What both agents can launch: a key for each item and ``max_runtime`` are launch-agent's alone."""

MORE = ("finish", "stop", "early")
SLOTS = 10
SETTINGS: Mapping[str, Any] = {"max_jobs": SLOTS, "stopped_run_timeout": 0}
LEASE_SECONDS, RUN_TIMEOUT = 15, 60
STILL = 100.0
"""Seconds without any change after which nothing more is waited for: W&B's agent needs 63 s for a run that never
began (protocol 2.5) and looks every 10 s."""

LONGEST = 300.0
GOING_ON = 15.0
"""Seconds that the faults go on after the last kill."""


AT_STEPS: tuple[tuple[str, str, Any], ...] = (
    ("pop", "wandb", "popFromRunQueue"),
    ("ack", "wandb", "ackRunQueueItem"),
    ("create a Job", "kube", {"verb": "create", "resource": "jobs"}),
)


@dataclass(frozen=True, slots=True)
class Scenario:
    """``kills``: (step, before or after); ``away``: who answers by ``fault`` alone for some time while items run."""

    name: str
    wandb: Sequence[Rule] = ()
    kube: Sequence[Rule] = ()
    kills: tuple[tuple[int, Any], ...] = ()
    away: str = ""
    seconds: float = 30.0
    fault: Any = "refuse"


def make_scenarios(seed: int, kills: int = 3) -> list[Scenario]:
    """No fault at all, each side away for 30 s, and kills under each kind of fault; the same seed, the same kills."""
    draw = random.Random(seed)
    steps: list[tuple[int, Any]] = [(number, at) for number in range(len(AT_STEPS)) for at in ("before", "after")]
    quiet = [
        Scenario("no fault, no kill"),
        Scenario("W&B away for 30 s, no kill", away="wandb"),
        Scenario("API server away for 30 s, no kill", away="kube"),
        Scenario("W&B away for 90 s, no kill", away="wandb", seconds=90),
        Scenario("W&B answers 500 for 60 s, no kill", away="wandb", seconds=60, fault={"status": {"code": 500}}),
    ]
    names = {"none": "kills, no fault"}
    return quiet + [
        Scenario(names.get(name, f"kills, {name}"), wandb, kube, tuple(draw.sample(steps, kills)))
        for name, (wandb, kube) in FAULTS.items()
    ]


@dataclass(frozen=True, slots=True)
class Score:
    """What became of one scenario under one agent."""

    agent: str
    scenario: str
    seed: int
    kills: int
    exits: list[int]
    seconds: float
    items: int
    creations: int
    evidence: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Match:
    """One agent in one arena."""

    arena: Arena
    agent: Contestant

    def play(self, scenario: Scenario) -> int:
        """The scenario up to the end of its faults; how many kills there were."""
        if scenario.kills:
            kills = sum(self._kill(scenario, number, kill) for number, kill in enumerate(scenario.kills))
            threading.Event().wait(GOING_ON)
            return kills
        self.arena.push(*ITEMS)
        self.agent.launch()
        if scenario.away:
            wait_until(lambda: self.arena.cluster.jobs(self.arena.place.name), 60, "the first Job")
            match = {"path": "/graphql"} if scenario.away == "wandb" else {"path": "*"}
            rule = {"name": "away", "for": "1h", "match": match, "fault": scenario.fault}
            self.arena.side(scenario.away).replace({"rules": [rule]})
            self.arena.push(*MORE)
            threading.Event().wait(scenario.seconds)
        else:
            self.arena.push(*MORE)
        return 0

    def _kill(self, scenario: Scenario, number: int, kill: tuple[int, Any]) -> int:
        """One kill at a step; where the agent does not come to it in time, it is killed where it is."""
        (name, peer, what), at = AT_STEPS[kill[0]], kill[1]
        hold = hold_at(what, at=at, timeout=120, name=f"{number}: {name}")
        wandb, kube = list(scenario.wandb), list(scenario.kube)
        (wandb if peer == "wandb" else kube).insert(0, hold)
        self.arena.script("wandb", wandb, kube)
        self.arena.push(*(MORE if number else ITEMS))
        self.agent.launch()
        faults = self.arena.side(peer)
        try:
            held = faults.wait_for_hold(60, rule=hold["name"])
        except pytest.fail.Exception:
            held = None
        was_alive = self.agent.kill()
        if held is not None:
            faults.release(held, "drop")
        self.agent.launch()
        return int(was_alive)

    # ── the end ──

    def settle(self) -> None:
        """No faults any more; wait until all is over, or nothing has changed for long although the agent runs."""
        self.arena.calm()
        self.agent.launch()
        end, seen, since = time.monotonic() + LONGEST, None, time.monotonic()

        def is_quiet() -> bool:
            nonlocal seen, since
            items, now = self.arena.items(), time.monotonic()
            found = self.arena.cluster.find("Job", self.arena.place.name)
            jobs = sorted((job["metadata"]["uid"], is_over(job)) for job in found)
            if (items, jobs) != seen:
                seen, since = (items, jobs), now
            still = now - max(since, self.agent.began) if self.agent.is_alive else 0.0
            return not find_open(items) or still > STILL or now > end

        wait_until(is_quiet, LONGEST + 10, "quiet", interval=1.0)

    def try_slots(self) -> list[str]:
        """As many items as there are slots: all have to run at once, within 90 s."""
        arena = self.arena
        arena.player.is_held.set()
        before = {job["metadata"]["uid"] for job in arena.cluster.jobs(arena.place.name)}
        arena.push(*["finish"] * SLOTS)

        def count() -> int:
            jobs = arena.cluster.jobs(arena.place.name)
            return sum(1 for job in jobs if job["metadata"]["uid"] not in before and not is_over(job))

        try:
            wait_until(count, SLOT_PATIENCE, "all slots to be used", until=partial(eq, SLOTS), interval=0.5)
        except pytest.fail.Exception:
            return [f"{SLOTS - count()} of {SLOTS} slots take no item"]
        finally:
            arena.player.is_held.clear()
        return []

    def judge(self) -> Verdict:
        """What the auditor counts; one line for each slot that takes no item."""
        arena = self.arena
        self.settle()
        stuck = self.try_slots()
        self.settle()
        remains = arena.remains()
        return audit(arena.pushed, arena.items(), arena.events(), stuck=stuck, leftovers=remains)


def find_unlaunched(items: Sequence[Item], events: Sequence[JobEvent]) -> tuple[str, ...]:
    """Items for which no Job was ever created, those that the API server refuses left out."""
    made = {event.token for event in events if event.verb == "create"}
    told = {item.token: f"{item.token}: no Job; {item.state} ({item.error[:120]})" for item in items}
    return tuple(text for token, text in told.items() if token not in made and flavour_of(token) != "refused")


def run_scenario(who: str, scenario: Scenario, seed: int, folder: Path) -> Score:
    """One agent through one scenario."""
    began = time.monotonic()
    with open_arena(folder, "--run-timeout", str(RUN_TIMEOUT), lease=LEASE_SECONDS) as arena:
        with closing(make_contestant(who, arena, SETTINGS)) as agent:
            match = Match(arena, agent)
            kills = match.play(scenario)
            verdict = match.judge()
        names = ("lost", "twice", "contradicted", "stuck", "leftovers", "unresumed", "repeated")
        evidence = {name: getattr(verdict, name) for name in names}
        evidence["unlaunched"] = find_unlaunched(arena.items(), arena.events())
        seconds = round(time.monotonic() - began, 1)
        return Score(who, scenario.name, seed, kills, agent.exits, seconds, verdict.items, verdict.creations, evidence)
