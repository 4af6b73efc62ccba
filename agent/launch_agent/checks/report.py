"""What was found, as lines for people and as JSON for machines, and the exit code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from launch_agent.settings.redaction import mask_log


class Status(StrEnum):
    """How it went. ``warn``: it works, but somebody should look. ``skip``: it was not tried."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"


class Area(StrEnum):
    """What a check is about, in the order of the report and of the exit codes."""

    CONFIGURATION = "configuration"
    WANDB = "wandb"
    KUBERNETES = "kubernetes"
    PERMISSIONS = "permissions"
    JOBS = "jobs"


EXIT_CODES = {Area.CONFIGURATION: 2, Area.WANDB: 3, Area.KUBERNETES: 4, Area.PERMISSIONS: 6, Area.JOBS: 7}
"""A failure's exit code; where several areas fail, the first counts. 5 is the Lease's, 1 the unexpected's."""

TITLES = {Area.WANDB: "W&B", Area.KUBERNETES: "Kubernetes"}
COLOURS = {Status.OK: "32", Status.WARN: "33", Status.FAIL: "31", Status.SKIP: "2"}
NAME_LIMIT = 48
"""Characters of the widest column; a longer name pushes its own line only."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried: what, how it went, the facts, the cure."""

    name: str
    area: Area
    status: Status
    detail: str = ""
    resolution: str = ""


def find_exit_code(checks: Sequence[Check]) -> int:
    """0 if nothing failed."""
    failed = {one.area for one in checks if one.status is Status.FAIL}
    return next((code for area, code in EXIT_CODES.items() if area in failed), 0)


def sort(checks: Sequence[Check]) -> list[Check]:
    """By area; inside of one, as they came."""
    order = list(Area)
    return sorted(checks, key=lambda one: order.index(one.area))


def write_text(checks: Sequence[Check], *, has_colour: bool, secrets: tuple[str, ...] = ()) -> str:
    """A title for each area, a line for each check, the counts."""
    width = max([len(one.name) for one in checks if len(one.name) <= NAME_LIMIT], default=0)
    lines: list[str] = []
    area = None
    for one in sort(checks):
        if one.area is not area:
            area = one.area
            lines.append(TITLES.get(area, area))
        lines.append(_write_line(one, width, has_colour=has_colour))
    return mask_log("\n".join([*lines, _count(checks), ""]), secrets)


def write_json(checks: Sequence[Check], secrets: tuple[str, ...] = ()) -> str:
    """``{"ok": …, "checks": [{"name", "class", "status", "detail", "resolution"}]}``."""
    listed = [
        {
            "name": one.name,
            "class": one.area,
            "status": one.status,
            "detail": _flatten(one.detail),
            "resolution": _flatten(one.resolution),
        }
        for one in sort(checks)
    ]
    value = {"ok": find_exit_code(checks) == 0, "checks": listed}
    return mask_log(json.dumps(value, indent=2, ensure_ascii=False) + "\n", secrets)


def _write_line(check: Check, width: int, *, has_colour: bool) -> str:
    word = f"{check.status:<4}"
    if has_colour:
        word = f"\033[{COLOURS[check.status]}m{word}\033[0m"
    cure = f"  → {_flatten(check.resolution)}" if check.resolution else ""
    return f"  {word}  {check.name:<{width}}  {_flatten(check.detail)}{cure}".rstrip()


def _flatten(text: str) -> str:
    """On one line, without the full stop of a last sentence."""
    return " ".join(text.split()).removesuffix(".")


def _count(checks: Sequence[Check]) -> str:
    statuses = [one.status for one in checks]
    return ", ".join(f"{statuses.count(status)} {status}" for status in Status)
