"""Our reading of JSON Schema is the jsonschema package's, for our schema."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launch_agent.settings import schema
from launch_agent.settings.schema import ANNOTATIONS, KEYWORDS

SCHEMA = dict(schema.load())
JUDGE = jsonschema.Draft202012Validator(SCHEMA)

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=70),
    st.sampled_from(["aws", "ecr", "kaniko", "linux/amd64", "-1", "8", "1 ", "123456789012", "a-b", "A_B", "", 1.0, 0]),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)


def maps_of(node: Any) -> st.SearchStrategy[Any]:
    """Maps that mostly use the keys of the schema, at every level."""
    options = {}
    for name, one in node["properties"].items():
        examples = st.sampled_from([*one["examples"], one["default"]])
        deeper = [maps_of(one)] if "properties" in one else []
        options[name] = st.one_of(examples, VALUES, *deeper)
    return st.fixed_dictionaries({}, optional=options) | st.dictionaries(st.text(max_size=8), VALUES, max_size=2)


def nodes(node: Any) -> list[Any]:
    found = [node]
    for one in node.get("properties", {}).values():
        found += nodes(one)
    return found + (nodes(node["items"]) if "items" in node else [])


def test_the_schema_is_valid_json_schema_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_the_schema_uses_only_keywords_that_are_known_here_and_refers_to_nothing_remote() -> None:
    used = {keyword for node in nodes(SCHEMA) for keyword in node}
    assert used <= KEYWORDS | ANNOTATIONS
    assert not {"$ref", "$dynamicRef"} & used
    assert SCHEMA["$id"].startswith("urn:")


def test_the_schema_is_closed_at_the_top() -> None:
    assert SCHEMA["additionalProperties"] is False


@settings(max_examples=400, deadline=None)
@given(maps_of(SCHEMA) | VALUES)
def test_both_accept_and_refuse_the_same_values(value: Any) -> None:
    ours = {(tuple(one.path[:1]), one.keyword) for one in schema.check(value, SCHEMA)}
    assert (not ours) == JUDGE.is_valid(value)


@pytest.mark.parametrize("node", [one for one in nodes(SCHEMA) if "default" in one], ids=lambda one: one["title"][:30])
def test_defaults_and_examples_are_allowed(node: Any) -> None:
    for value in [node["default"], *node["examples"]]:
        assert list(schema.check(value, node)) == []


def test_equality_is_that_of_json() -> None:
    unique = {"uniqueItems": True}
    distinct: tuple[Any, ...] = ([1, True], [0, False], [[1], [True]], [{"a": 1}, {"a": True}], ["1", 1])
    for value in distinct:
        assert list(schema.check(value, unique)) == []
        assert jsonschema.Draft202012Validator(unique).is_valid(value)
    repeated: tuple[Any, ...] = ([1, 1.0], [[1], [1.0]], [{"a": [0]}, {"a": [0.0]}])
    for value in repeated:
        assert [one.keyword for one in schema.check(value, unique)] == ["uniqueItems"]
        assert not jsonschema.Draft202012Validator(unique).is_valid(value)


def test_neither_the_start_nor_a_judgement_imports_the_jsonschema_package() -> None:
    code = (
        "import sys, json, pathlib\n"
        "from launch_agent.settings import load, Flags, Need, schema\n"
        "load(Flags(queues=('a',)), {}, home=pathlib.Path('/nowhere'), need=Need.NOTHING)\n"
        "assert not list(schema.check({'queues': ['a']}, schema.load()))\n"
        "print(json.dumps([name for name in ('jsonschema', 'yaml', 'urllib3', 'kubernetes') if name in sys.modules]))\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []
