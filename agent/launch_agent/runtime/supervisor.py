"""Starts an agent, or the crew of a process with a Lease, and ends it on a signal."""

from __future__ import annotations

import signal

from launch_agent.runtime import signals
from launch_agent.runtime.agent import Agent
from launch_agent.runtime.crew import Crew
from launch_agent.runtime.health import HealthServer
from launch_agent.runtime.loops import Loops
from launch_agent.settings import Settings


class Solo:
    """The one agent of an installation without a Lease."""

    def __init__(self, settings: Settings) -> None:
        self._agent = Agent(settings)
        self._address = settings.health_address
        self._loops = Loops(self._agent.metrics)

    def run(self) -> int:
        """Run until told to stop; the exit code."""
        agent = self._agent
        if self._address is not None:
            server = HealthServer(
                self._address,
                live=agent.stuck,
                ready=agent.troubles,
                note=lambda: agent.note,
                registry=agent.metrics.registry,
            )
            self._loops.start("health", server.run)
        try:
            return agent.run()
        finally:
            self._loops.stop.set()

    def stop(self, reason: str) -> None:
        """Take no more items and leave."""
        self._agent.stop(reason)


def run(settings: Settings) -> int:
    """Run an agent until SIGTERM, SIGINT or W&B's wish; the exit code.

    Raises WandbError or KubernetesError where the agent can not start.
    """
    runner = Solo(settings) if settings.lease is None else Crew(settings)
    with signals.heed((signal.SIGTERM, signal.SIGINT), lambda name: runner.stop(f"got {name}")):
        return runner.run()
