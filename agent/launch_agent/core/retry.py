"""How long to wait before the next attempt."""

from __future__ import annotations

FIRST = 0.5
CAP = 60.0


def delay(attempt: int, jitter: float, *, first: float = FIRST, cap: float = CAP) -> float:
    """Seconds before attempt ``attempt + 1``: doubles from ``first`` to ``cap``, spread by ``jitter`` in [0, 1).

    Full steps are spread over their upper half, so that a crowd of callers comes apart and none repeats at once.
    """
    step = min(cap, first * 2.0 ** min(attempt, 30))
    return step * (0.5 + jitter / 2)
