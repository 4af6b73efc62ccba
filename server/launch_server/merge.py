"""A queue's default config merged into a run spec: pure functions of values (protocol section 14, point 4)."""

from collections.abc import Mapping
from typing import Any

Json = Any


def merge_deeply(base: Mapping[str, Json], over: Mapping[str, Json]) -> dict[str, Json]:
    """Both maps as one, in new containers: maps merge key by key, everything else (lists too) comes from `over`."""
    merged = {key: copy(value) for key, value in base.items()}
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            merged[key] = merge_deeply(below, value)
        else:
            merged[key] = copy(value)
    return merged


def merge_spec(spec: Mapping[str, Json], resource: str, config: Mapping[str, Json]) -> dict[str, Json]:
    """The run spec with the queue's resource set and its `resource_args` under the submitter's own.

    `config` is `{"resource_args": {<resource>: {…}}}`. The queue decides the resource (W&B's SDK sends
    `local-container` when its caller names none); inside `resource_args` the submitter wins.
    """
    merged = merge_deeply({}, spec)
    merged["resource"] = resource
    defaults = config.get("resource_args")
    own = merged.get("resource_args")
    if isinstance(defaults, Mapping):
        merged["resource_args"] = merge_deeply(defaults, own if isinstance(own, Mapping) else {})
    return merged


def copy(value: Json) -> Json:
    """The same JSON value in containers of its own."""
    if isinstance(value, Mapping):
        return {key: copy(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [copy(inner) for inner in value]
    return value
