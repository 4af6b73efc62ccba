"""Additional services of a job (protocol 7.3.7): planned whole before anything is created."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from launch_agent.core import environment, marks, names, places, pod_shapes
from launch_agent.core.kinds import Kind, PodTemplate
from launch_agent.core.models import SERVICES_PATH
from launch_agent.core.shapes import Object, Texts, boolean, text
from launch_agent.core.transforms.containers import escape, key_reference
from launch_agent.core.transforms.facts import Body, Facts
from launch_agent.core.transforms.identity import make_labels
from launch_agent.core.transforms.roles import change_main, list_templates
from launch_agent.core.transforms.security import add_pull_secret, restrict
from launch_agent.errors import RefusedError, SpecError

KINDS: Mapping[tuple[str, str], Kind] = {
    ("v1", "Service"): Kind("", "Service"),
    ("v1", "ConfigMap"): Kind("", "ConfigMap"),
    ("v1", "Pod"): Kind("", "Pod", templates=(PodTemplate(""),)),
    ("apps/v1", "Deployment"): Kind("apps", "Deployment", templates=(PodTemplate("spec.template"),)),
    ("networking.k8s.io/v1", "NetworkPolicy"): Kind("networking.k8s.io", "NetworkPolicy"),
}
"""What a service may be made of."""

OWN_LABELS = (marks.INSTALLATION_LABEL, marks.ITEM_LABEL, marks.SHARD_LABEL)

_DNS_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""A Service's name is a DNS-1035 label."""


_SERVICE = Object(
    {
        "apiVersion": text,
        "kind": text,
        "metadata": pod_shapes.OBJECT_META,
        "spec": Object(),
        "data": Texts(),
        "binaryData": Texts(),
        "immutable": boolean,
    },
    required=("apiVersion", "kind"),
)


def plan(configs: tuple[Mapping[str, Any], ...], facts: Facts, namespace: str) -> tuple[Body, ...]:
    """The services' objects in their order; ``configs`` are `additional_services` with their macros filled.

    Raises SpecError or RefusedError, with the place, for the first that can't be made.
    """
    made: list[Body] = []
    seen: set[tuple[str, str]] = set()
    for index, entry in enumerate(configs):
        body = _plan_one(entry, f"{SERVICES_PATH}[{index}].config", index, facts, namespace)
        key = (body["kind"], body["metadata"]["name"])
        if key in seen:
            raise SpecError(
                f"{SERVICES_PATH}[{index}].config.metadata.name",
                f"is the name of another {body['kind']} of this item.",
                resolution="Give each service a name of its own.",
            )
        seen.add(key)
        made.append(body)
    return tuple(made)


def _plan_one(entry: Mapping[str, Any], path: str, index: int, facts: Facts, namespace: str) -> Body:
    config = entry.get("config")
    if config is None:
        raise SpecError(path, "is missing.", resolution="Give the service's Kubernetes manifest there.")
    body: Body = _SERVICE(config, path)
    kind = KINDS.get((body["apiVersion"], body["kind"]))
    if kind is None:
        allowed = ", ".join(f"{kind} of {version}" for version, kind in KINDS)
        raise RefusedError(
            f"{path}: a {body['kind']} of {body['apiVersion']} can not be a job's service.",
            detail=f"Allowed are: {allowed}.",
            resolution="Create it beside the job's queue, and refer to it by name.",
        )
    facts = replace(facts, kind=kind)
    body = _name(body, path, index, entry, facts, namespace)
    body = _read_template(body, kind, path)
    body = _mark(body, kind, facts)
    for role in list_templates(body, kind):
        body = change_main(body, replace(role, base=path), partial(_with_environment, facts=facts))
    return add_pull_secret(restrict(body, facts), facts)


def _name(body: Body, path: str, index: int, entry: Mapping[str, Any], facts: Facts, namespace: str) -> Body:
    metadata = body.get("metadata") or {}
    if (elsewhere := metadata.get("namespace")) not in {None, "", namespace}:
        raise RefusedError(
            f"{path}.metadata.namespace is {elsewhere}, and the job runs in {namespace}.",
            resolution="Leave it out: a service is made beside its job, waited for there and deleted with it.",
        )
    if name := metadata.get("name"):
        place, name = f"{path}.metadata.name", names.check_name(name, f"{path}.metadata.name")
    else:
        place = f"{path}.metadata.generateName"
        prefix = metadata.get("generateName") or _prefix(entry)
        spec = facts.spec
        name = names.object_name(f"{facts.item.id}/{index}", spec.entity, spec.project, prefix, path=place)
    if body["kind"] == "Service" and not _DNS_NAME.fullmatch(name):
        raise SpecError(
            place,
            "is no name for a Service: it begins with a digit, or has a dot.",
            resolution="Begin it with a letter: redis-${run_id}, not ${run_id}-redis.",
        )
    rest = {key: value for key, value in metadata.items() if key not in {"name", "generateName", "namespace"}}
    return {**body, "metadata": {"name": name, "namespace": namespace, **rest}}


def _prefix(entry: Mapping[str, Any]) -> str:
    """What the name of a service begins with that has none of its own."""
    base = names.slug(str(entry.get("name") or "service"))[:30].strip("-") or "service"
    return f"{base}-" if base[0].isalpha() else f"service-{base}-"


def _read_template(body: Body, kind: Kind, path: str) -> Body:
    for template in kind.templates:
        place = places.path_of(template.path)
        where = ".".join(part for part in (path, template.path) if part)
        given = pod_shapes.TEMPLATE(places.get(body, place) if place else body, where)
        if not (given.get("spec") or {}).get("containers"):
            raise SpecError(f"{where}.spec.containers", "is missing: a pod has at least one.", resolution="Add it.")
        for index, container in enumerate(given["spec"]["containers"]):
            for field in ("name", "image"):
                if not container.get(field):
                    raise SpecError(f"{where}.spec.containers[{index}].{field}", "is missing.", resolution="Add it.")
        body = places.put(body, place, given)
    return body


def _mark(body: Body, kind: Kind, facts: Facts) -> Body:
    """W&B's labels and ours; pods of a service carry no item: they are no part of the workload."""
    labels = make_labels(facts)
    auxiliary = {
        marks.RUN_LABEL: labels[marks.RUN_LABEL],
        marks.CREATED_BY_LABEL: marks.CREATED_BY,
        marks.AUXILIARY_LABEL: _auxiliary(facts),
    }
    for role in list_templates(body, kind):
        body = _with_labels(body, (*role.path, "metadata"), auxiliary)
    own = {key: labels[key] for key in OWN_LABELS if key in labels}
    body = _with_labels(body, ("metadata",), {**auxiliary, **own})
    return places.put(body, ("metadata", "annotations", marks.ITEM_ANNOTATION), facts.item.id)


def _with_labels(body: Body, path: places.Path, labels: Mapping[str, str]) -> Body:
    place = (*path, "labels")
    return places.put(body, place, {**places.get(body, place, {}), **labels})


def _auxiliary(facts: Facts) -> str:
    """``aux-<entity>-<project>-<run id>`` in 63 characters: the run id stays whole, the rest is shortened."""
    run = names.slug(facts.run_id)[:32].strip("-")
    room = names.NAME_LIMIT - len("aux--") - len(run)
    middle = names.slug(f"{facts.spec.entity}-{facts.spec.project}")[:room].strip("-")
    return names.label_value("-".join(part for part in ("aux", middle, run) if part))


def _with_environment(container: Body, facts: Facts) -> Body:
    """The run's config, in all its parts, and the API key by reference."""
    ours: list[Body] = [
        {"name": name, "value": escape(value)}
        for name, value in facts.environment.items()
        if name == "WANDB_CONFIG" or name.startswith("WANDB_CONFIG_")
    ]
    if facts.key_secret:
        ours.append(key_reference(facts))
    replaced = {entry["name"] for entry in ours} | ({environment.API_KEY} if facts.key_secret else set())
    kept = [entry for entry in container.get("env") or () if entry["name"] not in replaced]
    return {**container, "env": [*kept, *ours]}
