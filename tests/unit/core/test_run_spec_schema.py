"""``schema/run-spec.schema.json`` and ``spec.parse`` say the same of the same examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from launch_agent.core import pod_shapes
from launch_agent.core import spec as specs
from launch_agent.core.models import Resource
from launch_agent.core.shapes import Object
from launch_agent.errors import SpecError
from tests.support.specs import make_pod, make_spec

SCHEMA: dict[str, Any] = json.loads((Path(__file__).parents[3] / "schema/run-spec.schema.json").read_text())

GOOD: list[dict[str, Any]] = [
    make_spec(),
    make_spec(name=None, unknown={"a": [1]}, git={"repo": None}),
    make_spec(docker=None, image_uri="a:1"),
    make_spec(docker={"docker_image": ""}, job="a/b/c:v0"),
    make_spec(docker=None, uri="placeholder-uri-scheduler"),
    make_spec(docker=None, resource="local-process", overrides={"entry_point": ["python", "t.py"]}),
    make_spec({"namespace": "n", "wait_timeout": 3, "anything": {}}),
    make_spec({"metadata": {"labels": {"a": 1}}, "apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 3}}),
    make_spec({"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": {"template": 5}}),
    make_spec(make_pod(containers=[{"env": [{"name": "A", "value": 5}], "args": [1, "b"], "unknown": 1}])),
    make_spec({"kubernetes": {"kind": "Job"}}),
    make_spec(resource="vertex", resource_args={"vertex": {"spec": {}}}),
]
BAD: list[dict[str, Any]] = [
    {},
    make_spec(entity=None),
    make_spec(entity=""),
    make_spec(project=5),
    make_spec(docker=None),
    make_spec(docker="img"),
    make_spec(docker={"docker_image": "a b"}),
    make_spec(job="a/b/c:v0"),
    make_spec(job="c", docker=None),
    make_spec(resource="kubernets"),
    make_spec(resource_args=[]),
    make_spec(overrides={"args": "x"}),
    make_spec(overrides={"args": [True]}),
    make_spec(overrides={"run_config": []}),
    make_spec(_resume_count="1"),
    make_spec(_resume_count=-1),
    make_spec(additional_services=["x"]),
    make_spec(docker=None, resource="local-process"),
    make_spec(docker=None, resource="local-process", overrides={"entry_point": []}),
    make_spec({"metadata": {"labels": ["a"]}}),
    make_spec({"metadata": {"labels": {"a": True}}}),
    make_spec({"spec": {"backoffLimit": "0"}}),
    make_spec(make_pod(containers={})),
    make_spec(make_pod(containers=[None])),
    make_spec(make_pod(containers=[{"env": [{"value": "x"}]}])),
    make_spec(make_pod(containers=[{"env": [{"name": "A", "value": True}]}])),
    make_spec(make_pod(hostPID="no")),
    make_spec(resource="local-process", resource_args={"local-process": {"env": ["A=1"]}}),
]


@pytest.mark.parametrize("run_spec", GOOD, ids=range(len(GOOD)))
def test_what_the_schema_allows_is_read(run_spec: dict[str, Any]) -> None:
    Draft202012Validator(SCHEMA).validate(run_spec)
    assert specs.parse(run_spec).entity == "team"


@pytest.mark.parametrize("run_spec", BAD, ids=range(len(BAD)))
def test_what_the_schema_forbids_is_refused(run_spec: dict[str, Any]) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid(run_spec)
    with pytest.raises(SpecError):
        specs.parse(run_spec)


def test_the_schema_is_a_valid_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        (specs._SPEC, SCHEMA),
        (specs._OVERRIDES, SCHEMA["properties"]["overrides"]),
        (pod_shapes.POD_SPEC, SCHEMA["$defs"]["pod"]),
        (pod_shapes.CONTAINER, SCHEMA["$defs"]["container"]),
        (pod_shapes.OBJECT_META, SCHEMA["$defs"]["metadata"]),
        (pod_shapes.JOB.members["spec"], SCHEMA["$defs"]["jobSpec"]),
    ],
)
def test_the_schema_and_the_code_know_the_same_keys(shape: Object, place: dict[str, Any]) -> None:
    assert set(shape.members) == set(place["properties"])


def test_the_schema_names_every_resource() -> None:
    assert set(SCHEMA["properties"]["resource"]["enum"]) == {*map(str, Resource), "", None}
