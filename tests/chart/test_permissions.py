"""The chart's rules and the table in `core/permissions.py` are the same, whatever is switched on."""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any

import pytest

from launch_agent.core.permissions import CustomResource, Feature, Permission, Scope, list_permissions

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]
Grant = tuple[str, str, str, str]
"""(group, resource, verb, name); an empty name is every object."""

LEASE = "launch-agent-rel"
VOLCANO = CustomResource("batch.volcano.sh", "jobs")
TRAINING = [CustomResource("kubeflow.org", "pytorchjobs"), CustomResource("kubeflow.org", "mpijobs")]
KINDS: list[tuple[Manifest, list[CustomResource]]] = [
    ({}, [VOLCANO]),
    ({"volcano": False}, []),
    (
        {"rbac": {"customResources": [{"apiGroup": "kubeflow.org", "resources": ["pytorchjobs", "mpijobs"]}]}},
        TRAINING,
    ),
]
SECRETS: list[tuple[Manifest, str]] = [
    ({}, "wandb-api-key-rel"),
    ({"agent": {"apiKey": ""}, "existingSecrets": {"apiKey": {"name": "ours", "key": "wandb"}}}, "ours"),
]
CASES = list(product(KINDS, SECRETS, (False, True), (False, True), (1, 2)))


def granted(rules: Iterable[Manifest]) -> list[Grant]:
    return sorted(
        (group, resource, verb, name)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    )


def needed(rows: Iterable[Permission], scope: Scope) -> list[Grant]:
    return sorted(
        (row.group, row.resource, verb, name)
        for row in rows
        if row.scope is scope
        for verb in row.verbs
        for name in row.names or ("",)
    )


def rules_by_place(objects: list[Manifest], kind: str) -> dict[tuple[str, str], list[Manifest]]:
    return {
        (item["metadata"].get("namespace", ""), item["metadata"]["name"]): item["rules"]
        for item in objects
        if item["kind"] == kind
    }


@pytest.mark.parametrize(("kinds", "secret", "services", "everywhere", "replicas"), CASES)
def test_the_rules_of_the_chart_are_those_of_the_table_and_no_others(
    render: Render,
    kinds: tuple[Manifest, list[CustomResource]],
    secret: tuple[Manifest, str],
    services: bool,
    everywhere: bool,
    replicas: int,
) -> None:
    rbac = {**kinds[0].get("rbac", {}), "additionalServices": services, "clusterWide": everywhere}
    agent = {**secret[0].get("agent", {}), "replicas": replicas}
    values = {"additionalTargetNamespaces": ["team-a", "team-b"], **kinds[0], **secret[0], "rbac": rbac, "agent": agent}
    objects = render(values)
    features = {Feature.RECORDS, Feature.LEASE, Feature.SHARDS, Feature.JOBS, Feature.CUSTOM_RESOURCES}
    features |= {Feature.ADDITIONAL_SERVICES} if services else set()
    features |= {Feature.REPLICAS} if replicas > 1 else set()
    rows = list_permissions(features, lease=LEASE, key_secret=secret[1], custom_resources=kinds[1])

    roles = rules_by_place(objects, "Role")
    home = roles.pop(("wandb", "wandb-launch-agent-rel"))
    assert granted(home) == needed(rows, Scope.AGENT)
    if everywhere:
        (whole,) = rules_by_place(objects, "ClusterRole").values()
        assert granted(whole) == needed(rows, Scope.TARGET)
        assert roles == {}
        return
    assert rules_by_place(objects, "ClusterRole") == {}
    assert {namespace for namespace, _ in roles} == {"team-a", "team-b", "wandb"}
    for rules in roles.values():
        assert granted(rules) == needed(rows, Scope.TARGET)


def test_a_rule_too_many_and_a_rule_too_few_are_seen() -> None:
    rows = list_permissions({Feature.LEASE}, lease="one")
    rule = {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "update"]}
    assert granted([{**rule, "resourceNames": ["one"]}]) == needed(rows, Scope.AGENT)
    assert granted([rule]) != needed(rows, Scope.AGENT)
    assert granted([{**rule, "resourceNames": ["one"], "verbs": ["get"]}]) != needed(rows, Scope.AGENT)


def test_secrets_are_listed_and_watched_in_no_case() -> None:
    rows = list_permissions(set(Feature), custom_resources=[VOLCANO])
    verbs = {verb for row in rows if row.resource == "secrets" for verb in row.verbs}
    assert verbs == {"create", "get", "patch", "delete"}
    assert {row.verbs for row in rows if row.resource == "secrets" and not row.names} == {("create", "patch", "delete")}


def test_no_rule_holds_a_wildcard_and_every_right_says_why() -> None:
    for row in list_permissions(set(Feature), custom_resources=[VOLCANO]):
        assert "*" not in {row.group, row.resource, *row.verbs, *row.names}
        assert row.why.endswith(".")
