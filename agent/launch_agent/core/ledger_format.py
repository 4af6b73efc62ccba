"""A record as text and back: one small JSON document for people, the run spec compressed beside it."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from typing import Any

from launch_agent.core.models import ObjectRef, Record, Resource, Step
from launch_agent.errors import LedgerError

VERSION = 2
"""1 had no cluster, no max_runtime and no time of creation; it is read as well."""

SPEC_LIMIT = 700_000
"""Bytes of a compressed run spec: a ConfigMap holds 1 MiB in all, and base64 makes a third more of it."""

API_KEY = "_wandb_api_key"
MARKER = "(in a Secret)"


def encode(record: Record) -> tuple[str, str]:
    """The record's JSON text, and its run spec compressed, in base64.

    Raises LedgerError if the spec is too large for a record. A per-item key is replaced by a marker.
    """
    spec = dict(record.run_spec)
    if spec.get(API_KEY):
        spec[API_KEY] = MARKER
    packed = zlib.compress(json.dumps(spec, separators=(",", ":")).encode(), 1)
    if len(packed) > SPEC_LIMIT:
        raise LedgerError(
            f"The run spec is too large: {len(packed)} bytes compressed, {SPEC_LIMIT} fit into its record.",
            resolution="Put large values into an artifact or a file that the job reads, not into the run spec.",
        )
    head: dict[str, Any] = {
        "version": VERSION,
        "itemId": record.item_id,
        "queue": record.queue,
        "queueEntity": record.queue_entity,
        "runId": record.run_id,
        "runEntity": record.run_entity,
        "runProject": record.run_project,
        "resource": record.resource.value,
        "step": record.step.value,
        "claimedAt": record.claimed_at,
        "releaseAfter": record.release_after,
        "createdAt": record.created_at,
        "maxRuntime": record.max_runtime,
        "endless": record.is_endless,
    }
    if (ref := record.object) is not None:
        head["object"] = {
            "apiVersion": ref.api_version,
            "kind": ref.kind,
            "namespace": ref.namespace,
            "name": ref.name,
            "uid": ref.uid,
            "cluster": ref.cluster,
        }
    return json.dumps(head, separators=(",", ":")), base64.b64encode(packed).decode()


def decode(head: str, packed: str) -> Record:
    """The record of what `encode` wrote. Raises LedgerError for anything else, newer versions included."""
    try:
        values = json.loads(head)
        if values["version"] > VERSION:
            raise LedgerError(
                f"A record has version {values['version']}; this agent reads up to {VERSION}.",
                resolution="Upgrade the agent, or let the newer one finish its items.",
            )
        spec = json.loads(zlib.decompress(base64.b64decode(packed)))
        return Record(
            item_id=values["itemId"],
            queue=values["queue"],
            queue_entity=values["queueEntity"],
            run_id=values["runId"],
            run_entity=values["runEntity"],
            run_project=values["runProject"],
            resource=Resource(values["resource"]),
            run_spec=spec,
            step=Step(values["step"]),
            object=_ref(values.get("object")),
            claimed_at=values["claimedAt"],
            release_after=values.get("releaseAfter"),
            created_at=values.get("createdAt", 0.0),
            max_runtime=values.get("maxRuntime"),
            is_endless=values.get("endless", False),
        )
    except (ValueError, KeyError, TypeError, zlib.error, binascii.Error) as error:
        raise LedgerError(f"A record can not be read: {type(error).__name__}: {error}") from error


def _ref(values: Mapping[str, str] | None) -> ObjectRef | None:
    if values is None:
        return None
    return ObjectRef(
        values["apiVersion"],
        values["kind"],
        values["namespace"],
        values["name"],
        values["uid"],
        values.get("cluster", ""),
    )
