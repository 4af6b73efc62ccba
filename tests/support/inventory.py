"""What is in namespaces, so that two moments can be compared; and how much memory a pod holds."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tests.support.accounts import kubectl

Key = tuple[str, str, str]
"""Kind, namespace, name."""
Inventory = dict[Key, dict[str, Any]]

_KINDS = (
    "deployments", "serviceaccounts", "roles", "rolebindings", "configmaps", "secrets", "services", "leases",
    "poddisruptionbudgets", "networkpolicies",
)  # fmt: skip
_ALWAYS = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
"""Kubernetes puts these into every namespace."""
_MEMORY = """
import os, pathlib
def size(pid):
    lines = (pid / "smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
pids = [pid for pid in pathlib.Path("/proc").iterdir() if pid.name.isdigit() and int(pid.name) != os.getpid()]
print(sum(map(size, pids)))
"""


def take_inventory(namespaces: Iterable[str]) -> Inventory:
    """All objects but pods, Jobs and ReplicaSets, without what Kubernetes and a Lease's holder write into them."""
    found: Inventory = {}
    for namespace in namespaces:
        for item in json.loads(kubectl("get", ",".join(_KINDS), "-n", namespace, "-o", "json"))["items"]:
            metadata = item["metadata"]
            if (item["kind"], metadata["name"]) not in _ALWAYS:
                found[item["kind"], namespace, metadata["name"]] = _comparable(item)
    return found


def changed(before: Inventory, after: Inventory) -> set[Key]:
    """Those that are in both and differ, or were made anew."""
    return {key for key in before.keys() & after.keys() if before[key] != after[key]}


def measure_memory(namespace: str, pod: str) -> float:
    """Megabytes of all processes in the pod's container, shared pages counted once (proportional set size)."""
    return int(kubectl("exec", "-n", namespace, pod, "--", "python3", "-c", _MEMORY)) / 1024


def _comparable(item: dict[str, Any]) -> dict[str, Any]:
    metadata = item["metadata"]
    annotations = {name: value for name, value in (metadata.get("annotations") or {}).items()
                   if not name.startswith("deployment.kubernetes.io/")}  # fmt: skip
    moving = {"metadata", "status", "spec"} if item["kind"] == "Lease" else {"metadata", "status"}
    content = {name: value for name, value in item.items() if name not in moving}
    return {**content, "uid": metadata["uid"], "labels": metadata.get("labels"), "annotations": annotations}
