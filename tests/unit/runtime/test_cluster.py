"""Which watches make the agent unready."""

from __future__ import annotations

import threading

import pytest

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.errors import KubernetesDenied, KubernetesUnavailable
from launch_agent.runtime.cluster import AWAY, STALE, Watches
from launch_agent.runtime.loops import Loops
from launch_agent.runtime.metrics import Metrics


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def start(error: Exception, clock: Clock) -> tuple[Watches, Loops]:
    """A watch whose cluster can not be reached, whose first attempt has failed: it has come back for another."""
    attempts = threading.Semaphore(0)

    def connect(_cluster: str) -> Client:
        attempts.release()
        raise error

    metrics = Metrics()
    loops = Loops(metrics)
    watches = Watches(connect, selector="", post=lambda _message: None, loops=loops, metrics=metrics, clock=clock)
    watches.ensure("", "batch/v1", "Job", "ml")
    assert attempts.acquire(timeout=10)
    assert attempts.acquire(timeout=10)
    return watches, loops


def test_an_api_server_that_gives_no_answer_makes_the_agent_unready_after_two_minutes() -> None:
    clock = Clock()
    watches, loops = start(KubernetesUnavailable("connection refused"), clock)
    try:
        assert watches.stale() == []
        clock.now += AWAY + 1
        assert watches.stale() == ["the API server does not answer the watch of Job in ml"]
    finally:
        loops.stop.set()
        assert loops.join(10)


@pytest.mark.parametrize("seconds", [AWAY + 1, STALE + 1])
def test_a_kind_that_may_not_be_watched_is_no_absence(seconds: float) -> None:
    clock = Clock()
    watches, loops = start(KubernetesDenied("forbidden", status=403), clock)
    try:
        clock.now += seconds
        assert watches.stale() == []
    finally:
        loops.stop.set()
        assert loops.join(10)
