"""``plan``: from an item to the objects to create for it, in order, the workload last. The same each time."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from launch_agent.core import environment, macros, names, transforms
from launch_agent.core.models import KeySecret, LaunchContext, Manifest, Plan, QueueItem, Resource
from launch_agent.core.spec import RunSpec
from launch_agent.core.transforms import Facts, Transform
from launch_agent.errors import RefusedError, SpecError

JOB_TRANSFORMS: tuple[Transform, ...] = (
    transforms.fill_defaults,
    transforms.name_containers,
    transforms.set_name,
    transforms.hold_ttl_back,
    transforms.mark,
    transforms.set_image,
    transforms.override_command,
    transforms.add_environment,
    transforms.restrict,
)
"""What makes a Job of a queue's manifest, in this order (protocol 7.3.2)."""

PROCESS_ARGUMENTS = frozenset({"env", "working_dir"})
"""What a local process takes from its resource arguments (ours: W&B's agent reads none)."""


def plan(item: QueueItem, spec: RunSpec, run_id: str, context: LaunchContext, *, api_key: str | None) -> Plan:
    """The objects for one item that `refusals.check` let pass, and what its people should know about them.

    ``api_key`` is the agent's own; an item's goes before it. Raises SpecError or RefusedError.
    """
    if spec.resource is Resource.KUBERNETES:
        return _plan_job(item, spec, run_id, context, api_key)
    if spec.resource is Resource.LOCAL_PROCESS:
        return _plan_process(item, spec, run_id, context, api_key)
    raise RefusedError(
        f"The resource {spec.resource} can not be launched by this agent yet.",
        resolution="Use a queue of resource kubernetes or local-process.",
    )


# ── Jobs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _plan_job(item: QueueItem, spec: RunSpec, run_id: str, context: LaunchContext, api_key: str | None) -> Plan:
    own_key, key_secret = _choose_key(spec, run_id, context, api_key)
    facts = Facts(item, spec, run_id, context, environment.build(spec, context, item, run_id), key_secret)
    filled: dict[str, Any] = macros.fill(spec.resource_args, macros.collect(spec, run_id, context))
    warnings = _find_oddities(filled, spec)
    body = filled
    for transform in JOB_TRANSFORMS:
        body = transform(body, facts)
    secrets: tuple[Manifest, ...] = ()
    if own_key is not None and key_secret is not None:
        secrets = (_make_secret(key_secret, own_key, body["metadata"]["namespace"], facts),)
    return Plan(body, secrets, warnings=warnings)


def _choose_key(
    spec: RunSpec, run_id: str, context: LaunchContext, api_key: str | None
) -> tuple[str | None, KeySecret | None]:
    """(the key that needs a Secret of its own, where the job finds it). The release's Secret is never written (W28)."""
    own = KeySecret(names.secret_name(run_id))
    if spec.api_key:
        return spec.api_key, own
    if context.key_secret:
        return None, context.key_secret
    return (api_key, own) if api_key else (None, None)


def _make_secret(place: KeySecret, key: str, namespace: str, facts: Facts) -> Manifest:
    labels = transforms.make_labels(facts)
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": place.name,
            "namespace": namespace,
            "labels": {
                "wandb.ai/created-by": "launch-agent",
                transforms.INSTALLATION_LABEL: labels[transforms.INSTALLATION_LABEL],
                transforms.ITEM_LABEL: labels[transforms.ITEM_LABEL],
            },
        },
        "type": "kubernetes.io/basic-auth",
        "data": {place.key: base64.b64encode(key.encode()).decode()},
    }


def _find_oddities(manifest: Mapping[str, Any], spec: RunSpec) -> tuple[str, ...]:
    """What is not done as it is written, in sentences for the item."""
    path = transforms.PATH
    result = [
        f"{path}.{key} is no field of a Job and was left out." for key in manifest if key not in transforms.FIELDS
    ]
    if manifest.get("apiVersion") == "batch/v1beta1":
        result.append(f"{path}.apiVersion: there is no Job in batch/v1beta1; it was sent as batch/v1.")
    job = manifest.get("spec") or {}
    template = job.get("template") or {}
    if "backOffLimit" in job:
        result.append(f"{path}.spec.backOffLimit is spelled backoffLimit in Kubernetes; it was left out.")
    for key, place in transforms.MISPLACED.items():
        if key in template:
            result.append(
                f"{path}.spec.template.{key} stands at the wrong level and was left out; it belongs to {place}."
            )
    containers = (template.get("spec") or {}).get("containers") or [{}]
    found = containers[0].get("image")
    if found and spec.image and found != spec.image:
        result.append(f"The queue's config names the image {found} for the job's container; the item's image was used.")
    return tuple(result)


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _plan_process(item: QueueItem, spec: RunSpec, run_id: str, context: LaunchContext, api_key: str | None) -> Plan:
    """A command on the agent's machine. Its environment holds the key in plain text: show it through `rendering`."""
    if not spec.overrides.entry_point:
        raise SpecError(
            "overrides.entry_point", "is missing: there is no command to run.", resolution="Give it as a list of words."
        )
    variables = {**spec.resource_args.get("env", {}), **environment.build(spec, context, item, run_id)}
    if key := spec.api_key or api_key:
        variables[environment.API_KEY] = key
    body: Manifest = {
        "apiVersion": "launch-agent/v1",
        "kind": "Process",
        "metadata": {"name": names.object_name(item.id, spec.entity, spec.project)},
        "spec": {
            "command": [*spec.overrides.entry_point, *spec.overrides.args],
            "env": variables,
            "workingDir": spec.overrides.working_dir or spec.resource_args.get("working_dir"),
        },
    }
    unused = [
        f"resource_args.local-process.{key} was not used: a local process takes `env` and `working_dir` only."
        for key in spec.resource_args
        if key not in PROCESS_ARGUMENTS
    ]
    return Plan(body, warnings=tuple(unused))
