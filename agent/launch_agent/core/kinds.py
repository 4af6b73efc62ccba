"""Which kind of object a manifest is: the owner's own descriptions, the table, or what the manifest's shape tells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from launch_agent.core import places
from launch_agent.core.kind_facts import GENERIC, Entry, Kind, PodTemplate, States
from launch_agent.core.kind_table import BUILT_IN

__all__ = [
    "GENERIC",
    "Entry",
    "Kind",
    "Kinds",
    "PodTemplate",
    "States",
    "find_containers",
    "find_name_limit",
    "find_templates",
    "group_of",
]

SHORTEST = 26
"""Characters of a name that still says something; beyond that the operator's own refusal tells who is too long."""

CORE_REFUSAL = "It starts no pods that could be followed. Launch a Job, a Pod or a custom resource."


class Kinds:
    """All kinds of an agent. Never changes after it was made."""

    def __init__(self, own: Iterable[Kind] = ()) -> None:
        """``own`` are the launch config's descriptions; they go before the agent's table."""
        known = {(kind.group, kind.kind): kind for kind in BUILT_IN}
        known.update(((kind.group, kind.kind), kind) for kind in own)
        self._known: Mapping[tuple[str, str], Kind] = known

    def find(self, api_version: str, kind: str, body: Mapping[str, Any] | None = None) -> Kind:
        """The kind's facts, whatever its version. One that nobody described is made up from ``body``: never an error.

        Kinds of Kubernetes' own core group other than those of the table carry a ``refusal``.
        """
        group = group_of(api_version)
        found = self._known.get((group, kind))
        if found is not None and (found.templates or found.containers or found.refusal):
            return found
        if not group:
            return Kind(group=group, kind=kind, refusal=CORE_REFUSAL)
        templates = tuple(PodTemplate(places.text(path)) for path in _pod_templates(body, ()))
        return replace(found or Kind(group=group, kind=kind, is_known=False), templates=templates)

    def find_group(self, kind: str) -> str:
        """The group of a kind of this name that is launched; empty where there is none."""
        return next((one.group for one in self._known.values() if one.kind == kind and not one.refusal), "")


def find_templates(kind: Kind, body: Mapping[str, Any]) -> list[tuple[places.Path, PodTemplate]]:
    """The pod templates that a manifest has, each once, the leading one first, with what the kind says of it."""
    found: dict[places.Path, PodTemplate] = {}
    for template in kind.templates:
        for path, value in places.find(body, template.path):
            if isinstance(value, Mapping):
                found.setdefault(path, template)
    return list(found.items())


def find_containers(kind: Kind, body: Mapping[str, Any]) -> list[places.Path]:
    """The container-like objects that stand in no template, in the table's order; without templates the first leads."""
    paths = (
        path for pattern in kind.containers for path, one in places.find(body, pattern) if isinstance(one, Mapping)
    )
    return list(dict.fromkeys(paths))


def find_name_limit(kind: Kind, body: Mapping[str, Any]) -> int:
    """Characters of a name that the agent makes for this manifest: pods' names, with their roles' in them, must fit."""
    if not kind.role_names:
        return kind.name_limit
    longest = max((len(name) for _, name in places.find(body, kind.role_names) if isinstance(name, str)), default=10)
    return max(kind.name_limit - longest, SHORTEST)


def group_of(api_version: str) -> str:
    """``kubeflow.org/v1`` → ``kubeflow.org``; ``v1`` → the empty text (Kubernetes' core group)."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def _pod_templates(value: Any, path: places.Path) -> Iterator[places.Path]:
    """The paths of objects whose ``spec`` has a list of containers, in document order; not what lies inside of them."""
    if isinstance(value, Mapping):
        spec = value.get("spec")
        if isinstance(spec, Mapping) and isinstance(spec.get("containers"), (list, tuple)):
            yield path
            return
        for key, entry in value.items():
            yield from _pod_templates(entry, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, entry in enumerate(value):
            yield from _pod_templates(entry, (*path, index))
