"""The environment of a launched workload (protocol 5.4)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from launch_agent.core.models import LaunchContext, QueueItem
from launch_agent.core.spec import RunSpec

LIMIT = 32_670
"""Characters in one variable (protocol 2.10); longer values go into ``NAME_0``, ``NAME_1``, …"""


def build(spec: RunSpec, context: LaunchContext, item: QueueItem, run_id: str) -> dict[str, str]:
    """All variables but ``WANDB_API_KEY``, in W&B's order."""
    env = {"WANDB_BASE_URL": context.base_url}
    if spec.project:
        env["WANDB_PROJECT"] = spec.project
    env["WANDB_ENTITY"] = spec.entity
    env["WANDB_LAUNCH"] = "True"
    env["WANDB_RUN_ID"] = run_id
    if spec.image:
        env["WANDB_DOCKER"] = spec.image
    if spec.name:
        env["WANDB_NAME"] = spec.name
    if spec.author and not spec.api_key:
        env["WANDB_USERNAME"] = spec.author
    if spec.sweep_id:
        env["WANDB_SWEEP_ID"] = spec.sweep_id
    if spec.resume_count > 0:
        env["WANDB_RESUME"] = "allow"
    env["WANDB_LAUNCH_QUEUE_NAME"] = item.queue
    env["WANDB_LAUNCH_QUEUE_ENTITY"] = context.entity
    env["WANDB_LAUNCH_TRACE_ID"] = item.id
    env |= _split("WANDB_CONFIG", spec.overrides.run_config)
    env |= _split("WANDB_LAUNCH_FILE_OVERRIDES", spec.overrides.files)
    artifacts: dict[str, Any] = {"_wandb_job": spec.job} if spec.job else {}
    env["WANDB_ARTIFACTS"] = json.dumps({**artifacts, **spec.overrides.artifacts})
    return env


def _split(name: str, value: Mapping[str, Any]) -> dict[str, str]:
    text = json.dumps(dict(value))
    if len(text) <= LIMIT:
        return {name: text}
    return {f"{name}_{n}": text[start : start + LIMIT] for n, start in enumerate(range(0, len(text), LIMIT))}
