"""Whatever stands wherever in a manifest of any kind: it becomes a plan, or it is refused in words."""

from __future__ import annotations

from dataclasses import replace as change
from typing import Any

import pytest

from launch_agent.core.kinds import Entry, Kind, Kinds, PodTemplate
from launch_agent.core.models import Plan
from launch_agent.core.pull_secrets import PullCredential
from launch_agent.errors import ItemError, SpecError
from tests.support.kind_manifests import MANIFESTS, manifest_of
from tests.support.specs import CONTEXT, KEY, make_plan, make_spec
from tests.unit.core.test_junk import find_paths, replace

PULLING = change(CONTEXT, pull_credential=PullCredential("registry.example.org", "user", "word"))
JUNK: list[Any] = [None, "x", 3, True, [], ["x"], [None], {"a": 1}]
SHARED: dict[str, dict[str, Any]] = {
    "Workflow": {
        "podMetadata": {"labels": {"a": "b"}},
        "ttlStrategy": {"secondsAfterCompletion": 5},
        "imagePullSecrets": [{"name": "mine"}],
        "securityContext": {"runAsNonRoot": True},
    },
    "SparkApplication": {"timeToLiveSeconds": 5},
    "PyTorchJob": {"runPolicy": {"ttlSecondsAfterFinished": 5}},
    "JobSet": {"ttlSecondsAfterFinished": 5},
}
"""What the agent works on beside the templates, by kind."""


def make_own(**facts: Any) -> Kinds:
    return Kinds([change(Kind("example.org", "Train", templates=(PodTemplate("spec.template"),)), **facts)])


def plan_own(kinds: Kinds, spec: dict[str, Any], **changes: Any) -> Plan:
    template = {"template": {"spec": {"containers": [{"name": "main"}]}}}
    body = {"apiVersion": "example.org/v1", "kind": "Train", "spec": {**template, **spec}}
    return make_plan(make_spec(body, **changes), context=change(CONTEXT, kinds=kinds))


def plan_or_refuse(run_spec: dict[str, Any]) -> Plan | ItemError:
    try:
        return make_plan(run_spec, context=PULLING)
    except ItemError as error:
        return error


@pytest.mark.parametrize(("api_version", "kind"), MANIFESTS, ids=[" ".join(key) for key in MANIFESTS])
def test_junk_anywhere_in_a_manifest_of_any_kind_is_planned_or_refused_in_words(api_version: str, kind: str) -> None:
    body = manifest_of(api_version, kind, **SHARED.get(kind, {}))
    base = make_spec({**body, "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}}, max_runtime=60)
    assert isinstance(plan_or_refuse(base), Plan)  # a base that is refused would prove nothing
    outcomes = [
        plan_or_refuse(replace(base, ("resource_args", "kubernetes", *path), junk))
        for path in find_paths(base["resource_args"]["kubernetes"])
        for junk in JUNK
    ]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, ItemError)]
    assert refusals, "nothing was refused"
    assert all(error.summary for error in refusals)
    assert not [plan for plan in outcomes if isinstance(plan, Plan) and KEY in repr(plan.workload)]


@pytest.mark.parametrize(
    ("field", "junk", "place"),
    [
        ("podMetadata", "x", "spec.podMetadata"),
        ("podMetadata", [], "spec.podMetadata"),
        ("imagePullSecrets", "x", "spec.imagePullSecrets"),
        ("imagePullSecrets", 3, "spec.imagePullSecrets"),
        ("imagePullSecrets", ["x"], "spec.imagePullSecrets[0]"),
        ("imagePullSecrets", [None], "spec.imagePullSecrets[0]"),
        ("securityContext", "x", "spec.securityContext"),
        ("securityContext", ["x"], "spec.securityContext"),
    ],
)
def test_what_a_workflow_s_pods_share_is_refused_with_its_path_where_it_is_misshapen(
    field: str, junk: Any, place: str
) -> None:
    body = manifest_of("argoproj.io/v1alpha1", "Workflow", **{field: junk})
    with pytest.raises(SpecError, match="expected") as caught:
        make_plan(make_spec(body), context=PULLING)
    assert f"resource_args.kubernetes.{place}:" in str(caught.value)


@pytest.mark.parametrize("pattern", ["spec.roles.*.metadata", "spec.roles[].metadata"])
def test_metadata_of_pods_that_are_not_there_hinder_nothing(pattern: str) -> None:
    plan = plan_own(make_own(pod_metadata=(pattern,)), {})
    assert "roles" not in plan.workload["spec"]


def test_metadata_of_pods_at_a_quoted_key_are_made() -> None:
    plan = plan_own(make_own(pod_metadata=('spec["pod.meta"]',)), {})
    assert plan.workload["spec"]["pod.meta"]["labels"]["launch-agent/item"] == "item-1"


@pytest.mark.parametrize(
    ("facts", "spec", "place"),
    [
        ({"pod_metadata": ("spec.roles.*.metadata",)}, {"roles": {"a": {"metadata": "x"}}}, "spec.roles.a.metadata"),
        ({"pod_metadata": ("spec.meta.pods",)}, {"meta": "x"}, "spec.meta"),
        ({"pod_metadata": ("spec.meta",)}, {"meta": []}, "spec.meta"),
        ({"templates": (), "containers": ("spec.a.b",)}, {"a": "x"}, "spec.a"),
        ({"entry": Entry.TEXT, "entrypoint": "spec.run.command"}, {"run": "x"}, "spec.run"),
        ({"entry": Entry.TEXT, "entrypoint": "spec.runs[1].command"}, {"runs": [{}]}, "spec.runs[1]"),
    ],
    ids=[
        "metadata that is a text",
        "metadata below a text",
        "metadata that is a list",
        "a container below a text",
        "an entry point below a text",
        "an entry point in an entry that is not there",
    ],
)
def test_a_place_that_the_owner_described_and_that_can_not_be_is_refused_with_its_path(
    facts: dict[str, Any], spec: dict[str, Any], place: str
) -> None:
    with pytest.raises(SpecError) as caught:
        plan_own(make_own(**facts), spec, overrides={"entry_point": ["run"]})
    assert f"resource_args.kubernetes.{place}:" in str(caught.value)
