"""The auditor finds each kind of fault, and nothing where all is well."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.support.audit_log import TOKEN, JobEvent, read_lines
from tests.support.auditor import FAILED, Item, Pushed, audit, find_open

pytestmark = [pytest.mark.crash, pytest.mark.sim]

ONE = Pushed("finish-1")
DONE = Item(1, "finish-1", "FINISHED", "run1")
MADE = JobEvent("create", "2026-01-01T00:00:01.000000Z", "job-1", "agent", "finish-1", "run1")
AGAIN = JobEvent("create", "2026-01-01T00:00:09.000000Z", "job-2", "agent", "finish-1", "run1")
DELETED = JobEvent("delete", "2026-01-01T00:00:05.000000Z", "job-1", "agent")
TWO_ALLOWED = Pushed("finish-1", creations=2)
COPY = Item(2, "finish-1", "FINISHED", "run1")


@pytest.mark.parametrize(
    ("pushed", "items", "events"),
    [
        (ONE, [DONE], [MADE]),
        (ONE, [replace(DONE, state="PENDING", run="")], []),
        (Pushed("finish-1", FAILED), [replace(DONE, state=FAILED, error="why")], [MADE]),
        (Pushed("finish-1", FAILED, 0), [replace(DONE, state=FAILED, error="why")], []),
        (TWO_ALLOWED, [replace(DONE, state="CLAIMED"), COPY], [MADE, DELETED, AGAIN]),
    ],
)
def test_what_ended_well_is_clean(pushed: Pushed, items: list[Item], events: list[JobEvent]) -> None:
    assert audit([pushed], items, events).is_clean


@pytest.mark.parametrize(
    ("what", "pushed", "items", "events"),
    [
        ("lost", ONE, [], []),
        ("lost", ONE, [replace(DONE, state="CLAIMED")], [MADE]),
        ("lost", ONE, [replace(DONE, state="LEASED", run="")], []),
        ("lost", Pushed("finish-1", FAILED), [replace(DONE, state=FAILED)], [MADE]),
        ("lost", TWO_ALLOWED, [replace(DONE, state="CLAIMED", run="other"), COPY], [MADE, DELETED, AGAIN]),
        ("twice", ONE, [DONE], [MADE, DELETED, AGAIN]),
        ("twice", TWO_ALLOWED, [DONE, COPY], [MADE, AGAIN]),
        ("twice", ONE, [DONE, COPY], [MADE]),
        ("twice", ONE, [DONE], [MADE, replace(AGAIN, token="")]),
        ("twice", Pushed("finish-1", FAILED, 0), [replace(DONE, state=FAILED, error="why")], [MADE]),
        ("contradicted", ONE, [replace(DONE, state=FAILED, error="why")], [MADE]),
        ("contradicted", Pushed("finish-1", FAILED), [DONE], [MADE]),
        ("unresumed", replace(TWO_ALLOWED, may_fail=True), [replace(DONE, state=FAILED, error="why")], [MADE]),
    ],
)
def test_each_fault_is_found(what: str, pushed: Pushed, items: list[Item], events: list[JobEvent]) -> None:
    verdict = audit([pushed], items, events)
    assert getattr(verdict, what), verdict
    assert verdict.is_clean == (what == "unresumed")


def test_slots_and_leftovers_that_are_handed_in_count() -> None:
    assert not audit([ONE], [DONE], [MADE], stuck=["1 of 2 slots"]).is_clean
    assert not audit([ONE], [DONE], [MADE], leftovers=["a record"]).is_clean


def test_an_item_whose_run_goes_on_with_its_copy_is_not_open() -> None:
    old, copy = replace(DONE, state="CLAIMED"), replace(COPY, state="CLAIMED")
    assert find_open([old, copy]) == [copy]
    assert find_open([replace(old, run="")]) == [replace(old, run="")]


def entry(**changes: Any) -> str:
    pod = {"containers": [{"env": [{"name": "WANDB_RUN_ID", "value": "run1"}]}]}
    made: dict[str, Any] = {
        "stage": "ResponseComplete",
        "verb": "create",
        "requestURI": "/apis/batch/v1/namespaces/ns/jobs",
        "user": {"username": "agent"},
        "objectRef": {"resource": "jobs", "namespace": "ns", "name": "job-1"},
        "responseStatus": {"code": 201},
        "requestObject": {"spec": {"template": {"metadata": {"annotations": {TOKEN: "finish-1"}}, "spec": pod}}},
        "stageTimestamp": "2026-01-01T00:00:01.000000Z",
    }
    return json.dumps({**made, **changes})


@pytest.mark.parametrize(
    "changes",
    [
        {"responseStatus": {"code": 409}},
        {"requestURI": "/apis/batch/v1/namespaces/ns/jobs?dryRun=All"},
        {"objectRef": {"resource": "jobs", "namespace": "other", "name": "job-1"}},
        {"objectRef": {"resource": "jobs", "namespace": "ns", "name": "job-1", "subresource": "status"}},
        {"verb": "patch"},
    ],
)
def test_refusals_dry_runs_and_strangers_in_the_audit_log_do_not_count(changes: dict[str, Any]) -> None:
    assert list(read_lines([entry(**changes)], "ns")) == []


def test_a_creation_in_the_audit_log_tells_its_item_and_its_run() -> None:
    assert list(read_lines([entry()], "ns")) == [MADE]
