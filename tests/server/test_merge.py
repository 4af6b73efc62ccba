"""Configs merged into specs, and template variables, as tables of values."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_server.errors import RequestError
from launch_server.merge import merge_deeply, merge_spec
from launch_server.templates import fill, parse_variables

Json = Any


@pytest.mark.parametrize(
    ("base", "over", "merged"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({}, {"a": 1}, {"a": 1}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 3, "z": 4}}, {"a": {"x": 1, "y": 3, "z": 4}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"x": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": [1]}, {"a": {"x": 1}}, {"a": {"x": 1}}),
        ({"a": {"x": 1}}, {"a": None}, {"a": None}),
        ({"a": {"x": {"y": {"z": 1}}}}, {"a": {"x": {"y": {"w": 2}}}}, {"a": {"x": {"y": {"z": 1, "w": 2}}}}),
    ],
)
def test_maps_merge_deeply_and_the_submitter_wins(base: Json, over: Json, merged: Json) -> None:
    assert merge_deeply(base, over) == merged


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=12,
)
_maps = st.dictionaries(st.text(max_size=2), _values, max_size=4)


@given(_maps, _maps)
def test_a_merge_changes_neither_side_and_merged_again_is_the_same(base: Json, over: Json) -> None:
    before = copy.deepcopy((base, over))
    merged = merge_deeply(base, over)
    assert (base, over) == before
    assert merge_deeply(merged, over) == merged
    assert set(merged) == set(base) | set(over)


def test_the_queue_sets_the_resource_and_its_arguments_lie_under_the_submitters() -> None:
    config = {"resource_args": {"kubernetes": {"spec": {"backoffLimit": 0, "template": {"x": [1]}}}}}
    spec = {
        "entity": "e",
        "resource": "local-container",
        "resource_args": {"kubernetes": {"spec": {"backoffLimit": 3}, "metadata": {"name": "n"}}},
    }
    assert merge_spec(spec, "kubernetes", config) == {
        "entity": "e",
        "resource": "kubernetes",
        "resource_args": {
            "kubernetes": {"spec": {"backoffLimit": 3, "template": {"x": [1]}}, "metadata": {"name": "n"}}
        },
    }


@pytest.mark.parametrize("own", [None, [], "text", 3])
def test_resource_args_that_are_no_map_give_way_to_the_queues(own: Json) -> None:
    merged = merge_spec({"resource_args": own}, "kubernetes", {"resource_args": {"kubernetes": {"a": 1}}})
    assert merged["resource_args"] == {"kubernetes": {"a": 1}}


SCHEMAS: dict[str, dict[str, Json]] = {
    "cpu": {"type": "integer", "default": 1, "minimum": 1, "maximum": 4},
    "tier": {"type": "string", "enum": ["small", "large"]},
}


@pytest.mark.parametrize(
    ("config", "values", "filled"),
    [
        ({"cpu": "{{cpu}}"}, {"tier": "small"}, {"cpu": 1}),
        ({"cpu": "{{ cpu }}"}, {"cpu": 3, "tier": "small"}, {"cpu": 3}),
        ({"name": "job-{{tier}}-{{cpu}}"}, {"tier": "large"}, {"name": "job-large-1"}),
        ({"l": [{"x": "{{tier}}"}]}, {"tier": "large"}, {"l": [{"x": "large"}]}),
        ({"other": "{{unknown}} ${run_id}"}, {"tier": "small"}, {"other": "{{unknown}} ${run_id}"}),
    ],
)
def test_declared_variables_are_filled_and_others_left_alone(config: Json, values: Json, filled: Json) -> None:
    assert fill(config, SCHEMAS, values) == filled


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tier": "small", "gpu": 1}, "unknown template variable 'gpu'; the queue's variables are: cpu, tier"),
        ({}, "template variable 'tier' has no value and no default. Push with --set-var tier=…"),
        ({"tier": "huge"}, "template variable 'tier': 'huge' is not one of ['small', 'large']"),
        ({"tier": "small", "cpu": 9}, "template variable 'cpu': 9 is greater than the maximum of 4"),
        ({"tier": "small", "cpu": "2"}, "template variable 'cpu': '2' is not of type 'integer'"),
    ],
)
def test_values_outside_their_schema_are_refused_in_words(values: Json, message: str) -> None:
    with pytest.raises(RequestError) as caught:
        fill({}, SCHEMAS, values)
    assert str(caught.value) == message


def test_a_schema_that_points_elsewhere_is_refused_and_nothing_is_fetched() -> None:
    with pytest.raises(RequestError, match=r"refers to 'http://127\.0\.0\.1:9/x', which is not in it"):
        fill({}, {"a": {"$ref": "http://127.0.0.1:9/x"}}, {"a": 1})


@pytest.mark.parametrize("text", ["[1]", '{"a": 1}', '{"a": "x"}', "{"])
def test_variables_of_another_shape_are_refused(text: str) -> None:
    with pytest.raises(RequestError):
        parse_variables(text)


@pytest.mark.parametrize("text", ['{"a": {"schema": {"type": "string"}}}', '{"a": {"type": "string"}}'])
def test_both_ways_to_write_a_schema_are_read(text: str) -> None:
    assert parse_variables(text) == {"a": {"type": "string"}}
