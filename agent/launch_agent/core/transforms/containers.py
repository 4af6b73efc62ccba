"""What the job's container gets: its image, its command, its environment. No helper container is touched (W47)."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from functools import partial
from typing import Any

from launch_agent.core import environment, places
from launch_agent.core.kinds import Entry
from launch_agent.core.models import MANIFEST_PATH
from launch_agent.core.transforms.facts import Body, Facts
from launch_agent.core.transforms.roles import (
    POD_FIELDS,
    Role,
    change_main,
    check_way,
    list_roles,
    list_templates,
    main_path,
    pod_of,
    show,
)
from launch_agent.errors import RefusedError, SpecError

RUN_ID = "WANDB_RUN_ID"
"""For the leading pod only: two processes must not write to one run."""


def set_image(body: Body, facts: Facts) -> Body:
    """The item's image goes to the job's container. SpecError if any container is left without one.

    A Job's gets it in any case. In a custom resource it fills what has none: the owner may mean several images.
    """
    image = facts.spec.image
    for role in list_roles(body, facts.kind) if image else ():
        if _wants_image(body, role, facts):
            body = change_main(body, role, lambda container: {**container, "image": image})
    for role in list_templates(body, facts.kind):
        _check_images(body, role)
    return body


def _main(body: Body, role: Role) -> Mapping[str, Any]:
    container: Mapping[str, Any] = places.get(body, main_path(body, role), {})
    return container


def _wants_image(body: Body, role: Role, facts: Facts) -> bool:
    if not _main(body, role).get("image"):
        return role.is_template or not (facts.places_image or places.get(body, ("spec", "image")))
    return (facts.kind.is_job or facts.kind.is_pod) and not facts.places_image


def _check_images(body: Body, role: Role) -> None:
    for field in POD_FIELDS:
        for index, container in enumerate(pod_of(body, role).get(field) or ()):
            if not container.get("image"):
                raise SpecError(
                    f"{show((*role.path, 'spec', field, index))}.image",
                    "is missing: Kubernetes creates no container without an image.",
                    resolution="Name an image there. The item's own image goes to the job's container only.",
                )


def override_command(body: Body, facts: Facts) -> Body:
    """``overrides.entry_point`` and ``overrides.args`` go where the kind wants them. RefusedError where it can't be."""
    overrides = facts.spec.overrides
    if not overrides.entry_point and not overrides.args:
        return body
    match facts.kind.entry:
        case Entry.TEXT:
            return _override_text(body, facts)
        case Entry.NOWHERE:
            field = "entry_point" if overrides.entry_point else "args"
            raise RefusedError(
                f"overrides.{field} has no place in a {facts.kind.kind}: its containers are started by its own means.",
                resolution="Write the command into the queue's config, or launch a Job.",
            )
    change: Body = {}
    if overrides.entry_point:
        change["command"] = list(overrides.entry_point)
    if overrides.args:
        change["args"] = list(overrides.args)
    for role in list_roles(body, facts.kind):
        if role.leads or facts.kind.entry is Entry.EACH:
            body = change_main(body, role, lambda container: {**container, **change})
    return body


def _override_text(body: Body, facts: Facts) -> Body:
    """A shell text: the entry point replaces it, arguments alone follow it."""
    overrides, path = facts.spec.overrides, places.path_of(facts.kind.entrypoint)
    words = shlex.join([*overrides.entry_point, *overrides.args])
    check_way(body, path)
    if overrides.entry_point:
        return places.put(body, path, words)
    given = places.get(body, path)
    if not isinstance(given, str) or not given.strip():
        raise SpecError(
            f"{MANIFEST_PATH}.{facts.kind.entrypoint}",
            "is missing, so overrides.args have nothing to follow.",
            resolution="Write the command there, or give overrides.entry_point too.",
        )
    return places.put(body, path, f"{given.rstrip()} {words}")


def add_environment(body: Body, facts: Facts) -> Body:
    """The run's variables in the job's container of each role, after the user's; one entry for each name, ours first.

    Only the leading one is the run: the others get no ``WANDB_RUN_ID``.
    """
    for role in list_roles(body, facts.kind):
        body = change_main(body, role, partial(_with_environment, role=role, facts=facts))
    return body


def _with_environment(container: Body, role: Role, facts: Facts) -> Body:
    variables = facts.environment
    ours = [{"name": name, "value": escape(value)} for name, value in variables.items() if role.leads or name != RUN_ID]
    replaced = set(variables)
    if facts.key_secret:
        ours.insert(1, key_reference(facts))
        replaced.add(environment.API_KEY)
    given = {entry["name"]: entry for entry in container.get("env") or ()}
    kept = [entry for name, entry in given.items() if name not in replaced]
    return {**container, "env": [*kept, *ours]}


def key_reference(facts: Facts) -> Body:
    """The variable that holds the API key, by reference: never its text."""
    if facts.key_secret is None:
        raise ValueError("there is no Secret to refer to")
    reference = {"secretKeyRef": {"name": facts.key_secret.name, "key": facts.key_secret.key}}
    return {"name": environment.API_KEY, "valueFrom": reference}


def escape(value: str) -> str:
    """``$`` is doubled where Kubernetes would take it for a reference to another variable."""
    return value.replace("$", "$$") if "$(" in value or "$$" in value else value
