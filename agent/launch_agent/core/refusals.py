"""What is refused before an item is taken: what is not built here, and what secure mode refuses (protocol 2.8).

What an owner's policy refuses is in `core/judgement.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch_agent.core import places
from launch_agent.core.entries import Entry, walk
from launch_agent.core.models import MANIFEST_PATH, Resource
from launch_agent.core.spec import RunSpec
from launch_agent.errors import RefusedError

TARGETS = (Resource.KUBERNETES, Resource.LOCAL_PROCESS)
"""The resources that this agent can launch on."""

SECURE_KEYS = frozenset({"hostPID", "hostIPC", "hostNetwork", "initContainers"})
"""Fields that secure mode refuses wherever they stand: a pod may be anywhere in a custom resource."""

OWN_COMMANDS = frozenset({"exec", "labels", "annotations", "data", "env"})
"""Objects whose ``command`` is not that of a container: probes and lifecycle handlers, and other people's words."""


def check(spec: RunSpec, secure_mode: bool = False) -> None:
    """Raise RefusedError for a spec that this agent does not launch."""
    _check_built(spec)
    if not secure_mode:
        return
    if spec.resource is Resource.KUBERNETES:
        _check_secure(spec.resource_args, MANIFEST_PATH)
        for index, service in enumerate(spec.additional_services):
            _check_secure(service.get("config") or {}, f"additional_services[{index}].config")
    if spec.overrides.entry_point:
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


# ── secure mode (2.8) ───────────────────────────────────────────────────────────────────────────────────────────────


def _check_secure(manifest: Mapping[str, Any], base: str) -> None:
    """W&B looks at a Job's pod only (W36); here it is every pod, and whatever else has a command."""
    for entry in walk(manifest):
        if entry.key in SECURE_KEYS or _is_command(entry):
            raise _insecure(f"{base}.{places.text(entry.path)}")


def _is_command(entry: Entry) -> bool:
    return entry.key == "command" and bool(entry.value) and entry.holder not in OWN_COMMANDS


def _insecure(path: str) -> RefusedError:
    return RefusedError(
        f"{path} is not allowed in secure mode.",
        detail="The agent's owner set secure_mode: true.",
        resolution="Leave it out.",
    )
