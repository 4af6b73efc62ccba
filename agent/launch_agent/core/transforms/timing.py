"""How long an object may run, and how long it stays."""

from __future__ import annotations

import math

from launch_agent.core import places
from launch_agent.core.marks import TTL_ANNOTATION
from launch_agent.core.models import MANIFEST_PATH
from launch_agent.core.shapes import natural
from launch_agent.core.transforms.facts import Body, Facts
from launch_agent.core.transforms.roles import show
from launch_agent.errors import RefusedError

DEFAULT_TTL = 60
"""Seconds that W&B lets a finished Job stay. Other kinds have no default: they stay."""


def hold_ttl_back(body: Body, facts: Facts) -> Body:
    """Move the time to live into an annotation: nothing may sweep the object away before its outcome is reported.

    SpecError with the path for one that is no number of seconds.
    """
    if not facts.kind.ttl:
        return body
    *outer, name = places.path_of(facts.kind.ttl)
    holder = places.get(body, tuple(outer), {})
    wanted = holder.get(name) if isinstance(holder, dict) else None
    if wanted is None and not facts.kind.is_job:
        return body
    rest = {key: value for key, value in holder.items() if key != name}
    seconds = DEFAULT_TTL if wanted is None else natural(wanted, show((*outer, name)))
    body = places.put(body, tuple(outer), rest)
    return places.put(body, ("metadata", "annotations", TTL_ANNOTATION), str(seconds))


def limit_runtime(body: Body, facts: Facts) -> Body:
    """``max_runtime`` becomes a Job's or Pod's own deadline, where it has none; the agent keeps that of other kinds.

    RefusedError for a kind that never ends by itself, if nobody said when it has to.
    """
    if facts.max_runtime is None:
        if facts.kind.is_endless:
            raise RefusedError(
                f"A {facts.kind.kind} never ends by itself, and {MANIFEST_PATH}.max_runtime is missing.",
                resolution="Say how long it may run: max_runtime: 8h beside the manifest in the queue's config.",
            )
        return body
    place = ("spec", "activeDeadlineSeconds")
    if not (facts.kind.is_job or facts.kind.is_pod) or places.get(body, place) is not None:
        return body
    return places.put(body, place, math.ceil(facts.max_runtime))
