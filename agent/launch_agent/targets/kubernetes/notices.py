"""What a watch says, as notices: trimmed on the watch's own thread to what is judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch_agent.core.models import Resource
from launch_agent.targets.base import Notice, Post

KEPT_METADATA = ("name", "namespace", "uid", "labels", "annotations", "creationTimestamp", "deletionTimestamp")
KEPT_SPEC = ("suspend", "completions", "parallelism", "backoffLimit", "completionMode", "nodeName")
FULL_KINDS = frozenset({("batch/v1", "Job"), ("v1", "Pod")})
"""Kinds whose judged fields are known; of all others the small values of the spec are kept."""

DROPPED = frozenset({"template", "metadata", "templates"})
DEPTH = 3
"""Levels of a custom resource's spec that are kept: `suspend` stands on the first or the second."""

LONG_STATUS = frozenset({"nodes", "storedTemplates", "storedWorkflowTemplateSpec"})
"""Parts of an Argo Workflow's status that grow without a limit."""


class NoticeSink:
    """Turns what one watch says into notices."""

    def __init__(self, cluster: str, api_version: str, kind: str, namespace: str, post: Post) -> None:
        self._cluster = cluster
        self._api_version = api_version
        self._kind = kind
        self._namespace = namespace
        self._post = post

    def synced(self, _key: object, objects: list[dict[str, Any]]) -> None:
        """A complete list."""
        self._send("SYNCED", tuple(self._trim(body) for body in objects))

    def changed(self, _key: object, change: str, body: dict[str, Any]) -> None:
        """One change."""
        self._send(change, (self._trim(body),))

    def refused(self, _key: object, why: str) -> None:
        """Nothing can be watched."""
        self._send("REFUSED", (), why)

    def _trim(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return trim(body, is_known=(self._api_version, self._kind) in FULL_KINDS)

    def _send(self, change: str, objects: tuple[dict[str, Any], ...], trouble: str = "") -> None:
        self._post(
            Notice(
                Resource.KUBERNETES,
                self._kind,
                self._namespace,
                change,
                objects,
                api_version=self._api_version,
                cluster=self._cluster,
                trouble=trouble,
            )
        )


def trim(body: Mapping[str, Any], *, is_known: bool = True) -> dict[str, Any]:
    """What is judged of an object: names, labels, a few fields of the spec, the status.

    ``is_known``: it is a Job or a pod.
    """
    metadata = body.get("metadata") or {}
    spec = body.get("spec") or {}
    status = body.get("status") or {}
    return {
        "metadata": {key: metadata[key] for key in KEPT_METADATA if key in metadata},
        "spec": _trim_known(spec) if is_known else _keep_small(spec, DEPTH),
        "status": status if is_known else {key: status[key] for key in status if key not in LONG_STATUS},
    }


def _trim_known(spec: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: spec[key] for key in KEPT_SPEC if key in spec}
    for key in ("containers", "initContainers"):
        if key in spec:
            kept[key] = [{"name": one.get("name"), "image": one.get("image")} for one in spec[key]]
    return kept


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
