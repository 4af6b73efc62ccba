"""Who wrote what: the queue's owner or the submitter."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_agent.core.hands import Hand, split

QUEUE: dict[str, Any] = {
    "kind": "Job",
    "spec": {
        "parallelism": 2,
        "template": {
            "spec": {
                "serviceAccountName": "trainer",
                "hostPID": True,
                "containers": [
                    {"name": "job", "image": "${image_uri}", "resources": {"limits": {"gpu": "{{gpus}}"}}},
                    {"name": "helper", "securityContext": {"privileged": True}},
                ],
            }
        },
    },
}
POD = ("spec", "template", "spec")


def with_pod(**changes: Any) -> dict[str, Any]:
    pod = {**QUEUE["spec"]["template"]["spec"], **changes}
    return {**QUEUE, "spec": {**QUEUE["spec"], "template": {"spec": pod}}}


JOB, HELPER = QUEUE["spec"]["template"]["spec"]["containers"]
FILLED = {**JOB, "resources": {"limits": {"gpu": 4}}}


@pytest.mark.parametrize(
    ("given", "path", "hand"),
    [
        (QUEUE, ("kind",), "queue"),
        (QUEUE, (*POD, "serviceAccountName"), "queue"),
        (QUEUE, (*POD, "containers", 1), "queue"),
        # a macro or a template variable leaves the value to the submitter, and only the value
        (QUEUE, (*POD, "containers", 0, "image"), "submitter"),
        (QUEUE, (*POD, "containers", 0, "name"), "queue"),
        (with_pod(containers=[FILLED, HELPER]), (*POD, "containers", 0, "resources", "limits", "gpu"), "submitter"),
        (with_pod(containers=[FILLED, HELPER]), (*POD, "containers", 0, "name"), "queue"),
        (with_pod(containers=[FILLED, HELPER]), (*POD, "containers", 1, "securityContext"), "queue"),
        # what differs
        (with_pod(serviceAccountName="admin"), (*POD, "serviceAccountName"), "submitter"),
        (with_pod(serviceAccountName="admin"), (*POD, "hostPID"), "queue"),
        (with_pod(nodeName="a"), (*POD, "nodeName"), "submitter"),
        (with_pod(hostPID=1), (*POD, "hostPID"), "submitter"),
        (with_pod(hostPID={"a": True}), (*POD, "hostPID"), "submitter"),
        # an entry of a list is one whole
        (
            with_pod(containers=[FILLED, {**HELPER, "image": "evil"}]),
            (*POD, "containers", 1, "securityContext", "privileged"),
            "submitter",
        ),
        (with_pod(containers=[{"name": "x"}, HELPER]), (*POD, "containers", 1, "securityContext"), "queue"),
        (
            with_pod(containers=[{"name": "x"}, FILLED, HELPER]),
            (*POD, "containers", 2, "securityContext", "privileged"),
            "submitter",
        ),
        (with_pod(containers=[HELPER]), (*POD, "containers", 0, "securityContext"), "submitter"),
        (with_pod(containers=[FILLED, HELPER, HELPER]), (*POD, "containers", 2), "submitter"),
        (with_pod(containers={"0": JOB}), (*POD, "containers"), "submitter"),
        # a part is the submitter's as soon as anything in it is
        (with_pod(nodeName="a"), ("spec",), "submitter"),
        (QUEUE, (), "submitter"),
    ],
)
def test_who_wrote_a_value(given: dict[str, Any], path: tuple[str | int, ...], hand: str) -> None:
    assert split(given, QUEUE).of(path) == hand


@pytest.mark.parametrize(
    ("queue", "given", "hand"),
    [
        ("{{sa}}", "admin", "submitter"),
        ("team-{{sa}}", "team-a", "submitter"),
        ("team-a", "team-a", "queue"),
        ("{{ not a name! }}", "{{ not a name! }}", "queue"),
        ("${run_id}", "${run_id}", "submitter"),
        ("a-${author}-b", "a-${author}-b", "submitter"),
        ("${TEAM}", "${TEAM}", "queue"),
        (1, 1.0, "queue"),
        (1, True, "submitter"),
        (1, "1", "submitter"),
        ("", None, "queue"),
    ],
)
def test_whose_a_text_is(queue: Any, given: Any, hand: str) -> None:
    assert split({"a": given}, {"a": queue}).of(("a",)) == hand


def test_a_list_that_only_filled_a_variable_in_keeps_its_queue_s_entries() -> None:
    hands = split({"a": [{"x": 1, "y": "7"}]}, {"a": [{"x": 1, "y": "{{n}}"}]})
    assert hands.of(("a", 0, "x")) is Hand.QUEUE
    assert hands.of(("a", 0, "y")) is Hand.SUBMITTER
    assert not hands.is_new(("a", 0, "y"))


def test_a_text_that_can_not_come_of_the_template_is_new() -> None:
    hands = split({"a": [{"x": 1, "y": "evil"}]}, {"a": [{"x": 1, "y": "good-{{n}}"}]})
    assert hands.of(("a", 0, "x")) is Hand.SUBMITTER
    assert hands.is_new(("a", 0, "y"))


PIECES = st.lists(st.text("ab-", max_size=3), min_size=2, max_size=5).filter(lambda pieces: any(pieces))


@given(PIECES, st.text("ab-", max_size=12))
def test_a_text_fits_a_template_exactly_where_some_filling_gives_it(pieces: list[str], text: str) -> None:
    hands = split({"a": [text]}, {"a": ["{{x}}".join(pieces)]})
    can_be = re.fullmatch(".*".join(map(re.escape, pieces)), text) is not None
    assert hands.is_new(("a", 0)) is not can_be


def test_a_template_of_many_variables_is_compared_in_no_time() -> None:
    hands = split({"a": ["a" * 100_000 + "b"]}, {"a": ["a{{x}}" * 300 + "c"]})
    assert hands.is_new(("a", 0))


def test_without_the_queue_s_config_all_is_the_submitter_s() -> None:
    hands = split(QUEUE, None)
    assert hands.everything
    assert hands.of(("kind",)) is Hand.SUBMITTER
    assert hands.is_new(("kind",))


def test_a_queue_without_a_config_wrote_nothing() -> None:
    hands = split(QUEUE, {})
    assert not hands.everything
    assert {hands.of((key,)) for key in QUEUE} == {Hand.SUBMITTER}


def test_a_pair_of_wrappers_counts_as_one() -> None:
    from launch_agent.core import admission

    inner = {"kind": "Job", "spec": {"a": 1}}
    twice = {"resource_args": {"kubernetes": {"kubernetes": inner}}}
    assert admission.find_arguments(twice) == inner
    assert admission.find_arguments({"resource_args": {"vertex": {}}}) == {}
    assert admission.find_arguments(None) is None
