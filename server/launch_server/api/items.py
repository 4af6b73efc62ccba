"""Resolvers of queue items: push, pop, acknowledge, fail, warn, look."""

import json
from typing import Any

from ariadne import MutationType
from sqlalchemy import Row

from launch_server import ids, leases, merge, templates
from launch_server.api import values
from launch_server.api.context import Context, Info
from launch_server.api.queues import own_queue, queue_type
from launch_server.errors import NotFoundError, RequestError
from launch_server.ids import Kind
from launch_server.leases import ItemState
from launch_server.log import log
from launch_server.store import items, queues

mutation = MutationType()

LONGEST_MESSAGE = 64_000
MOST_WARNINGS = 100


def item_id(context: Context, number: int) -> str:
    """The wire's id of an item."""
    return ids.encode(Kind.ITEM, number + context.secrets.item_offset)


def item_number(context: Context, text: str) -> int:
    """The row number in an item's id.

    Raises:
        NotFoundError: it is no id of an item.

    """
    return ids.decode(Kind.ITEM, text) - context.secrets.item_offset


def show_item(context: Context, row: Row[Any]) -> dict[str, Any]:
    """An item on the wire."""
    error = None
    if row.error_message is not None:
        error = {"message": row.error_message, "stage": row.error_stage or "", "filePaths": None}
        if row.error_files:
            error["filePaths"] = values.load_list(row.error_files)
    return {
        "id": item_id(context, row.id),
        "state": row.state,
        "associatedRunId": row.run_name,
        "runSpec": row.spec,
        "priority": row.priority,
        "createdAt": values.iso(row.created_at),
        "updatedAt": values.iso(row.updated_at),
        "error": error,
        "warnings": values.load_list(row.warnings),
        "launchAgentId": None if row.agent_id is None else ids.encode(Kind.AGENT, row.agent_id),
        "queueNumber": row.queue_id,
    }


@queue_type.field("runQueueItems")
def resolve_items(queue: dict[str, Any], info: Info, **named: Any) -> dict[str, Any]:
    """Items of a queue, oldest first."""
    context = info.context
    size, after = values.page_size(named.get("first")), values.read_cursor(named.get("after"))
    rows = items.list_items(context.connection, queue["number"], after, size + 1)
    shown = [show_item(context, row) | {"queueName": queue["name"]} for row in rows[:size]]
    return values.connection_of(shown, [str(row.id) for row in rows[:size]], more=len(rows) > size)


@queue_type.field("runQueueItem")
def resolve_item(queue: dict[str, Any], info: Info, **named: str) -> dict[str, Any] | None:
    """One item of a queue; null when it is not there."""
    context = info.context
    row = items.read_item(context.connection, item_number(context, named["id"]))
    if row is None or row.queue_id != queue["number"]:
        return None
    return show_item(context, row) | {"queueName": queue["name"]}


@mutation.field("pushToRunQueueByName")
def push_by_name(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Put a run spec at the end of a queue that is named."""
    context, given = info.context, arguments["input"]
    return _push(context, context.queue(given["entityName"], given["projectName"], given["queueName"]), given)


@mutation.field("pushToRunQueue")
def push_by_id(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Put a run spec at the end of a queue given by id (the older way)."""
    context, given = info.context, arguments["input"]
    return _push(context, own_queue(context, given["queueID"]), given)


def _push(context: Context, queue: Row[Any], given: dict[str, Any]) -> dict[str, Any]:
    spec = values.parse_object(given["runSpec"], "runSpec")
    target = values.check_name(str(spec.get("entity") or queue.entity), "entity of the run spec")
    context.entity(target)
    project = values.check_name(str(spec.get("project") or "uncategorized"), "project of the run spec")
    text = given.get("templateVariableValues")
    variables = values.parse_object(text, "templateVariableValues") if text and text != "null" else {}
    merged = _merge(context, queue, spec, variables)
    priority = given.get("priority")
    kept = json.dumps(merged)
    number = items.add_item(
        context.connection,
        {
            "queue_id": queue.id,
            "entity": queue.entity,
            "state": ItemState.PENDING,
            "rank": queues.rank_of(queue.prioritization, priority),
            "priority": priority,
            "spec": kept,
            "created_at": context.now,
            "updated_at": context.now,
            "leases": 0,
            "run_entity": target,
            "run_project": project.lower(),
        },
    )
    context.metrics.items.labels("pushed").inc()
    return {"runQueueItemId": item_id(context, number), "runSpec": kept}


def _merge(context: Context, queue: Row[Any], spec: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    row = None if queue.config_id is None else queues.read_config(context.connection, queue.config_id)
    if row is None:
        if variables:
            raise RequestError(f"queue {queue.name!r} has no template variables, but values were given")
        return spec
    schemas = json.loads(row.template_variables)
    config = templates.fill(json.loads(row.config), schemas, variables)
    return merge.merge_spec(spec, row.resource, config)


@mutation.field("popFromRunQueue")
def pop(_: object, info: Info, **arguments: Any) -> dict[str, Any] | None:
    """Lease the next item of a queue to an agent; null when the queue is empty."""
    context, given = info.context, arguments["input"]
    queue = context.queue(given["entityName"], given["projectName"], given["queueName"])
    agent = given.get("launchAgentId")
    agent_number = None if not agent else ids.decode(Kind.AGENT, agent)
    if agent_number is not None:
        context.heard_agents.add(agent_number)
    if not context.leases_released:
        items.release_lapsed(context.connection, context.now)
        context.leases_released = True
    row = items.pop_item(context.connection, queue.id, agent_number, context.now, context.settings.lease_seconds)
    if row is None:
        return None
    context.metrics.items.labels("popped").inc()
    return {"runQueueItemId": item_id(context, row.id), "runSpec": json.loads(row.spec)}


@mutation.field("ackRunQueueItem")
def acknowledge(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """An agent starts an item as a run; false when somebody else did."""
    context, given = info.context, arguments["input"]
    run_name = values.check_name(given["runName"], "runName")
    row = _own_item(context, given["runQueueItemId"])
    decision = leases.acknowledge(items.view(row), run_name, context.now)
    return _carry_out(context, row, decision, "ack")


@mutation.field("failRunQueueItem")
def fail(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """An agent says that an item failed, and why."""
    context, given = info.context, arguments["input"]
    row = _own_item(context, given["runQueueItemId"])
    stage, message = given["stage"][:64], given["message"][:LONGEST_MESSAGE]
    decision = leases.fail(items.view(row), message, stage, context.now)
    paths = given.get("filePaths")
    if decision.changes and paths:
        decision.changes["error_files"] = json.dumps(paths)
    return _carry_out(context, row, decision, "fail")


@mutation.field("updateRunQueueItemWarning")
def warn(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """An agent warns of something; the same text of the same stage is kept once, the latest 100 are kept."""
    context, given = info.context, arguments["input"]
    row = _own_item(context, given["runQueueItemId"])
    warning = {
        "message": given["message"][:LONGEST_MESSAGE],
        "stage": given["stage"][:64],
        "filePaths": given.get("filePaths"),
    }
    known = values.load_list(row.warnings)
    if warning not in known:
        kept = json.dumps([*known, warning][-MOST_WARNINGS:])
        items.change_item(context.connection, row.id, {"warnings": kept, "updated_at": context.now})
    return {"success": True}


def _carry_out(context: Context, row: Row[Any], decision: leases.Decision, event: str) -> dict[str, Any]:
    if decision.changes:
        items.change_item(context.connection, row.id, decision.changes)
    context.metrics.items.labels(event if decision.accepted else f"{event}_refused").inc()
    if not decision.accepted:
        log.info("%s of item %s refused: %s", event, item_id(context, row.id), decision.reason)
    return {"success": decision.accepted}


def _own_item(context: Context, text: str) -> Row[Any]:
    row = items.read_item(context.connection, item_number(context, text))
    if row is None or not context.may_use(row.entity):
        raise NotFoundError(f"run queue item {text!r} does not exist")
    return row


@mutation.field("deleteFromRunQueue")
def delete(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Delete an item that waits or has ended; one that an agent holds stays (its run is stopped instead)."""
    context, given = info.context, arguments["input"]
    queue = own_queue(context, given["queueID"])
    row = _own_item(context, given["runQueueItemId"])
    if row.queue_id != queue.id:
        raise NotFoundError(f"run queue item {given['runQueueItemId']!r} is not in queue {queue.name!r}")
    if row.state == ItemState.CLAIMED:
        return {"success": False}
    items.delete_item(context.connection, row.id)
    return {"success": True}
