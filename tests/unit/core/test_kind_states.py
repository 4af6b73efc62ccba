"""Recorded lives of every kind of the table: what is understood of each moment."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core.kind_table import BUILT_IN
from launch_agent.core.kinds import Kinds, group_of
from launch_agent.core.models import JobState
from launch_agent.core.observation import observe
from tests.support.kind_statuses import SEQUENCES, Step

KINDS = Kinds()
CASES = [
    pytest.param(api_version, kind, step, id=f"{group_of(api_version) or 'core'}-{kind}-{number}-{step.state}")
    for (api_version, kind), steps in SEQUENCES.items()
    for number, step in enumerate(steps)
]
CUSTOM = [names for names in SEQUENCES if group_of(names[0]) not in {"", "batch"}]
"""The API server itself keeps the shape of the others' status."""


@pytest.mark.parametrize(("api_version", "kind", "step"), CASES)
def test_each_moment_of_a_workload_is_understood(api_version: str, kind: str, step: Step) -> None:
    found = KINDS.find(api_version, kind)
    body = step.body(api_version, kind)
    seen = observe(found, body, step.pods, image_pull_grace=60.0)
    assert (seen.state, seen.diagnosis.category if seen.diagnosis else "") == (step.state, step.category)
    assert seen.uid == "u1"
    if step.pods:
        assert seen.pod == "p0"


def test_every_kind_that_is_launched_has_a_recorded_life() -> None:
    known = {(group_of(api_version), kind) for api_version, kind in SEQUENCES}
    assert known == {(kind.group, kind.kind) for kind in BUILT_IN if not kind.refusal}


@pytest.mark.parametrize(("api_version", "kind"), SEQUENCES, ids=lambda part: str(part))
def test_every_life_is_seen_to_begin_to_run_and_to_be_deleted(api_version: str, kind: str) -> None:
    states = {step.state for step in SEQUENCES[api_version, kind]}
    wanted = {JobState.UNKNOWN, JobState.STARTING, JobState.RUNNING, JobState.STOPPING}
    if not KINDS.find(api_version, kind).is_endless:
        wanted |= {JobState.FINISHED, JobState.FAILED}
    assert wanted <= states


@pytest.mark.parametrize(("api_version", "kind"), SEQUENCES, ids=lambda part: str(part))
def test_what_is_gone_is_missing(api_version: str, kind: str) -> None:
    assert observe(KINDS.find(api_version, kind), None, (), image_pull_grace=60.0).state is JobState.MISSING


@pytest.mark.parametrize(
    "junk", [None, "x", 7, [], {}, [None], ["x"], [{}], {"conditions": "x"}, {"phase": {}}], ids=repr
)
@pytest.mark.parametrize("place", ["status", "conditions", "phase", "state", "replicatedJobsStatus"])
@pytest.mark.parametrize(("api_version", "kind"), CUSTOM, ids=lambda part: str(part))
def test_a_status_of_another_shape_is_no_error(api_version: str, kind: str, place: str, junk: Any) -> None:
    status = junk if place == "status" else {place: junk}
    body = {"metadata": {"name": "a", "uid": "u"}, "status": status}
    seen = observe(KINDS.find(api_version, kind), body, (), image_pull_grace=60.0)
    assert seen.state in {JobState.UNKNOWN, JobState.RUNNING, JobState.STARTING}
