"""Reading unknown JSON: each value is what it should be, or an error that names its path and what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from launch_agent.errors import SpecError

NAMES = {dict: "an object", list: "a list", str: "a text", bool: "a boolean", int: "a number", float: "a number"}


def kind_of(value: Any) -> str:
    """What a JSON value is, in words."""
    return "null" if value is None else NAMES.get(type(value), type(value).__name__)


def wrong(path: str, wanted: str, value: Any) -> SpecError:
    """The error for a value of another kind. The value itself is not shown: it may be a secret."""
    return SpecError(path, f"{wanted} is expected, {kind_of(value)} was found.")


def mapping(value: Any, path: str) -> Mapping[str, Any]:
    """An object; null counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise wrong(path, "an object", value)
    for key in value:
        if not isinstance(key, str):
            raise SpecError(path, f"every key is to be a text, {key!r} is {kind_of(key)}.")
    return value


def sequence(value: Any, path: str) -> list[Any]:
    """A list; null counts as an empty one."""
    if value is None:
        return []
    if not isinstance(value, list | tuple):
        raise wrong(path, "a list", value)
    return list(value)


def text(value: Any, path: str) -> str | None:
    """A text, or None for null."""
    if value is None or isinstance(value, str):
        return value
    raise wrong(path, "a text", value)


def word(value: Any, path: str) -> str:
    """A text; a plain number becomes one, as Kubernetes wants texts where people write numbers."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value}"
    raise wrong(path, "a text", value)


def words(value: Any, path: str) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(word(one, f"{path}[{number}]") for number, one in enumerate(sequence(value, path)))


def whole(value: Any, path: str, default: int = 0) -> int:
    """A whole number; null is the default."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong(path, "a whole number", value)
    return value


def boolean(value: Any, path: str) -> bool:
    """A boolean; null is false."""
    if value is None:
        return False
    if not isinstance(value, bool):
        raise wrong(path, "true or false", value)
    return value


def at(body: Mapping[str, Any], keys: Sequence[str], path: str = "") -> Mapping[str, Any]:
    """The object below ``keys``, each step an object or absent."""
    for key in keys:
        path = f"{path}.{key}" if path else key
        body = mapping(body.get(key), path)
    return body
