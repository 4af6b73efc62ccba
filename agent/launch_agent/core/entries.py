"""Every member of every object in a manifest, with what stands around it: what rules are looked up by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core.places import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One member of an object: its path from the manifest's top (the key is the last step), its value, the object."""

    path: Path
    value: Any
    parent: Mapping[str, Any]

    @property
    def key(self) -> str:
        """The member's key."""
        return str(self.path[-1])

    @property
    def holder(self) -> str:
        """The key under which the object itself stands, also where it is an entry of a list; empty at the top."""
        return next((step for step in reversed(self.path[:-1]) if isinstance(step, str)), "")


def walk(body: Mapping[str, Any], start: Path = ()) -> Iterator[Entry]:
    """All members at any depth, outer ones before what they hold, in document order; null counts as absent.

    Needs no stack for depth: a manifest nested thousands of times is walked like any other.
    """
    waiting: list[tuple[Path, Any]] = [(start, body)]
    while waiting:
        path, value = waiting.pop()
        below: list[tuple[Path, Any]] = []
        if isinstance(value, Mapping):
            for key, member in value.items():
                if member is not None:
                    yield Entry((*path, str(key)), member, value)
                    below.append(((*path, str(key)), member))
        elif isinstance(value, (list, tuple)):
            below = [((*path, index), member) for index, member in enumerate(value)]
        waiting += [pair for pair in reversed(below) if isinstance(pair[1], (Mapping, list, tuple))]


def as_object(value: Any) -> Mapping[str, Any]:
    """The value itself, or an empty object for what is none."""
    return value if isinstance(value, Mapping) else {}


def list_objects(value: Any) -> list[Mapping[str, Any]]:
    """The entries of a list, empty objects for those that are none; no entries of what is no list."""
    return [as_object(entry) for entry in (value if isinstance(value, (list, tuple)) else ())]
