"""What a request asks for, and which rules match it. Pure."""

from __future__ import annotations

import json
from typing import Any

import pytest

from launch_server.faults.documents import read_document
from launch_server.faults.judge import Judge
from launch_server.faults.operations import ApiCall, Asked, Operation, plural_of, read_api_call, read_plain
from launch_server.faults.script import Match, Pass, Rule, Script, When


@pytest.mark.parametrize(
    ("method", "target", "call"),
    [
        ("GET", "/api/v1/namespaces/a/pods", ApiCall("list", "", "pods", "a")),
        ("GET", "/api/v1/namespaces/a/pods?watch=true", ApiCall("watch", "", "pods", "a")),
        ("GET", "/api/v1/pods?watch=1", ApiCall("watch", "", "pods")),
        ("GET", "/api/v1/pods?watch=false", ApiCall("list", "", "pods")),
        ("GET", "/api/v1/namespaces/a/pods/p/log?follow=true", ApiCall("get", "", "pods", "a", "p", "log")),
        ("PATCH", "/apis/batch/v1/namespaces/a/jobs/j/status", ApiCall("patch", "batch", "jobs", "a", "j", "status")),
        ("POST", "/apis/batch/v1/namespaces/a/jobs?fieldManager=x", ApiCall("create", "batch", "jobs", "a", "new")),
        ("PUT", "/apis/coordination.k8s.io/v1/namespaces/a/leases/l",
         ApiCall("update", "coordination.k8s.io", "leases", "a", "l")),
        ("DELETE", "/api/v1/namespaces/a/configmaps/c", ApiCall("delete", "", "configmaps", "a", "c")),
        ("DELETE", "/api/v1/namespaces/a/configmaps", ApiCall("deletecollection", "", "configmaps", "a")),
        ("GET", "/api/v1/namespaces", ApiCall("list", "", "namespaces")),
        ("GET", "/api/v1/namespaces/a", ApiCall("get", "", "namespaces", "a", "a")),
        ("PUT", "/api/v1/namespaces/a/finalize", ApiCall("update", "", "namespaces", "a", "a", "finalize")),
        ("GET", "/apis/kubeflow.org/v1/namespaces/a/pytorchjobs/x%2Fy",
         ApiCall("get", "kubeflow.org", "pytorchjobs", "a", "x/y")),
        ("POST", "/api/v1/namespaces/a/pods?dryRun=All&x=y",
         ApiCall("create", "", "pods", "a", "new", is_dry_run=True)),
        ("GET", "/version", None),
        ("GET", "/apis/batch/v1", None),
        ("GET", "/graphql", None),
    ],
)  # fmt: skip
def test_requests_to_an_api_server_are_read_in_the_words_of_rbac(
    method: str, target: str, call: ApiCall | None
) -> None:
    path, _, query = target.partition("?")
    asked = read_api_call(method, path, query, b'{"metadata": {"name": "new"}}')
    assert (asked and asked.api) == call


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"metadata": 3}', b'{"metadata": {}}', b"\xff"])
def test_a_body_without_a_name_names_nothing(body: bytes) -> None:
    asked = read_api_call("POST", "/api/v1/namespaces/a/pods", "", body)
    assert asked is not None
    assert asked.api == ApiCall("create", "", "pods", "a")


@pytest.mark.parametrize(
    ("kind", "plural"),
    [("Job", "jobs"), ("NetworkPolicy", "networkpolicies"), ("Ingress", "ingresses"), ("Gateway", "gateways"),
     ("PyTorchJob", "pytorchjobs"), ("Event", "events")],
)  # fmt: skip
def test_kinds_have_plurals(kind: str, plural: str) -> None:
    assert plural_of(kind) == plural


_CALL = read_api_call("POST", "/apis/batch/v1/namespaces/team-a/jobs", "", b'{"metadata": {"name": "launch-1"}}')


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(verb=("create", "patch")), True),
        (Match(verb=("get",)), False),
        (Match(resource=("jobs",), group=("batch",), namespace=("team-*",), name=("launch-?",)), True),
        (Match(namespace=("other",)), False),
        (Match(subresource=("",)), True),
        (Match(subresource=("status",)), False),
        (Match(watch=True), False),
        (Match(watch=False), True),
        (Match(dry_run=False), True),
        (Match(dry_run=True), False),
        (Match(method=("POST",), path=("/apis/*/jobs",)), True),
        (Match(operation=("createJob",)), False),
    ],
)
def test_all_of_a_match_must_fit(match: Match, fits: bool) -> None:
    assert _CALL is not None
    assert bool(Judge(Script((Rule("it", Pass(), match),))).judge(_CALL, 0.0)) is fits


def test_a_dry_run_is_matched_and_counted_apart() -> None:
    asked = read_api_call("POST", "/api/v1/namespaces/a/pods", "fieldManager=x&dryRun=All")
    assert asked is not None
    assert asked.label == "create pods (dry run)"
    for dry_run, fits in ((None, True), (True, True), (False, False)):
        assert bool(Judge(Script((Rule("it", Pass(), Match(dry_run=dry_run)),))).judge(asked, 0.0)) is fits


def test_what_is_no_api_servers_matches_no_rule_of_one() -> None:
    asked = read_plain("GET", "/healthz")
    for match, fits in ((Match(verb=("get",)), False), (Match(watch=True), False), (Match(watch=False), True)):
        assert bool(Judge(Script((Rule("it", Pass(), match),))).judge(asked, 0.0)) is fits


# ── documents ──

_BATCH = """
mutation Batch($v0_q: String!, $v1_i: ID!, $v1_r: String!) {
  a0: popFromRunQueue(input: {queueName: $v0_q, entityName: "e"}) { ...Item }
  ... on Mutation { a1: ackRunQueueItem(input: {runQueueItemId: $v1_i, runName: $v1_r}) { success } }
}
fragment Item on PopFromRunQueuePayload { runQueueItemId }
"""
_VARIABLES = {"v0_q": "gpu", "v1_i": "item", "v1_r": "run"}


def describe(query: str, name: str = "", **variables: Any) -> Asked:
    body = json.dumps({"query": query, "variables": variables, "operationName": name}).encode()
    document = read_document(body)
    assert document is not None
    return document.describe("/graphql")


def test_each_operation_of_a_document_is_read_with_its_alias_and_its_ids() -> None:
    pop, ack = describe(_BATCH, **_VARIABLES).operations
    assert (pop.label, pop.alias, dict(pop.arguments)) == (
        "popFromRunQueue",
        "a0",
        {"queueName": "gpu", "entityName": "e"},
    )
    assert (ack.label, ack.alias, dict(ack.arguments)) == (
        "ackRunQueueItem",
        "a1",
        {"runQueueItemId": "item", "runName": "run"},
    )
    assert pop.names == {"popFromRunQueue", "popFromRunQueue.runQueueItemId", "Batch"}


def test_a_query_is_called_by_its_path_or_by_its_documents_name() -> None:
    document = 'query RunStoppedStatus { project(name: "p") { run(name: "r") { stopped } } }'
    (one,) = describe(document).operations
    assert one.label == "project.run"
    assert one.names == {"project", "project.run", "project.run.stopped", "RunStoppedStatus"}


def test_the_named_operation_of_several_is_the_one_that_is_asked() -> None:
    document = "query One { viewer { id } } mutation Two { stopRun { success } }"
    assert [one.label for one in describe(document, "Two").operations] == ["stopRun"]


def test_a_document_without_an_operation_has_no_variable_or_fragment_too_many() -> None:
    document = read_document(json.dumps({"query": _BATCH, "variables": _VARIABLES}).encode())
    assert document is not None
    lean = json.loads(document.without(frozenset({"a0"})) or b"{}")
    assert lean["variables"] == {"v1_i": "item", "v1_r": "run"}
    assert "popFromRunQueue" not in lean["query"]
    assert "fragment" not in lean["query"]
    assert [one.alias for one in describe(lean["query"]).operations] == ["a1"]
    kept = json.loads(document.without(frozenset({"a1"})) or b"{}")
    assert "fragment Item" in kept["query"]
    assert document.without(frozenset({"a0", "a1"})) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"query": 3}', b"\xff\xfe", b"[" * 10_000])
def test_what_is_no_document_is_none(body: bytes) -> None:
    assert read_document(body) is None


def test_text_that_is_no_graphql_is_one_unnamed_operation() -> None:
    assert describe("{{{").operations == (Operation("POST /graphql"),)


def test_each_operation_counts_by_itself_for_a_rule_that_names_it() -> None:
    acks = (
        "mutation { " + " ".join(f'a{n}: ackRunQueueItem(input: {{runName: "{n}"}}) {{ x }}' for n in range(4)) + " }"
    )
    named = Rule("named", Pass(), Match(operation=("ack*",)), When(nth=frozenset({3, 6})))
    other = Rule("other", Pass(), Match(path=("/graphql",)))
    judge = Judge(Script((named, other)))
    seen = [
        [(one.rule.name, one.operation.alias) for one in judge.judge(describe(acks), 0.0) if one.bites]
        for _ in range(2)
    ]
    assert seen == [[("named", "a2"), ("other", "")], [("named", "a1"), ("other", "")]]
    assert (judge.tallies["named"].matched, judge.tallies["other"].matched) == (8, 2)
