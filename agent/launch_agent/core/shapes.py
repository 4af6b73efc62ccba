"""Which shape a value must have: a small table language, and the check that reads a value by it.

Reading gives back a value that is safe to work on: an object's ``null`` members are gone (null counts as absent), plain
numbers are texts where Kubernetes wants texts, and what the table does not name is passed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from launch_agent.errors import SpecError

Read = Callable[[Any, str], Any]
"""(value, path) → the value, read. Raises SpecError with the path. Never called with None."""


@dataclass(frozen=True, slots=True)
class Object:
    """A mapping with text keys; ``members`` are read by their shapes, other keys are kept."""

    members: Mapping[str, Read] = field(default_factory=dict)
    required: tuple[str, ...] = ()

    def __call__(self, value: Any, path: str) -> dict[str, Any]:
        """The mapping without its null members, those in the table read. SpecError if it is none."""
        if not isinstance(value, Mapping):
            raise mismatch(path, "an object", value)
        result: dict[str, Any] = {}
        members = self.members
        for key, entry in value.items():
            read = members.get(key)
            if read is None:
                result[key] = entry
            elif entry is not None:
                result[key] = read(entry, join(path, key))
        for key in self.required:
            if key not in result:
                raise SpecError(join(path, key), "is missing.", resolution="Add it.")
        return result


@dataclass(frozen=True, slots=True)
class Each:
    """A list whose entries all have one shape; null is no entry."""

    entry: Read
    plural: str

    def __call__(self, value: Any, path: str) -> list[Any]:
        """The list, its entries read. SpecError if it is none; a text is not split."""
        if not isinstance(value, (list, tuple)):
            raise mismatch(path, f"a list of {self.plural}", value)
        result = []
        for index, entry in enumerate(value):
            if entry is None:
                raise mismatch(f"{path}[{index}]", f"one of the {self.plural}", entry)
            result.append(self.entry(entry, f"{path}[{index}]"))
        return result


@dataclass(frozen=True, slots=True)
class Texts:
    """A mapping of text to text, such as labels; plain numbers become texts."""

    def __call__(self, value: Any, path: str) -> dict[str, str]:
        """The mapping without its null members. SpecError if it is none, or holds anything but texts and numbers."""
        if not isinstance(value, Mapping):
            raise mismatch(path, "an object of texts", value)
        return {key: scalar(entry, join(path, key)) for key, entry in value.items() if entry is not None}


def text(value: Any, path: str) -> str:
    """A text. SpecError for anything else."""
    if not isinstance(value, str):
        raise mismatch(path, "a text", value)
    return value


def scalar(value: Any, path: str) -> str:
    """A text, or a plain number as one. SpecError for anything else; booleans are ambiguous (``true``? ``True``?)."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise mismatch(path, "a text", value)


def integer(value: Any, path: str) -> int:
    """A whole number, ``1.0`` too. SpecError for anything else, texts and booleans included."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise mismatch(path, "a whole number", value)
    return value


def natural(value: Any, path: str) -> int:
    """A whole number that is not negative. SpecError for anything else."""
    number = integer(value, path)
    if number < 0:
        raise SpecError(path, f"expected a whole number from 0 on, found {number}.", resolution="Correct it.")
    return number


def boolean(value: Any, path: str) -> bool:
    """True or false. SpecError for anything else: Kubernetes takes no text such as ``no`` for it."""
    if not isinstance(value, bool):
        raise mismatch(path, "true or false", value)
    return value


_LENGTHS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([1-9][0-9]{0,8})([smhd]?)", re.ASCII)
LONGEST = 2_147_483_647
"""Seconds: the most that Kubernetes takes for a pod's deadline."""


def duration(value: Any, path: str) -> float:
    """Seconds, more than 0: a number, or a text such as ``90s``, ``30m``, ``2h``, ``1d``. SpecError for others."""
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found:
        return float(min(int(found[1]) * _LENGTHS[found[2]], LONGEST))
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= LONGEST:
        return float(value)
    raise SpecError(
        path,
        "is no length of time.",
        detail=f"Expected seconds, or a text such as 90s, 30m, 2h or 1d; found {describe(value)}.",
        resolution="Correct it in the queue's config or in the item.",
    )


def seconds(value: Any, path: str) -> float:
    """A number of seconds, 0 or more. SpecError for anything else."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= LONGEST:
        return float(value)
    raise mismatch(path, "a number of seconds from 0 on", value)


def anything(value: Any, _path: str) -> Any:
    """Whatever it is; only its null counts as absent."""
    return value


def mismatch(path: str, expected: str, found: Any) -> SpecError:
    """The error for a value of the wrong type. It names the type, never the value, which may be a secret."""
    return SpecError(path, f"expected {expected}, found {describe(found)}.", resolution=_cure(expected, found))


def describe(value: Any) -> str:
    """The type of a JSON value in words."""
    for kind, name in _NAMES:
        if isinstance(value, kind):
            return name
    return "null" if value is None else f"a {type(value).__name__}"


_NAMES: tuple[tuple[type[Any], str], ...] = (
    (str, "a text"),
    (bool, "a boolean"),
    (int, "a number"),
    (float, "a number"),
    (Mapping, "an object"),
    (list, "a list"),
    (tuple, "a list"),
)


def _cure(expected: str, found: Any) -> str:
    if expected == "a text" and isinstance(found, bool):
        return "Put it in quotes."
    if expected.startswith("a list") and isinstance(found, str):
        return "Write it as a list, one entry for each word."
    if expected in {"a whole number", "true or false"} and isinstance(found, str):
        return "Write it without quotes."
    return "Correct it in the queue's config or in the item."


def join(path: str, key: object) -> str:
    """The path of a member. Keys that would be read as several are put in brackets."""
    name = str(key)
    if "." in name or "[" in name or not name:
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name
