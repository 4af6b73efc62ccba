"""The values of a queue's template variables, found again from what they filled: W&B hands out filled specs only."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

_VARIABLE = re.compile(r"\{\{\s*([A-Za-z_][\w-]*)\s*\}\}")
"""A template variable: W&B fills it when an item is pushed, with what the submitter gave (protocol section 4)."""


def split(template: str) -> tuple[list[str], list[str]]:
    """(the texts around the variables, the variables' names): one text more than names."""
    parts = _VARIABLE.split(template)
    return parts[::2], parts[1::2]


def derive(filled: Any, template: Any, schemas: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Name → value, for each variable of ``schemas`` that stands alone in its text, or once with text around it.

    ``filled`` and ``template`` are the resource arguments of an item and of its queue. A variable that the submitter
    overwrote with something that does not fit the text around it is left out. Within a text a number is a text, too:
    the variable's schema tells.
    """
    found: dict[str, Any] = {}
    for name, value in _walk(filled, template):
        if name in schemas and name not in found:
            found[name] = _convert(value, schemas[name].get("type"))
    return found


def read_json(value: Any) -> Mapping[str, Any]:
    """An object, or one as text; empty for anything else."""
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, Mapping) else {}


def _convert(value: Any, wanted: object) -> Any:
    if not isinstance(value, str) or wanted not in {"integer", "number", "boolean"}:
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _walk(filled: Any, template: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(template, Mapping) and isinstance(filled, Mapping):
        for key, entry in template.items():
            if key in filled:
                yield from _walk(filled[key], entry)
    elif isinstance(template, (list, tuple)) and isinstance(filled, (list, tuple)):
        for given, entry in zip(filled, template, strict=False):
            yield from _walk(given, entry)
    elif isinstance(template, str):
        yield from _read(filled, template)


def _read(filled: Any, template: str) -> Iterator[tuple[str, Any]]:
    texts, names = split(template)
    if len(names) != 1:
        return
    before, after = texts
    if not before.strip() and not after.strip() and not isinstance(filled, (Mapping, list, tuple)):
        yield names[0], filled
    elif isinstance(filled, str) and filled.startswith(before) and filled[len(before) :].endswith(after):
        yield names[0], filled[len(before) : len(filled) - len(after)]
