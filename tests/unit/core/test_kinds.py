"""Kinds as data: every row of the table is well-formed, and kinds that nobody described are read by their shape."""

from __future__ import annotations

from dataclasses import replace

import pytest

from launch_agent.core import places
from launch_agent.core.kind_table import BUILT_IN
from launch_agent.core.kinds import Kind, Kinds, PodTemplate, group_of


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
    [
        ("batch/v1", "CronJob"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("v1", "ReplicationController"),
        ("v1", "ConfigMap"),
        ("v1", "Service"),
        ("ray.io/v1", "RayService"),
    ],
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
