"""Putting an item back into its queue after its workload was preempted (protocol 2.6), once.

The wire has no key that makes a push idempotent. So the new item says which one it continues, the record says that it
is being made before it is pushed, and before each push the queue is looked through for it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from launch_agent.core.models import Record

COUNT = "_resume_count"
"""How often the item was queued again; W&B's key."""

SOURCE = "_requeued_from"
"""The item that a queued one continues; ours. Keys that a reader does not know are kept."""


def read_count(run_spec: Mapping[str, Any]) -> int:
    """How often the item was queued again before."""
    count = run_spec.get(COUNT)
    return count if isinstance(count, int) and not isinstance(count, bool) else 0


def refuse(record: Record) -> str:
    """Why an item can not be queued again, in a sentence; empty where it can."""
    if record.max_resume_count < 1:
        return "It is not queued again: max_resume_count is 0."
    if read_count(record.run_spec) >= record.max_resume_count:
        return f"It was queued again {record.max_resume_count} times already (max_resume_count)."
    return ""


def make_spec(record: Record) -> dict[str, Any]:
    """The run spec of the item that continues this one: the same run, and every key as it came."""
    return {
        **record.run_spec,
        "run_id": record.run_id,
        COUNT: read_count(record.run_spec) + 1,
        SOURCE: record.item_id,
    }


def find(nodes: Iterable[Mapping[str, Any]], record: Record) -> str:
    """The id of the item among a queue's (``id``, ``runSpec``) that continues this one; empty where none does."""
    for node in nodes:
        spec = _read(node.get("runSpec"))
        if spec.get(SOURCE) == record.item_id and read_count(spec) == read_count(record.run_spec) + 1:
            return str(node.get("id") or "")
    return ""


def _read(text: object) -> Mapping[str, Any]:
    try:
        spec = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return spec if isinstance(spec, Mapping) else {}
