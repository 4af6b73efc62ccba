"""What is refused before an item is taken: what is not built here, and what W&B's agent refuses (protocol 7.1, 2.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from launch_agent.core import shapes, strictness
from launch_agent.core.models import Resource
from launch_agent.core.spec import RunSpec
from launch_agent.errors import RefusedError

PATH = "resource_args.kubernetes"

TARGETS = (Resource.KUBERNETES, Resource.LOCAL_PROCESS)
"""The resources that this agent can launch on."""

PRESENT = frozenset({"hostPath", "serviceAccountToken"})
"""Refused whatever they hold."""

BOOLEANS = frozenset(
    {"hostPID", "hostIPC", "hostNetwork", "shareProcessNamespace", "hostUsers", "automountServiceAccountToken"}
)
"""Refused where true, and of no other type than boolean."""

NON_EMPTY = frozenset({"serviceAccountName", "serviceAccount"})
"""Refused unless empty."""

TRUE_WORDS = frozenset({"1", "true", "yes"})

SECURE_KEYS = ("hostPID", "hostIPC", "hostNetwork", "initContainers")
"""Keys of a pod that secure mode refuses."""


def check(spec: RunSpec, secure_mode: bool = False) -> None:
    """Raise RefusedError (or SpecError with the path) for a spec that this agent does not launch."""
    _check_built(spec)
    if spec.resource is Resource.KUBERNETES:
        _check_manifest(spec.resource_args)
        if secure_mode:
            _check_secure(spec.resource_args)
    if secure_mode and spec.overrides.entry_point:
        raise _insecure("overrides.entry_point")


# ── what is not built here ──────────────────────────────────────────────────────────────────────────────────────────


def _check_built(spec: RunSpec) -> None:
    if spec.is_scheduler:
        raise RefusedError(
            "This is a sweep's scheduler, and this agent does not run schedulers yet.",
            detail="A scheduler on Kubernetes needs an image or a job of its own." if _lacks_source(spec) else "",
            resolution="Run the sweep's scheduler with W&B's own agent, or with `wandb scheduler`.",
        )
    if spec.resource not in TARGETS:
        raise RefusedError(
            f"This agent can not launch on {spec.resource} yet.",
            detail=f"It launches on: {', '.join(TARGETS)}.",
            resolution="Push to a queue of one of these resources, or leave this queue to W&B's own agent.",
        )
    if spec.job:
        raise RefusedError(
            f"This agent can not fetch the job {spec.job!r} yet.",
            resolution="Push the job's image with --docker-image.",
        )
    if spec.resource is Resource.LOCAL_PROCESS and spec.image:
        raise RefusedError(
            "A local process runs without a container, and the run spec names an image.",
            resolution="Push to a kubernetes queue, or leave docker.docker_image out.",
        )


def _lacks_source(spec: RunSpec) -> bool:
    return spec.resource is Resource.KUBERNETES and not spec.image and not spec.job


# ── what W&B's agent refuses (7.1) ──────────────────────────────────────────────────────────────────────────────────


def _check_manifest(manifest: Mapping[str, Any]) -> None:
    for path, key, value in _walk(manifest, PATH):
        if value is not None:
            _check_entry(path, key, value)


def _walk(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Every entry of every object at any depth: its path, its key, its value."""
    if isinstance(value, Mapping):
        for key, entry in value.items():
            place = shapes.join(path, key)
            yield place, str(key), entry
            if isinstance(entry, (Mapping, list, tuple)):
                yield from _walk(entry, place)
    elif isinstance(value, (list, tuple)):
        for index, entry in enumerate(value):
            if isinstance(entry, (Mapping, list, tuple)):
                yield from _walk(entry, f"{path}[{index}]")


def _check_entry(path: str, key: str, value: Any) -> None:
    if key == "securityContext":
        _check_context(path, value)
    elif key in BOOLEANS:
        if not isinstance(value, bool):
            raise shapes.mismatch(path, "true or false", value)
        if value:
            raise _forbid(path)
    elif (
        key in PRESENT
        or (key in NON_EMPTY and value)
        or (key == "hostPort" and _is_true(value))
        or (key == "mountPropagation" and value == "Bidirectional")
        or (_names_profile(key) and "unconfined" in str(value).lower())
    ):
        raise _forbid(path)


def _check_context(path: str, value: Any) -> None:
    if path == f"{PATH}.spec.template.securityContext":
        return  # where W&B's documentation has it, Kubernetes has no such field: it is left out, with a warning
    weak = strictness.find_weakness(value)
    if weak is None:
        return
    if not weak:
        raise shapes.mismatch(path, "an object", value)
    raise RefusedError(
        f"{shapes.join(path, weak)} is not allowed: it is weaker than the context that every container gets.",
        detail="That is: no privilege escalation, all capabilities dropped, seccomp profile RuntimeDefault.",
        resolution="Leave it out; stricter values are kept as they are.",
    )


def _is_true(value: Any) -> bool:
    return value.strip().lower() in TRUE_WORDS if isinstance(value, str) else bool(value)


def _names_profile(key: str) -> bool:
    lower = key.lower()
    return "apparmor" in lower or "seccomp" in lower


def _forbid(path: str) -> RefusedError:
    return RefusedError(
        f"{path} is not allowed.",
        detail="It reaches beyond the workload's own container, to its node or to a service account.",
        resolution="Leave it out of the queue's config and of the item.",
    )


# ── secure mode (2.8) ───────────────────────────────────────────────────────────────────────────────────────────────


def _check_secure(manifest: Mapping[str, Any]) -> None:
    place = f"{PATH}.spec.template.spec"
    template = (manifest.get("spec") or {}).get("template") or {}
    pod = template.get("spec") or {}
    for key in SECURE_KEYS:
        if pod.get(key) is not None:
            raise _insecure(f"{place}.{key}")
    for index, container in enumerate(pod.get("containers") or ()):
        if container.get("command"):
            raise _insecure(f"{place}.containers[{index}].command")


def _insecure(path: str) -> RefusedError:
    return RefusedError(
        f"{path} is not allowed in secure mode.",
        detail="The agent's owner set secure_mode: true.",
        resolution="Leave it out.",
    )
