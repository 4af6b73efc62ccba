"""What is read and kept of watched objects: no more than their state and its reason are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import msgspec

from launch_agent.adapters.kubernetes.answers import Object, Shape
from launch_agent.core.marks import LEADING_ANNOTATION, MAIN_ANNOTATION
from launch_agent.core.observation import INDEXES

# ── Jobs and pods: their fields are Kubernetes' own, and known ──────────────────────────────────────────────────────


class Metadata(TypedDict, total=False):
    """Who it is, and whose."""

    name: str
    namespace: str
    uid: str
    labels: dict[str, str] | None
    annotations: dict[str, str] | None
    creationTimestamp: str | None
    deletionTimestamp: str | None
    resourceVersion: str


class Condition(TypedDict, total=False):
    """One condition, without its times."""

    type: str
    status: str
    reason: str | None
    message: str | None


class JobSpec(TypedDict, total=False):
    """Of what is wanted of a Job: whether it waits for leave."""

    suspend: bool | None


class JobStatus(TypedDict, total=False):
    """Conditions, and the counts that tell that pods run."""

    conditions: list[Condition] | None
    ready: int | None
    succeeded: int | None


class Job(TypedDict, total=False):
    """``batch/v1`` Job."""

    metadata: Metadata
    spec: JobSpec | None
    status: JobStatus | None


class Container(TypedDict, total=False):
    """A container as it is wanted."""

    name: str
    image: str | None


class PodSpec(TypedDict, total=False):
    """Where a pod is, and of what containers."""

    nodeName: str | None
    initContainers: list[Container] | None
    containers: list[Container] | None


class Waiting(TypedDict, total=False):
    """Why a container does not run."""

    reason: str | None
    message: str | None


class Terminated(TypedDict, total=False):
    """How a container ended."""

    exitCode: int | None
    reason: str | None
    message: str | None
    finishedAt: str | None


class ContainerState(TypedDict, total=False):
    """One of the two; neither while it runs."""

    waiting: Waiting | None
    terminated: Terminated | None


class ContainerStatus(TypedDict, total=False):
    """A container as it is."""

    name: str
    image: str | None
    state: ContainerState | None
    lastState: ContainerState | None


class PodStatus(TypedDict, total=False):
    """What the kubelet and the scheduler say."""

    phase: str | None
    reason: str | None
    message: str | None
    conditions: list[Condition] | None
    initContainerStatuses: list[ContainerStatus] | None
    containerStatuses: list[ContainerStatus] | None


class Pod(TypedDict, total=False):
    """``v1`` Pod."""

    metadata: Metadata
    spec: PodSpec | None
    status: PodStatus | None


KEPT_METADATA = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp")
KEPT_ANNOTATIONS = frozenset({MAIN_ANNOTATION, LEADING_ANNOTATION, *INDEXES})

_encode = msgspec.json.encode


class Sharing:
    """Keeps the objects of one list, with one copy of what is equal in them: most pods that run look alike."""

    def __init__(self) -> None:
        self._parts: dict[bytes, Any] = {}
        self._texts: dict[str, str] = {}

    def __call__(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """What is kept of a Job or a pod."""
        return {
            "metadata": self._keep_metadata(body.get("metadata") or {}),
            "spec": self._share(body.get("spec") or {}),
            "status": self._share(body.get("status") or {}),
        }

    def _keep_metadata(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        kept: dict[str, Any] = {key: self._text(metadata[key]) for key in KEPT_METADATA if key in metadata}
        if labels := metadata.get("labels"):
            kept["labels"] = {self._text(key): self._text(value) for key, value in labels.items()}
        told = {key: value for key, value in (metadata.get("annotations") or {}).items() if key in KEPT_ANNOTATIONS}
        if told:
            kept["annotations"] = self._share(told)
        return kept

    def _text(self, text: str) -> str:
        return self._texts.setdefault(text, text)

    def _share(self, part: Any) -> Any:
        return self._parts.setdefault(_encode(part), part)


# ── custom resources: only their operators know their fields ────────────────────────────────────────────────────────

CUSTOM_METADATA = ("name", "namespace", "uid", "labels", "annotations", "creationTimestamp", "deletionTimestamp")
DROPPED = frozenset({"template", "metadata", "templates"})
DEPTH = 3
"""Levels of a custom resource's spec that are kept: `suspend` stands on the first or the second."""

LONG_STATUS = frozenset({"nodes", "storedTemplates", "storedWorkflowTemplateSpec"})
"""Parts of an Argo Workflow's status that grow without a limit."""


def trim(body: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a custom resource: names, labels, the small values of its spec, its status."""
    metadata = body.get("metadata") or {}
    status = body.get("status") or {}
    return {
        "metadata": {key: metadata[key] for key in CUSTOM_METADATA if key in metadata},
        "spec": _keep_small(body.get("spec") or {}, DEPTH),
        "status": {key: status[key] for key in status if key not in LONG_STATUS},
    }


def _keep_small(values: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """Texts, numbers and truth values of an object, without its lists and templates."""
    kept: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            if depth > 1 and key not in DROPPED:
                kept[key] = _keep_small(value, depth - 1)
        elif not isinstance(value, list):
            kept[key] = value
    return kept


JOB: Shape[Object] = Shape(Job, Sharing)
POD: Shape[Object] = Shape(Pod, Sharing)
CUSTOM: Shape[Object] = Shape(Object, lambda: trim)

_SHAPES = {("batch/v1", "Job"): JOB, ("v1", "Pod"): POD}


def shape_of(api_version: str, kind: str) -> Shape[Object]:
    """What is read and kept of objects of this kind."""
    return _SHAPES.get((api_version, kind), CUSTOM)
