"""The pods of a manifest by role: where each template stands, which one leads, and which container is the job's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core import kinds, places
from launch_agent.core.kinds import Kind
from launch_agent.core.marks import MAIN_ANNOTATION
from launch_agent.core.models import MANIFEST_PATH
from launch_agent.core.shapes import mismatch
from launch_agent.core.transforms.facts import Body
from launch_agent.errors import SpecError

POD_FIELDS = ("containers", "initContainers")
"""Where a pod has containers; ephemeral ones can't stand in a manifest."""


@dataclass(frozen=True, slots=True)
class Role:
    """One pod template, or one container-like object of a kind whose pods its operator makes (``is_template`` false).

    ``main`` is the name that the kind's operator wants for the job's container. One role leads. ``base`` is where the
    run spec has the manifest.
    """

    path: places.Path
    main: str
    is_template: bool
    leads: bool
    base: str = MANIFEST_PATH


def list_roles(body: Mapping[str, Any], kind: Kind) -> tuple[Role, ...]:
    """The roles, the leading one first."""
    found = [(path, template.main, True) for path, template in kinds.find_templates(kind, body)]
    found += [(path, "", False) for path in kinds.find_containers(kind, body)]
    return tuple(
        Role(path, main, is_template, leads=number == 0) for number, (path, main, is_template) in enumerate(found)
    )


def list_templates(body: Mapping[str, Any], kind: Kind) -> tuple[Role, ...]:
    """The roles that have a pod template."""
    return tuple(role for role in list_roles(body, kind) if role.is_template)


def show(path: places.Path, base: str = MANIFEST_PATH) -> str:
    """The path as people find it in the run spec; ``base`` is where that has the manifest."""
    return f"{base}.{places.text(path)}" if path else base


def pod_of(body: Mapping[str, Any], role: Role) -> Mapping[str, Any]:
    """The pod's spec."""
    pod: Mapping[str, Any] = places.get(body, (*role.path, "spec"), {})
    return pod


def find_way(body: Mapping[str, Any], pattern: str) -> places.Path | None:
    """The path where an object that the pattern means can be made; None where it means several places, or a list's.

    SpecError where anything but an object stands on the way.
    """
    try:
        path = places.path_of(pattern)
    except ValueError:
        return None
    if any(isinstance(step, int) for step in path):
        return None
    check_way(body, path)
    return path


def check_way(body: Mapping[str, Any], path: places.Path) -> None:
    """SpecError, with the place, where `places.put` could not go: through a text, or to an entry that is not there."""
    for length, step in enumerate(path):
        value = places.get(body, path[:length])
        if isinstance(step, int):
            if not isinstance(value, (list, tuple)) or step >= len(value):
                raise SpecError(show(path[: length + 1]), "is missing.", resolution="Add it.")
        elif value is not None and not isinstance(value, Mapping):
            raise mismatch(show(path[:length]), "an object", value)


def find_main(body: Mapping[str, Any], role: Role) -> int:
    """Which of a template's containers is the job's: the annotated one, the operator's, else the first.

    SpecError if the annotation names a container that is not there.
    """
    containers = pod_of(body, role).get("containers") or ()
    names = [container.get("name") for container in containers]
    for path in ((*role.path, "metadata"), ("metadata",)):
        named = places.get(body, (*path, "annotations", MAIN_ANNOTATION))
        if named in names:
            return names.index(named)
        if named is not None and path != ("metadata",):
            raise _no_such_container(role, path, named)
    named = places.get(body, ("metadata", "annotations", MAIN_ANNOTATION))
    if named is not None and role.leads:
        raise _no_such_container(role, ("metadata",), named)
    return names.index(role.main) if role.main in names else 0


def _no_such_container(role: Role, path: places.Path, name: object) -> SpecError:
    return SpecError(
        f"{show(path, role.base)}.{places.text(('annotations', MAIN_ANNOTATION))}",
        f"names the container {str(name)[:63]!r}, and there is none of that name.",
        resolution="Name one of the pod's containers, or leave the annotation out: the first one is the job's.",
    )


def main_path(body: Mapping[str, Any], role: Role) -> places.Path:
    """Where the job's container stands."""
    return (*role.path, "spec", "containers", find_main(body, role)) if role.is_template else role.path


def change_main(body: Body, role: Role, change: Callable[[Body], Body]) -> Body:
    """The body with the job's container of a role changed."""
    path = main_path(body, role)
    return places.put(body, path, change(dict(places.get(body, path, {}))))


def change_containers(body: Body, role: Role, change: Callable[[Body], Body]) -> Body:
    """The body with every container of a template changed, init containers too."""
    for field in POD_FIELDS:
        path = (*role.path, "spec", field)
        if (containers := places.get(body, path)) is not None:
            body = places.put(body, path, [change(dict(entry)) for entry in containers])
    return body
