"""From a queue's manifest to the Job that is created: small functions, each ``(body, facts) → body``, none in place.

Their order is `core/manifest.py`'s. Protocol 7.3.2 says what W&B does; reference/where-not-to-follow says where not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core import environment, names, strictness
from launch_agent.core.merging import merge
from launch_agent.core.models import TTL_ANNOTATION, KeySecret, LaunchContext, QueueItem
from launch_agent.core.spec import RunSpec
from launch_agent.errors import SpecError

Body = dict[str, Any]

PATH = "resource_args.kubernetes"
DEFAULT_TTL = 60
"""Seconds that W&B lets a finished Job stay."""

INSTALLATION_LABEL = "launch-agent/installation"
ITEM_LABEL = "launch-agent/item"
ITEM_ANNOTATION = "launch-agent/item-id"
QUEUE_ANNOTATION = "launch-agent/queue"
RUN_ANNOTATION = "launch-agent/run"

DEFAULTS: Mapping[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {},
    "spec": {"backoffLimit": 0, "template": {"metadata": {}, "spec": {"restartPolicy": "Never"}}},
}
FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
"""The fields that a Job has at its top."""

MISPLACED: Mapping[str, str] = {
    "backOffLimit": "spec.backoffLimit",
    "`backOffLimit`": "spec.backoffLimit",
    "backoffLimit": "spec.backoffLimit",
    "ttlSecondsAfterFinished": "spec.ttlSecondsAfterFinished",
    "securityContext": "spec.template.spec.containers[].securityContext",
}
"""Fields that W&B's documentation shows in ``spec.template``, and where Kubernetes has them."""

POD_FIELDS = ("containers", "initContainers")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a transform knows besides the body. ``key_secret``: where the API key is, if there is one."""

    item: QueueItem
    spec: RunSpec
    run_id: str
    context: LaunchContext
    environment: Mapping[str, str]
    key_secret: KeySecret | None


Transform = Callable[[Body, Facts], Body]


def fill_defaults(body: Body, _facts: Facts) -> Body:
    """Lay the manifest over W&B's defaults. Only what a Job has at its top is kept, and what its template has."""
    result = merge(DEFAULTS, {key: value for key, value in body.items() if key in FIELDS})
    result["apiVersion"] = DEFAULTS["apiVersion"]
    template = {key: value for key, value in result["spec"]["template"].items() if key not in MISPLACED}
    if not template["spec"].get("containers"):
        template["spec"] = {**template["spec"], "containers": [{}]}
    kept = {key: value for key, value in result["spec"].items() if key != "backOffLimit"}
    return {**result, "spec": {**kept, "template": template}}


def name_containers(body: Body, _facts: Facts) -> Body:
    """Give each container without a name ``launch<position>``, or the next number that is free."""
    containers = _pod(body)["containers"]
    taken = {container.get("name") for field in POD_FIELDS for container in _pod(body).get(field) or ()}
    result = []
    number = 0
    for index, container in enumerate(containers):
        if container.get("name"):
            result.append(container)
            continue
        number = max(number, index)
        while f"launch{number}" in taken:
            number += 1
        taken.add(f"launch{number}")
        result.append({"name": f"launch{number}", **{key: container[key] for key in container if key != "name"}})
    return _with_containers(body, result)


def set_name(body: Body, facts: Facts) -> Body:
    """Name and namespace: the user's, or the name that the item's id gives. ``generateName`` is never sent."""
    given = body["metadata"]
    if name := given.get("name"):
        name = names.check_name(name, f"{PATH}.metadata.name")
    else:
        spec = facts.spec
        name = names.object_name(facts.item.id, spec.entity, spec.project, given.get("generateName") or "")
    rest = {key: value for key, value in given.items() if key not in {"name", "generateName", "namespace"}}
    return {**body, "metadata": {"name": name, "namespace": find_namespace(body, facts), **rest}}


def find_namespace(body: Mapping[str, Any], facts: Facts) -> str:
    """``metadata.namespace``, else the key ``namespace`` beside the manifest, else the agent's default."""
    if name := body["metadata"].get("namespace"):
        return names.check_namespace(name, f"{PATH}.metadata.namespace")
    if name := facts.spec.agent_args.get("namespace"):
        return names.check_namespace(name, f"{PATH}.namespace")
    return facts.context.default_namespace


def hold_ttl_back(body: Body, _facts: Facts) -> Body:
    """Move the time to live into an annotation: nothing may sweep the Job away before its outcome is reported."""
    spec = dict(body["spec"])
    wanted = spec.pop("ttlSecondsAfterFinished", None)
    seconds = DEFAULT_TTL if wanted is None else wanted
    return _with_metadata({**body, "spec": spec}, annotations={TTL_ANNOTATION: str(seconds)})


def mark(body: Body, facts: Facts) -> Body:
    """Put W&B's labels and ours on the Job and on its pods, and the item's facts into annotations of the Job."""
    labels = make_labels(facts)
    annotations = {
        ITEM_ANNOTATION: facts.item.id,
        QUEUE_ANNOTATION: facts.item.queue,
        RUN_ANNOTATION: f"{facts.spec.entity}/{facts.spec.project}/{facts.run_id}",
    }
    marked = _with_metadata(body, labels=labels, annotations=annotations)
    template = _with_metadata(marked["spec"]["template"], labels=labels)
    return {**marked, "spec": {**marked["spec"], "template": template}}


def make_labels(facts: Facts) -> dict[str, str]:
    """The labels that the Job and its pods share."""
    return {
        "wandb.ai/run-id": names.label_value(facts.run_id),
        "wandb.ai/monitor": "true",
        "wandb.ai/agent": names.label_value(facts.context.agent_name),
        INSTALLATION_LABEL: names.label_value(facts.context.installation),
        ITEM_LABEL: names.item_label(facts.item.id),
    }


def set_image(body: Body, facts: Facts) -> Body:
    """The item's image goes to the job's container. SpecError if any container is left without one."""
    image = facts.spec.image
    if image:
        body = _with_job_container(body, {"image": image})
    for field in POD_FIELDS:
        for index, container in enumerate(_pod(body).get(field) or ()):
            if not container.get("image"):
                raise SpecError(
                    f"{PATH}.spec.template.spec.{field}[{index}].image",
                    "is missing: Kubernetes creates no container without an image.",
                    resolution="Name an image there. The item's own image goes to the first container only.",
                )
    return body


def override_command(body: Body, facts: Facts) -> Body:
    """``overrides.entry_point`` and ``overrides.args`` replace those of the job's container, no helper's (W47)."""
    change: Body = {}
    if facts.spec.overrides.entry_point:
        change["command"] = list(facts.spec.overrides.entry_point)
    if facts.spec.overrides.args:
        change["args"] = list(facts.spec.overrides.args)
    return _with_job_container(body, change) if change else body


def add_environment(body: Body, facts: Facts) -> Body:
    """The run's variables in the job's container, after the user's; one entry for each name, ours where both have it.

    ``$`` is doubled where Kubernetes would take it for a reference to another variable.
    """
    ours: list[Body] = []
    for name, value in facts.environment.items():
        ours.append({"name": name, "value": _escape(value)})
    if facts.key_secret:
        reference = {"secretKeyRef": {"name": facts.key_secret.name, "key": facts.key_secret.key}}
        ours.insert(1, {"name": environment.API_KEY, "valueFrom": reference})
    given = {entry["name"]: entry for entry in _pod(body)["containers"][0].get("env") or ()}
    kept = [entry for name, entry in given.items() if name not in facts.environment]
    if facts.key_secret:
        kept = [entry for entry in kept if entry["name"] != environment.API_KEY]
    return _with_job_container(body, {"env": [*kept, *ours]})


def _escape(value: str) -> str:
    return value.replace("$", "$$") if "$(" in value or "$$" in value else value


def restrict(body: Body, _facts: Facts) -> Body:
    """Every container, init containers too, gets the restricted security context under its own."""
    pod = dict(_pod(body))
    for field in POD_FIELDS:
        if field in pod:
            pod[field] = [
                {**container, "securityContext": strictness.restrict(container.get("securityContext"))}
                for container in pod[field]
            ]
    return _with_pod(body, pod)


# ── the parts of a Job ──────────────────────────────────────────────────────────────────────────────────────────────


def _pod(body: Mapping[str, Any]) -> Mapping[str, Any]:
    pod: Mapping[str, Any] = body["spec"]["template"]["spec"]
    return pod


def _with_pod(body: Body, pod: Mapping[str, Any]) -> Body:
    spec = body["spec"]
    return {**body, "spec": {**spec, "template": {**spec["template"], "spec": pod}}}


def _with_containers(body: Body, containers: list[Body]) -> Body:
    return _with_pod(body, {**_pod(body), "containers": containers})


def _with_job_container(body: Body, change: Mapping[str, Any]) -> Body:
    """The job's container is the first one."""
    first, *others = _pod(body)["containers"]
    return _with_containers(body, [{**first, **change}, *others])


def _with_metadata(body: Body, **changes: Mapping[str, str]) -> Body:
    """Labels or annotations laid over those that are there."""
    metadata = dict(body.get("metadata") or {})
    for field, values in changes.items():
        metadata[field] = {**(metadata.get(field) or {}), **values}
    return {**body, "metadata": metadata}
