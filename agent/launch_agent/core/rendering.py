"""A plan for people's eyes: the objects in order, secrets masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch_agent.core.environment import API_KEY
from launch_agent.core.models import Manifest, Plan

MASK = "********"


def mask(plan: Plan) -> tuple[Manifest, ...]:
    """The plan's objects with every Secret's data and every API key masked; the plan itself is not changed."""
    return tuple(_mask_secret(body) if body.get("kind") == "Secret" else _mask(body) for body in plan.objects)


def _mask_secret(body: Manifest) -> dict[str, Any]:
    result = dict(body)
    for field in ("data", "stringData"):
        if isinstance(values := body.get(field), Mapping):
            result[field] = dict.fromkeys(values, MASK)
    return result


def _mask(value: Any) -> Any:
    """Masks ``{"name": "WANDB_API_KEY", "value": …}`` and ``{"WANDB_API_KEY": …}`` at every depth."""
    if isinstance(value, Mapping):
        result = {key: _mask(entry) for key, entry in value.items()}
        if result.get("name") == API_KEY and isinstance(result.get("value"), str):
            result["value"] = MASK
        if isinstance(result.get(API_KEY), str):
            result[API_KEY] = MASK
        return result
    if isinstance(value, (list, tuple)):
        return [_mask(entry) for entry in value]
    return value
