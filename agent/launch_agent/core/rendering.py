"""A plan as it may be shown: every secret masked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch_agent.core.models import Manifest, Plan

MASK = "********"
KEY_VARIABLE = "WANDB_API_KEY"


def mask(plan: Plan) -> tuple[Manifest, ...]:
    """The plan's objects in order, with the data of Secrets and the API key of processes masked."""
    return tuple(_mask_object(body) for body in plan.objects)


def _mask_object(body: Manifest) -> Manifest:
    if body.get("kind") == "Secret":
        hidden = {
            key: dict.fromkeys(body[key], MASK) for key in ("data", "stringData") if isinstance(body.get(key), Mapping)
        }
        return {**body, **hidden}
    if body.get("kind") == "Process":
        spec: dict[str, Any] = dict(body["spec"])
        spec["env"] = {name: MASK if name == KEY_VARIABLE else value for name, value in spec["env"].items()}
        return {**body, "spec": spec}
    return body
