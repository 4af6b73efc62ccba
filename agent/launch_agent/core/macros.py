"""The macros of a queue's config (protocol section 4): ``${name}`` in every text, keys untouched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from launch_agent.core.models import LaunchContext
from launch_agent.core.spec import RunSpec

_MACRO = re.compile(r"\$\{(\w+)\}")


def collect(spec: RunSpec, run_id: str, context: LaunchContext) -> dict[str, str]:
    """The six macros and their values; one without a value is an empty text, never ``None``.

    Of the agent's environment only what its owner allows is there (``context.macros``), and never over a macro (W24).
    """
    return {
        **context.macros,
        "project_name": spec.project,
        "entity_name": spec.entity,
        "run_id": run_id,
        "run_name": spec.name or "",
        "image_uri": spec.image or "",
        "author": spec.author or "",
    }


def fill(value: Any, macros: Mapping[str, str]) -> Any:
    """The value with every known ``${name}`` replaced in its texts. Unknown ones stay; a value is filled once only.

    The result shares nothing that can change with ``value``: objects and lists are new.
    """
    if isinstance(value, str):
        return _MACRO.sub(lambda found: macros.get(found[1], found[0]), value) if "${" in value else value
    if isinstance(value, Mapping):
        return {key: fill(entry, macros) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(entry, macros) for entry in value]
    return value
