"""How the target knows its own objects: by labels and annotations, asked for with no more rights than it needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core.marks import AUXILIARY_LABEL, ITEM_LABEL, RUN_LABEL
from launch_agent.core.models import Manifest, ObjectRef
from launch_agent.errors import KubernetesInvalid, KubernetesMissing, RefusedError

JSON_PATCH = "application/json-patch+json"


def ref_of(body: Manifest, cluster: str = "") -> ObjectRef:
    """Where an object is, or will be."""
    metadata = body["metadata"]
    return ObjectRef(
        body["apiVersion"],
        body["kind"],
        metadata.get("namespace", ""),
        metadata["name"],
        metadata.get("uid", ""),
        cluster,
    )


def item_of(body: Manifest) -> str:
    """The value of the item's label; empty on what is not an item's, and on additional services."""
    labels = (body.get("metadata") or {}).get("labels") or {}
    return "" if AUXILIARY_LABEL in labels else str(labels.get(ITEM_LABEL) or "")


def find_own(client: Client, body: Manifest, *changes: Mapping[str, Any]) -> str | None:
    """The uid of the object of this name if it carries the item's mark, None if it is somebody else's or not there.

    ``changes`` are JSON patch operations, made only if it is ours. One PATCH does all of it: Secrets are never read.
    """
    ref = ref_of(body)
    labels = body["metadata"].get("labels") or {}
    mark = next(label for label in (ITEM_LABEL, RUN_LABEL) if label in labels)
    test = {"op": "test", "path": f"/metadata/labels/{mark.replace('/', '~1')}", "value": labels[mark]}
    try:
        made = client.patch(
            ref.api_version, ref.kind, ref.namespace, ref.name, [test, *changes], content_type=JSON_PATCH
        )
    except (KubernetesMissing, KubernetesInvalid):
        return None
    return str(made["metadata"]["uid"])


def delete_own(client: Client, body: Manifest) -> None:
    """Delete what was made of ``body``, if it is the item's own."""
    uid = find_own(client, body)
    if uid is not None:
        ref = ref_of(body)
        client.delete(ref.api_version, ref.kind, ref.namespace, ref.name, uid=uid)


def refuse_taken(ref: ObjectRef) -> RefusedError:
    """The name is another object's."""
    return RefusedError(
        f"The {ref.kind} {ref.namespace}/{ref.name} exists already and is not this item's.",
        resolution="Put a macro such as ${run_id} into its metadata.name, or leave the name out.",
    )


def own(client: Client, body: Manifest, owner: ObjectRef) -> None:
    """Hand an object of the item over to the workload, so that it goes with it."""
    reference = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
    find_own(client, body, {"op": "add", "path": "/metadata/ownerReferences", "value": [reference]})
