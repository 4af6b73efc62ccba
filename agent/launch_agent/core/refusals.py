"""What is refused before an item is taken: what is not built here, and what W&B's agent refuses (protocol 7.1, 2.8)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from launch_agent.core import shapes
from launch_agent.core.models import Resource
from launch_agent.core.spec import RunSpec
from launch_agent.errors import RefusedError, SpecError

BUILT = frozenset({Resource.KUBERNETES, Resource.LOCAL_PROCESS})
JOB_VERSIONS = frozenset({"batch/v1", "batch/v1beta1"})

PRESENT = frozenset({"hostPath", "serviceAccountToken"})
TRUTHY = frozenset(
    {
        "hostPID",
        "hostIPC",
        "hostNetwork",
        "shareProcessNamespace",
        "hostUsers",
        "automountServiceAccountToken",
        "hostPort",
    }
)
NON_EMPTY = frozenset({"serviceAccountName", "serviceAccount"})
BOOLEANS = TRUTHY - {"hostPort"}
TRUE_WORDS = frozenset({"1", "true", "yes"})
SECURE_KEYS = ("hostPID", "hostIPC", "hostNetwork", "initContainers")


def check(spec: RunSpec, *, secure_mode: bool = False) -> None:
    """Raise RefusedError or SpecError for a spec that this agent does not launch."""
    if spec.is_scheduler:
        raise RefusedError(
            "This is a sweep's scheduler, and this agent does not run schedulers yet.",
            resolution="Run the sweep's scheduler with W&B's own agent, or with wandb scheduler.",
        )
    if spec.resource not in BUILT:
        raise RefusedError(
            f"This agent can not launch on {spec.resource} yet.",
            detail=f"It launches on: {', '.join(sorted(BUILT))}.",
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
    if spec.resource is Resource.KUBERNETES:
        _check_kubernetes(spec, secure_mode=secure_mode)
    if secure_mode and spec.overrides.entry_point:
        raise _insecure("overrides.entry_point")


def _check_kubernetes(spec: RunSpec, *, secure_mode: bool) -> None:
    root = "resource_args.kubernetes"
    args = spec.resource_args
    kind = shapes.text(args.get("kind"), f"{root}.kind") or "Job"
    version = shapes.text(args.get("apiVersion"), f"{root}.apiVersion")
    if version is None and kind != "Job":
        raise SpecError(f"{root}.apiVersion", f"the kind {kind} needs an apiVersion.")
    if (version or "batch/v1") not in JOB_VERSIONS or kind != "Job":
        raise RefusedError(
            f"This agent can not launch a {version}/{kind} yet.",
            detail="It launches batch/v1 Jobs.",
            resolution="Use a queue whose configuration is a Job, or leave this queue to W&B's own agent.",
        )
    if spec.additional_services:
        raise RefusedError(
            "The run spec has additional services, and this agent does not start them yet.",
            resolution="Start them beside the job, and leave additional_services out.",
        )
    if any(key in args for key in ("configFile", "context")):
        raise RefusedError(
            f"{root} names a kubeconfig of its own (configFile, context); this agent launches on one cluster.",
            resolution="Start an agent with --kubeconfig and --context for that cluster.",
        )
    for path, key, value in _walk(args, root):
        _check_key(path, key, value)
    if secure_mode:
        _check_secure(args, root)


def _walk(value: Any, path: str) -> Iterator[tuple[str, str, Any]]:
    """Every key of every object below ``value``."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            below = f"{path}.{key}"
            yield below, str(key), one
            yield from _walk(one, below)
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _walk(one, f"{path}[{number}]")


def _check_key(path: str, key: str, value: Any) -> None:
    if value is None:
        return
    if key in BOOLEANS and not isinstance(value, bool):
        raise SpecError(path, f"true or false is expected, {shapes.kind_of(value)} was found.")
    is_refused = (
        key in PRESENT
        or (key in TRUTHY and _is_true(value))
        or (key in NON_EMPTY and bool(value))
        or (key == "mountPropagation" and value == "Bidirectional")
        or (key == "securityContext" and not is_strict(value))
        or (("apparmor" in key.lower() or "seccomp" in key.lower()) and "unconfined" in str(value).lower())
    )
    if is_refused:
        raise RefusedError(
            f"{path} is not allowed.",
            detail="It would give the workload more than its own container: W&B's agent refuses it, and so does this.",
            resolution="Leave it out of the queue's configuration.",
        )


def _is_true(value: Any) -> bool:
    return value.lower() in TRUE_WORDS if isinstance(value, str) else bool(value)


def is_strict(context: Any) -> bool:
    """Whether a securityContext only takes rights away: at least as strict as the one that is added otherwise."""
    if not isinstance(context, Mapping):
        return False
    return all(_is_strict_key(key, value) for key, value in context.items())


def _is_strict_key(key: str, value: Any) -> bool:
    match key:
        case "allowPrivilegeEscalation" | "privileged":
            return value is False
        case "runAsNonRoot" | "readOnlyRootFilesystem":
            return value is True
        case "runAsUser" | "runAsGroup" | "fsGroup":
            return isinstance(value, int) and value > 0
        case "fsGroupChangePolicy":
            return True
        case "capabilities":
            return isinstance(value, Mapping) and not value.get("add") and "ALL" in (value.get("drop") or ())
        case "seccompProfile":
            return isinstance(value, Mapping) and value.get("type") == "RuntimeDefault"
    return value is None


def _check_secure(args: Mapping[str, Any], root: str) -> None:
    """secure_mode: nothing of the host, no init containers, no commands (protocol 2.8)."""
    pod = shapes.at(args, ("spec", "template", "spec"), root)
    place = f"{root}.spec.template.spec"
    for key in SECURE_KEYS:
        if key in pod:
            raise _insecure(f"{place}.{key}")
    for number, container in enumerate(shapes.sequence(pod.get("containers"), f"{place}.containers")):
        if shapes.mapping(container, f"{place}.containers[{number}]").get("command"):
            raise _insecure(f"{place}.containers[{number}].command")


def _insecure(path: str) -> RefusedError:
    return RefusedError(
        f"{path} is not allowed in secure mode.",
        resolution="Leave it out, or set secure_mode: false in launch-config.yaml.",
    )
