"""`launch-agent` as a process of its own."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.processes import BIN, Program, clean_environment
from tests.support.waiting import wait_until

CLOCK_SPEED = "TEST_CLOCK_SPEED"
"""In an agent's environment: how many times as fast its clock runs."""


@dataclass(slots=True)
class Agent:
    """One installation of the agent: its folder, its settings, and the process that runs now."""

    folder: Path
    queues: tuple[str, ...]
    environ: Mapping[str, str]
    config: Mapping[str, Any]
    program: Program
    port: int
    starts: list[Program] = field(default_factory=list)

    def restart(self) -> None:
        """Start it again, with the same home and settings, after it ended."""
        self.program = launch(self.folder, self.queues, self.environ, self.config, self.port)
        self.starts.append(self.program)

    def get(self, path: str) -> httpx.Response:
        """One request to its health server."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5.0, trust_env=False)

    def wait_until_ready(self, timeout: float = 20.0) -> None:
        """Wait for 200 at /readyz."""
        wait_until(self._readiness, timeout, "the agent to be ready", until=lambda seen: seen.startswith("200"))

    def _readiness(self) -> str:
        try:
            answer = self.get("/readyz")
        except httpx.TransportError as error:
            code = self.program.exit_code
            assert code is None, f"the agent ended with {code}:\n{self.program.log[-3000:]}"
            return f"{type(error).__name__}\n{self.program.log[-1500:]}"
        return f"{answer.status_code} {answer.text}"

    @property
    def log(self) -> str:
        """All that it has written, over all starts."""
        return self.program.log

    def stop(self) -> None:
        """End it. For clean-up."""
        self.program.stop()


def start_agent(folder: Path, queues: tuple[str, ...], environ: Mapping[str, str], config: Mapping[str, Any]) -> Agent:
    """Start an agent; its configuration, home and log are in ``folder``."""
    port = free_port()
    program = launch(folder, queues, environ, config, port)
    return Agent(folder, queues, environ, config, program, port, [program])


def launch(
    folder: Path, queues: tuple[str, ...], environ: Mapping[str, str], config: Mapping[str, Any], port: int
) -> Program:
    """The process of `launch-agent run -q …`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "launch-config.yaml"
    path.write_text(json.dumps(config))
    speed = environ.get(CLOCK_SPEED)
    words = [sys.executable, "-m", "tests.support.fast_clock", speed] if speed else [str(BIN / "launch-agent")]
    command = [*words, "run", "--config", str(path)]
    command += ["--health-address", f"127.0.0.1:{port}", *(word for queue in queues for word in ("-q", queue))]
    return Program(command, clean_environment(folder / "home", environ), folder / "agent.log")


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
