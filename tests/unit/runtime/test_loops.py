"""Loops that must not end, and how it is told that one is stuck."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from launch_agent.runtime.loops import LATE, Loops
from launch_agent.runtime.metrics import Metrics


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_loop_that_waits_for_long_is_not_called_stuck() -> None:
    def wait(stop: threading.Event, _beat: Callable[[], None]) -> None:
        stop.wait()

    clock = Clock()
    loops = Loops(Metrics(), clock)
    loops.start("watch", wait, is_judged=False)
    clock.now += 10 * LATE
    assert loops.stuck() == []
    loops.stop.set()
    loops.join(5)


def test_a_loop_without_a_beat_is_called_stuck_by_name() -> None:
    clock, started = Clock(), threading.Event()

    def hang(stop: threading.Event, beat: Callable[[], None]) -> None:
        beat()
        started.set()
        stop.wait()

    loops = Loops(Metrics(), clock)
    loops.start("intake", hang)
    assert started.wait(5)
    clock.now += LATE
    assert loops.stuck() == []
    clock.now += 1
    assert loops.stuck() == ["intake"]
    loops.stop.set()
    loops.join(5)


def test_a_loop_that_raises_is_started_again_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    metrics, again = Metrics(), threading.Event()
    attempts = []

    def fail_once(stop: threading.Event, _beat: Callable[[], None]) -> None:
        attempts.append(1)
        if len(attempts) == 1:
            raise ValueError("a bug of ours")
        again.set()
        stop.wait()

    loops = Loops(metrics)
    loops.start("tracker", fail_once)
    assert again.wait(10)
    loops.stop.set()
    loops.join(5)
    assert metrics.registry.get_sample_value("launch_agent_loop_restarts_total", {"loop": "tracker"}) == 1
    assert "a bug of ours" in caplog.text
