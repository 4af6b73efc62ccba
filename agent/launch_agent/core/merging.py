"""Two objects as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``under``: objects merge at every depth, lists and plain values are replaced.

    A null in ``over`` counts as absent. Neither is changed; parts that are not merged are shared with the result.
    """
    result = dict(under)
    for key, value in over.items():
        if value is None and key in result:
            continue
        below = result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            result[key] = merge(below, value)
        else:
            result[key] = value
    return result


def unwrap(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object without wrappers of its own name: W&B's documentation has ``kubernetes:`` twice in its examples."""
    while isinstance(inner := values.get(name), Mapping):
        values = merge(inner, {key: value for key, value in values.items() if key != name})
    return values
