"""No jump of the machine's clock moves what waits."""

from __future__ import annotations

import pytest

from launch_agent.core import lifecycle
from launch_agent.core.actions import Delete
from launch_agent.core.events import Observed, Recovered, Woken
from launch_agent.core.lifecycle import Limits, Tracked
from launch_agent.core.models import JobState, ObjectRef, Observation, Step
from launch_agent.runtime.clock import make_clock
from tests.support.records import make_record


@pytest.mark.parametrize("jump", [-86_400.0, -1.0, 3600.0, 1e9])
def test_time_passes_as_it_does_whatever_the_machine_s_clock_says(jump: float) -> None:
    wall, steady = [1_000_000.0], [50.0]
    clock = make_clock(lambda: wall[0], lambda: steady[0])
    assert clock() == 1_000_000.0
    wall[0] += jump
    assert clock() == 1_000_000.0
    steady[0] += 7.0
    assert clock() == 1_000_007.0


def test_a_clock_of_its_own_begins_with_the_time_of_day_and_never_goes_back() -> None:
    clock = make_clock()
    assert 1.7e9 < clock() <= clock()


def test_a_job_that_was_created_in_the_future_gets_its_time_from_now_on() -> None:
    ref = ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid")
    record = make_record(step=Step.CREATED, object=ref, created_at=90_000.0, max_runtime=100.0)
    current, _ = lifecycle.step(Tracked(record), Recovered(), 1000.0, Limits())
    assert current is not None
    assert current.record.created_at == 1000.0
    current, actions = lifecycle.step(current, Observed(Observation(JobState.RUNNING, pod="p")), 1001.0, Limits())
    assert current is not None
    assert actions == ()
    assert current.wake_at == 1100.0
    _, actions = lifecycle.step(current, Woken(), 1100.0, Limits())
    assert Delete() in actions
