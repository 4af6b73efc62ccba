"""A bounded pool whose urgent work goes first: what launches an item overtakes what only keeps books."""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PATIENCE = 5.0
"""Seconds that work which can wait lets urgent work go before it; after that it takes its turn."""


@dataclass(order=True, slots=True)
class Work:
    """One call, due at a time; of two due at once the older one goes first."""

    due: float
    number: int
    call: Callable[[], None] | None = field(compare=False)


class Pool:
    """``size`` threads. A call that raises is its caller's error: calls handle their own."""

    def __init__(self, size: int, *, name: str = "launch", clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._waiting: queue.PriorityQueue[Work] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._is_closed = threading.Event()
        self._threads = [threading.Thread(target=self._run, name=f"{name}-{n}", daemon=True) for n in range(size)]
        for thread in self._threads:
            thread.start()

    def submit(self, call: Callable[[], None], *, is_urgent: bool = True) -> None:
        """Do this when it is its turn."""
        due = self._clock() + (0.0 if is_urgent else PATIENCE)
        self._waiting.put(Work(due, next(self._numbers), call))

    def close(self) -> None:
        """Take no new turn; calls under way end by themselves, on threads that do not hold the process up."""
        self._is_closed.set()
        for _ in self._threads:
            self._waiting.put(Work(float("-inf"), next(self._numbers), None))

    def join(self, timeout: float) -> bool:
        """Wait for the calls under way of a closed pool, ``timeout`` seconds in all; whether all ended."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        while True:
            work = self._waiting.get()
            if work.call is None or self._is_closed.is_set():
                return
            work.call()
