"""The watched objects, trimmed to what is judged. Owned by the tracker's thread."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from launch_agent.core import names
from launch_agent.core.kinds import Kind
from launch_agent.core.models import Manifest, ObjectRef
from launch_agent.targets.base import Notice
from launch_agent.targets.kubernetes.ownership import item_of

POD = ("v1", "Pod")


@dataclass(frozen=True, slots=True)
class Scope:
    """What one watch looks at."""

    cluster: str
    api_version: str
    kind: str
    namespace: str

    @property
    def is_pods(self) -> bool:
        """Whether it is the watch of a namespace's pods."""
        return (self.api_version, self.kind) == POD

    @property
    def place(self) -> tuple[str, str]:
        """The namespace, in its cluster."""
        return self.cluster, self.namespace


@cache
def find_scope(cluster: str, api_version: str, kind: str, namespace: str) -> Scope:
    """The one `Scope` of what is watched: thousands of items have the same."""
    return Scope(cluster, api_version, kind, namespace)


def scope_of(notice: Notice) -> Scope:
    """The watch that a notice comes from."""
    return find_scope(notice.cluster, notice.api_version, notice.kind, notice.namespace)


@dataclass(frozen=True, slots=True)
class Followed:
    """One item's workload: where it is, of which kind, and the label of its pods.

    ``scope`` is the watch of the workload itself, ``pod_scope`` that of its pods.
    """

    item_id: str
    ref: ObjectRef
    kind: Kind
    label: str
    scope: Scope
    pod_scope: Scope


def make_followed(item_id: str, ref: ObjectRef, kind: Kind) -> Followed:
    """An item's workload as it is followed."""
    scope = find_scope(ref.cluster, ref.api_version, ref.kind, ref.namespace)
    return Followed(item_id, ref, kind, names.item_label(item_id), scope, find_scope(ref.cluster, *POD, ref.namespace))


class Picture:
    """All objects of all watches: workloads by name, pods by the item's label."""

    def __init__(self) -> None:
        self._objects: dict[Scope, dict[str, Manifest]] = {}
        self._pods: dict[Scope, dict[str, dict[str, Manifest]]] = {}

    def replace(self, scope: Scope, bodies: tuple[Manifest, ...]) -> None:
        """Take a complete list in."""
        self._objects[scope] = {}
        self._pods[scope] = {}
        for body in bodies:
            self.put(scope, body)

    def put(self, scope: Scope, body: Manifest) -> None:
        """Take one object in, if it is an item's."""
        label, name = item_of(body), body["metadata"]["name"]
        if label:
            self._objects.setdefault(scope, {})[name] = body
            if scope.is_pods:
                self._pods.setdefault(scope, {}).setdefault(label, {})[name] = body

    def drop(self, scope: Scope, body: Manifest) -> None:
        """Take one object out."""
        name = body["metadata"]["name"]
        self._objects.get(scope, {}).pop(name, None)
        if scope.is_pods:
            self._pods.get(scope, {}).get(item_of(body), {}).pop(name, None)

    def forget(self, one: Followed) -> None:
        """Take out all that belongs to an item."""
        self._objects.get(one.scope, {}).pop(one.ref.name, None)
        for name in self._pods.get(one.pod_scope, {}).pop(one.label, {}):
            self._objects.get(one.pod_scope, {}).pop(name, None)

    def workload(self, one: Followed) -> Manifest | None:
        """The item's object, as last seen."""
        return self._objects.get(one.scope, {}).get(one.ref.name)

    def pods(self, one: Followed) -> tuple[Manifest, ...]:
        """The item's pods, as last seen."""
        return tuple(self._pods.get(one.pod_scope, {}).get(one.label, {}).values())
