"""Asks W&B, in one document, what people want: shall the agent stop, shall any of the running runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.client import Client
from launch_agent.core.events import StopSeen
from launch_agent.core.models import Record
from launch_agent.errors import WandbError
from launch_agent.runtime.inbox import Happened, Inbox
from launch_agent.runtime.registration import Registration

log = logging.getLogger(__name__)

BUSY_INTERVAL = 10.0
"""Seconds between two questions while something runs (protocol 2.4)."""

IDLE_INTERVAL = 90.0
"""Seconds between them when nothing runs: 40 calls an hour, so that with the polls it stays below 1,100."""


class Attendant:
    """The loop that asks."""

    def __init__(
        self,
        *,
        client: Client,
        registration: Registration,
        inbox: Inbox,
        active: Callable[[], tuple[Record, ...]],
        stop_agent: Callable[[], None],
    ) -> None:
        self._client = client
        self._registration = registration
        self._inbox = inbox
        self._active = active
        self._stop_agent = stop_agent

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Ask until stopped."""
        waited = 0.0
        while not stop.wait(1.0):
            beat()
            waited += 1.0
            if self._registration.is_done and waited >= (BUSY_INTERVAL if self._active() else IDLE_INTERVAL):
                waited = 0.0
                self.ask()

    def ask(self) -> None:
        """Ask once."""
        records = self._active()
        agent = self._registration.agent
        batch = [operations.agent(agent.id)]
        batch += [operations.run_stopped(one.run_entity, one.run_project, one.run_id) for one in records]
        try:
            results = self._client.run(batch)
        except WandbError as error:
            log.warning("W&B can not be asked for stop requests: %s", error)
            return
        for record, result in zip(records, results[1:], strict=True):
            if result.error is None and ((result.value or {}).get("run") or {}).get("stopped"):
                self._inbox.put(Happened(record.item_id, StopSeen()))
        self._heed(results[0].value, results[0].error)

    def _heed(self, agent: dict[str, object] | None, error: WandbError | None) -> None:
        if error is not None:
            log.warning("W&B did not tell of this agent: %s", error)
        elif agent is None:
            log.warning("W&B does not know this agent any more; it registers again")
            self._registration.renew()
        elif agent.get("stopPolling"):
            log.info("W&B asks this agent to stop")
            self._stop_agent()
