"""`launch-agent` in a process whose clock runs faster: python -m tests.support.fast_clock 12 run --config FILE …

Python's own clocks and waits are scaled, so that the agent's code is the one that is shipped: its waits, back-offs,
limits and times of day. Sockets' timeouts stay as they are: they belong to the servers' time.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from typing import Any


def scale(factor: float) -> None:
    """Let a second of all clocks and waits of this process last 1/factor seconds. Before anything else is imported."""

    def speed_up(clock: Callable[..., float]) -> Callable[..., float]:
        began: dict[tuple[Any, ...], float] = {}

        def read(*which: Any) -> float:
            now = clock(*which)
            first = began.setdefault(which, now)
            return first + (now - first) * factor

        return read

    wait, join, sleep = threading.Condition.wait, threading.Thread.join, time.sleep

    def wait_less(self: threading.Condition, timeout: float | None = None) -> bool:
        return wait(self, None if timeout is None else timeout / factor)

    def join_less(self: threading.Thread, timeout: float | None = None) -> None:
        join(self, None if timeout is None else timeout / factor)

    changes: list[tuple[Any, str, Any]] = [
        (time, "time", speed_up(time.time)),
        (time, "monotonic", speed_up(time.monotonic)),
        (time, "clock_gettime", speed_up(time.clock_gettime)),
        (time, "sleep", lambda seconds: sleep(seconds / factor)),
        (threading.Condition, "wait", wait_less),
        (threading.Thread, "join", join_less),
        # The one in C waits by a clock of its own.
        (queue, "SimpleQueue", queue.Queue),
    ]
    for owner, name, value in changes:
        setattr(owner, name, value)
    # Both had taken the clock's name over when they were imported.
    for module, name in ((threading, "_time"), (queue, "time")):
        setattr(module, name, time.monotonic)


if __name__ == "__main__":
    scale(float(sys.argv.pop(1)))
    from launch_agent.cli.entry import main

    sys.exit(main())
