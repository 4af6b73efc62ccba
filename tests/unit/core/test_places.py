"""Parts of a manifest by pattern: found in document order, changed without touching anything else."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import places

BODY: dict[str, Any] = {
    "metadata": {"labels": {"a.b": "1"}},
    "spec": {
        "tasks": [
            {"name": "one", "template": {"spec": 1}},
            {"name": "two"},
            {"name": "three", "template": {"spec": 3}},
        ],
        "roles": {"Worker": {"template": "w"}, "Master": {"template": "m"}, "Idle": None},
        "nothing": None,
        "text": "abc",
    },
}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", [((), BODY)]),
        ("spec.text", [(("spec", "text"), "abc")]),
        ("spec.nothing", []),
        ("spec.nothing.deeper", []),
        ("spec.text.deeper", []),
        ("spec.text[]", []),
        ("spec.tasks.*", []),
        ("spec.roles[]", []),
        ("missing[].x", []),
        (
            "spec.tasks[].template",
            [(("spec", "tasks", 0, "template"), {"spec": 1}), (("spec", "tasks", 2, "template"), {"spec": 3})],
        ),
        ("spec.tasks[1].name", [(("spec", "tasks", 1, "name"), "two")]),
        ("spec.tasks[7].name", []),
        (
            "spec.roles.*.template",
            [(("spec", "roles", "Worker", "template"), "w"), (("spec", "roles", "Master", "template"), "m")],
        ),
        ("spec.roles.Master.template", [(("spec", "roles", "Master", "template"), "m")]),
        ('metadata.labels["a.b"]', [(("metadata", "labels", "a.b"), "1")]),
    ],
)
def test_a_pattern_finds_what_is_there_in_document_order(pattern: str, expected: list[Any]) -> None:
    assert places.find(BODY, pattern) == expected


@pytest.mark.parametrize("pattern", [".spec", "spec.", "spec..x", "spec[", "spec[a]", "spec]x", "spec[].[]x", "[]spec"])
def test_a_text_that_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="character"):
        places.parse(pattern)


def test_a_path_is_shown_as_people_write_it_and_leads_back() -> None:
    path = ("spec", "tasks", 0, "a.b", "template")
    shown = places.text(path)
    assert shown == 'spec.tasks[0]["a.b"].template'
    assert places.parse(shown) == path


def test_reading_gives_the_default_for_what_is_missing_null_or_misshapen() -> None:
    assert places.get(BODY, ("spec", "tasks", 2, "name")) == "three"
    assert places.get(BODY, ("spec", "nothing"), "d") == "d"
    assert places.get(BODY, ("spec", "text", "deeper"), "d") == "d"
    assert places.get(BODY, ("spec", "tasks", 9), "d") == "d"
    assert places.get(BODY, ()) is BODY


def test_putting_copies_only_the_way_and_makes_missing_objects() -> None:
    result = places.put(BODY, ("spec", "tasks", 1, "template", "spec"), 2)
    assert result["spec"]["tasks"][1] == {"name": "two", "template": {"spec": 2}}
    assert "template" not in BODY["spec"]["tasks"][1]
    assert result["spec"]["tasks"][0] is BODY["spec"]["tasks"][0]
    assert result["metadata"] is BODY["metadata"]
    assert places.put(None, ("a", "b"), 1) == {"a": {"b": 1}}
    assert places.put({"a": None}, ("a", "b"), 1) == {"a": {"b": 1}}


@pytest.mark.parametrize("path", [("spec", "text", "x"), ("spec", "tasks", 9, "x"), ("spec", 0), ("new", 0)])
def test_putting_through_something_else_is_an_error(path: places.Path) -> None:
    with pytest.raises(TypeError):
        places.put(BODY, path, 1)


def test_changing_calls_with_each_part_and_its_path() -> None:
    seen: list[str] = []

    def double(value: Any, path: places.Path) -> Any:
        seen.append(places.text(path))
        return value * 2

    result = places.change(BODY, "spec.roles.*.template", double)
    assert seen == ["spec.roles.Worker.template", "spec.roles.Master.template"]
    assert [role and role["template"] for role in result["spec"]["roles"].values()] == ["ww", "mm", None]
    assert BODY["spec"]["roles"]["Master"]["template"] == "m"


def test_the_object_itself_can_be_changed() -> None:
    assert places.change({"a": 1}, "", lambda body, _: {**body, "b": 2}) == {"a": 1, "b": 2}


def test_a_pattern_of_one_place_is_a_path() -> None:
    assert places.path_of("spec.runPolicy.suspend") == ("spec", "runPolicy", "suspend")
    with pytest.raises(ValueError, match="several"):
        places.path_of("spec.tasks[].x")
