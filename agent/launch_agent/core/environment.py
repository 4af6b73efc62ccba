"""The environment of every launched workload (protocol 5.4), but for the API key, which each target passes its way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from launch_agent.core.context import LaunchContext
from launch_agent.core.models import QueueItem
from launch_agent.core.spec import RunSpec

API_KEY = "WANDB_API_KEY"

VALUE_LIMIT = 32_670
"""Characters of one variable; a longer JSON text goes on in ``<name>_0``, ``<name>_1`` …, which the SDK joins."""


def build(spec: RunSpec, context: LaunchContext, item: QueueItem, run_id: str) -> dict[str, str]:
    """The variables in the order of the protocol's table, without ``WANDB_API_KEY``."""
    result = {"WANDB_BASE_URL": context.base_url}
    if spec.project:
        result["WANDB_PROJECT"] = spec.project
    result |= {"WANDB_ENTITY": spec.entity, "WANDB_LAUNCH": "True", "WANDB_RUN_ID": run_id}
    if spec.image:
        result["WANDB_DOCKER"] = spec.image
    if spec.name:
        result["WANDB_NAME"] = spec.name
    if spec.author and not spec.api_key:
        result["WANDB_USERNAME"] = spec.author
    if spec.sweep_id:
        result["WANDB_SWEEP_ID"] = spec.sweep_id
    if spec.resume_count > 0:
        result["WANDB_RESUME"] = "allow"
    result |= {
        "WANDB_LAUNCH_QUEUE_NAME": item.queue,
        "WANDB_LAUNCH_QUEUE_ENTITY": context.entity,
        "WANDB_LAUNCH_TRACE_ID": item.id,
    }
    overrides = spec.overrides
    artifacts = {"_wandb_job": spec.job, **overrides.artifacts} if spec.job else overrides.artifacts
    result |= _split("WANDB_CONFIG", overrides.run_config)
    result |= _split("WANDB_LAUNCH_FILE_OVERRIDES", overrides.files)
    result["WANDB_ARTIFACTS"] = json.dumps(artifacts)
    return result


def _split(name: str, value: Mapping[str, Any], limit: int = VALUE_LIMIT) -> dict[str, str]:
    """The value as JSON in one variable, or in several numbered ones where it is too long for one."""
    text = json.dumps(value)
    if len(text) <= limit:
        return {name: text}
    parts = [text[start : start + limit] for start in range(0, len(text), limit)]
    return {f"{name}_{number}": part for number, part in enumerate(parts)}
