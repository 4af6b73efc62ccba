"""What happened: numbered events, counts of all requests, and the requests that are held now."""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio

from launch_server.faults.script import Hold, Then

KEPT = 50_000
Event = dict[str, Any]


class Journal:
    """Events in the order in which they happened. All of it belongs to one event loop."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.requests = 0
        self.operations: Counter[str] = Counter()
        self._clock = clock
        self._events: deque[Event] = deque(maxlen=KEPT)
        self._last = 0
        self._news: anyio.Event | None = None

    def note(self, **facts: Any) -> None:
        """Add an event; those who wait are told."""
        self._last += 1
        self._events.append({"number": self._last, "time": round(self._clock(), 4), **facts})
        if self._news is not None:
            self._news.set()
            self._news = None

    async def read(self, since: int, wait: float) -> dict[str, Any]:
        """Events after a number; waits up to so many seconds for the first of them."""
        with anyio.move_on_after(wait):
            while self._last <= since:
                if self._news is None:
                    self._news = anyio.Event()
                await self._news.wait()
        found = [event for event in self._events if event["number"] > since]
        first = found[0]["number"] if found else self._last + 1
        return {"events": found, "next": self._last, "lost": max(0, first - since - 1) if since < self._last else 0}


@dataclass(slots=True)
class Held:
    """A request that is held."""

    id: int
    facts: Event
    then: Then
    released: anyio.Event = field(default_factory=anyio.Event)
    by: str = "timeout"


class Holds:
    """The requests that are held now."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._numbers = itertools.count(1)
        self._held: dict[int, Held] = {}

    def list(self) -> list[Event]:
        """All of them."""
        return [{"id": one.id, **one.facts} for one in self._held.values()]

    def release(self, number: int, then: Then | None) -> bool:
        """Let one go; false if there is none of that id."""
        held = self._held.pop(number, None)
        if held is None:
            return False
        held.then, held.by = then or held.then, "control"
        held.released.set()
        return True

    async def hold(self, fault: Hold, facts: Event) -> Then:
        """Wait until it is released, or for the fault's timeout; what becomes of the request."""
        held = Held(next(self._numbers), {**facts, "at": str(fault.at)}, fault.then)
        self._held[held.id] = held
        self._journal.note(**held.facts, phase="held", hold=held.id)
        try:
            with anyio.move_on_after(fault.timeout):
                await held.released.wait()
        finally:
            self._held.pop(held.id, None)
        self._journal.note(**held.facts, phase="released", hold=held.id, then=str(held.then), by=held.by)
        return held.then
