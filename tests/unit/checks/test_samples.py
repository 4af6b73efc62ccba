"""A sample's run spec is what W&B's server would hand out for an item that changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.checks.samples import IMAGE, Queue, make_run_spec, read_queue
from launch_agent.core import spec as specs


def arguments_of(queue: Queue) -> dict[str, Any]:
    found: dict[str, Any] = make_run_spec(queue, "team")["resource_args"]["kubernetes"]
    return found


def with_image(image: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": [{"image": image}]}}}}


def test_a_queue_is_read_as_wandb_answers() -> None:
    found = read_queue(
        "gpu",
        {
            "resource": "kubernetes",
            "config": {"resource_args": {"kubernetes": {"metadata": {"namespace": "a"}}}},
            "templateVariables": [{"name": "n", "schema": '{"type": "integer"}'}],
        },
    )
    assert found == Queue("gpu", "kubernetes", {"metadata": {"namespace": "a"}}, {"n": {"type": "integer"}})


@pytest.mark.parametrize(
    "junk",
    [
        None,
        {},
        {"resource": "kubernetes"},
        {"resource": "kubernetes", "config": "not JSON"},
        {"resource": "kubernetes", "config": []},
        {"resource": "kubernetes", "config": {"resource_args": {"kubernetes": None}}, "templateVariables": None},
        {"resource": "kubernetes", "config": {"resource_args": 3}, "templateVariables": ["x", {"name": "n"}]},
    ],
)
def test_what_is_not_as_it_should_be_counts_as_not_there(junk: Any) -> None:
    assert arguments_of(read_queue("gpu", junk)) == {}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "default": 4}, 4),
        ({"type": "string", "enum": ["a", "b"]}, "a"),
        ({"type": "integer", "minimum": 2, "maximum": 9}, 2),
        ({"type": "integer", "maximum": 0}, 0),
        ({"type": "number"}, 1),
        ({"type": "string"}, "check"),
        ({}, "check"),
    ],
)
def test_a_template_variable_gets_a_value_that_its_schema_allows(schema: dict[str, Any], value: Any) -> None:
    queue = Queue("gpu", "kubernetes", {"a": "{{n}}", "b": ["x-{{ n }}"], "c": "{{other}}"}, {"n": schema})
    assert arguments_of(queue) == {"a": value, "b": [f"x-{value}"], "c": "{{other}}"}


@pytest.mark.parametrize(
    ("arguments", "image"),
    [
        ({}, IMAGE),
        (with_image("train:1"), "train:1"),
        (with_image("${image_uri}"), IMAGE),
        (with_image(None), IMAGE),
        (with_image("two words"), IMAGE),
        ({"spec": {"template": {"spec": {"containers": []}}}}, IMAGE),
        ({"spec": []}, IMAGE),
    ],
)
def test_the_image_is_the_one_that_the_config_names(arguments: dict[str, Any], image: str) -> None:
    assert make_run_spec(Queue("gpu", "kubernetes", arguments), "team")["docker"] == {"docker_image": image}


def test_a_sample_is_a_well_formed_run_spec() -> None:
    spec = specs.parse(make_run_spec(Queue("gpu", "kubernetes", with_image("train:1")), "team"))
    assert (spec.entity, spec.image, spec.resource) == ("team", "train:1", "kubernetes")
