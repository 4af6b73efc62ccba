"""From a run spec to the objects that are created for it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from launch_agent.core import environment, macros, names, shapes, transforms
from launch_agent.core.models import LaunchContext, Manifest, Plan, QueueItem, Resource
from launch_agent.core.spec import RunSpec
from launch_agent.core.transforms import Making, Transform

TRANSFORMS: tuple[Transform, ...] = (
    transforms.set_type,
    transforms.set_defaults,
    transforms.hold_ttl,
    transforms.set_identity,
    transforms.set_image,
    transforms.set_command,
    transforms.set_environment,
    transforms.restrict,
)
"""In this order, from the queue's configuration to the Job."""

AGENT_KEYS = frozenset({"namespace", "name", "runner", "wait_for_ready", "wait_timeout", "configFile", "context"})
"""Keys of ``resource_args.kubernetes`` that are meant for the agent and never reach the API server."""

JOB_KEYS = frozenset({"apiVersion", "kind", "metadata", "spec"})
MISPLACED = ("backOffLimit", "backoffLimit", "`backOffLimit`", "ttlSecondsAfterFinished", "securityContext")


def plan(item: QueueItem, spec: RunSpec, run_id: str, context: LaunchContext, *, api_key: str | None) -> Plan:
    """The objects for one item. ``api_key`` is the agent's; the item's own one goes before it.

    Raises SpecError with the path of what can not be.
    """
    env = environment.build(spec, context, item, run_id)
    if spec.resource is Resource.LOCAL_PROCESS:
        return Plan((_process(item, spec, env, spec.api_key or api_key),))
    key = spec.api_key or api_key
    own_secret = bool(spec.api_key) or not context.release
    secret_name = ""
    if key:
        secret_name = names.key_secret_name(run_id) if own_secret else f"wandb-api-key-{context.release}"
    making = Making(item, spec, run_id, context, env, secret_name)
    body, warnings = _read_body(spec, making)
    job: dict[str, Any] = body
    for transform in TRANSFORMS:
        job = transform(job, making)
    objects: tuple[Manifest, ...] = (job,)
    if key and own_secret:
        objects = (_key_secret(secret_name, key, job["metadata"]["namespace"], context), job)
    return Plan(objects, warnings)


def _read_body(spec: RunSpec, making: Making) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The user's Job without the agent's keys, macros filled; and what is odd about it."""
    values = {
        **making.context.macros,
        "project_name": spec.project,
        "entity_name": spec.entity,
        "run_id": making.run_id,
        "run_name": spec.name or "",
        "image_uri": spec.image or "",
        "author": spec.author or "",
    }
    body = shapes.mapping(macros.fill(spec.resource_args, values), transforms.ROOT)
    unknown = sorted(set(body) - AGENT_KEYS - JOB_KEYS)
    warnings = []
    if unknown:
        warnings.append(
            f"{transforms.ROOT} has keys that no Job has: {', '.join(unknown)}. They are left out; "
            "a Job has apiVersion, kind, metadata and spec."
        )
    template = shapes.at(body, ("spec", "template"), transforms.ROOT)
    misplaced = [key for key in MISPLACED if key in template]
    if misplaced:
        warnings.append(
            f"{transforms.ROOT}.spec.template has {', '.join(misplaced)} at the wrong level and the API server "
            "ignores them: backoffLimit and ttlSecondsAfterFinished belong to spec, securityContext to a container."
        )
    return {key: value for key, value in body.items() if key in JOB_KEYS}, tuple(warnings)


def _key_secret(name: str, key: str, namespace: str, context: LaunchContext) -> Manifest:
    """A Secret of the run's own, as W&B's agent makes it (7.3.3)."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                "wandb.ai/created-by": "launch-agent",
                "launch-agent/installation": names.label_value(context.installation),
            },
        },
        "type": "kubernetes.io/basic-auth",
        "data": {"password": base64.b64encode(key.encode()).decode()},
    }


def _process(item: QueueItem, spec: RunSpec, env: Mapping[str, str], key: str | None) -> Manifest:
    """A process as if it were an object: what to run, with what, where."""
    full = {**env, "WANDB_API_KEY": key} if key else dict(env)
    extra = shapes.mapping(spec.resource_args.get("env"), "resource_args.local-process.env")
    users = {str(name): shapes.word(value, f"resource_args.local-process.env.{name}") for name, value in extra.items()}
    return {
        "apiVersion": "launch-agent/v1",
        "kind": "Process",
        "metadata": {"name": names.object_name(item.id, spec.entity, spec.project)},
        "spec": {
            "command": [*spec.overrides.entry_point, *spec.overrides.args],
            "env": {**users, **full},
            "workingDir": shapes.text(spec.resource_args.get("working_dir"), "resource_args.local-process.working_dir"),
        },
    }
