"""``schema/run-spec.schema.json`` and the agent's reader say the same, key by key and value by value."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
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

ROOT = Path(__file__).parents[3]
SCHEMA: dict[str, Any] = json.loads((ROOT / "schema/run-spec.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
DEFS: dict[str, Any] = SCHEMA["$defs"]
OWN = DEFS["kubernetes"]["properties"].keys() - {"apiVersion", "kind", "metadata", "spec"}

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
    make_spec({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"args": ["a", 1]}]}}),
    make_spec({"apiVersion": "", "kind": ""}),
    make_spec({"max_runtime": "12h", "wait_for_ready": False, "wait_timeout": 0.5}, max_runtime=90),
    make_spec(template_variables=[], priority="high", builder=5, registry=None, anything={"a": None}),
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
    make_spec({"kind": "PyTorchJob"}),
    make_spec({"kind": "PyTorchJob", "apiVersion": None}),
    make_spec({"apiVersion": "kubeflow.org/v1"}),
    make_spec({"apiVersion": "kubeflow.org/v1", "kind": ""}),
    make_spec({"apiVersion": ["batch/v1"]}),
    make_spec({"kind": {}}),
    make_spec({"apiVersion": "v1", "kind": "Pod", "spec": {"containers": {}}}),
    make_spec({"max_runtime": "0"}),
    make_spec({"max_runtime": "1w"}),
    make_spec({"max_runtime": 10**10}),
    make_spec({"wait_timeout": "300"}),
    make_spec(resource="local-process", resource_args={"local-process": {"env": ["A=1"]}}),
]


@pytest.mark.parametrize("run_spec", GOOD, ids=range(len(GOOD)))
def test_what_the_schema_allows_is_read(run_spec: dict[str, Any]) -> None:
    VALIDATOR.validate(run_spec)
    assert specs.parse(run_spec).entity == "team"


@pytest.mark.parametrize("run_spec", BAD, ids=range(len(BAD)))
def test_what_the_schema_forbids_is_refused(run_spec: dict[str, Any]) -> None:
    assert not VALIDATOR.is_valid(run_spec)
    with pytest.raises(SpecError):
        specs.parse(run_spec)


def test_the_schema_is_a_valid_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def read_keys(properties: Mapping[str, Any]) -> set[str]:
    """The keys that are looked at; the others are kept as they are."""
    return {name for name, node in properties.items() if node.get("$ref") != "#/$defs/kept"}


@pytest.mark.parametrize(
    ("shape", "place"),
    [
        (specs._SPEC, SCHEMA),
        (specs._OVERRIDES, SCHEMA["properties"]["overrides"]),
        (pod_shapes.POD_SPEC, DEFS["pod"]),
        (pod_shapes.CONTAINER, DEFS["container"]),
        (pod_shapes.OBJECT_META, DEFS["metadata"]),
        (pod_shapes.JOB.members["spec"], DEFS["jobSpec"]),
    ],
)
def test_the_schema_and_the_code_know_the_same_keys(shape: Object, place: dict[str, Any]) -> None:
    assert set(shape.members) == read_keys(place["properties"])


def test_the_schema_and_the_code_know_the_same_keys_of_the_agent() -> None:
    assert specs.AGENT_KEYS[Resource.KUBERNETES] == OWN
    assert set(specs._AGENT_ARGUMENTS.members) == read_keys(
        {name: node for name, node in DEFS["kubernetes"]["properties"].items() if name in OWN}
    )


def test_the_schema_names_every_resource() -> None:
    assert set(SCHEMA["properties"]["resource"]["enum"]) == {*map(str, Resource), "", None}


# ── every key, with a value of every type ───────────────────────────────────────────────────────────────────────────

JUNK: list[Any] = [
    *("", "x", "5", "2h", "a/b/c:v0", " "),
    *(5, 0, -1, 1.5, 1.0, True, False),
    *([], ["a"], [5], [None], [True], [{}], [[]], [{"name": "a"}]),
    *({}, {"a": "b"}, {"a": None}, {"a": True}, {"a": []}, {"name": 5}),
]
Path_ = tuple[str | int, ...]


def resolve(node: Mapping[str, Any]) -> Mapping[str, Any]:
    name = node.get("$ref", "").rpartition("/")[2]
    return {**DEFS[name], **node} if name else node


def walk(node: Mapping[str, Any], path: Path_ = ()) -> Iterator[Path_]:
    """Every place that the schema describes; a list's entries by their first."""
    node = resolve(node)
    if path == ("resource_args", "kubernetes", "spec"):
        node = {**node, **DEFS["jobSpec"]}
    if path:
        yield path
    for name, one in node.get("properties", {}).items():
        yield from walk(one, (*path, name))
    if "items" in node:
        yield from walk(node["items"], (*path, 0))


def put(value: Any, path: Path_, junk: Any) -> Any:
    """A copy with `junk` at the place; what is missing on the way is made, with what is required there."""
    if not path:
        return copy.deepcopy(junk)
    step, *rest = path
    if isinstance(step, int):
        return [put({"name": "a"} if rest else None, tuple(rest), junk)]
    known = value if isinstance(value, dict) else {}
    return {**known, step: put(known.get(step), tuple(rest), junk)}


def is_read(run_spec: dict[str, Any]) -> bool:
    try:
        specs.parse(run_spec)
    except SpecError:
        return False
    return True


def base_for(path: Path_) -> dict[str, Any]:
    """A run spec that is fine without the place, and in which nothing else forbids it."""
    if path in {("image_uri",), ("job",)}:
        return make_spec(docker=None, uri="placeholder-uri-scheduler")
    return make_spec(resource="local-process") if "local-process" in path else make_spec()


PLACES = [*walk(SCHEMA)]


def test_the_places_reach_down_to_the_variables_of_containers() -> None:
    container = ("resource_args", "kubernetes", "spec", "template", "spec", "containers", 0)
    assert (*container, "env", 0, "valueFrom") in PLACES
    assert len(PLACES) > 120


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_a_value_of_any_type_is_allowed_by_both_or_by_none(path: Path_) -> None:
    for junk in JUNK:
        run_spec = put(base_for(path), path, junk)
        assert VALIDATOR.is_valid(run_spec) is is_read(run_spec), junk


# ── what the page is written from ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_every_example_is_allowed_and_read(path: Path_) -> None:
    node: Mapping[str, Any] = SCHEMA
    for step in path:
        node = resolve(node)
        node = DEFS["jobSpec"] if node is DEFS["kubernetes"]["properties"]["spec"] else node
        node = node["items"] if step == 0 else node["properties"][step]
        node = DEFS["jobSpec"] if step == "spec" and node == DEFS["kubernetes"]["properties"]["spec"] else node
    for example in resolve(node).get("examples", []):
        run_spec = put(base_for(path), path, example)
        VALIDATOR.validate(run_spec)
        assert is_read(run_spec)


def test_every_key_says_what_is_allowed_what_it_does_and_gives_an_example() -> None:
    faults: list[str] = []

    def look(node: Mapping[str, Any], path: str) -> None:
        node = resolve(node)
        is_leaf = "properties" not in node and "properties" not in node.get("items", {})
        wanted = ("title", "description", "examples") if is_leaf else ("title", "description")
        faults.extend(f"{path}: {word}" for word in wanted if not node.get(word) and "local-process" not in path[-14:])
        for name, one in node.get("properties", {}).items():
            look(one, f"{path}.{name}")
        for name, one in node.get("items", {}).get("properties", {}).items():
            look(one, f"{path}[].{name}")

    look(SCHEMA, "")
    for name in ("metadata", "jobSpec", "pod", "container"):
        look(DEFS[name], name)
    assert faults == []


def test_the_page_is_written_from_the_schema() -> None:
    done = subprocess.run([sys.executable, ROOT / "ci/run-spec-docs", "--check"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_page_s_own_example_is_allowed_and_read() -> None:
    page = (ROOT / "docs/run-spec.md").read_text(encoding="utf-8")
    run_spec = json.loads(page.partition("```json\n")[2].partition("```")[0])
    VALIDATOR.validate(run_spec)
    assert is_read(run_spec)
