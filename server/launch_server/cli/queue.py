"""`launch-server queue create|list|show|delete`."""

import argparse
import json
from typing import Any

from launch_server.cli.client import Client, choose_entity, connect
from launch_server.cli.output import read_object, show, table
from launch_server.errors import UsageError

_FRAGMENT = """
fragment Queue on RunQueue {
  id name resource prioritizationMode access createdAt
  itemCounts { state count }
  defaultResourceConfig { config templateVariables { name schema } }
}
"""
_SHOW = (
    """
query Queue($entity: String!, $project: String!, $queue: String!) {
  project(entityName: $entity, name: $project) { runQueue(name: $queue) { ...Queue } }
}
"""
    + _FRAGMENT
)
_LIST = (
    """
query Queues($entity: String!, $project: String!) {
  project(entityName: $entity, name: $project) { runQueues { ...Queue } }
}
"""
    + _FRAGMENT
)
_UPSERT = """
mutation UpsertRunQueue($input: UpsertRunQueueInput!) { upsertRunQueue(input: $input) { success } }
"""
_DELETE = """
mutation DeleteRunQueue($id: ID!) { deleteRunQueues(input: {queueIDs: [$id]}) { success } }
"""
MODES = {"fifo": "DISABLED", "priority": "V0"}


def create(options: argparse.Namespace) -> int:
    """Make a queue with its default config."""
    client = connect(options)
    entity = choose_entity(client, options)
    found = _find(client, entity, options.project, options.name)
    if found is not None and not options.replace:
        raise UsageError(
            f"queue {options.name!r} exists already in entity {entity!r}", "--replace gives it a new config."
        )
    config = read_object(options.config, "--config") if options.config else {}
    if "resource_args" not in config:
        config = {"resource_args": {options.resource: config}}
    given: dict[str, Any] = {
        "entityName": entity,
        "projectName": options.project,
        "queueName": options.name,
        "resourceType": options.resource,
        "resourceConfig": json.dumps(config),
        "prioritizationMode": MODES[options.prioritization],
    }
    if options.template_variables:
        given["templateVariables"] = json.dumps(read_object(options.template_variables, "--template-variables"))
    client.execute(_UPSERT, {"input": given})
    made = _find(client, entity, options.project, options.name) or {}
    verb = "created" if found is None else "changed"
    show(
        options, made, f"queue {options.name} {verb} in entity {entity} ({options.resource}, {options.prioritization})"
    )
    return 0


def list_all(options: argparse.Namespace) -> int:
    """All queues of an entity."""
    client = connect(options)
    entity = choose_entity(client, options)
    project = client.execute(_LIST, {"entity": entity, "project": options.project})["project"]
    rows = [_row(queue) for queue in (project or {}).get("runQueues") or []]
    show(options, rows, table(rows, ("name", "resource", "mode", "pending", "leased", "claimed", "failed", "finished")))
    return 0


def _row(queue: dict[str, Any]) -> dict[str, Any]:
    mode = next((word for word, mode in MODES.items() if mode == queue["prioritizationMode"]), "fifo")
    counts = {count["state"].lower(): count["count"] for count in queue["itemCounts"]}
    states = {state: counts.get(state, 0) for state in ("pending", "leased", "claimed", "failed", "finished")}
    return {"name": queue["name"], "id": queue["id"], "resource": queue["resource"], "mode": mode} | states


def show_one(options: argparse.Namespace) -> int:
    """One queue with its config."""
    queue = _required(options)[1]
    lines = [f"{key}: {value}" for key, value in _row(queue).items()]
    config = queue["defaultResourceConfig"]
    if config is not None:
        lines.append("config: " + json.dumps(config["config"], indent=2))
        lines += [f"template variable {each['name']}: {each['schema']}" for each in config["templateVariables"] or []]
    show(options, queue, "\n".join(lines))
    return 0


def delete(options: argparse.Namespace) -> int:
    """Delete a queue with its items."""
    client, queue = _required(options)
    client.execute(_DELETE, {"id": queue["id"]})
    show(options, {"deleted": queue["name"]}, f"queue {queue['name']} deleted with its items")
    return 0


def _find(client: Client, entity: str, project: str, name: str) -> dict[str, Any] | None:
    found = client.execute(_SHOW, {"entity": entity, "project": project, "queue": name})["project"]
    return found["runQueue"] if found else None


def _required(options: argparse.Namespace) -> tuple[Client, dict[str, Any]]:
    client = connect(options)
    entity = choose_entity(client, options)
    queue = _find(client, entity, options.project, options.name)
    if queue is None:
        raise UsageError(f"queue {options.name!r} does not exist in entity {entity!r}", "`launch-server queue list`")
    return client, queue
