"""Items judged by a policy, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from launch_agent.core import admission, merging
from launch_agent.core import spec as specs
from launch_agent.core.policy import Policy, Protected
from launch_agent.errors import ItemError
from tests.support.specs import CONTEXT, make_spec

Manifest = dict[str, Any]


def config(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A queue's config as W&B has it."""
    return {"resource": "kubernetes", "resource_args": {"kubernetes": dict(manifest)}}


def judge(
    manifest: Manifest,
    queue: Manifest | None = None,
    policy: Policy | None = None,
    *,
    protected: Protected | None = None,
    is_known: bool = True,
    **changes: Any,
) -> str:
    """What an item is refused for, empty where it passes.

    ``manifest`` is the submitter's, laid over the queue's as W&B does; ``is_known`` False: W&B does not tell the
    queue's.
    """
    given = merging.merge(queue or {}, manifest)
    spec = specs.parse(make_spec(given, **changes))
    context = replace(CONTEXT, policy=policy or Policy(), protected=protected or Protected())
    try:
        admission.admit(spec, "run12345", context, config(queue or {}) if is_known else None)
    except ItemError as error:
        return str(error) if error.resolution else f"no cure: {error}"
    return ""
