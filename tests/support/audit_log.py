"""What happened to Jobs, by the API server's own audit log (ci/manifests/audit-policy.yaml)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]

TOKEN = "audit.example/token"
"""The annotation of the pod template by which an item, its copies and all Jobs made for it are known."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """A Job was created, or its deletion was asked for, with success. ``at``: an RFC 3339 time, as text."""

    verb: str
    at: str
    name: str
    by: str
    token: str = ""
    run_id: str = ""


def read_audit_log(path: Path, namespace: str) -> list[JobEvent]:
    """What was done to the Jobs of a namespace, in order; files that were rotated away are read, too."""
    files = sorted(path.parent.glob(f"{path.stem}*{path.suffix}"), key=lambda file: file.stat().st_mtime)
    found: list[JobEvent] = []
    for file in files:
        with file.open(errors="replace") as lines:
            found += read_lines(lines, namespace)
    return sorted(found, key=lambda event: event.at)


def read_lines(lines: Iterable[str], namespace: str) -> Iterator[JobEvent]:
    """The events of interest; dry runs, refusals and other resources are left out."""
    for line in lines:
        if '"jobs"' not in line or namespace not in line:
            continue
        event = _read(json.loads(line), namespace)
        if event is not None:
            yield event


def _read(entry: Json, namespace: str) -> JobEvent | None:
    target = entry.get("objectRef") or {}
    is_job = target.get("resource") == "jobs" and target.get("namespace") == namespace and not target.get("subresource")
    is_done = 200 <= int((entry.get("responseStatus") or {}).get("code") or 0) < 300
    is_real = "dryRun=" not in str(entry.get("requestURI"))
    if not (is_job and is_done and is_real and entry.get("stage") == "ResponseComplete"):
        return None
    body = entry.get("requestObject") or {}
    name = str(target.get("name") or (body.get("metadata") or {}).get("name") or "")
    at, by = str(entry["stageTimestamp"]), str((entry.get("user") or {}).get("username"))
    match entry.get("verb"):
        case "create":
            return JobEvent("create", at, name, by, token_of(body), run_of(body))
        case "delete":
            return JobEvent("delete", at, name, by)
        case _:
            return None


def token_of(job: Json) -> str:
    """The token of the item that a Job was made for."""
    metadata = (((job.get("spec") or {}).get("template") or {}).get("metadata")) or {}
    return str((metadata.get("annotations") or {}).get(TOKEN) or "")


def run_of(job: Json) -> str:
    """The run that a Job was made for."""
    pod = ((job.get("spec") or {}).get("template") or {}).get("spec") or {}
    for container in pod.get("containers") or ():
        for entry in container.get("env") or ():
            if entry.get("name") == "WANDB_RUN_ID":
                return str(entry.get("value"))
    return ""
