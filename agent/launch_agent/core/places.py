"""Parts of a manifest by pattern: found, read and changed without naming one kind's shape in code.

A path is a tuple of keys and indexes. A pattern is a text: ``spec.replicatedJobs[].template`` (each entry of a list),
``spec.pytorchReplicaSpecs.*.template`` (each member of an object), ``spec.tasks[0]`` (one entry),
``metadata.labels["a.b"]`` (a key that is no plain word); the empty text is the object itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from launch_agent.core.shapes import join

Path = tuple[str | int, ...]
"""Where something stands in an object: keys of objects and indexes of lists, from the outside in."""


@dataclass(frozen=True, slots=True)
class _Each:
    """A step to all members: of a list (``[]``) or of an object (``*``)."""

    is_list: bool


_Step = str | int | _Each

_STEP = re.compile(r'\[(?P<index>\d*)\]|\["(?P<quoted>[^"]*)"\]|(?P<dot>\.)?(?P<key>[^.\[\]"]+)')


@cache
def parse(pattern: str) -> tuple[_Step, ...]:
    """The steps of a pattern. Raises ValueError, with what is wrong in words, for a text that is none."""
    steps: list[_Step] = []
    position = 0
    while position < len(pattern):
        found = _STEP.match(pattern, position)
        if found is None or (found["key"] is not None and (found["dot"] is None) is not (position == 0)):
            raise ValueError(f"character {position + 1} begins no key, `[]` or `*`")
        position = found.end()
        if found["key"] is not None:
            steps.append(_Each(is_list=False) if found["key"] == "*" else found["key"])
        elif found["quoted"] is not None:
            steps.append(found["quoted"])
        else:
            steps.append(int(found["index"]) if found["index"] else _Each(is_list=True))
    return tuple(steps)


def path_of(pattern: str) -> Path:
    """The path that a pattern without ``[]`` and ``*`` means. Raises ValueError for one that means several places."""
    steps = parse(pattern)
    path = tuple(step for step in steps if not isinstance(step, _Each))
    if len(path) != len(steps):
        raise ValueError("it means several places, and one is wanted")
    return path


def find(body: Any, pattern: str) -> list[tuple[Path, Any]]:
    """What the pattern means in the object, in document order; missing, null and misshapen parts give nothing."""
    return list(_walk(body, parse(pattern), ()))


def _walk(value: Any, steps: tuple[_Step, ...], path: Path) -> Iterator[tuple[Path, Any]]:
    if value is None:
        return
    if not steps:
        yield path, value
        return
    for key in _keys(value, steps[0]):
        yield from _walk(value[key], steps[1:], (*path, key))


def _keys(value: Any, step: _Step) -> list[Any]:
    """The keys or indexes of ``value`` that a step leads to."""
    if isinstance(value, (dict, Mapping)):
        if isinstance(step, _Each):
            return [] if step.is_list else list(value)
        return [step] if step in value else []
    if isinstance(value, (list, tuple)):
        if isinstance(step, _Each):
            return list(range(len(value))) if step.is_list else []
        return [step] if isinstance(step, int) and step < len(value) else []
    return []


def get(body: Any, path: Path, default: Any = None) -> Any:
    """What stands at the path; ``default`` where something on the way, or it itself, is missing or null."""
    value = body
    for step in path:
        # a dict is nearly always there; `Mapping` takes ten times as long to ask for
        is_there = step in value if isinstance(value, dict) else bool(_keys(value, step))
        value = value[step] if is_there else None
        if value is None:
            return default
    return value


def put(body: Mapping[str, Any] | None, path: Path, value: Any) -> dict[str, Any]:
    """A copy of the object with ``value`` at the path; only what lies on the way is new, missing objects are made.

    Raises TypeError where the way leads through something that is neither an object nor a list with that index.
    """
    result: dict[str, Any] = _put(body, path, value)
    return result


def _put(body: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    step, *rest = path
    if isinstance(step, int):
        if not isinstance(body, (list, tuple)) or step >= len(body):
            raise TypeError(f"there is no entry {step}")
        return [*body[:step], _put(body[step], tuple(rest), value), *body[step + 1 :]]
    if body is not None and not isinstance(body, (dict, Mapping)):
        raise TypeError(f"{step} has no place in a {type(body).__name__}")
    members = dict(body or {})
    members[step] = _put(members.get(step), tuple(rest), value)
    return members


def change(body: Mapping[str, Any], pattern: str, function: Callable[[Any, Path], Any]) -> dict[str, Any]:
    """A copy of the object with each part that the pattern means replaced by ``function(part, its path)``.

    Parts that are missing or null are left so.
    """
    result = dict(body)
    for path, value in find(body, pattern):
        result = put(result, path, function(value, path))
    return result


def text(path: Path) -> str:
    """The path as it is shown to people: ``spec.tasks[0].template``."""
    shown = ""
    for step in path:
        shown = f"{shown}[{step}]" if isinstance(step, int) else join(shown, step)
    return shown
