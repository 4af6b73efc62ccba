"""Merging two objects."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from launch_agent.core.merging import merge

OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.integers() | st.lists(st.integers(), max_size=2), max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner | st.integers(), max_size=3),
    max_leaves=8,
)


def test_objects_merge_deeply_and_lists_are_replaced() -> None:
    under = {"a": {"x": 1, "y": [1, 2]}, "b": 1}
    over = {"a": {"y": [3], "z": 4}, "c": 5}
    assert merge(under, over) == {"a": {"x": 1, "y": [3], "z": 4}, "b": 1, "c": 5}


def test_null_counts_as_absent() -> None:
    assert merge({"a": 1}, {"a": None, "b": None}) == {"a": 1, "b": None}


@given(OBJECTS, OBJECTS)
def test_neither_side_is_changed(under: dict[str, Any], over: dict[str, Any]) -> None:
    before = copy.deepcopy((under, over))
    merge(under, over)
    assert (under, over) == before


@given(OBJECTS, OBJECTS)
def test_whatever_is_over_wins_and_nothing_is_lost(under: dict[str, Any], over: dict[str, Any]) -> None:
    result = merge(under, over)
    assert result.keys() == under.keys() | over.keys()
    assert merge(result, over) == result


@given(OBJECTS)
def test_nothing_laid_over_or_under_changes_nothing(value: dict[str, Any]) -> None:
    assert merge(value, {}) == merge({}, value) == merge(value, value) == value
