"""What the agent did to a manifest, in an annotation of the object: for whoever asks later why it looks so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from launch_agent.core import places
from launch_agent.core.context import LaunchContext

LIMIT = 4096
"""Characters of the annotation."""


def write(given: Mapping[str, Any], made: Mapping[str, Any], transforms: Sequence[str], context: LaunchContext) -> str:
    """The receipt as JSON: the agent's version, the policy's profiles, transforms, injected fields.

    ``transforms`` are those that changed the manifest; injected is what its writer had left open. ``truncated`` says
    that there were too many fields.
    """
    content: dict[str, Any] = {
        "version": 1,
        "agent": context.version,
        "policy": {"queue": str(context.policy.queue.profile), "submitter": str(context.policy.submitter.profile)},
        "transforms": list(transforms),
        "injected": [places.text(path) for path in _list_added(given, made, ())],
    }
    text = _encode(content)
    if len(text) > LIMIT:
        content["truncated"] = True
        while len(text) > LIMIT and content["injected"]:
            excess = max(1, (len(text) - LIMIT) // 40)
            content["injected"] = content["injected"][:-excess]
            text = _encode(content)
    return text


def _encode(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"))


def _list_added(given: Any, made: Any, path: places.Path) -> Iterator[places.Path]:
    """The outermost places of ``made`` that ``given`` has nothing at."""
    if given is None:
        yield path
    elif isinstance(made, (dict, Mapping)):
        for key, value in made.items():
            below = given.get(key) if isinstance(given, (dict, Mapping)) else None
            yield from _list_added(below, value, (*path, key))
    elif isinstance(made, list):
        for index, value in enumerate(made):
            below = given[index] if isinstance(given, (list, tuple)) and index < len(given) else None
            yield from _list_added(below, value, (*path, index))
