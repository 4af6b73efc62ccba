"""Whatever stands wherever in a run spec: it becomes a plan, or it is refused in words. Never another error."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from launch_agent.core.models import Plan
from launch_agent.errors import ItemError
from tests.support.specs import make_plan, make_spec

CONTAINER = {
    "name": "c",
    "image": "i",
    "command": ["a"],
    "env": [{"name": "A", "value": "b"}],
    "ports": [{"hostPort": 0}],
    "securityContext": {"capabilities": {"drop": ["ALL"]}},
}
BASE = make_spec(
    {
        "metadata": {"name": "a", "labels": {"a": "b"}},
        "namespace": "n",
        "spec": {
            "backoffLimit": 1,
            "template": {
                "metadata": {"labels": {}},
                "spec": {"containers": [CONTAINER], "volumes": [{"name": "v"}], "hostPID": False},
            },
        },
    },
    overrides={"args": ["a"], "run_config": {"a": 1}, "files": {}, "artifacts": {}, "entry_point": ["x"]},
    name="n",
    author="a",
    run_id="r",
    _resume_count=1,
    additional_services=[],
    git={},
)
JUNK: list[Any] = [
    None,
    "",
    0,
    1.5,
    True,
    [],
    {},
    "x",
    ["x"],
    {"a": 1},
    [None],
    {"name": None},
    [[]],
    float("nan"),
    10**30,
]

Path = tuple[Any, ...]


def find_paths(value: Any, path: Path = ()) -> Iterator[Path]:
    yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from find_paths(entry, (*path, key))


def replace(value: Any, path: Path, junk: Any) -> Any:
    if not path:
        return junk
    result = copy.copy(value)
    result[path[0]] = replace(value[path[0]], path[1:], junk)
    return result


def plan_or_refuse(run_spec: Any) -> Plan | ItemError:
    try:
        return make_plan(run_spec)
    except ItemError as error:
        return error


def test_the_base_itself_is_planned() -> None:
    assert isinstance(plan_or_refuse(BASE), Plan)


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_junk_anywhere_is_planned_or_refused_in_words(junk: Any) -> None:
    outcomes = [plan_or_refuse(replace(BASE, path, junk)) for path in find_paths(BASE)]
    refusals = [outcome for outcome in outcomes if isinstance(outcome, ItemError)]
    assert refusals, "nothing was refused"
    assert all(error.summary and error.resolution for error in refusals)
