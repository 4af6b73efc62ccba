"""Which kills there are: each named step, before and after it is performed, under each kind of fault in turn. Pure."""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.crash.steps import STEPS, Step
from tests.support.faults import At, hold_at
from tests.support.kill_items import FLAVOURS

Rule = Mapping[str, Any]

MUTATIONS = ["popFromRunQueue", "ackRunQueueItem", "failRunQueueItem", "updateRunQueueItemWarning", "createLaunchAgent"]
WRITES = {"verb": ["create", "update", "patch", "delete"], "dry_run": False}
ANY_WANDB, ANY_KUBE = {"path": "/graphql"}, {"watch": False}


def _rule(name: str, match: Rule, fault: Any, **when: Any) -> Rule:
    return {"name": name, "match": match, "fault": fault, **when}


def _storm(code: int, **options: Any) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
    fault = {"status": {"code": code, **options}}
    return (
        (_rule("storm", ANY_WANDB, fault, probability=0.2),),
        (_rule("storm", ANY_KUBE, fault, probability=0.2),),
    )


FAULTS: Mapping[str, tuple[Sequence[Rule], Sequence[Rule]]] = {
    "none": ((), ()),
    "latency": (
        (_rule("slow", ANY_WANDB, {"latency": {"seconds": 0.05, "jitter": 0.3}}),),
        (_rule("slow", ANY_KUBE, {"latency": {"seconds": 0.02, "jitter": 0.2}}),),
    ),
    "lost replies": (
        (_rule("lost", ANY_WANDB, "lose-reply", probability=0.15),),
        (_rule("lost", WRITES, "lose-reply", probability=0.15),),
    ),
    "duplicates": (
        (
            _rule("twice", {"operation": MUTATIONS}, {"duplicate": {"of": "request"}}, probability=0.3),
            _rule("delivered twice", {"operation": "popFromRunQueue"}, {"duplicate": {"of": "delivery"}}, every=3),
        ),
        (
            _rule("twice", WRITES, {"duplicate": {"of": "request"}}, probability=0.3),
            _rule("delivered twice", {"watch": True}, {"duplicate": {"of": "delivery"}}),
        ),
    ),
    "409": ((), (_rule("storm", WRITES, {"status": {"code": 409}}, probability=0.2),)),
    "410": (
        (),
        (
            _rule("stale", {"watch": True}, {"stale": {"as": "gone"}}, every=2),
            _rule("late", {"watch": True}, {"stale": {"as": "event", "events": 2}}),
        ),
    ),
    "429": _storm(429, retry_after=1),
    "500": _storm(500),
    "503": _storm(503),
    "cuts": ((), (_rule("cut", {"watch": True}, {"cut": {"events": 2}}),)),
    "W&B away": ((_rule("away", ANY_WANDB, "refuse", **{"after": "2s", "for": "3s", "repeat": "8s"}),), ()),
    "API server away": ((), (_rule("away", ANY_KUBE, "refuse", **{"after": "2s", "for": "3s", "repeat": "8s"}),)),
}
"""By name: rules before W&B, rules before the API server."""

AT: tuple[At, At] = ("before", "after")
PER_ROUND = 3


@dataclass(frozen=True, slots=True)
class Round:
    """One kill: the agent dies while this step's request is held, under these faults."""

    number: int
    step: Step
    at: At
    fault: str
    is_late: bool
    items: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people."""
        then = ", arrives late" if self.is_late else ""
        return f"{self.number}: {self.step.name}, {self.at}{then}, {self.fault}"

    @property
    def hold(self) -> dict[str, Any]:
        """The rule that stops the step's first request."""
        return hold_at(self.step.match, at=self.at, timeout=120, name=self.name)

    @property
    def scripts(self) -> tuple[list[Rule], list[Rule]]:
        """The rules before the step's own peer, and those before the other one."""
        wandb, kube = FAULTS[self.fault]
        own, other = (wandb, kube) if self.step.peer == "wandb" else (kube, wandb)
        return [self.hold, *own], list(other)


def make_rounds(times: int, seed: int = 1) -> list[Round]:
    """Each step before and after, so often; the first time without faults, then with one kind after the other."""
    draw = random.Random(seed)
    kinds = itertools.cycle([name for name in FAULTS if name != "none"])
    flavours = itertools.cycle(sorted(FLAVOURS))
    rounds: list[Round] = []
    for turn in range(times):
        steps = [(step, at) for step in STEPS if not step.is_rare for at in AT]
        draw.shuffle(steps)
        for step, at in steps:
            items = tuple(itertools.islice(itertools.chain(step.items, flavours), PER_ROUND))
            is_late = at == "before" and turn % 2 == 1
            fault = next(kinds) if turn else "none"
            rounds.append(Round(len(rounds) + 1, step, at, fault, is_late, items))
    return rounds


def split_rounds(rounds: Sequence[Round], size: int) -> list[Sequence[Round]]:
    """In portions, each for an arena of its own."""
    return [rounds[start : start + size] for start in range(0, len(rounds), size)]


def sample_rounds(count: int, seed: int) -> list[Round]:
    """So many different steps, each under a kind of fault that the seed draws. The same seed, the same rounds."""
    draw = random.Random(seed)
    drawn: dict[str, Round] = {}
    for one in draw.sample(rounds := make_rounds(4, seed), len(rounds)):
        drawn.setdefault(one.step.name, one)
    return list(drawn.values())[:count]
