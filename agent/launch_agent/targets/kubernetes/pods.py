"""Which pods are a workload's: by our label, by its kind's own labels, or by who owns whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core.kinds import Kind
from launch_agent.core.marks import ITEM_LABEL
from launch_agent.core.models import Manifest
from launch_agent.errors import KubernetesDenied, KubernetesMissing
from launch_agent.targets.kubernetes.ownership import item_of

LEVELS = 3
"""Owners between a pod and its workload, at most."""


def is_polled(kind: Kind, pods: Sequence[Manifest]) -> bool:
    """Whether the watch of labelled pods does not show this workload's, as far as one knows."""
    return not pods and (bool(kind.pod_selector) or not kind.is_known)


def find_pods(client: Client, kind: Kind, body: Manifest) -> tuple[list[Manifest], bool]:
    """The pods of a workload, asked live, and whether no watch shows them."""
    if kind.is_pod:
        return [], False
    metadata = body["metadata"]
    namespace, label = metadata.get("namespace", ""), item_of(body)
    labelled: list[Manifest] = []
    if label:
        found, _ = client.list("v1", "Pod", namespace, label_selector=f"{ITEM_LABEL}={label}")
        labelled = [pod for pod in found if item_of(pod)]
    if not is_polled(kind, labelled):
        return labelled, False
    if kind.pod_selector:
        selector = kind.pod_selector.format(name=metadata["name"])
        return list(client.list("v1", "Pod", namespace, label_selector=selector)[0]), True
    return _find_owned(client, body), True


def _find_owned(client: Client, body: Manifest) -> list[Manifest]:
    """The pods that the workload owns, itself or through others."""
    metadata = body["metadata"]
    pods, _ = client.list("v1", "Pod", metadata.get("namespace", ""))
    family = _Family(client, metadata.get("namespace", ""), str(metadata["uid"]))
    since = str(metadata.get("creationTimestamp") or "")
    return [
        pod
        for pod in pods
        if str(pod["metadata"].get("creationTimestamp") or "") >= since and family.has(_owners(pod), LEVELS)
    ]


def _owners(body: Manifest) -> list[Manifest]:
    return list((body.get("metadata") or {}).get("ownerReferences") or ())


class _Family:
    """Who descends from one object. Each owner in between is asked for once."""

    def __init__(self, client: Client, namespace: str, uid: str) -> None:
        self._client = client
        self._namespace = namespace
        self._uid = uid
        self._asked: dict[str, list[Manifest]] = {}

    def has(self, owners: Iterable[Manifest], levels: int) -> bool:
        """Whether one of the owners is the object, or descends from it in so many levels."""
        return any(
            owner.get("uid") == self._uid or (levels > 1 and self.has(self._ask(owner), levels - 1)) for owner in owners
        )

    def _ask(self, owner: Manifest) -> list[Manifest]:
        uid = str(owner.get("uid"))
        if uid not in self._asked:
            self._asked[uid] = self._read(owner)
        return self._asked[uid]

    def _read(self, owner: Manifest) -> list[Manifest]:
        try:
            found = self._client.get(owner["apiVersion"], owner["kind"], self._namespace, owner["name"])
        except (KubernetesDenied, KubernetesMissing):
            return []  # what may not be read ends the chain
        return _owners(found or {})
