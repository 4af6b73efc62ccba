"""Steps from a queue's configuration to a Job. Each takes a Job and returns another; none changes its argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core import names, shapes
from launch_agent.core.models import TTL_ANNOTATION, LaunchContext, QueueItem
from launch_agent.core.spec import RunSpec
from launch_agent.errors import SpecError

ROOT = "resource_args.kubernetes"
POD = f"{ROOT}.spec.template.spec"
DEFAULT_TTL = 60
"""W&B's default of ``ttlSecondsAfterFinished`` (protocol 7.3.2)."""

RESTRICTED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True, slots=True)
class Making:
    """All that a step may know."""

    item: QueueItem
    spec: RunSpec
    run_id: str
    context: LaunchContext
    env: Mapping[str, str]
    key_secret: str
    """The Secret with the API key; empty where there is no key at all."""


Job = dict[str, Any]
Transform = Callable[[Job, Making], Job]


def set_type(job: Job, _making: Making) -> Job:
    """batch/v1, whatever old version was written."""
    return {**job, "apiVersion": "batch/v1", "kind": "Job"}


def set_defaults(job: Job, _making: Making) -> Job:
    """What W&B adds where nothing is said (7.3.2); null counts as nothing said."""
    spec = dict(shapes.mapping(job.get("spec"), f"{ROOT}.spec"))
    template = dict(shapes.mapping(spec.get("template"), f"{ROOT}.spec.template"))
    pod = dict(shapes.mapping(template.get("spec"), POD))
    if spec.get("backoffLimit") is None:
        spec["backoffLimit"] = 0
    if pod.get("restartPolicy") is None:
        pod["restartPolicy"] = "Never"
    containers = shapes.sequence(pod.get("containers"), f"{POD}.containers") or [{}]
    pod["containers"] = [
        _name_container(shapes.mapping(one, f"{POD}.containers[{number}]"), number)
        for number, one in enumerate(containers)
    ]
    return {**job, "spec": {**spec, "template": {**template, "spec": pod}}}


def _name_container(container: Mapping[str, Any], number: int) -> dict[str, Any]:
    kept = {key: value for key, value in container.items() if value is not None}
    return kept if kept.get("name") else {**kept, "name": f"launch{number}"}


def hold_ttl(job: Job, _making: Making) -> Job:
    """The time to live goes into an annotation: it is set once the outcome is reported, or it would be lost."""
    spec = dict(job["spec"])
    wanted = shapes.whole(
        spec.pop("ttlSecondsAfterFinished", None), f"{ROOT}.spec.ttlSecondsAfterFinished", DEFAULT_TTL
    )
    return _annotate({**job, "spec": spec}, {TTL_ANNOTATION: str(wanted)})


def set_identity(job: Job, making: Making) -> Job:
    """Name, namespace, and the labels and annotations that tell whose this is, on the Job and on its pods."""
    metadata = dict(shapes.mapping(job.get("metadata"), f"{ROOT}.metadata"))
    metadata["name"] = _choose_name(metadata, making)
    metadata.pop("generateName", None)
    metadata["namespace"] = _choose_namespace(metadata, making)
    item = making.item
    labels = {
        "wandb.ai/run-id": names.label_value(making.run_id),
        "wandb.ai/monitor": "true",
        "wandb.ai/agent": names.label_value(making.context.agent_name),
        "launch-agent/installation": names.label_value(making.context.installation),
        "launch-agent/item": names.item_label(item.id),
    }
    own = {**shapes.mapping(metadata.get("labels"), f"{ROOT}.metadata.labels"), **labels}
    job = _annotate(
        {**job, "metadata": {**metadata, "labels": own}},
        {
            "launch-agent/item-id": item.id,
            "launch-agent/queue": item.queue,
            "launch-agent/run": f"{making.spec.entity}/{making.spec.project}/{making.run_id}",
        },
    )
    template = job["spec"]["template"]
    path = f"{ROOT}.spec.template.metadata"
    pod_metadata = dict(shapes.mapping(template.get("metadata"), path))
    pod_metadata["labels"] = {**shapes.mapping(pod_metadata.get("labels"), f"{path}.labels"), **labels}
    return {**job, "spec": {**job["spec"], "template": {**template, "metadata": pod_metadata}}}


def _choose_name(metadata: Mapping[str, Any], making: Making) -> str:
    name = shapes.text(metadata.get("name"), f"{ROOT}.metadata.name")
    if name:
        if not names.is_valid_name(name):
            raise SpecError(
                f"{ROOT}.metadata.name",
                f"{name!r} is no valid name of a Job.",
                detail="A name has at most 63 characters: a-z, 0-9, dashes and dots, a letter or digit at both ends.",
                resolution="Correct it in the queue's configuration, or leave it out.",
            )
        return name
    prefix = shapes.text(metadata.get("generateName"), f"{ROOT}.metadata.generateName")
    if prefix:
        name = names.prefixed_name(prefix, making.item.id)
        if not names.is_valid_name(name):
            raise SpecError(f"{ROOT}.metadata.generateName", f"{prefix!r} makes no valid name ({name!r}).")
        return name
    return names.object_name(making.item.id, making.spec.entity, making.spec.project)


def _choose_namespace(metadata: Mapping[str, Any], making: Making) -> str:
    own = making.spec.resource_args.get("namespace")
    namespace = shapes.text(metadata.get("namespace"), f"{ROOT}.metadata.namespace")
    namespace = namespace or shapes.text(own, f"{ROOT}.namespace") or making.context.default_namespace
    if not names.is_valid_namespace(namespace):
        raise SpecError(f"{ROOT}.namespace", f"{namespace!r} is no valid name of a namespace.")
    return namespace


def set_image(job: Job, making: Making) -> Job:
    """The item's image for the job's container; every other one must bring its own."""
    containers = list(_pod(job)["containers"])
    if making.spec.image:
        containers[0] = {**containers[0], "image": making.spec.image}
    for number, one in enumerate(containers):
        if not shapes.text(one.get("image"), f"{POD}.containers[{number}].image"):
            raise SpecError(
                f"{POD}.containers[{number}].image",
                f"the container {one['name']!r} has no image.",
                resolution="Name one in the queue's configuration; only the first container gets the item's.",
            )
    return _with_pod(job, containers=containers)


def set_command(job: Job, making: Making) -> Job:
    """The submitter's entry point and arguments, for the job's container only (W47)."""
    overrides = making.spec.overrides
    first = dict(_pod(job)["containers"][0])
    if overrides.entry_point:
        first["command"] = list(overrides.entry_point)
    if overrides.args:
        first["args"] = list(overrides.args)
    for key in ("command", "args"):
        if key in first:
            first[key] = list(shapes.words(first[key], f"{POD}.containers[0].{key}"))
    return _with_pod(job, containers=[first, *_pod(job)["containers"][1:]])


def set_environment(job: Job, making: Making) -> Job:
    """The environment of 5.4 for the job's container: each name once, ours over the user's, the key from its Secret."""
    first = dict(_pod(job)["containers"][0])
    path = f"{POD}.containers[0].env"
    ours: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in making.env.items()]
    if making.key_secret:
        source = {"secretKeyRef": {"name": making.key_secret, "key": "password"}}
        ours.insert(1, {"name": "WANDB_API_KEY", "valueFrom": source})
    taken = {one["name"] for one in ours}
    users = []
    for number, one in enumerate(shapes.sequence(first.get("env"), path)):
        entry = dict(shapes.mapping(one, f"{path}[{number}]"))
        if entry.get("value") is not None:
            entry["value"] = _env_text(entry["value"], f"{path}[{number}].value")
        if entry.get("name") not in taken:
            users.append(entry)
    return _with_pod(job, containers=[{**first, "env": users + ours}, *_pod(job)["containers"][1:]])


def _env_text(value: Any, path: str) -> str:
    """Kubernetes wants texts; people write numbers and booleans."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return shapes.word(value, path)


def restrict(job: Job, _making: Making) -> Job:
    """The restricted security context for each container that has none; refusals see to it that others are strict."""
    pod = _pod(job)
    changed = {}
    for key in ("containers", "initContainers", "ephemeralContainers"):
        every = shapes.sequence(pod.get(key), f"{POD}.{key}")
        if every:
            changed[key] = [
                _restrict_one(shapes.mapping(one, f"{POD}.{key}[{number}]")) for number, one in enumerate(every)
            ]
    return _with_pod(job, **changed)


def _restrict_one(container: Mapping[str, Any]) -> dict[str, Any]:
    return {**container, "securityContext": {**RESTRICTED, **(container.get("securityContext") or {})}}


def _pod(job: Job) -> Mapping[str, Any]:
    pod: Mapping[str, Any] = job["spec"]["template"]["spec"]
    return pod


def _with_pod(job: Job, **changes: Any) -> Job:
    template = job["spec"]["template"]
    pod = {**template["spec"], **changes}
    return {**job, "spec": {**job["spec"], "template": {**template, "spec": pod}}}


def _annotate(job: Job, annotations: Mapping[str, str]) -> Job:
    metadata = dict(shapes.mapping(job.get("metadata"), f"{ROOT}.metadata"))
    own = shapes.mapping(metadata.get("annotations"), f"{ROOT}.metadata.annotations")
    return {**job, "metadata": {**metadata, "annotations": {**own, **annotations}}}
