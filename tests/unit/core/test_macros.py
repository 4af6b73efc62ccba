"""Macros in a queue's config."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_agent.core import macros
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.errors import SpecError
from tests.support.specs import make_spec

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def collect(**environment: str) -> dict[str, str]:
    context = LaunchContext(base_url="", entity="team", agent_name="", installation="", macros=environment)
    return macros.collect(specs.parse(make_spec(name="nice", author="ada")), "abc", context)


def test_the_six_macros_have_the_run_s_values() -> None:
    text = "${project_name} ${entity_name} ${run_id} ${run_name} ${image_uri} ${author}"
    assert macros.fill(text, collect()) == "vision team abc nice registry/train:1 ada"


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("${unknown} ${HOME}", "${unknown} ${HOME}"),
        ("${run_id}${run_id}", "abcabc"),
        ("$run_id {run_id} ${ run_id }", "$run_id {run_id} ${ run_id }"),
        ("$${run_id}", "$abc"),
        ("", ""),
    ],
)
def test_only_known_macros_are_filled(text: str, filled: str) -> None:
    assert macros.fill(text, collect()) == filled


@pytest.mark.parametrize("name", ["run_name", "author"])
def test_a_macro_without_a_value_is_refused_with_its_name_and_its_place(name: str) -> None:
    context = LaunchContext(base_url="", entity="", agent_name="", installation="")
    values = macros.collect(specs.parse(make_spec(name=None)), "abc", context)
    with pytest.raises(SpecError, match=rf"^where\.args\[1\]: uses the macro \$\{{{name}\}}"):
        macros.fill({"args": ["${run_id}", f"x-${{{name}}}"]}, values, "where")
    assert macros.fill({f"${{{name}}}": 1}, values) == {f"${{{name}}}": 1}, "keys are not touched"


def test_allowed_variables_of_the_agent_are_macros_but_never_over_one() -> None:
    values = collect(ZONE="eu", run_id="forged")
    assert macros.fill("${ZONE} ${run_id}", values) == "eu abc"


def test_a_value_is_filled_once_only() -> None:
    assert macros.fill("${a}", {"a": "${b}", "b": "no"}) == "${b}"


def test_keys_stay_and_other_values_too() -> None:
    value = {"${run_id}": ["${run_id}", 1, None, True, {"a": "${run_id}"}]}
    assert macros.fill(value, {"run_id": "x"}) == {"${run_id}": ["x", 1, None, True, {"a": "x"}]}


@given(JSON)
def test_filling_nothing_changes_nothing(value: Any) -> None:
    assert macros.fill(value, {}) == value


@given(JSON)
def test_the_result_is_a_copy(value: Any) -> None:
    def spoil(part: Any) -> None:
        if isinstance(part, dict):
            for entry in part.values():
                spoil(entry)
            part.clear()
        if isinstance(part, list):
            for entry in part:
                spoil(entry)
            part.clear()

    before = repr(value)
    spoil(macros.fill(value, {}))
    assert repr(value) == before
