"""How deep a run spec is nested: everything after this check may walk it by recursion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from launch_agent.core import places
from launch_agent.errors import SpecError

DEEPEST = 100
"""Levels of objects and lists. Kubernetes' own kinds have about 20; CustomResourceDefinitions with all of it 40."""

SHOWN = 6
"""Steps of the path that a message shows."""

_HOLDERS = (dict, list, tuple, Mapping)


def check_depth(body: Any) -> None:
    """Raise SpecError, with the beginning of the path, where objects and lists are nested deeper than `DEEPEST`."""
    level = list(_members([body]))
    for _ in range(DEEPEST):
        level = list({id(one): one for holder in level for one in _members(holder)}.values())  # shared ones count once
        if not level:
            return
    path = _find_path(body)
    raise SpecError(
        f"{places.text(path[:SHOWN])}…",
        f"is nested deeper than {DEEPEST} levels.",
        resolution="Put deep values into a text, as JSON, that the job reads.",
    )


def _find_path(body: Any) -> places.Path:
    """The first path that is too long."""
    waiting: list[tuple[places.Path, Any]] = [((), body)]
    while waiting:
        path, value = waiting.pop()
        if len(path) >= DEEPEST:
            return path
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        waiting += [((*path, step), one) for step, one in pairs if isinstance(one, _HOLDERS)]
    return ()


def _members(holder: Any) -> Iterator[Any]:
    for one in holder.values() if isinstance(holder, Mapping) else holder:
        if isinstance(one, _HOLDERS):
            yield one
