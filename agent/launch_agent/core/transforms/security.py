"""The restricted security context, and the Secret that images are pulled with."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from launch_agent.core import places, strictness
from launch_agent.core.kinds import Kind
from launch_agent.core.transforms.facts import Body, Facts
from launch_agent.core.transforms.roles import change_containers, list_roles, list_templates, pod_of


def restrict(body: Body, facts: Facts) -> Body:
    """Every container, init containers too, gets the restricted context under its own, where that is not weaker.

    A weaker one, which the owner's policy let pass, stays as it is written: half of each would be no valid pair.
    """
    for role in list_roles(body, facts.kind):
        if role.is_template:
            given = pod_of(body, role).get("securityContext")
            body = change_containers(body, role, partial(_restrict, of_pod=given))
        elif facts.kind.pod_spec:  # its containers are Kubernetes' own
            given = places.get(body, (*places.path_of(facts.kind.pod_spec), "securityContext"))
            body = places.put(body, role.path, _restrict(dict(places.get(body, role.path, {})), given))
    return body


def _restrict(container: Body, of_pod: Mapping[str, Any] | None) -> Body:
    given = container.get("securityContext")
    if strictness.find_weakness(given) is not None:
        return container
    context = strictness.restrict(given)
    if (of_pod or {}).get("seccompProfile") and not (given or {}).get("seccompProfile"):
        del context["seccompProfile"]  # the pod's own holds for its containers
    return {**container, "securityContext": context}


def list_pull_places(body: Body, kind: Kind) -> list[places.Path]:
    """Where pull Secrets go in this manifest: pod specs. Empty for kinds whose pods are written elsewhere."""
    pods: list[places.Path] = [(*role.path, "spec") for role in list_templates(body, kind)]
    return pods or ([places.path_of(kind.pod_spec)] if kind.pod_spec else [])


def add_pull_secret(body: Body, facts: Facts) -> Body:
    """The agent's pull Secret after the user's, in every pod (W46)."""
    if not facts.pull_secret:
        return body
    for pod in list_pull_places(body, facts.kind):
        given = places.get(body, (*pod, "imagePullSecrets"), [])
        if all(entry.get("name") != facts.pull_secret for entry in given):
            body = places.put(body, (*pod, "imagePullSecrets"), [*given, {"name": facts.pull_secret}])
    return body
