"""Nesting that would end a recursion is refused by its place, before anything walks it."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import spec as specs
from launch_agent.core.depth import DEEPEST, check_depth
from launch_agent.errors import SpecError
from tests.support.specs import make_plan, make_pod, make_spec


def nest(levels: int) -> dict[str, Any]:
    """An object of so many levels, itself counted."""
    body: dict[str, Any] = {}
    for _ in range(levels - 1):
        body = {"a": body}
    return body


@pytest.mark.parametrize("levels", [DEEPEST + 1, 400, 50_000])
def test_a_deep_manifest_is_refused_with_the_beginning_of_its_place(levels: int) -> None:
    with pytest.raises(SpecError, match=r"^resource_args\.kubernetes\.spec\.a\.a\.a…: is nested deeper") as caught:
        specs.parse(make_spec({"apiVersion": "x.io/v1", "kind": "X", "spec": nest(levels)}))
    assert caught.value.resolution


def test_a_deep_service_is_refused_too() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": nest(400)}
    with pytest.raises(SpecError, match=r"^additional_services\[0\]\.config\.metadata\.a"):
        specs.parse(make_spec(additional_services=[{"name": "a", "config": config}]))


def test_lists_count_as_levels() -> None:
    deep: Any = []
    for _ in range(DEEPEST):
        deep = [deep]
    with pytest.raises(SpecError, match=r"^a\[0\]\[0\]"):
        check_depth({"a": deep})


def test_as_deep_as_allowed_is_planned() -> None:
    body = make_pod(containers=[{}])
    body["metadata"] = {"annotations": {"a": "b"}}
    run_spec = make_spec({"apiVersion": "x.io/v1", "kind": "X", "spec": nest(DEEPEST - 3)})
    assert make_plan(run_spec).workload["kind"] == "X"
    check_depth(nest(DEEPEST))


def test_a_circle_and_parts_that_many_share_end_the_search() -> None:
    circle: dict[str, Any] = {}
    circle["b"] = circle["a"] = circle
    with pytest.raises(SpecError, match="nested deeper"):
        check_depth(circle)
