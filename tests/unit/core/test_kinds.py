"""Kinds as data: every row of the table is well-formed, and kinds that nobody described are read by their shape."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from launch_agent.core import places
from launch_agent.core.kind_table import BUILT_IN
from launch_agent.core.kinds import Kind, Kinds, PodTemplate, find_containers, find_name_limit, find_templates, group_of
from tests.support.kind_manifests import REFUSED


def test_a_group_is_what_stands_before_the_slash() -> None:
    assert group_of("kubeflow.org/v1") == "kubeflow.org"
    assert group_of("v1") == ""


@pytest.mark.parametrize("kind", BUILT_IN, ids=lambda kind: f"{kind.group}/{kind.kind}")
def test_every_row_of_the_table_is_well_formed(kind: Kind) -> None:
    for template in kind.templates:
        places.parse(template.path)
    for pattern in (*kind.containers, *kind.pod_metadata, kind.pod_spec, kind.ttl, kind.suspend, kind.entrypoint):
        places.parse(pattern)
    for pattern, texts in kind.states.phases:
        places.parse(pattern)
        assert all(text == text.lower() for text in texts)
    assert all(text == text.lower() for text in kind.states.conditions)
    assert kind.refusal or kind.templates or kind.containers
    assert 30 <= kind.name_limit <= 63
    assert bool(kind.entrypoint) == (kind.entry == "text")


def test_no_kind_is_in_the_table_twice() -> None:
    assert len({(kind.group, kind.kind) for kind in BUILT_IN}) == len(BUILT_IN)


@pytest.mark.parametrize("version", ["kubeflow.org/v1", "kubeflow.org/v2beta1"])
def test_any_version_of_a_group_is_the_same_kind(version: str) -> None:
    assert Kinds().find(version, "MPIJob").templates[0].path == "spec.mpiReplicaSpecs.Launcher.template"


def test_the_owners_description_goes_before_the_table() -> None:
    own = replace(Kinds().find("batch/v1", "Job"), name_limit=40)
    assert Kinds([own]).find("batch/v1", "Job") is own
    assert Kinds().find("batch/v1", "Job") is not own


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [*REFUSED, ("v1", "Service")],
)
def test_kinds_that_can_not_be_followed_say_why(api_version: str, kind: str) -> None:
    assert Kinds().find(api_version, kind).refusal.endswith(".")


def test_an_unknown_kind_has_the_templates_that_its_body_shows() -> None:
    pod = {"spec": {"containers": [{"name": "a"}]}}
    body = {"spec": {"lead": {"template": pod}, "others": [{"template": pod}, {"note": 1}, {"template": pod}]}}
    found = Kinds().find("example.com/v1", "Thing", body)
    assert not found.is_known
    assert found.templates == (
        PodTemplate("spec.lead.template"),
        PodTemplate("spec.others[0].template"),
        PodTemplate("spec.others[2].template"),
    )
    assert not found.refusal


def test_an_unknown_kind_without_a_body_has_no_templates() -> None:
    assert Kinds().find("example.com/v1", "Thing").templates == ()


POD: dict[str, Any] = {"spec": {"containers": [{"name": "a"}]}}


@pytest.mark.parametrize(
    ("api_version", "kind", "body", "expected"),
    [
        ("v1", "Pod", POD, [""]),
        ("batch/v1", "Job", {"spec": {"template": POD}}, ["spec.template"]),
        ("batch/v1", "Job", {"spec": {"template": "x"}}, []),
        (
            "kubeflow.org/v1",
            "PyTorchJob",
            {"spec": {"pytorchReplicaSpecs": {"Worker": {"template": POD}, "Master": {"template": POD}}}},
            ["spec.pytorchReplicaSpecs.Master.template", "spec.pytorchReplicaSpecs.Worker.template"],
        ),
        (
            "kubeflow.org/v1",
            "TFJob",
            {"spec": {"tfReplicaSpecs": {"PS": {"template": POD}, "Worker": {"template": POD}}}},
            ["spec.tfReplicaSpecs.Worker.template", "spec.tfReplicaSpecs.PS.template"],
        ),
        (
            "jobset.x-k8s.io/v1alpha2",
            "JobSet",
            {"spec": {"replicatedJobs": [{"template": {"spec": {"template": POD}}} for _ in range(2)]}},
            ["spec.replicatedJobs[0].template.spec.template", "spec.replicatedJobs[1].template.spec.template"],
        ),
        (
            "batch.volcano.sh/v1alpha1",
            "Job",
            {"spec": {"tasks": [{"name": "a", "template": POD}, {"name": "b"}]}},
            ["spec.tasks[0].template"],
        ),
        (
            "ray.io/v1",
            "RayJob",
            {"spec": {"submitterPodTemplate": POD, "rayClusterSpec": {"headGroupSpec": {"template": POD}}}},
            ["spec.rayClusterSpec.headGroupSpec.template", "spec.submitterPodTemplate"],
        ),
        (
            "leaderworkerset.x-k8s.io/v1",
            "LeaderWorkerSet",
            {"spec": {"leaderWorkerTemplate": {"workerTemplate": POD}}},
            ["spec.leaderWorkerTemplate.workerTemplate"],
        ),
        ("trainer.kubeflow.org/v1alpha1", "TrainJob", {"spec": {"trainer": {}}}, []),
    ],
)
def test_templates_are_found_once_with_the_leading_one_first(
    api_version: str, kind: str, body: dict[str, Any], expected: list[str]
) -> None:
    found = find_templates(Kinds().find(api_version, kind), body)
    assert [places.text(path) for path, _ in found] == expected


def test_each_template_comes_with_the_name_of_its_main_container() -> None:
    body = {"spec": {"pytorchReplicaSpecs": {"Worker": {"template": POD}}}}
    assert [one.main for _, one in find_templates(Kinds().find("kubeflow.org/v1", "PyTorchJob"), body)] == ["pytorch"]


def test_containers_without_a_template_are_found_in_the_order_of_the_table() -> None:
    steps: list[dict[str, Any]] = [{"script": {"image": "s"}}, {"container": {"image": "c"}}, {"dag": {}}]
    steps.append({"containerSet": {"containers": [{"name": "x"}, {"name": "main"}]}})
    found = find_containers(Kinds().find("argoproj.io/v1alpha1", "Workflow"), {"spec": {"templates": steps}})
    assert [places.text(path) for path in found] == [
        "spec.templates[1].container",
        "spec.templates[0].script",
        "spec.templates[3].containerSet.containers[0]",
        "spec.templates[3].containerSet.containers[1]",
    ]


@pytest.mark.parametrize(
    ("api_version", "kind", "field"),
    [("jobset.x-k8s.io/v1alpha2", "JobSet", "replicatedJobs"), ("batch.volcano.sh/v1alpha1", "Job", "tasks")],
)
@pytest.mark.parametrize("role", ["a", "workers", "parameter-servers"])
def test_names_of_roles_take_their_share_of_a_generated_name(
    api_version: str, kind: str, field: str, role: str
) -> None:
    found = Kinds().find(api_version, kind)
    limit = find_name_limit(found, {"spec": {field: [{"name": "x"}, {"name": role}, {}]}})
    longest = f"{'n' * limit}-{role}-{'999-99-abcde' if kind == 'JobSet' else '9999999'}"
    assert limit >= 26
    assert len(longest) <= 63


def test_a_role_s_name_that_leaves_nothing_is_for_the_operator_to_refuse() -> None:
    body = {"spec": {"replicatedJobs": [{"name": "r" * 60}]}}
    assert find_name_limit(Kinds().find("jobset.x-k8s.io/v1alpha2", "JobSet"), body) == 26


def test_other_kinds_have_one_limit() -> None:
    assert find_name_limit(Kinds().find("batch/v1", "Job"), {"spec": {}}) == 57
