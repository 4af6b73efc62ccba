"""The macros of a queue's config (protocol section 4): ``${name}`` in every text, keys untouched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from launch_agent.core.context import LaunchContext
from launch_agent.core.shapes import join
from launch_agent.core.spec import RunSpec
from launch_agent.errors import SpecError

_MACRO = re.compile(r"\$\{(\w+)\}")


def collect(spec: RunSpec, run_id: str, context: LaunchContext) -> dict[str, str]:
    """The six macros and their values, empty where this item has none.

    Of the agent's environment only what its owner allows is there (``context.macros``), and never over a macro (W24).
    """
    return {
        **context.macros,
        "project_name": spec.project,
        "entity_name": spec.entity,
        "run_id": run_id,
        "run_name": spec.name or "",
        IMAGE: spec.image or "",
        "author": spec.author or "",
    }


def fill(value: Any, macros: Mapping[str, str], path: str = "") -> Any:
    """The value with every known ``${name}`` replaced in its texts. Unknown ones stay; a value is filled once only.

    The result shares nothing that can change with ``value``: objects and lists are new. Raises SpecError, with the
    macro and the path, where a text uses one that has no value: neither ``None`` nor nothing is what its writer meant.
    """
    if isinstance(value, str):
        return _MACRO.sub(lambda found: _read(found, macros, path), value) if "${" in value else value
    if isinstance(value, Mapping):
        return {key: fill(entry, macros, join(path, key)) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [fill(entry, macros, f"{path}[{index}]") for index, entry in enumerate(value)]
    return value


def uses(value: Any, name: str) -> bool:
    """Whether any text in the value has the macro ``${name}``."""
    if isinstance(value, str):
        return f"${{{name}}}" in value
    if isinstance(value, Mapping):
        return any(uses(entry, name) for entry in value.values())
    return isinstance(value, (list, tuple)) and any(uses(entry, name) for entry in value)


def _read(found: re.Match[str], macros: Mapping[str, str], path: str) -> str:
    value = macros.get(found[1], found[0])
    if value or found[1] not in _WITHOUT_VALUE:
        return value
    raise SpecError(
        path, f"uses the macro {found[0]}, and this item has {_WITHOUT_VALUE[found[1]]}.", resolution=_CURES[found[1]]
    )


IMAGE = "image_uri"

_WITHOUT_VALUE = {"run_name": "no run name", IMAGE: "no image", "author": "no author"}
_CURES = {
    "run_name": "Push the item with a name (`wandb launch --name`), or use ${run_id} there.",
    IMAGE: "Push the item with an image (`wandb launch --docker-image`), or name the image there.",
    "author": "Push the item with W&B's client, which names the author, or leave the macro out.",
}
