"""Resolvers of launch agents."""

import json
import secrets
from typing import Any

from ariadne import MutationType, QueryType
from sqlalchemy import Row

from launch_server import ids
from launch_server.api import values
from launch_server.api.accounts import project_type
from launch_server.api.context import Context, Info
from launch_server.api.queues import own_queue
from launch_server.errors import NotFoundError, RequestError
from launch_server.ids import Kind
from launch_server.store import agents

query = QueryType()
mutation = MutationType()

STATUSES = ("POLLING", "RUNNING", "KILLED")
_MOODS = ("amber", "brisk", "calm", "clear", "deep", "early", "fresh", "gentle", "golden", "mellow", "quiet", "swift")
_THINGS = ("bay", "brook", "cliff", "cloud", "dune", "field", "forest", "harbor", "hill", "lake", "reef", "valley")


def show_agent(row: Row[Any]) -> dict[str, Any]:
    """An agent on the wire."""
    return {
        "id": ids.encode(Kind.AGENT, row.id),
        "name": row.name,
        "runQueues": json.loads(row.queues),
        "hostname": row.hostname,
        "agentStatus": row.status,
        "stopPolling": row.stop_polling,
        "heartbeatAt": values.iso(row.heartbeat_at),
        "createdAt": values.iso(row.created_at),
        "agentConfig": row.config,
        "version": row.version,
    }


@query.field("launchAgent")
def resolve_agent(_: object, info: Info, **named: str) -> dict[str, Any] | None:
    """An agent; asking for it is its sign of life (it does so before each poll)."""
    context = info.context
    row = agents.read_agent(context.connection, ids.decode(Kind.AGENT, named["id"]))
    if row is None or not context.may_use(row.entity):
        return None
    context.heard_agents.add(row.id)
    return show_agent(row)


@project_type.field("launchAgents")
def resolve_agents(project: dict[str, Any], info: Info) -> list[dict[str, Any]]:
    """The agents of a project."""
    rows = agents.list_agents(info.context.connection, project["entityName"], project["name"])
    return [show_agent(row) for row in rows]


@mutation.field("createLaunchAgent")
def create_agent(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Register an agent that polls some queues."""
    context, given = info.context, arguments["input"]
    entity = context.entity(given["entityName"])
    polled = [own_queue(context, queue_id) for queue_id in given["runQueues"]]
    foreign = [queue.name for queue in polled if queue.entity != entity]
    if foreign:
        raise NotFoundError(f"queue {foreign[0]!r} is not in entity {entity!r}")
    number = agents.add_agent(
        context.connection,
        {
            "entity": entity,
            "project": given["projectName"],
            "name": _free_name(context),
            "queues": json.dumps(given["runQueues"]),
            "hostname": given["hostname"],
            "config": given.get("agentConfig"),
            "version": given.get("version"),
            "status": "POLLING",
            "stop_polling": False,
            "created_at": context.now,
            "heartbeat_at": context.now,
        },
    )
    return {"launchAgentId": ids.encode(Kind.AGENT, number), "success": True}


def _free_name(context: Context) -> str:
    while True:
        name = f"{secrets.choice(_MOODS)}-{secrets.choice(_THINGS)}-{secrets.randbelow(10**6)}"
        if not agents.name_is_taken(context.connection, name):
            return name


@mutation.field("updateLaunchAgent")
def update_agent(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """An agent tells its status; or an admin asks it to stop polling."""
    context, given = info.context, arguments["input"]
    row = agents.read_agent(context.connection, ids.decode(Kind.AGENT, given["launchAgentId"]))
    if row is None or not context.may_use(row.entity):
        return {"success": False}
    changes: dict[str, Any] = {}
    status = given.get("agentStatus")
    if status is not None:
        if status not in STATUSES:
            raise RequestError(f"agentStatus {status!r} is not known", f"Known: {', '.join(STATUSES)}.")
        changes |= {"status": status, "heartbeat_at": context.now}
    if given.get("stopPolling") is not None:
        changes["stop_polling"] = given["stopPolling"]
    if changes:
        agents.change_agent(context.connection, row.id, changes)
    return {"success": True}
