"""Why a workload waits or failed, from what Kubernetes says of its pods; of objects and events: the modules beside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core import signals, status
from launch_agent.core.categories import DETAIL_LIMIT, Category, clip
from launch_agent.core.event_diagnosis import from_events
from launch_agent.core.models import Diagnosis, Manifest
from launch_agent.core.object_diagnosis import from_job, from_object, without_pods
from launch_agent.core.waiting_reasons import WAITING

__all__ = [
    "DETAIL_LIMIT",
    "Category",
    "Finding",
    "examine",
    "from_events",
    "from_job",
    "from_object",
    "from_pod",
    "without_pods",
]


@dataclass(frozen=True, slots=True)
class Finding:
    """A diagnosis and the container whose log belongs to it; empty where none of them wrote one."""

    diagnosis: Diagnosis
    container: str = ""


@dataclass(frozen=True, slots=True)
class _Container:
    """One container of a pod: what the pod wants of it and what the kubelet says of it."""

    name: str
    image: str
    is_init: bool
    state: Mapping[str, Any]
    last_state: Mapping[str, Any]

    @property
    def label(self) -> str:
        kind = "init container" if self.is_init else "container"
        return f"{kind} {self.name} (image {self.image or 'unknown'})"


def from_pod(pod: Manifest, *, image_pull_grace: float) -> Diagnosis | None:
    """Why this pod waits or failed; None if nothing is wrong with it.

    ``image_pull_grace`` is how many seconds a pod may wait for an image, a Secret or a ConfigMap.
    """
    finding = examine(pod, image_pull_grace)
    return finding.diagnosis if finding else None


def examine(pod: Manifest, grace: float) -> Finding | None:
    """As `from_pod`, with the container that it is about."""
    if (taken := _examine_removal(pod)) is not None:
        return taken
    containers = list(_containers(pod))
    for container in containers:
        if (found := _examine_container(container, grace)) is not None:
            return found
    return _examine_scheduling(pod) or _examine_phase(pod)


# ── the pod as a whole ──────────────────────────────────────────────────────────────────────────────────────────────


def _examine_removal(pod: Manifest) -> Finding | None:
    """Taken away by the cluster: that goes before whatever its containers ended with."""
    state = pod.get("status") or {}
    first = next(iter(_containers(pod)), None)
    container = first.name if first else ""
    name = pod["metadata"].get("name", "")
    if state.get("reason") == "Evicted":
        return Finding(
            Diagnosis(
                Category.EVICTED,
                f"The pod {name} was evicted from its node.",
                clip(state.get("message")),
                "Raise the requests for what ran out (memory, ephemeral-storage), so that a node with enough is taken.",
            ),
            container,
        )
    if (condition := status.disruption_of(pod)) is not None:
        what, cure = _DISRUPTIONS[condition["reason"]]
        return Finding(
            Diagnosis(Category.DISRUPTED, f"The pod {name} {what}.", clip(condition.get("message")), cure), container
        )
    if state.get("reason") == "DeadlineExceeded":
        return Finding(
            Diagnosis(
                Category.DEADLINE_EXCEEDED,
                f"The pod {name} ran longer than its activeDeadlineSeconds.",
                clip(state.get("message")),
                "Raise activeDeadlineSeconds in the queue's config, or make the job shorter.",
            ),
            container,
        )
    return None


_DISRUPTIONS: Mapping[str, tuple[str, str]] = {
    "PreemptionByScheduler": (
        "was preempted by one of higher priority",
        "Launch it again, or give the queue a higher priorityClassName.",
    ),
    "EvictionByEvictionAPI": ("was evicted, as in a drain of its node", "Launch it again."),
    "DeletionByTaintManager": (
        "was removed because of a taint on its node",
        "Launch it again, or add a toleration for the taint to the queue's config.",
    ),
    "DeletionByPodGC": ("was removed because its node is gone", "Launch it again."),
    "TerminationByKubelet": (
        "was ended by its node, which shut down or ran short of something",
        "Launch it again; if it happens again, raise the job's requests.",
    ),
}


def _examine_scheduling(pod: Manifest) -> Finding | None:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    for entry in conditions:
        if entry.get("type") != "PodScheduled" or entry.get("status") != "False":
            continue
        name = pod["metadata"].get("name", "")
        if entry.get("reason") == "SchedulingGated":
            return Finding(
                Diagnosis(
                    Category.SUSPENDED,
                    f"The pod {name} waits behind a scheduling gate.",
                    clip(entry.get("message")),
                    "Whoever set the gate (a quota system, for example) has to open it.",
                )
            )
        return Finding(
            Diagnosis(
                Category.UNSCHEDULABLE,
                f"No node can take the pod {name}.",
                clip(entry.get("message")),
                "It waits until one can. Check its requests, node selector and tolerations, or add nodes.",
            )
        )
    return None


def _examine_phase(pod: Manifest) -> Finding | None:
    """Failed without a word about any container: turned down by its node, or lost with it."""
    state = pod.get("status") or {}
    if state.get("phase") != "Failed":
        return None
    reason = state.get("reason") or "no reason given"
    return Finding(
        Diagnosis(
            Category.ADMISSION if state.get("reason") else Category.UNKNOWN,
            f"The pod {pod['metadata'].get('name', '')} failed before its containers ran ({reason}).",
            clip(state.get("message")),
            "Launch it again; if it happens again, look at the node and at the pod's requests.",
        )
    )


# ── one container ───────────────────────────────────────────────────────────────────────────────────────────────────


def _containers(pod: Manifest) -> Iterator[_Container]:
    """Init containers, then the others, in the pod's order; Kubernetes sorts their states by name."""
    spec = pod.get("spec") or {}
    state = pod.get("status") or {}
    for field, states, is_init in (
        ("initContainers", "initContainerStatuses", True),
        ("containers", "containerStatuses", False),
    ):
        known = {entry["name"]: entry for entry in state.get(states) or ()}
        wanted = spec.get(field) or known.values()
        for entry in wanted:
            seen = known.get(entry["name"]) or {}
            image = entry.get("image") or seen.get("image") or ""
            yield _Container(entry["name"], image, is_init, seen.get("state") or {}, seen.get("lastState") or {})


def _examine_container(container: _Container, grace: float) -> Finding | None:
    if waiting := container.state.get("waiting"):
        return _examine_waiting(container, waiting, grace)
    if terminated := container.state.get("terminated"):
        return _examine_end(container, terminated)
    return None


def _examine_waiting(container: _Container, waiting: Mapping[str, Any], grace: float) -> Finding | None:
    reason = waiting.get("reason") or ""
    message = waiting.get("message") or ""
    if reason == "CrashLoopBackOff":
        return _examine_crashes(container)
    if reason == "CreateContainerConfigError" and "runAsNonRoot" in message:
        reason = "CreateContainerError"
    rule = WAITING.get(reason)
    if rule is None:
        return None
    if rule.category == Category.IMAGE_PULL:
        message = _strip_backoff(message)
    diagnosis = Diagnosis(
        rule.category,
        f"The {container.label} {rule.what}.",
        clip(message),
        rule.cure,
        fails_after=0.0 if rule.is_final else grace,
    )
    return Finding(diagnosis)


def _strip_backoff(message: str) -> str:
    """The registry's answer without the kubelet's frame, which changes from one attempt to the next."""
    inner = re.sub(r'^Back-off pulling image "[^"]*"(: )?', "", message)
    return re.sub(r"^(ErrImagePull|ImagePullBackOff): ", "", inner)


def _examine_crashes(container: _Container) -> Finding | None:
    """It ended badly, was started again, and waits for the next attempt."""
    last = container.last_state.get("terminated") or {}
    if last.get("reason") == "OOMKilled":
        return _examine_end(container, last)
    code = last.get("exitCode")
    how = f", last with {signals.describe(code)}" if isinstance(code, int) else ""
    diagnosis = Diagnosis(
        Category.CRASH_LOOP,
        f"The {container.label} ends again and again{how}.",
        clip(last.get("message")),
        "Its last log lines say why. It is started again until the workload's backoffLimit is reached.",
    )
    return Finding(diagnosis, container.name)


def _examine_end(container: _Container, terminated: Mapping[str, Any]) -> Finding | None:
    code = terminated.get("exitCode", 0)
    reason = terminated.get("reason")
    detail = clip(terminated.get("message"))
    if reason == "OOMKilled":
        diagnosis = Diagnosis(
            Category.OUT_OF_MEMORY,
            f"The {container.label} used more memory than its limit and was killed.",
            detail,
            "Raise resources.limits.memory in the queue's config, or use less memory (a smaller batch, for example).",
        )
    elif reason in {"StartError", "ContainerCannotRun"}:
        diagnosis = Diagnosis(
            Category.CONTAINER_START,
            f"The {container.label} could not be started.",
            detail,
            "Check that its command is in the image, is spelled as there, and can be executed.",
        )
    elif code != 0:
        what = f"The {container.label} ended with {signals.describe(code)}."
        diagnosis = Diagnosis(Category.EXIT_CODE, what, detail, signals.advise(code))
    else:
        return None
    return Finding(diagnosis, container.name)
