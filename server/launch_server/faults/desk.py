"""What one program with faults has: the script in force, its counts, the events, and what is to be delivered again."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from launch_server.faults.documents import key_of
from launch_server.faults.journal import Holds, Journal
from launch_server.faults.judge import Judge, Verdict
from launch_server.faults.operations import Asked, Operation
from launch_server.faults.script import Fault, Hold, Script, Then
from launch_server.log import log


@dataclass(frozen=True, slots=True)
class Bite:
    """A rule that bites a request, with the operations that it bites (all, if the rule names none)."""

    fault: Fault
    verdict: Verdict
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """One request and the rules that bite it, in the script's order."""

    number: int
    asked: Asked
    bites: tuple[Bite, ...]


class Desk:
    """State of one program with faults, for one event loop."""

    def __init__(self, script: Script, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_closing = False
        self.journal = Journal()
        self.holds = Holds(self.journal)
        self._clock = clock
        self._numbers = itertools.count(1)
        self._streams: dict[int, anyio.CancelScope] = {}
        self._again: dict[object, deque[Any]] = {}
        self.replace(script)

    def replace(self, script: Script) -> None:
        """Put another script into force; its clock and counts begin now."""
        self.judge = Judge(script)
        self._began = self._clock()
        self._again.clear()
        names = "; ".join(f"{rule.name} ({rule.fault.name})" for rule in script.rules) or "none yet"
        log.warning("FAULTS ARE ON: replies are delayed, changed or lost on purpose. Rules: %s", names)

    def open(self, asked: Asked) -> Case:
        """Count a request and decide what befalls it."""
        case = next(self._numbers)
        self.journal.requests += 1
        self.journal.operations.update(one.label for one in asked.operations)
        verdicts = self.judge.judge(asked, self._clock() - self._began)
        for verdict in verdicts:
            phase = "bite" if verdict.bites else "match"
            self.journal.note(**facts_of(case, verdict), phase=phase, count=verdict.count)
        return Case(case, asked, _bites(asked, verdicts))

    def note(self, case: Case, bite: Bite, phase: str, **more: Any) -> None:
        """Write what happened to a request."""
        self.journal.note(**facts_of(case.number, bite.verdict), phase=phase, **more)

    async def hold(self, case: Case, bite: Bite, fault: Hold) -> Then:
        """Hold a request; what becomes of it."""
        return await self.holds.hold(fault, facts_of(case.number, bite.verdict))

    @contextmanager
    def stream(self, case: Case) -> Iterator[anyio.CancelScope]:
        """A block in which a request's reply goes on, until it ends, is cut, or an outage begins."""
        outage = self.judge.seconds_to_outage(case.asked, self._clock() - self._began)
        with anyio.CancelScope(deadline=anyio.current_time() + outage) as scope:
            self._streams[case.number] = scope
            try:
                yield scope
            finally:
                self._streams.pop(case.number, None)

    def cut_streams(self) -> int:
        """Cut all replies that go on now; how many."""
        scopes = list(self._streams.values())
        for scope in scopes:
            scope.cancel()
        return len(scopes)

    def close(self) -> None:
        """The program ends: what is held or goes on is dropped, and what waits may be given up."""
        self.is_closing = True
        for held in self.holds.list():
            self.holds.release(held["id"], Then.DROP)
        self.cut_streams()

    def remember(self, operation: Operation, value: Any) -> None:
        """Keep an answer to be given again."""
        self._again.setdefault(key_of(operation), deque()).append(value)

    def recall(self, operation: Operation) -> Any:
        """An answer to be given again to this operation; None if there is none."""
        kept = self._again.get(key_of(operation))
        return kept.popleft() if kept else None

    def has_kept(self, asked: Asked) -> bool:
        """Whether an operation of this request has an answer to be given again."""
        return bool(self._again) and any(self._again.get(key_of(one)) for one in asked.operations)

    def counts(self) -> dict[str, Any]:
        """How much was asked, and how often each rule matched and bit."""
        rules = {name: {"matched": tally.matched, "bitten": tally.bitten} for name, tally in self.judge.tallies.items()}
        return {"requests": self.journal.requests, "operations": dict(self.journal.operations), "rules": rules}


def facts_of(number: int, verdict: Verdict) -> dict[str, Any]:
    """What all events of a request and a rule say."""
    return {
        "request": number,
        "operation": verdict.operation.label,
        "rule": verdict.rule.name,
        "fault": verdict.rule.fault.name,
        "arguments": dict(verdict.operation.arguments),
    }


def _bites(asked: Asked, verdicts: tuple[Verdict, ...]) -> tuple[Bite, ...]:
    """One bite for each rule, in order, with all the operations that it bit."""
    found: dict[str, Bite] = {}
    for verdict in verdicts:
        if not verdict.bites:
            continue
        rule = verdict.rule
        operations = (verdict.operation,) if rule.match.operation else asked.operations
        before = found.get(rule.name)
        if before is None:
            found[rule.name] = Bite(rule.fault, verdict, operations)
        else:
            found[rule.name] = Bite(rule.fault, before.verdict, (*before.operations, *operations))
    return tuple(found.values())
