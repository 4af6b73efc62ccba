"""Where a part of the queue's and a part of the submitter's meet in a pod, so that the one must count as the other's.

A mount joins a volume and a container. A submitter who mounts a volume of the queue's in a container of his own uses
what it holds; one who puts a volume of his own under a container of the queue's decides what that container runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from launch_agent.core import marks
from launch_agent.core.entries import Entry, list_objects
from launch_agent.core.hands import Hands
from launch_agent.core.places import Path

PLACE = "{path}"
"""Stands for the path of what is refused."""

MOUNTS = frozenset({"volumeMounts", "volumeDevices"})


@dataclass(frozen=True, slots=True)
class Joint:
    """A part of the queue's that counts as the submitter's, because of what stands at ``by``; ``how`` says it."""

    part: Mapping[str, Any]
    path: Path
    by: Path
    how: str


@dataclass(slots=True)
class _Named:
    """Volumes of one name in one object: the queue's that were not told yet, and one of the submitter's."""

    queues: list[tuple[Path, Mapping[str, Any]]] = field(default_factory=list)
    new: Path | None = None


_Volumes = Mapping[Path, Mapping[str, _Named]]
"""Volumes by the object that has them, and by name."""


def find(entries: Sequence[Entry], hands: Hands) -> Iterator[Joint]:
    """The queue's parts that the submitter reached by a mount, each once; linear in the size of the manifest."""
    if hands.everything:
        return
    volumes = _gather(entries, hands)
    for entry in entries:
        if entry.key in MOUNTS:
            yield from _find_in(entry, volumes, hands)


def _gather(entries: Iterable[Entry], hands: Hands) -> _Volumes:
    result: dict[Path, dict[str, _Named]] = {}
    for entry in entries:
        if entry.key != "volumes":
            continue
        named = result.setdefault(entry.path[:-1], defaultdict(_Named))
        for index, volume in enumerate(list_objects(entry.value)):
            path = (*entry.path, index)
            if not isinstance(name := volume.get("name"), str):
                continue
            if hands.is_new(path):
                named[name].new = path
            else:
                named[name].queues.append((path, volume))
    return result


def _find_in(entry: Entry, volumes: _Volumes, hands: Hands) -> Iterator[Joint]:
    """The joints of one container's mounts. A volume may stand in any object around the container."""
    around = [volumes[entry.path[:depth]] for depth in range(len(entry.path)) if entry.path[:depth] in volumes]
    is_queues = not hands.is_new(entry.path[:-1])
    for index, mount in enumerate(list_objects(entry.value)):
        name, by = mount.get("name"), (*entry.path, index)
        for named in around:
            if not isinstance(name, str) or name not in named:
                continue
            one = named[name]
            while one.queues and hands.is_new(by):
                path, volume = one.queues.pop()
                yield Joint(volume, path, by, f"a mount of {PLACE}")
            if one.new is not None and is_queues:
                is_queues = False  # judged once as the submitter's, it needs no second time
                yield Joint(entry.parent, entry.path[:-1], one.new, f"mounted where {PLACE} is set")


def find_stolen_container(entries: Sequence[Entry], hands: Hands) -> Path | None:
    """The submitter's annotation that puts the item, its image and its command, into a container of the queue's."""
    wanted: dict[str, Path] = {
        entry.value: entry.path
        for entry in entries
        if entry.key == marks.MAIN_ANNOTATION
        and entry.holder == "annotations"
        and isinstance(entry.value, str)
        and hands.is_new(entry.path)
    }
    for entry in entries if wanted else ():
        for index, container in enumerate(list_objects(entry.value) if entry.key == "containers" else ()):
            name = container.get("name")
            if isinstance(name, str) and name in wanted and not hands.is_new((*entry.path, index)):
                return wanted[name]
    return None
