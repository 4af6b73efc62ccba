"""What W&B is told of the configuration when the agent registers (protocol 2.1): effective values, no secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from launch_agent.settings.model import Settings
from launch_agent.settings.redaction import MASK, mask_keys

_SECRET_NAME = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)


def describe(settings: Settings) -> dict[str, Any]:
    """W&B's keys and ours, as they hold now."""
    effective = {
        "entity": settings.entity,
        "queues": list(settings.queues),
        "max_jobs": settings.max_jobs,
        "max_schedulers": settings.max_schedulers,
        "secure_mode": settings.secure_mode,
        "verbosity": settings.verbosity,
        "stopped_run_timeout": settings.stopped_run_timeout,
        "max_resume_count": settings.max_resume_count,
        "environment": settings.environment,
        "registry": settings.registry,
        "builder": settings.builder,
        "image_pull_grace": settings.image_pull_grace,
        "adopt_foreign": settings.adopt_foreign,
        "poll_interval": settings.poll_interval,
        "launch_concurrency": settings.launch_concurrency,
        "macro_environment": sorted(settings.macros),
    }
    return {key: _mask(value) for key, value in effective.items()}


def _mask(value: Any) -> Any:
    """Texts that look like keys, and values of container variables whose names speak of secrets."""
    if isinstance(value, str):
        return mask_keys(value)
    if isinstance(value, list):
        return [_mask(one) for one in value]
    if isinstance(value, Mapping):
        is_secret = isinstance(value.get("name"), str) and _SECRET_NAME.search(value["name"]) is not None
        return {key: MASK if key == "value" and is_secret else _mask(one) for key, one in value.items()}
    return value
