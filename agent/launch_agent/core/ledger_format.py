"""A record as text and back: one small JSON document for people, the run spec compressed beside it."""

from __future__ import annotations

import base64
import binascii
import json
import sys
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from launch_agent.core.models import MAX_RESUME_COUNT, Diagnosis, JobState, ObjectRef, Outcome, Record, Resource, Step
from launch_agent.errors import LedgerError

VERSION = 3
"""1 had no cluster, no max_runtime and no time of creation; it is read as well. 3 is written only for what 2 has no
word for, so that an agent of the version before reads all else. ``shard`` and ``outcome`` are extra keys, written only
where they are needed: one that does not know them skips them.
"""

SPEC_LIMIT = 700_000
"""Bytes of a compressed run spec: a ConfigMap holds 1 MiB in all, and base64 makes a third more of it."""

API_KEY = "_wandb_api_key"
MARKER = "(in a Secret)"


class PackedSpec(Mapping[str, Any]):
    """A run spec as its compressed text, unpacked each time that it is read: thousands are kept, few are read again."""

    __slots__ = ("_packed",)

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def _unpack(self) -> dict[str, Any]:
        return dict(json.loads(zlib.decompress(self._packed)))

    def __getitem__(self, key: str) -> Any:
        return self._unpack()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._unpack())

    def __len__(self) -> int:
        return len(self._unpack())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self._packed)} bytes)"


def encode(record: Record, shard: int = 0) -> tuple[str, str]:
    """The record's JSON text, and its run spec compressed, in base64. ``shard`` is whose record it is (`shares`).

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
        "version": VERSION if record.step is Step.REQUEUEING else VERSION - 1,
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
        "maxResumeCount": record.max_resume_count,
    }
    if shard:
        head["shard"] = shard
    if record.outcome is not None:
        head["outcome"] = _write_outcome(record.outcome)
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
        binary = base64.b64decode(packed)
        if not isinstance(json.loads(zlib.decompress(binary)), dict):
            raise LedgerError("A record can not be read: its run spec is no JSON object.")
        return Record(
            item_id=values["itemId"],
            queue=_share(values["queue"]),
            queue_entity=_share(values["queueEntity"]),
            run_id=values["runId"],
            run_entity=_share(values["runEntity"]),
            run_project=_share(values["runProject"]),
            resource=Resource(values["resource"]),
            run_spec=PackedSpec(binary),
            step=Step(values["step"]),
            object=_ref(values.get("object")),
            claimed_at=values["claimedAt"],
            release_after=values.get("releaseAfter"),
            created_at=values.get("createdAt", 0.0),
            max_runtime=values.get("maxRuntime"),
            is_endless=values.get("endless", False),
            max_resume_count=values.get("maxResumeCount", MAX_RESUME_COUNT),
            shard=int(values.get("shard", 0)),
            outcome=_read_outcome(values.get("outcome")),
        )
    except (ValueError, KeyError, TypeError, zlib.error, binascii.Error) as error:
        raise LedgerError(f"A record can not be read: {type(error).__name__}: {error}") from error


def _write_outcome(outcome: Outcome) -> dict[str, Any]:
    seen = outcome.diagnosis
    return {
        "state": outcome.state.value,
        "diagnosis": [seen.category, seen.summary, seen.detail, seen.resolution] if seen is not None else None,
        "hasRun": outcome.has_run,
        "tail": outcome.tail,
    }


def _read_outcome(values: Mapping[str, Any] | None) -> Outcome | None:
    """One that can not be read is none: how the workload ended is looked at again."""
    if values is None:
        return None
    try:
        said = values["diagnosis"]
        category, summary, detail, resolution = map(str, said or ("", "", "", ""))
        diagnosis = Diagnosis(category, summary, detail, resolution) if said is not None else None
        return Outcome(JobState(values["state"]), diagnosis, bool(values["hasRun"]), str(values["tail"]))
    except (ValueError, KeyError, TypeError):
        return None


def _ref(values: Mapping[str, str] | None) -> ObjectRef | None:
    if values is None:
        return None
    return ObjectRef(
        _share(values["apiVersion"]),
        _share(values["kind"]),
        _share(values["namespace"]),
        values["name"],
        values["uid"],
        values.get("cluster", ""),
    )


def _share(text: Any) -> Any:
    """The one copy of a text that thousands of records have in common."""
    return sys.intern(text) if type(text) is str else text
