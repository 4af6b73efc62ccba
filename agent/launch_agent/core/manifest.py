"""``plan``: from an item to the objects to create for it, in order, the workload last. The same each time."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from launch_agent.core import clusters, environment, macros, marks, names, places, pull_secrets, receipt, services
from launch_agent.core.context import LaunchContext
from launch_agent.core.kinds import Kind
from launch_agent.core.models import MANIFEST_PATH, SERVICES_PATH, KeySecret, Manifest, Plan, QueueItem, Resource
from launch_agent.core.spec import RunSpec
from launch_agent.core.transforms import code, containers, identity, security, timing
from launch_agent.core.transforms.facts import Body, Facts, Transform
from launch_agent.core.transforms.roles import list_roles, main_path
from launch_agent.errors import RefusedError, SpecError

TRANSFORMS: tuple[Transform, ...] = (
    identity.fill_defaults,
    identity.read_templates,
    identity.name_containers,
    identity.set_name,
    timing.hold_ttl_back,
    timing.limit_runtime,
    identity.mark,
    containers.set_image,
    containers.override_command,
    containers.add_environment,
    security.add_pull_secret,
    code.mount_code,
    security.restrict,
)
"""What makes the object that is created of a queue's manifest, in this order, whatever its kind (protocol 7.3)."""

PROCESS_ARGUMENTS = frozenset({"env", "working_dir"})
"""What a local process takes from its resource arguments (ours: W&B's agent reads none)."""


def plan(item: QueueItem, spec: RunSpec, run_id: str, context: LaunchContext, *, api_key: str | None) -> Plan:
    """The objects for one item that `refusals.check` let pass, and what its people should know about them.

    ``api_key`` is the agent's own; an item's goes before it. Raises SpecError or RefusedError.
    """
    if spec.resource is Resource.KUBERNETES:
        return _plan_object(item, spec, run_id, context, api_key)
    if spec.resource is Resource.LOCAL_PROCESS:
        return _plan_process(item, spec, run_id, context, api_key)
    raise RefusedError(
        f"The resource {spec.resource} can not be launched by this agent yet.",
        resolution="Use a queue of resource kubernetes or local-process.",
    )


# ── objects of Kubernetes ───────────────────────────────────────────────────────────────────────────────────────────


def _plan_object(item: QueueItem, spec: RunSpec, run_id: str, context: LaunchContext, api_key: str | None) -> Plan:
    values = macros.collect(spec, run_id, context)
    filled: Body = macros.fill(spec.resource_args, values, MANIFEST_PATH)
    kind = find_kind(spec, filled, context)
    own_key, key_secret = _choose_key(spec, run_id, context, api_key)
    pull = context.pull_credential
    facts = Facts(
        item,
        spec,
        run_id,
        context,
        environment.build(spec, context, item, run_id),
        key_secret,
        kind,
        places_image=macros.uses(spec.resource_args, macros.IMAGE),
        max_runtime=spec.max_runtime,
        pull_secret=names.secret_name(run_id, pull_secrets.PREFIX, spec.resume_count) if pull else "",
    )
    body = _transform(filled, facts)
    namespace = body["metadata"]["namespace"]
    secrets: list[Manifest] = []
    if own_key is not None and key_secret is not None:
        secrets.append(_make_key_secret(key_secret, own_key, namespace, facts))
    if pull:
        secrets.append(pull_secrets.make(pull, facts.pull_secret, namespace, _secret_labels(facts)))
    configs = tuple(macros.fill(spec.additional_services, values, SERVICES_PATH))
    return Plan(
        workload=body,
        secrets=tuple(secrets),
        services=services.plan(configs, facts, namespace),
        warnings=_find_oddities(filled, facts),
        cluster=clusters.key(spec.agent_args),
        service_wait=_read_wait(spec),
        max_runtime=spec.max_runtime,
        is_endless=kind.is_endless,
        pull_registry=pull.registry if pull else "",
        max_resume_count=min(
            spec.agent_args.get("max_resume_count", context.max_resume_count), context.max_resume_count
        ),
    )


def find_kind(spec: RunSpec, filled: Mapping[str, Any], context: LaunchContext) -> Kind:
    """The facts of the manifest's kind. RefusedError for one that is not launched."""
    if spec.is_job_manifest:
        return context.kinds.find("batch/v1", "Job")
    version, name = str(filled["apiVersion"]), str(filled["kind"])
    kind = context.kinds.find(version, name, filled)
    if kind.refusal:
        group = context.kinds.find_group(name)
        is_misnamed = group not in {"", kind.group}
        cure = f"A {name} is of the group {group}: correct apiVersion." if is_misnamed else ""
        raise RefusedError(
            f"{MANIFEST_PATH}.kind: a {name} of {version} is not launched.", detail=kind.refusal, resolution=cure
        )
    return kind


def _transform(filled: Body, facts: Facts) -> Body:
    """The body after all transforms, with the receipt of those that changed it."""
    body = filled
    applied = []
    for transform in TRANSFORMS:
        before, body = body, transform(body, facts)
        if body != before:
            applied.append(transform.__name__)
    text = receipt.write(filled, body, applied, facts.context)
    return places.put(body, ("metadata", "annotations", marks.RECEIPT_ANNOTATION), text)


def _choose_key(
    spec: RunSpec, run_id: str, context: LaunchContext, api_key: str | None
) -> tuple[str | None, KeySecret | None]:
    """(the key that needs a Secret of its own, where the job finds it). The release's Secret is never written (W28)."""
    own = KeySecret(names.secret_name(run_id, resume_count=spec.resume_count))
    if spec.api_key:
        return spec.api_key, own
    if context.key_secret:
        return None, context.key_secret
    return (api_key, own) if api_key else (None, None)


def _make_key_secret(place: KeySecret, key: str, namespace: str, facts: Facts) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": place.name, "namespace": namespace, "labels": _secret_labels(facts)},
        "type": "kubernetes.io/basic-auth",
        "data": {place.key: base64.b64encode(key.encode()).decode()},
    }


def _secret_labels(facts: Facts) -> dict[str, str]:
    labels = identity.make_labels(facts)
    return {
        marks.CREATED_BY_LABEL: marks.CREATED_BY,
        marks.INSTALLATION_LABEL: labels[marks.INSTALLATION_LABEL],
        marks.ITEM_LABEL: labels[marks.ITEM_LABEL],
    }


def _read_wait(spec: RunSpec) -> float | None:
    """Seconds for additional services to be ready (protocol 7.3.7); None: they are not waited for."""
    if spec.agent_args.get("wait_for_ready") is False:
        return None
    wanted = spec.agent_args.get("wait_timeout")
    return SERVICE_WAIT if wanted is None else float(wanted)


def _find_resume_limit(spec: RunSpec, context: LaunchContext) -> int:
    """The item's own, up to the agent's owner's."""
    own: int = spec.agent_args.get("max_resume_count", context.max_resume_count)
    return min(own, context.max_resume_count)


SERVICE_WAIT = 300.0
"""Seconds that W&B waits for additional services."""


def _find_oddities(manifest: Mapping[str, Any], facts: Facts) -> tuple[str, ...]:
    """What is not done as it is written, in sentences for the item."""
    result = _find_job_oddities(manifest) if facts.kind.is_job else []
    image = facts.spec.image
    read = identity.fill_defaults(dict(manifest), facts)
    for role in list_roles(read, facts.kind) if image else ():
        found = places.get(read, (*main_path(read, role), "image"))
        if found and found != image and not facts.places_image:
            used = "the item's image was used" if facts.kind.is_job or facts.kind.is_pod else "that one was used"
            result.append(f"The queue's config names the image {found} for the job's container; {used}.")
    if facts.pull_secret and not security.list_pull_places(read, facts.kind):
        result.append(
            f"A {facts.kind.kind} has no place for the Secret {facts.pull_secret}, with which images of the agent's "
            "registry are pulled; name one in the service account of its pods."
        )
    return tuple(dict.fromkeys(result))


def _find_job_oddities(manifest: Mapping[str, Any]) -> list[str]:
    result = [
        f"{MANIFEST_PATH}.{key} is no field of a Job and was left out."
        for key in manifest
        if key not in identity.FIELDS
    ]
    if manifest.get("apiVersion") == "batch/v1beta1":
        result.append(f"{MANIFEST_PATH}.apiVersion: there is no Job in batch/v1beta1; it was sent as batch/v1.")
    job = manifest.get("spec") or {}
    template = job.get("template") or {}
    if "backOffLimit" in job:
        result.append(f"{MANIFEST_PATH}.spec.backOffLimit is spelled backoffLimit in Kubernetes; it was left out.")
    for key, place in identity.MISPLACED.items():
        if key in template:
            result.append(
                f"{MANIFEST_PATH}.spec.template.{key} stands at the wrong level and was left out; "
                f"it belongs to {place}."
            )
    return result


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
