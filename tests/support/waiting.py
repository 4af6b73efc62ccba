"""Waiting for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

import pytest

T = TypeVar("T")

INTERVAL = 0.05


def wait_until(
    look: Callable[[], T], timeout: float, what: str, *, until: Callable[[T], object] = bool, interval: float = INTERVAL
) -> T:
    """Call ``look`` until ``until`` is true of its answer, and return that answer.

    Fails the test after ``timeout`` seconds, with what was seen last.
    """
    pause = Event()
    deadline = time.monotonic() + timeout
    while True:
        seen = look()
        if until(seen):
            return seen
        if time.monotonic() >= deadline:
            pytest.fail(f"waited {timeout:g} s in vain for {what}; last seen: {shorten(seen)}")
        pause.wait(interval)


def shorten(value: object, size: int = 2000) -> str:
    """The value for a message: its beginning and its end when it is long."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= size else f"{text[: size // 2]} … {text[-size // 2 :]}"
