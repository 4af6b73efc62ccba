"""`launch-server entity`, `key`, `agent` and `item`."""

import argparse
import json
from typing import Any

from launch_server.cli.client import Client, choose_entity, connect
from launch_server.cli.output import show, table
from launch_server.cli.push import ITEM
from launch_server.errors import UsageError

_CREATE_KEY = """
mutation GenerateApiKey($input: GenerateApiKeyInput!) {
  generateApiKey(input: $input) { apiKey { id name description username } }
}
"""
_LIST_KEYS = """
query Keys { viewer { apiKeys { edges { node { id name description username createdAt } } } } }
"""
_AGENTS = """
query Agents($entity: String!, $project: String!) {
  project(entityName: $entity, name: $project) {
    launchAgents { id name agentStatus stopPolling hostname heartbeatAt version }
  }
}
"""
_STOP_AGENT = """
mutation StopAgent($input: UpdateLaunchAgentInput!) { updateLaunchAgent(input: $input) { success } }
"""
_ITEMS = """
query Items($entity: String!, $project: String!, $queue: String!, $after: String) {
  project(entityName: $entity, name: $project) {
    runQueue(name: $queue) {
      runQueueItems(first: 500, after: $after) {
        edges { node { id state associatedRunId priority createdAt error { message stage } } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
}
"""


def create_entity(options: argparse.Namespace) -> int:
    """Make an entity."""
    document = "mutation CreateTeam($input: CreateTeamInput!) { createTeam(input: $input) { entity { id name } } }"
    made = connect(options).execute(document, {"input": {"teamName": options.name}})["createTeam"]["entity"]
    show(options, made, f"entity {made['name']} is there")
    return 0


def list_entities(options: argparse.Namespace) -> int:
    """All entities."""
    rows = connect(options).execute("query Entities { entities { id name isTeam } }")["entities"]
    show(options, rows, table(rows, ("name", "id")))
    return 0


def create_key(options: argparse.Namespace) -> int:
    """Make an API key and print it, this once."""
    given = {"description": options.description, "username": options.user, "entityName": options.key_entity}
    wanted = {name: value for name, value in given.items() if value}
    made = connect(options).execute(_CREATE_KEY, {"input": wanted})["generateApiKey"]["apiKey"]
    show(options, made, made["name"])
    return 0


def list_keys(options: argparse.Namespace) -> int:
    """The keys in force."""
    rows = _keys(connect(options))
    show(options, rows, table(rows, ("id", "name", "username", "description", "createdAt")))
    return 0


def _keys(client: Client) -> list[dict[str, Any]]:
    edges = client.execute(_LIST_KEYS)["viewer"]["apiKeys"]["edges"]
    return [edge["node"] for edge in edges]


def revoke_key(options: argparse.Namespace) -> int:
    """Revoke a key by its id or last four characters."""
    client = connect(options)
    matching = [key for key in _keys(client) if options.key in (key["id"], key["name"], key["name"].lstrip("…"))]
    if len(matching) != 1:
        raise UsageError(
            f"{len(matching)} keys match {options.key!r}", "Give the id that `launch-server key list` shows."
        )
    document = "mutation DeleteApiKey($id: String!) { deleteApiKey(input: {id: $id}) { success } }"
    client.execute(document, {"id": matching[0]["id"]})
    show(options, {"revoked": matching[0]["id"]}, f"key {matching[0]['name']} of {matching[0]['username']} revoked")
    return 0


def list_agents(options: argparse.Namespace) -> int:
    """The agents of an entity, newest first."""
    client = connect(options)
    rows = _agents(client, options)
    show(options, rows, table(rows, ("name", "agentStatus", "stopPolling", "hostname", "heartbeatAt", "version")))
    return 0


def _agents(client: Client, options: argparse.Namespace) -> list[dict[str, Any]]:
    entity = choose_entity(client, options)
    project = client.execute(_AGENTS, {"entity": entity, "project": options.project})["project"]
    return list(project["launchAgents"]) if project else []


def stop_agent(options: argparse.Namespace) -> int:
    """Ask an agent to stop polling and end."""
    client = connect(options)
    matching = [agent for agent in _agents(client, options) if options.name in (agent["name"], agent["id"])]
    if not matching:
        raise UsageError(f"agent {options.name!r} does not exist", "`launch-server agent list` names them.")
    client.execute(_STOP_AGENT, {"input": {"launchAgentId": matching[0]["id"], "stopPolling": True}})
    show(options, {"stopping": matching[0]["name"]}, f"agent {matching[0]['name']} is asked to stop at its next poll")
    return 0


def list_items(options: argparse.Namespace) -> int:
    """The items of a queue, oldest first."""
    client = connect(options)
    place = {"entity": choose_entity(client, options), "project": options.project, "queue": options.queue}
    rows: list[dict[str, Any]] = []
    after: str | None = None
    while True:
        project = client.execute(_ITEMS, place | {"after": after})["project"]
        if not project or not project["runQueue"]:
            raise UsageError(f"queue {options.queue!r} does not exist in entity {place['entity']!r}")
        page = project["runQueue"]["runQueueItems"]
        rows += [_flat(edge["node"]) for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    rows = [row for row in rows if options.state is None or row["state"] == options.state.upper()]
    show(options, rows, table(rows, ("id", "state", "run", "priority", "created", "error")))
    return 0


def _flat(node: dict[str, Any]) -> dict[str, Any]:
    error = f"{node['error']['stage']}: {node['error']['message']}" if node["error"] else None
    return {
        "id": node["id"],
        "state": node["state"],
        "run": node["associatedRunId"],
        "priority": node["priority"],
        "created": node["createdAt"],
        "error": error,
    }


def show_item(options: argparse.Namespace) -> int:
    """One item."""
    client = connect(options)
    place = {"entityName": choose_entity(client, options), "projectName": options.project, "runQueue": options.queue}
    project = client.execute(ITEM, place | {"itemId": options.item})["project"]
    queue = project["runQueue"] if project else None
    if queue is None or queue["runQueueItem"] is None:
        raise UsageError(f"item {options.item!r} is not in queue {options.queue!r}")
    show(options, queue["runQueueItem"], json.dumps(queue["runQueueItem"], indent=2, ensure_ascii=False))
    return 0
