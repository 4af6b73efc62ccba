"""Urgent work overtakes, other work is not forgotten."""

from __future__ import annotations

import threading
from functools import partial

from launch_agent.runtime.pool import PATIENCE, Pool


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _wait_for(gate: threading.Event) -> None:
    gate.wait(10)


def run_in_order(*turns: tuple[float, str, bool]) -> list[str]:
    """Hand in work at its times while the only thread is busy; the order in which it was done."""
    clock, gate, done = Clock(), threading.Event(), threading.Event()
    order: list[str] = []
    pool = Pool(1, clock=clock)
    pool.submit(partial(_wait_for, gate))
    for at, name, is_urgent in turns:
        clock.now = at
        pool.submit(partial(order.append, name), is_urgent=is_urgent)
    clock.now += 1000
    pool.submit(done.set)
    gate.set()
    assert done.wait(10)
    pool.close()
    return order


def test_what_launches_an_item_goes_before_what_keeps_books() -> None:
    assert run_in_order((0, "record", False), (1, "create a", True), (2, "create b", True)) == [
        "create a",
        "create b",
        "record",
    ]


def test_what_waited_long_enough_takes_its_turn() -> None:
    assert run_in_order((0, "record", False), (PATIENCE + 1, "create", True)) == ["record", "create"]


def test_a_closed_pool_starts_nothing_more() -> None:
    gate, began = threading.Event(), threading.Event()
    late: list[str] = []

    def hold() -> None:
        began.set()
        gate.wait(10)

    pool = Pool(1)
    pool.submit(hold)
    assert began.wait(10)
    pool.submit(lambda: late.append("too late"))
    pool.close()
    gate.set()
    assert late == []
