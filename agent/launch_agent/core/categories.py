"""What a diagnosis may be about, and how Kubernetes' own words are passed on in it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

DETAIL_LIMIT = 1000
"""Characters of Kubernetes' own words that are passed on."""


class Category(StrEnum):
    """The stable identifiers of diagnoses: a public contract, seen in metrics and documentation."""

    IMAGE_PULL = "ImagePull"
    IMAGE_NAME = "ImageName"
    CONFIG_MISSING = "ConfigMissing"
    CONTAINER_START = "ContainerStart"
    CRASH_LOOP = "CrashLoop"
    UNSCHEDULABLE = "Unschedulable"
    SUSPENDED = "Suspended"
    OUT_OF_MEMORY = "OutOfMemory"
    EXIT_CODE = "ExitCode"
    EVICTED = "Evicted"
    DISRUPTED = "Disrupted"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    BACKOFF_LIMIT = "BackoffLimitExceeded"
    FAILURE_POLICY = "PodFailurePolicy"
    ADMISSION = "Admission"
    PODS_REFUSED = "PodsRefused"
    NO_PODS = "NoPods"
    WORKLOAD_FAILED = "WorkloadFailed"
    STATE_UNKNOWN = "StateUnknown"
    WATCH_REFUSED = "WatchRefused"
    UNKNOWN = "Unknown"


HEAD = 400
"""Characters from the beginning that are kept of a text that is too long; the rest is its end."""


def clip(message: Any) -> str:
    """Kubernetes' own words as one line, bounded, with a full stop. A long text loses its middle: logs end last."""
    text = " ".join(str(message).split()) if message else ""
    if text and text[-1] not in ".…!?":
        text += "."
    if len(text) <= DETAIL_LIMIT:
        return text
    gap = " … "
    return text[:HEAD] + gap + text[len(gap) + HEAD - DETAIL_LIMIT :]
