"""Start to first poll, memory and calls when idle, and what is installed."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench import world

WARM_RUNS = 5
SETTLE = 20.0
"""Seconds of idling before the memory is read."""


@dataclass(slots=True)
class Start:
    """One agent's start: seconds to its first pop; memory in MB and calls an hour when idle."""

    who: str
    seconds: list[float]
    memory_mb: float

    def row(self) -> str:
        ordered = sorted(self.seconds)
        middle, spread = ordered[len(ordered) // 2], f"{ordered[0]:.2f}–{ordered[-1]:.2f}"
        return f"{self.who:<28} start → first poll {middle:.2f} s ({spread})   RSS idle {self.memory_mb:.0f} MB"


def measure(who: str, folder: Path, namespace: str) -> Start:
    """Start the agent several times on one waiting item; how long until it is popped, and its memory after."""
    seconds, memory = [], 0.0
    for number in range(WARM_RUNS + 1):
        with world.server(folder / f"{who}-{number}") as server:
            server.push([{"entity": "local", "project": "p", "resource": "sagemaker", "docker": {"docker_image": "x"}}])
            ours = who == "launch-agent"
            command, environment = world.ours(server, namespace) if ours else world.theirs(server)
            began = time.monotonic()
            with world.agent(command, environment, server.folder / "agent.log") as process:
                world.wait_until(lambda: server.count("PENDING") == 0, 60, f"the first poll of {who}")
                if number:  # the first start warms the caches
                    seconds.append(time.monotonic() - began)
                if number == WARM_RUNS:
                    threading.Event().wait(SETTLE)
                    memory = world.usage(process)[1]
    return Start(who, seconds, memory)


def weigh_ours(folder: Path) -> float:
    """Megabytes of what the image installs, compiled: requirements/agent.txt and the agent."""
    place = folder / "weight"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(place), "--no-deps"]
    subprocess.run([*pip, "--require-hashes", "-r", str(world.ROOT / "requirements/agent.txt")], check=True)
    copy = ["cp", "-r", str(world.ROOT / "agent/launch_agent"), str(place)]
    subprocess.run(copy, check=True)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(place)], check=True, env={})
    return size_of(place)


def size_of(place: Path) -> float:
    """Megabytes of all files below."""
    return sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) / 1e6
