"""Why a pod waits or failed, for a person. Chains of small checks; the first that knows answers.

Sources: Pod API (status.conditions, containerStatuses, reason), kubelet's waiting reasons, Job API (condition reasons).
"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from typing import Any

from launch_agent.core import status
from launch_agent.core.models import Diagnosis, Manifest

PULL_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"})
HOPELESS_PULLS = frozenset({"InvalidImageName", "ErrImageNeverPull"})
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})
OUT_OF_MEMORY = "OOMKilled"

ContainerStatus = Mapping[str, Any]


def from_pod(pod: Manifest, *, image_pull_grace: float) -> Diagnosis | None:
    """What is wrong with a pod, or None. Waiting troubles carry the grace in seconds after which they are fatal."""
    return (
        _evicted(pod)
        or _disrupted(pod)
        or _terminated(pod)
        or _waiting(pod, image_pull_grace)
        or _unschedulable(pod)
        or _rejected(pod)
    )


def from_job(job: Manifest) -> Diagnosis | None:
    """What a Job's own conditions say of its failure."""
    failed = status.conditions(job).get("Failed") or status.conditions(job).get("FailureTarget")
    if failed is None:
        return None
    reason, message = str(failed.get("reason") or ""), str(failed.get("message") or "")
    if reason == "DeadlineExceeded":
        return Diagnosis(
            "DeadlineExceeded",
            "The Job ran for longer than its activeDeadlineSeconds and was ended.",
            resolution="Raise spec.activeDeadlineSeconds in the queue's configuration, or make the job shorter.",
        )
    return Diagnosis(reason or "Failed", "The Job failed.", detail=message)


def failed_container(pod: Manifest) -> str:
    """The container whose last lines tell most: the one that failed, else the first."""
    for one in _containers(pod):
        ended = (one.get("state") or {}).get("terminated") or (one.get("lastState") or {}).get("terminated")
        if ended and ended.get("exitCode"):
            return str(one.get("name", ""))
    containers = (pod.get("spec") or {}).get("containers") or ()
    return str(containers[0].get("name", "")) if containers else ""


def _containers(pod: Manifest) -> Iterator[ContainerStatus]:
    """Init containers first: while one of them waits, the others do too."""
    body = pod.get("status") or {}
    yield from body.get("initContainerStatuses") or ()
    yield from body.get("containerStatuses") or ()


def _evicted(pod: Manifest) -> Diagnosis | None:
    body = pod.get("status") or {}
    if body.get("reason") != "Evicted":
        return None
    return Diagnosis(
        "Evicted",
        "The node evicted the pod.",
        detail=str(body.get("message") or ""),
        resolution="Ask for the memory and ephemeral storage that the job needs (resources.requests), or launch again.",
    )


def _disrupted(pod: Manifest) -> Diagnosis | None:
    condition = status.conditions(pod).get("DisruptionTarget")
    if condition is None:
        return None
    return Diagnosis(
        "Preempted",
        f"The cluster took the pod away ({condition.get('reason') or 'DisruptionTarget'}).",
        detail=str(condition.get("message") or ""),
        resolution="Launch it again; a higher priority class keeps it from being preempted.",
    )


def _terminated(pod: Manifest) -> Diagnosis | None:
    for one in _containers(pod):
        ended = (one.get("state") or {}).get("terminated")
        if ended and (ended.get("exitCode") or ended.get("reason") == OUT_OF_MEMORY):
            return _from_exit(one, ended)
    return None


def _from_exit(container: ContainerStatus, ended: Mapping[str, Any]) -> Diagnosis:
    name, code = container.get("name"), int(ended.get("exitCode") or 0)
    message = str(ended.get("message") or "").strip()
    if ended.get("reason") == OUT_OF_MEMORY:
        return Diagnosis(
            "OutOfMemory",
            f"The container {name} used more memory than its limit and was killed (exit code {code}).",
            detail=message,
            resolution="Raise resources.limits.memory in the queue's configuration, or make the job use less.",
        )
    if ended.get("reason") in {"StartError", "ContainerCannotRun"}:
        return Diagnosis(
            "CannotRun",
            f"The container {name} could not be started (exit code {code}).",
            detail=message,
            resolution="Check its command, its working directory and its user.",
        )
    resolution = "Its last lines say why."
    if code in {126, 127}:
        resolution = "Its command was not found or may not be run: check the entry point and the image."
    what = f"ended with exit code {code}"
    if code > 128 and (text := _signal_name(code - 128)):
        what += f" (signal {text})"
    return Diagnosis("ExitCode", f"The container {name} {what}.", detail=message, resolution=resolution)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _waiting(pod: Manifest, grace: float) -> Diagnosis | None:
    for one in _containers(pod):
        waiting = (one.get("state") or {}).get("waiting")
        if not waiting:
            continue
        found = _from_waiting(one, str(waiting.get("reason") or ""), str(waiting.get("message") or ""), grace)
        if found is not None:
            return found
    return None


def _from_waiting(container: ContainerStatus, reason: str, message: str, grace: float) -> Diagnosis | None:
    name, image = container.get("name"), container.get("image")
    if reason in PULL_REASONS or reason in HOPELESS_PULLS:
        return Diagnosis(
            "ImagePull",
            f"The image {image} of the container {name} can not be pulled ({_family(reason)}).",
            detail=_steady(message, reason),
            resolution="Check the image's name and tag, and that the cluster's nodes may pull it (imagePullSecrets).",
            fails_after=0.0 if reason in HOPELESS_PULLS else grace,
        )
    if reason in CONFIG_REASONS:
        return Diagnosis(
            "ContainerConfig",
            f"The container {name} can not be created ({reason}).",
            detail=message,
            resolution="Create the Secret or ConfigMap that it names, or correct its command, mounts and user.",
            fails_after=grace,
        )
    if reason == "CrashLoopBackOff":
        ended = (container.get("lastState") or {}).get("terminated") or {}
        return Diagnosis(
            "CrashLoop",
            f"The container {name} ends again and again (exit code {ended.get('exitCode', 'unknown')}).",
            detail=str(ended.get("message") or "").strip(),
            resolution="Its last lines say why.",
        )
    return None


def _family(reason: str) -> str:
    """ErrImagePull and ImagePullBackOff take turns; one name, so that one trouble is told once."""
    return "ImagePullBackOff" if reason in PULL_REASONS else reason


def _steady(message: str, reason: str) -> str:
    """The kubelet's reason without what changes from attempt to attempt."""
    return "" if reason in PULL_REASONS and message.startswith("Back-off") else message


def _unschedulable(pod: Manifest) -> Diagnosis | None:
    for one in (pod.get("status") or {}).get("conditions") or ():
        if one.get("type") == "PodScheduled" and one.get("status") == "False" and one.get("reason") == "Unschedulable":
            return Diagnosis(
                "Unschedulable",
                "No node can take the pod; it waits.",
                detail=str(one.get("message") or ""),
                resolution="Free or add nodes, or ask for less in the queue's configuration.",
            )
    return None


def _rejected(pod: Manifest) -> Diagnosis | None:
    body = pod.get("status") or {}
    if body.get("phase") != "Failed" or not body.get("reason"):
        return None
    return Diagnosis(
        str(body["reason"]),
        f"The pod failed: {body['reason']}.",
        detail=str(body.get("message") or ""),
    )
