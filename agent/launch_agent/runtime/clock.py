"""The time of day at the start, and the time that has passed since: no change of the machine's clock moves it."""

from __future__ import annotations

import time
from collections.abc import Callable


def read_clock() -> float:
    """Seconds that no change of the time of day moves; on Linux they pass while the machine sleeps, too."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def make_clock(wall: Callable[[], float] = time.time, steady: Callable[[], float] = read_clock) -> Callable[[], float]:
    """Seconds since 1970 as this process counts them: what waits does not jump with the machine's clock."""
    began = wall() - steady()
    return lambda: began + steady()
