"""Workloads that W&B's own agent launched, recognised by its labels (protocol 7.3.2). They are only ever looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core import marks, status

SELECTOR = f"{marks.MONITOR_LABEL}=true,{marks.RUN_LABEL},!{marks.ITEM_LABEL},!{marks.AUXILIARY_LABEL}"
"""What a list or watch asks for, so that nothing else is sent."""

OVER = frozenset({"Complete", "Failed"})
"""What a Job says once its pods have ended, too; those that are only sure to come (``FailureTarget``) do not count."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """A Job of another agent that is not over; ``agent`` is that agent's name, empty where it is not told."""

    namespace: str
    name: str
    run_id: str
    agent: str


def read(body: Mapping[str, Any]) -> Foreign | None:
    """The Job as one of W&B's agent that uses a slot; None where it is ours, an additional service, or over."""
    metadata = body.get("metadata") or {}
    labels = metadata.get("labels") or {}
    if labels.get(marks.MONITOR_LABEL) != "true" or not labels.get(marks.RUN_LABEL):
        return None
    if marks.ITEM_LABEL in labels or marks.AUXILIARY_LABEL in labels or OVER & status.true_conditions(body).keys():
        return None
    return Foreign(
        str(metadata.get("namespace", "")),
        str(metadata.get("name", "")),
        str(labels[marks.RUN_LABEL]),
        str(labels.get(marks.AGENT_LABEL, "")),
    )
