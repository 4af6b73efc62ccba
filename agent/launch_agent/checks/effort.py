"""Many questions at once, each with a time limit: what hangs or breaks never stops the others."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from launch_agent.errors import LaunchAgentError

T = TypeVar("T")

log = logging.getLogger(__name__)

WORKERS = 8
WITHIN = 15.0
"""Seconds for one round of questions. Single requests have shorter limits; this one ends also what has none."""


def ask(calls: Sequence[Callable[[], T]], *, within: float = WITHIN) -> list[T | LaunchAgentError]:
    """What each call returned, or the error that it raised, in order."""
    answers: dict[int, T | LaunchAgentError] = {}
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[None] = queue.SimpleQueue()
    for number in range(len(calls)):
        waiting.put(number)

    def work() -> None:
        while True:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            answers[number] = _try(calls[number])
            done.put(None)

    for _ in range(min(WORKERS, len(calls))):
        # daemons: what hangs in a look-up of a name must not keep the process
        threading.Thread(target=work, name="check", daemon=True).start()
    _wait(done, len(calls), within)
    late = LaunchAgentError(f"No answer within {within:.0f} s.", resolution="Check the network and name resolution.")
    return [answers.get(number, late) for number in range(len(calls))]


def _wait(done: queue.SimpleQueue[None], count: int, within: float) -> None:
    deadline = time.monotonic() + within
    for _ in range(count):
        try:
            done.get(timeout=max(deadline - time.monotonic(), 0.0))
        except queue.Empty:
            return


def _try(call: Callable[[], T]) -> T | LaunchAgentError:
    try:
        return call()
    except LaunchAgentError as error:
        return error
    except Exception as error:  # the boundary of one check: a mistake of ours must not hide what the others found
        log.debug("a check broke", exc_info=True)
        text = f"An unexpected {type(error).__name__}: {error}"
        return LaunchAgentError(text[:300], resolution="This is a mistake in launch-agent; -vv shows the traceback.")
