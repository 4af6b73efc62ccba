"""Threads that must not end: each loop is started again, with a growing pause, until the agent stops."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable

from launch_agent.core import retry
from launch_agent.runtime.metrics import Metrics

log = logging.getLogger(__name__)

Loop = Callable[[threading.Event, Callable[[], None]], None]
"""Runs until the event is set, and calls the second argument each time that it has done something."""

LATE = 180.0
"""Seconds without a beat after which a loop counts as stuck: six times the longest request."""


class Loops:
    """All loops of one agent. A loop that raises is started again; this is the one place that catches everything."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        self.stop = threading.Event()
        self._metrics = metrics
        self._clock = clock
        self._beats: dict[str, float] = {}
        self._judged: set[str] = set()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, loop: Loop, *, is_judged: bool = True) -> None:
        """Run ``loop`` on a thread of its own from now on.

        One that is judged must beat at least each `LATE` seconds; loops that wait for long are judged elsewhere.
        """
        if is_judged:
            self._judged.add(name)
        thread = threading.Thread(target=self._keep, args=(name, loop), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _keep(self, name: str, loop: Loop) -> None:
        attempt = 0
        while not self.stop.is_set():
            began = self._clock()
            self._beat(name)
            try:
                loop(self.stop, lambda: self._beat(name))
            except Exception:
                log.exception("the loop %s met an error and is started again", name)
            if self.stop.is_set():
                return
            attempt = 0 if self._clock() - began > retry.CAP else attempt + 1
            self._metrics.loop_restarts.labels(name).inc()
            self.stop.wait(retry.delay(attempt, random.random()))

    def _beat(self, name: str) -> None:
        self._beats[name] = self._clock()
        self._metrics.loop_beat.labels(name).set_to_current_time()

    def stuck(self) -> list[str]:
        """Names of judged loops without a beat for `LATE` seconds."""
        now = self._clock()
        return sorted(name for name, beat in self._beats.copy().items() if name in self._judged and now - beat > LATE)

    def join(self, timeout: float) -> bool:
        """Wait for all threads, ``timeout`` seconds in all; whether all ended. Crash-only: what still runs is left."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
