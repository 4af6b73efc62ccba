"""Sends what waits for W&B together: one document for all that has gathered while the last one was under way.

Reports are kept here, in the order in which they were made, until W&B has taken them: after an outage of hours an
item's warning still comes before its failure, and what happened first is told first.
"""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from launch_agent.adapters.wandb.operation import Operation, Result
from launch_agent.core import retry
from launch_agent.errors import WandbDenied, WandbError, WandbUnavailable
from launch_agent.runtime.metrics import Metrics

log = logging.getLogger(__name__)

SIZES = (100, 50, 20, 10, 5, 2, 1)
"""Operations in one document. Few sizes make few texts, and a server parses and checks each text once."""

Done = Callable[[Any, WandbError | None], None]
"""Called on the batcher's thread with the value, or with the error."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One operation and who wants its answer. One that ``is_kept`` waits here until there is one."""

    operation: Operation
    done: Done
    is_kept: bool = False
    since: float = 0.0
    put_off: Callable[[], None] | None = None


class Runner(Protocol):
    """Who runs operations of one kind as one document."""

    def run(self, batch: Sequence[Operation], /) -> list[Result]:
        """The results, in order. Raises WandbError where the document got no answer."""


class Batcher:
    """A queue of operations and the loop that sends them, in order, up to 100 at once."""

    def __init__(
        self,
        client: Runner,
        metrics: Metrics,
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._metrics = metrics
        self._clock = clock
        self._jitter = jitter
        self._kept: deque[Errand] = deque()
        self._attempt = 0
        self._due = 0.0
        self._waiting: queue.SimpleQueue[Errand] = queue.SimpleQueue()
        self._held: dict[str, deque[Errand]] = {"mutation": deque(), "query": deque()}

    def submit(
        self, operation: Operation, done: Done, /, *, is_kept: bool = False, put_off: Callable[[], None] | None = None
    ) -> None:
        """Send ``operation`` with the next document of its kind.

        ``is_kept``: behind those kept before it, again and again until W&B answers; ``put_off`` is called, once, when
        it has to wait for that.
        """
        self._waiting.put(Errand(operation, done, is_kept, self._clock(), put_off))

    @property
    def kept(self) -> tuple[int, float]:
        """How many reports wait, and for how many seconds the oldest has; other threads may ask."""
        try:
            return len(self._kept), self._clock() - self._kept[0].since
        except IndexError:
            return 0, 0.0

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Send until stopped."""
        while not stop.is_set():
            beat()
            self.turn(patience=1.0)

    def turn(self, patience: float) -> None:
        """Take all that waits, for ``patience`` seconds if nothing does, and send one document of each kind."""
        self._gather(patience)
        for held in self._held.values():
            if held:
                size = next(size for size in SIZES if size <= len(held))
                self._send_kind([held.popleft() for _ in range(size)])
        if self._kept and self._clock() >= self._due:
            self._send_kept()

    def _gather(self, patience: float) -> None:
        try:
            is_idle = not any(self._held.values()) and not (self._kept and self._clock() >= self._due)
            errand = self._waiting.get(timeout=patience if is_idle else 0)
            while True:
                self._sort(errand)
                errand = self._waiting.get_nowait()
        except queue.Empty:
            return

    def _sort(self, errand: Errand) -> None:
        if errand.is_kept:
            self._kept.append(_tell(errand) if self._attempt else errand)
        else:
            self._held[errand.operation.kind].append(errand)

    def _send_kind(self, batch: list[Errand]) -> None:
        """One document. Every errand is answered whatever happens: one that is not would wait for ever."""
        answers = [Result(error=WandbUnavailable("The request to W&B was broken off."))] * len(batch)
        outcome = "error"
        try:
            answers = self._client.run([errand.operation for errand in batch])
            outcome = "ok"
        except WandbError as error:
            log.warning("W&B: %d operations put off or refused: %s", len(batch), error)
            answers = [Result(error=error)] * len(batch)
            outcome = type(error).__name__
        finally:
            self._metrics.wandb_requests.labels(outcome).inc()
            for errand, answer in zip(batch, answers, strict=True):
                errand.done(answer.value, answer.error)

    def _send_kept(self) -> None:
        """One document of reports. Those that got no answer stay at the head, in their order."""
        size = next(size for size in SIZES if size <= len(self._kept))
        batch = [self._kept[place] for place in range(size)]
        try:
            answers = self._client.run([errand.operation for errand in batch])
        except (WandbUnavailable, WandbDenied) as error:
            self._metrics.wandb_requests.labels(type(error).__name__).inc()
            self._put_off(error)
            return
        except WandbError as error:
            answers = [Result(error=error)] * size
        self._metrics.wandb_requests.labels("ok").inc()
        for _ in batch:
            self._kept.popleft()
        lost = []
        for errand, answer in zip(batch, answers, strict=True):
            if isinstance(answer.error, WandbUnavailable | WandbDenied):
                lost.append((errand, answer.error))
            else:
                errand.done(answer.value, answer.error)
        self._kept.extendleft(errand for errand, _ in reversed(lost))
        if lost:
            self._put_off(lost[0][1])
        else:
            self._attempt = 0

    def _put_off(self, error: WandbError) -> None:
        wait = retry.delay(self._attempt, self._jitter())
        if self._attempt in {0, 5} or self._attempt % 20 == 0:
            log.warning("W&B: %d reports wait, next attempt in %.1f s: %s", len(self._kept), wait, error)
        self._kept = deque(map(_tell, self._kept))
        self._attempt += 1
        self._due = self._clock() + wait


def _tell(errand: Errand) -> Errand:
    """Say that it has to wait; the same, which says so no more."""
    if errand.put_off is None:
        return errand
    errand.put_off()
    return replace(errand, put_off=None)
