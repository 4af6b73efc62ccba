"""Records of the ledger as people read them: a table, or plain values for JSON and YAML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from launch_agent.core.models import ObjectRef, Record

HEAD = ("ITEM", "QUEUE", "STEP", "RUN", "OBJECT", "AGE", "CREATED")


@dataclass(frozen=True, slots=True)
class Row:
    """One item. ``age`` in seconds since it was popped, ``created`` when its workload was made (empty: not yet)."""

    item: str
    queue: str
    step: str
    run: str
    object: str
    cluster: str
    age: float
    created: str
    shard: int = 0


def list_rows(
    records: Iterable[Record], now: float, *, queues: Sequence[str] = (), steps: Sequence[str] = ()
) -> tuple[Row, ...]:
    """A row for each record of these queues and steps (none: all), oldest first. ``now`` is seconds since 1970."""
    chosen = [
        record
        for record in records
        if (not queues or record.queue in queues) and (not steps or record.step.value in steps)
    ]
    return tuple(_make_row(record, now) for record in sorted(chosen, key=lambda one: (one.claimed_at, one.item_id)))


def _make_row(record: Record, now: float) -> Row:
    return Row(
        item=record.item_id,
        queue=record.queue,
        step=record.step.value,
        run="/".join((record.run_entity, record.run_project, record.run_id)),
        object=describe_object(record.object),
        cluster=record.object.cluster if record.object else "",
        age=max(0.0, now - record.claimed_at),
        created=format_time(record.created_at),
        shard=record.shard,
    )


def describe_object(ref: ObjectRef | None) -> str:
    """``Job ml/launch-x``; a process has no namespace."""
    return "" if ref is None else f"{ref.kind} {'/'.join(filter(None, [ref.namespace, ref.name]))}"


def format_time(seconds: float) -> str:
    """A time since 1970 as UTC; empty for none."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if seconds else ""


def format_age(seconds: float) -> str:
    """The two greatest units: ``45s``, ``12m``, ``3h5m``, ``2d4h``."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, hours = whole // 60, whole // 3600
    if hours == 0:
        return f"{minutes}m"
    if hours < 24:
        return f"{hours}h{minutes % 60}m"
    return f"{hours // 24}d{hours % 24}h"


def write_table(rows: Sequence[Row]) -> str:
    """The rows under a head, in columns as wide as they have to be; clusters and shards only where one is named."""
    more = [
        (head, values)
        for head, values in (
            ("CLUSTER", [row.cluster for row in rows]),
            ("SHARD", [str(row.shard) for row in rows] if any(row.shard for row in rows) else []),
        )
        if any(values)
    ]
    lines = [(*HEAD, *(head for head, _ in more))]
    for number, row in enumerate(rows):
        cells = (row.item, row.queue, row.step, row.run, row.object, format_age(row.age), row.created)
        lines.append(tuple(cell or "-" for cell in (*cells, *(values[number] for _, values in more))))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n" for line in lines
    )


def describe_row(row: Row) -> dict[str, Any]:
    """The row for machines; null stands for what is not there yet."""
    return {
        "item": row.item,
        "queue": row.queue,
        "step": row.step,
        "run": row.run,
        "object": row.object or None,
        "cluster": row.cluster or None,
        "ageSeconds": round(row.age, 1),
        "created": row.created or None,
        **({"shard": row.shard} if row.shard else {}),
    }


def describe_record(record: Record, now: float) -> dict[str, Any]:
    """All that a record holds but the run spec."""
    return {
        **describe_row(_make_row(record, now)),
        "runEntity": record.run_entity,
        "runProject": record.run_project,
        "runId": record.run_id,
        "queueEntity": record.queue_entity,
        "resource": record.resource.value,
        "uid": record.object.uid if record.object else None,
        "claimed": format_time(record.claimed_at) or None,
        "releaseAfterSeconds": record.release_after,
        "maxRuntimeSeconds": record.max_runtime,
        "maxResumeCount": record.max_resume_count,
    }
