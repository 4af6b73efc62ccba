"""The environment of a launched workload (protocol 5.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from launch_agent.core import environment
from launch_agent.core import spec as specs
from launch_agent.core.models import QueueItem
from tests.support.specs import CONTEXT, make_spec


def build(**changes: Any) -> dict[str, str]:
    run_spec = make_spec(**changes)
    return environment.build(specs.parse(run_spec), CONTEXT, QueueItem("item-1", "gpu", run_spec), "run12345")


def test_a_plain_image_gets_these_variables_and_no_others() -> None:
    assert build(project="Vision") == {
        "WANDB_BASE_URL": "https://api.example.org",
        "WANDB_PROJECT": "vision",
        "WANDB_ENTITY": "team",
        "WANDB_LAUNCH": "True",
        "WANDB_RUN_ID": "run12345",
        "WANDB_DOCKER": "registry/train:1",
        "WANDB_LAUNCH_QUEUE_NAME": "gpu",
        "WANDB_LAUNCH_QUEUE_ENTITY": "team",
        "WANDB_LAUNCH_TRACE_ID": "item-1",
        "WANDB_CONFIG": "{}",
        "WANDB_LAUNCH_FILE_OVERRIDES": "{}",
        "WANDB_ARTIFACTS": "{}",
    }


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"name": "nice"}, "WANDB_NAME", "nice"),
        ({"author": "ada"}, "WANDB_USERNAME", "ada"),
        ({"author": "ada", "_wandb_api_key": "k"}, "WANDB_USERNAME", None),
        ({"sweep_id": "s1"}, "WANDB_SWEEP_ID", "s1"),
        ({"_resume_count": 1}, "WANDB_RESUME", "allow"),
        ({"_resume_count": 0}, "WANDB_RESUME", None),
        ({"docker": None, "job": "a/b/c:v0"}, "WANDB_DOCKER", None),
        ({"docker": None, "job": "a/b/c:v0"}, "WANDB_ARTIFACTS", '{"_wandb_job": "a/b/c:v0"}'),
        ({"overrides": {"artifacts": {"in": "a:v1"}}}, "WANDB_ARTIFACTS", '{"in": "a:v1"}'),
        ({"overrides": {"run_config": {"lr": 0.1}}}, "WANDB_CONFIG", '{"lr": 0.1}'),
        ({"overrides": {"run_config": None}}, "WANDB_CONFIG", "{}"),
        ({"overrides": {"files": {"a.yaml": {"x": 1}}}}, "WANDB_LAUNCH_FILE_OVERRIDES", '{"a.yaml": {"x": 1}}'),
        ({"overrides": {"files": None}}, "WANDB_LAUNCH_FILE_OVERRIDES", "{}"),
    ],
)
def test_a_variable_is_there_when_it_has_to_be(changes: dict[str, Any], name: str, value: str | None) -> None:
    assert build(**changes).get(name) == value


@pytest.mark.parametrize(("key", "name"), [("run_config", "WANDB_CONFIG"), ("files", "WANDB_LAUNCH_FILE_OVERRIDES")])
def test_a_long_value_goes_on_in_numbered_variables(key: str, name: str) -> None:
    value = {"text": "x" * 70_000}
    found = build(overrides={key: value})
    assert name not in found
    parts = [found[f"{name}_{number}"] for number in range(3)]
    assert [len(part) for part in parts[:2]] == [32_670, 32_670]
    assert f"{name}_3" not in found
    assert json.loads("".join(parts)) == value


def test_a_value_of_just_the_limit_stays_whole() -> None:
    value = {"t": "x" * (environment.VALUE_LIMIT - len('{"t": ""}'))}
    assert len(build(overrides={"run_config": value})["WANDB_CONFIG"]) == environment.VALUE_LIMIT
