"""Kinds that nobody described: W&B's own words (protocol 7.3.5), and what is said where they do not help."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core.kinds import Kind, Kinds, States
from launch_agent.core.models import JobState, Observation
from launch_agent.core.observation import observe
from tests.support.kind_statuses import DISRUPTED, FELL, RUNS, SCHEDULED, WAITS, WORKS, condition, pod

THING = Kinds().find("example.com/v1", "Thing")

WANDB = {
    "created": JobState.STARTING,
    "pending": JobState.STARTING,
    "running": JobState.RUNNING,
    "completing": JobState.RUNNING,
    "succeeded": JobState.FINISHED,
    "completed": JobState.FINISHED,
    "failed": JobState.FAILED,
    "aborted": JobState.FAILED,
    "timeout": JobState.FAILED,
    "terminated": JobState.FAILED,
    "terminating": JobState.STOPPING,
}
OURS = {
    "Starting": JobState.STARTING,
    "Initializing": JobState.STARTING,
    "Restarting": JobState.STARTING,
    "Complete": JobState.FINISHED,
    "Finished": JobState.FINISHED,
    "Success": JobState.FINISHED,
    "Failure": JobState.FAILED,
    "Error": JobState.FAILED,
    "Stopping": JobState.STOPPING,
    "Deleting": JobState.STOPPING,
    "Queued": JobState.UNKNOWN,
    "Suspended": JobState.UNKNOWN,
}


def see(status: Any, *pods: Any, kind: Kind = THING, spec: Any = None) -> Observation:
    body = {"metadata": {"name": "thing-1", "uid": "u1"}, "spec": spec or {}}
    return observe(kind, {**body, **({"status": status} if status else {})}, pods, image_pull_grace=60.0)


@pytest.mark.parametrize("text", [*WANDB, *(word.capitalize() for word in WANDB), *(word.upper() for word in WANDB)])
@pytest.mark.parametrize("place", ["state.phase", "phase", "condition"])
def test_words_of_wandb_s_own_map_mean_what_they_mean_there(text: str, place: str) -> None:
    statuses: dict[str, dict[str, Any]] = {
        "state.phase": {"state": {"phase": text}},
        "phase": {"phase": text},
        "condition": {"conditions": [condition(text)]},
    }
    assert see(statuses[place]).state is WANDB[text.lower()]


@pytest.mark.parametrize("text", OURS)
def test_further_words_for_the_same_are_understood(text: str) -> None:
    assert see({"phase": text}).state is OURS[text]
    assert see({"conditions": [condition(text)]}).state is OURS[text]
    assert see({"state": text}).state is OURS[text]


@pytest.mark.parametrize(
    ("types", "state"),
    [
        (["Created", "Running", "Succeeded"], JobState.FINISHED),
        (["Succeeded", "Failed"], JobState.FINISHED),
        (["Created", "Running", "Failed"], JobState.FAILED),
        (["Running", "Terminating"], JobState.STOPPING),
        (["Created", "Running"], JobState.RUNNING),
        (["Created", "Suspended"], JobState.UNKNOWN),
        (["Created", "Ready"], JobState.STARTING),
    ],
)
def test_of_several_conditions_the_one_nearest_to_an_end_counts(types: list[str], state: JobState) -> None:
    held = [condition(name) for name in types]
    assert see({"conditions": held}).state is state
    assert see({"conditions": held[::-1]}).state is state


def test_a_condition_that_does_not_hold_means_nothing() -> None:
    assert see({"conditions": [condition("Failed", value="False"), condition("Running", value="Unknown")]}).state is (
        JobState.UNKNOWN
    )


def test_a_phase_goes_before_the_conditions() -> None:
    assert see({"phase": "Running", "conditions": [condition("Completed")]}).state is JobState.RUNNING
    assert see({"state": {"phase": "Failed"}, "phase": "Running"}).state is JobState.FAILED
    assert see({"phase": "Odd", "conditions": [condition("Completed")]}).state is JobState.FINISHED


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ({"phase": "Brewing"}, "status.phase is Brewing"),
        ({"conditions": [condition("Ready"), condition("Brewed")]}, "True are: Brewed, Ready"),
        ({"observedGeneration": 1}, "neither a phase nor conditions"),
        ({"conditions": []}, "neither a phase nor conditions"),
    ],
)
def test_a_state_that_can_not_be_read_is_said_with_what_was_found_and_the_cure(status: Any, words: str) -> None:
    seen = see(status)
    assert seen.state is JobState.UNKNOWN
    assert seen.diagnosis is not None
    assert (seen.diagnosis.category, seen.diagnosis.fails_after) == ("StateUnknown", None)
    assert words in seen.diagnosis.summary
    assert "Thing thing-1" in seen.diagnosis.summary
    assert "customResources" in seen.diagnosis.resolution


def test_an_object_that_was_just_made_is_given_time_to_speak() -> None:
    assert see({}) == Observation(JobState.UNKNOWN, None, "u1")


@pytest.mark.parametrize(
    ("pods", "state"),
    [
        ((WAITS,), JobState.UNKNOWN),
        ((SCHEDULED,), JobState.STARTING),
        ((RUNS, pod("p1")), JobState.RUNNING),
        ((WORKS, pod("p1", "Running")), JobState.RUNNING),
        ((WORKS, pod("p1")), JobState.STARTING),
        ((WORKS,), JobState.FINISHED),
        ((WORKS, pod("p1", "Succeeded")), JobState.FINISHED),
        ((FELL, pod("p1", "Succeeded")), JobState.FAILED),
        ((FELL, pod("p1", "Running")), JobState.RUNNING),
        ((FELL, pod("p1")), JobState.STARTING),
        ((DISRUPTED,), JobState.PREEMPTED),
        ((pod("p0", "Running", deletionTimestamp="t"),), JobState.UNKNOWN),
    ],
)
@pytest.mark.parametrize("status", [{}, {"phase": "Brewing"}])
def test_a_kind_without_a_readable_state_goes_by_its_pods(pods: Any, state: JobState, status: Any) -> None:
    seen = see(status, *pods)
    assert seen.state is state
    if not state.is_over:
        assert seen.diagnosis is not None
        assert seen.diagnosis.category == "StateUnknown"


def test_a_readable_state_is_not_ended_by_its_pods() -> None:
    assert see({"phase": "Running"}, WORKS).state is JobState.RUNNING
    assert see({"phase": "Pending"}, FELL).state is JobState.UNKNOWN


def test_an_owner_s_kind_is_read_by_its_own_words_only() -> None:
    states = States(phases=(("status.stage", {"done": JobState.FINISHED, "parked": JobState.UNKNOWN}),))
    own = Kind(group="example.com", kind="Thing", states=states, suspend="spec.hold")
    assert see({"stage": "Done"}, kind=own).state is JobState.FINISHED
    assert see({"phase": "Failed"}, kind=own).state is JobState.UNKNOWN
    assert see({"phase": "Failed"}, WORKS, kind=own).state is JobState.UNKNOWN
    parked = see({"stage": "Parked"}, kind=own, spec={"hold": True})
    assert parked.diagnosis is not None
    assert (parked.state, parked.diagnosis.category) == (JobState.UNKNOWN, "Suspended")


@pytest.mark.parametrize(
    ("status", "spec"),
    [
        ({"phase": "Suspended", "message": "by quota"}, {}),
        ({"conditions": [condition("Suspended", "Queue", "by quota")]}, {}),
        ({"conditions": [condition("QuotaReserved", "Pending", "by quota", value="False")]}, {}),
    ],
)
def test_what_waits_for_leave_says_so_and_is_not_starting(status: Any, spec: Any) -> None:
    seen = see(status, spec=spec)
    assert seen.diagnosis is not None
    assert (seen.state, seen.diagnosis.category, seen.diagnosis.fails_after) == (JobState.UNKNOWN, "Suspended", None)


def test_a_failure_passes_on_the_operator_s_words() -> None:
    seen = see({"conditions": [condition("Failed", "OutOfBeans", "no beans left")]})
    assert seen.diagnosis is not None
    assert seen.diagnosis.summary == "The Thing thing-1 failed (OutOfBeans): the condition Failed is True."
    assert seen.diagnosis.detail == "no beans left."


def test_of_a_long_text_the_beginning_and_the_end_are_kept() -> None:
    text = "Job entrypoint command failed: " + "log line\n" * 500 + "ValueError: the last word"
    seen = see({"phase": "Failed", "message": text})
    assert seen.diagnosis is not None
    assert len(seen.diagnosis.detail) == 1000
    assert seen.diagnosis.detail.startswith("Job entrypoint command failed: log line")
    assert seen.diagnosis.detail.endswith("ValueError: the last word.")
