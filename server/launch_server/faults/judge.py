"""Which rules bite a request: counts and windows in, decisions out. No clock and no randomness of its own."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import blake2b
from math import inf

from launch_server.faults.operations import Asked, Operation
from launch_server.faults.script import Match, Refuse, Rule, Script, When


@dataclass(frozen=True, slots=True)
class Verdict:
    """A rule whose `match` fits an operation, the how manieth that is, and whether it bites. `chance`: 0 to 1."""

    rule: Rule
    operation: Operation
    count: int
    bites: bool
    chance: float


@dataclass(slots=True)
class Tally:
    """How often a rule matched while its window was open, and bit."""

    matched: int = 0
    bitten: int = 0


class Judge:
    """One script and its counts. `elapsed` is seconds since the script came into force."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.tallies = {rule.name: Tally() for rule in script.rules}

    def judge(self, asked: Asked, elapsed: float) -> tuple[Verdict, ...]:
        """All rules that match, in the script's order."""
        found: list[Verdict] = []
        for rule in self.script.rules:
            if not is_open(rule.when, elapsed) or not _fits_request(rule.match, asked):
                continue
            found.extend(self._count(rule, operation) for operation in _targets(rule.match, asked))
        return tuple(found)

    def seconds_to_outage(self, asked: Asked, elapsed: float) -> float:
        """When the next outage by schedule begins that befalls this request, and so a reply of it that goes on."""
        return min(
            (
                seconds_to_opening(rule.when, elapsed)
                for rule in self.script.rules
                if isinstance(rule.fault, Refuse) and _is_outage(rule) and _fits_request(rule.match, asked)
            ),
            default=inf,
        )

    def _count(self, rule: Rule, operation: Operation) -> Verdict:
        tally = self.tallies[rule.name]
        tally.matched += 1
        bites = is_due(rule.when, tally.matched, tally.bitten, draw(self.script.seed, rule.name, tally.matched))
        tally.bitten += bites
        jitter = draw(self.script.seed, f"{rule.name}\0jitter", tally.matched)
        return Verdict(rule, operation, tally.matched, bites, jitter)


def is_open(when: When, elapsed: float) -> bool:
    """Whether the rule's window is open."""
    inside = elapsed - when.after
    if inside < 0:
        return False
    if when.repeat is not None:
        inside %= when.repeat
    return when.lasts is None or inside < when.lasts


def seconds_to_opening(when: When, elapsed: float) -> float:
    """Seconds until the window opens (again); endless if it never does."""
    if elapsed < when.after:
        return when.after - elapsed
    return inf if when.repeat is None else when.repeat - (elapsed - when.after) % when.repeat


def _is_outage(rule: Rule) -> bool:
    """Whether a rule bites all that matches, from when its window opens."""
    when = rule.when
    return not when.nth and when.every == 1 and when.times is None and when.probability == 1.0


def is_due(when: When, count: int, bitten: int, chance: float) -> bool:
    """Whether the `count`-th match bites, after `bitten` bites."""
    return (
        (not when.nth or count in when.nth)
        and count % when.every == 0
        and (when.times is None or bitten < when.times)
        and chance < when.probability
    )


def draw(seed: int, name: str, count: int) -> float:
    """A number from 0 to 1 (excluded) that depends on its arguments alone."""
    digest = blake2b(f"{seed}\0{name}\0{count}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def _targets(match: Match, asked: Asked) -> tuple[Operation, ...]:
    """What is counted: the operations that a rule names, or the request as one."""
    if match.operation:
        return tuple(one for one in asked.operations if any(_fits(match.operation, name) for name in one.names))
    return (Operation(asked.label, arguments=asked.operations[0].arguments if len(asked.operations) == 1 else {}),)


def _fits_request(match: Match, asked: Asked) -> bool:
    if not (_fits(match.method, asked.method) and _fits(match.path, asked.path)):
        return False
    call = asked.api
    if call is None:
        wanted = (match.verb, match.resource, match.group, match.namespace, match.name, match.subresource)
        return not any(wanted) and True not in (match.watch, match.dry_run)
    pairs = (
        (match.verb, call.verb),
        (match.resource, call.resource),
        (match.group, call.group),
        (match.namespace, call.namespace),
        (match.name, call.name),
        (match.subresource, call.subresource),
    )
    if match.watch not in (None, asked.is_watch) or match.dry_run not in (None, call.is_dry_run):
        return False
    return all(_fits(patterns, value) for patterns, value in pairs)


def _fits(patterns: tuple[str, ...], value: str) -> bool:
    return not patterns or any(fnmatchcase(value, pattern) for pattern in patterns)
