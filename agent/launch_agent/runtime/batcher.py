"""Sends what waits for W&B together: one document for all that has gathered while the last one was under way."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from launch_agent.adapters.wandb.client import Client
from launch_agent.adapters.wandb.operation import Operation
from launch_agent.errors import WandbError
from launch_agent.runtime.metrics import Metrics

log = logging.getLogger(__name__)

LIMIT = 100
"""Operations in one document."""

Done = Callable[[Any, WandbError | None], None]
"""Called on the batcher's thread with the value, or with the error."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One operation and who wants its answer."""

    operation: Operation
    done: Done


class Batcher:
    """A queue of operations and the loop that sends them, in order, up to `LIMIT` at once."""

    def __init__(self, client: Client, metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics
        self._waiting: queue.SimpleQueue[Errand | None] = queue.SimpleQueue()

    def submit(self, operation: Operation, done: Done) -> None:
        """Send ``operation`` with the next document of its kind."""
        self._waiting.put(Errand(operation, done))

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Send until stopped."""
        while not stop.is_set():
            beat()
            try:
                first = self._waiting.get(timeout=1.0)
            except queue.Empty:
                continue
            if first is not None:
                self._send(self._gather(first))

    def _gather(self, first: Errand) -> list[Errand]:
        batch = [first]
        while len(batch) < LIMIT:
            try:
                errand = self._waiting.get_nowait()
            except queue.Empty:
                break
            if errand is not None:
                batch.append(errand)
        return batch

    def _send(self, batch: list[Errand]) -> None:
        for kind in ("mutation", "query"):
            chosen = [errand for errand in batch if errand.operation.kind == kind]
            if chosen:
                self._send_kind(chosen)

    def _send_kind(self, batch: list[Errand]) -> None:
        try:
            results = self._client.run([errand.operation for errand in batch])
        except WandbError as error:
            self._metrics.wandb_requests.labels(type(error).__name__).inc()
            log.warning("W&B: %d operations put off or refused: %s", len(batch), error)
            for errand in batch:
                errand.done(None, error)
            return
        self._metrics.wandb_requests.labels("ok").inc()
        for errand, result in zip(batch, results, strict=True):
            errand.done(result.value, result.error)
