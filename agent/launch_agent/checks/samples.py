"""A run spec as a queue's stored config would give it to an item (protocol 3.4 and 4). Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from launch_agent.core.models import Resource

NAME = "launch-agent-check"
"""Project, run, agent and objects of a sample are called so."""

RUN_ID = "launchcheck"
IMAGE = "launch-agent-check.invalid/sample:none"
"""Where the queue's config names no image, an item would. No registry can be called so."""

_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_][\w-]*)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of W&B's: its name and, where it has a default config, its resource, arguments and template variables."""

    name: str
    resource: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    variables: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def may_be_kubernetes(self) -> bool:
        """Whether its items may launch Jobs; without a config, each item says for itself."""
        return self.resource in {None, Resource.KUBERNETES}


def read_queue(name: str, found: Mapping[str, Any] | None) -> Queue:
    """The queue with W&B's answer on its default config; what is not as it should be counts as not there."""
    if not found:
        return Queue(name)
    resource = str(found.get("resource") or "") or None
    config = _read_object(found.get("config"))
    arguments = _read_object(_read_object(config.get("resource_args")).get(resource or ""))
    variables = {
        str(one.get("name")): _read_object(one.get("schema"))
        for one in found.get("templateVariables") or ()
        if isinstance(one, Mapping)
    }
    return Queue(name, resource, arguments, variables)


def make_run_spec(queue: Queue, entity: str) -> dict[str, Any]:
    """What an item of the queue would hold that changes nothing of its config."""
    arguments = _fill(queue.arguments, {name: _choose(schema) for name, schema in queue.variables.items()})
    return {
        "entity": entity,
        "project": NAME,
        "name": NAME,
        "resource": Resource.KUBERNETES,
        "resource_args": {Resource.KUBERNETES: arguments},
        "docker": {"docker_image": _find_image(arguments) or IMAGE},
    }


def _read_object(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def _find_image(arguments: Mapping[str, Any]) -> str:
    """The image of the job's container, if the config names one as it is."""
    node: Any = arguments
    for key in ("spec", "template", "spec"):
        node = node.get(key) if isinstance(node, Mapping) else None
    containers = node.get("containers") if isinstance(node, Mapping) else None
    first = containers[0] if isinstance(containers, list) and containers else None
    image = first.get("image") if isinstance(first, Mapping) else None
    return image if isinstance(image, str) and "${" not in image and " " not in image else ""


def _choose(schema: Mapping[str, Any]) -> Any:
    """A value that the schema allows: its default, else the first or the least one."""
    if "default" in schema:
        return schema["default"]
    allowed = schema.get("enum")
    if isinstance(allowed, Sequence) and allowed:
        return allowed[0]
    if schema.get("type") in {"integer", "number"}:
        return schema.get("minimum", min(1, schema.get("maximum", 1)))
    return "check"


def _fill(node: Any, values: Mapping[str, Any]) -> Any:
    """``{{name}}`` replaced; a text of one placeholder alone becomes the value itself, as W&B's server does it."""
    if isinstance(node, Mapping):
        return {key: _fill(value, values) for key, value in node.items()}
    if isinstance(node, list):
        return [_fill(value, values) for value in node]
    if not isinstance(node, str):
        return node
    whole = _PLACEHOLDER.fullmatch(node.strip())
    if whole and whole[1] in values:
        return values[whole[1]]
    return _PLACEHOLDER.sub(lambda found: str(values.get(found[1], found[0])), node)
