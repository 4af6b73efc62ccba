"""Sends what waits for W&B together: one document for all that has gathered while the last one was under way."""

from __future__ import annotations

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from launch_agent.adapters.wandb.operation import Operation, Result
from launch_agent.errors import WandbError, WandbUnavailable
from launch_agent.runtime.metrics import Metrics

log = logging.getLogger(__name__)

SIZES = (100, 50, 20, 10, 5, 2, 1)
"""Operations in one document. Few sizes make few texts, and a server parses and checks each text once."""

Done = Callable[[Any, WandbError | None], None]
"""Called on the batcher's thread with the value, or with the error."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One operation and who wants its answer."""

    operation: Operation
    done: Done


class Runner(Protocol):
    """Who runs operations of one kind as one document."""

    def run(self, batch: Sequence[Operation], /) -> list[Result]:
        """The results, in order. Raises WandbError where the document got no answer."""


class Batcher:
    """A queue of operations and the loop that sends them, in order, up to 100 at once."""

    def __init__(self, client: Runner, metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics
        self._waiting: queue.SimpleQueue[Errand] = queue.SimpleQueue()
        self._held: dict[str, deque[Errand]] = {"mutation": deque(), "query": deque()}

    def submit(self, operation: Operation, done: Done, /) -> None:
        """Send ``operation`` with the next document of its kind."""
        self._waiting.put(Errand(operation, done))

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

    def _gather(self, patience: float) -> None:
        try:
            errand = self._waiting.get(timeout=0 if any(self._held.values()) else patience)
            while True:
                self._held[errand.operation.kind].append(errand)
                errand = self._waiting.get_nowait()
        except queue.Empty:
            return

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
