"""Resolvers of queues and their default resource configs."""

import json
import re
from typing import Any

from ariadne import MutationType, ObjectType
from sqlalchemy import Row

from launch_server import ids, templates
from launch_server.api import values
from launch_server.api.accounts import entity_type, project_type
from launch_server.api.context import Context, Info
from launch_server.errors import NotFoundError, RequestError
from launch_server.ids import Kind
from launch_server.store import accounts, queues

mutation = MutationType()
queue_type = ObjectType("RunQueue")

# What `resource` may say (protocol section 1), and the alias that the SDK offers.
RESOURCES = ("local-container", "local-process", "kubernetes", "sagemaker", "vertex", "gcp-vertex")
LONGEST_QUEUE_NAME = 64


def show_queue(row: Row[Any]) -> dict[str, Any]:
    """A queue on the wire."""
    return {
        "id": ids.encode(Kind.QUEUE, row.id),
        "number": row.id,
        "configNumber": row.config_id,
        "name": row.name,
        "createdBy": row.created_by,
        "access": row.access,
        "defaultResourceConfigID": None if row.config_id is None else ids.encode(Kind.CONFIG, row.config_id),
        "prioritizationMode": row.prioritization,
        "externalLinks": json.loads(row.external_links) if row.external_links else None,
        "createdAt": values.iso(row.created_at),
    }


def show_config(row: Row[Any] | None) -> dict[str, Any] | None:
    """A default resource config on the wire; the schemas of its variables as JSON text."""
    if row is None:
        return None
    schemas = json.loads(row.template_variables)
    variables = [{"name": name, "schema": json.dumps(schema)} for name, schema in schemas.items()]
    config = json.loads(row.config)
    return {
        "id": ids.encode(Kind.CONFIG, row.id),
        "resource": row.resource,
        "config": config,
        "templateVariables": variables,
    }


@project_type.field("runQueues")
def resolve_queues(project: dict[str, Any], info: Info) -> list[dict[str, Any]]:
    """The queues of a project."""
    rows = queues.list_queues(info.context.connection, project["entityName"], project["name"])
    return [show_queue(row) for row in rows]


@project_type.field("runQueue")
def resolve_queue(project: dict[str, Any], info: Info, name: str) -> dict[str, Any] | None:
    """One queue of a project."""
    row = queues.find_queue(info.context.connection, project["entityName"], project["name"], name)
    return None if row is None else show_queue(row)


@queue_type.field("resource")
def resolve_resource(queue: dict[str, Any], info: Info) -> str | None:
    """The type of target that the queue's items run on."""
    config = _config_of(queue, info.context)
    return None if config is None else str(config["resource"])


@queue_type.field("defaultResourceConfig")
def resolve_queue_config(queue: dict[str, Any], info: Info) -> dict[str, Any] | None:
    """The queue's default resource config."""
    return _config_of(queue, info.context)


def _config_of(queue: dict[str, Any], context: Context) -> dict[str, Any] | None:
    if queue["configNumber"] is None:
        return None
    return show_config(queues.read_config(context.connection, queue["configNumber"]))


@queue_type.field("itemCounts")
def resolve_item_counts(queue: dict[str, Any], info: Info) -> list[dict[str, Any]]:
    """How many items are in each state."""
    counts = queues.count_items(info.context.connection, queue["number"])
    return [{"state": state, "count": count} for state, count in sorted(counts.items())]


@entity_type.field("defaultResourceConfig")
def resolve_config(entity: dict[str, Any], info: Info, **named: str) -> dict[str, Any] | None:
    """A default resource config of an entity."""
    row = queues.read_config(info.context.connection, ids.decode(Kind.CONFIG, named["id"]))
    return show_config(row) if row is not None and row.entity == entity["name"] else None


@mutation.field("createDefaultResourceConfig")
def create_config(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Keep a default resource config."""
    context, given = info.context, arguments["input"]
    entity = context.entity(given["entityName"])
    number = _add_config(context, entity, given["resource"], given["config"], given.get("templateVariables"))
    return {"success": True, "defaultResourceConfigID": ids.encode(Kind.CONFIG, number)}


def _add_config(context: Context, entity: str, resource: str, config: str, variables: str | None) -> int:
    if resource not in RESOURCES:
        raise RequestError(f"resource {resource!r} is not known", f"Known: {', '.join(RESOURCES)}.")
    parsed = values.parse_object(config, "the queue's config")
    arguments = parsed.get("resource_args")
    if arguments is not None and not isinstance(arguments, dict):
        raise RequestError("resource_args of the queue's config must be an object")
    schemas = templates.parse_variables(variables)
    return queues.add_config(
        context.connection,
        {
            "entity": entity,
            "resource": resource,
            "config": json.dumps(parsed),
            "template_variables": json.dumps(schemas),
            "created_at": context.now,
        },
    )


@mutation.field("createRunQueue")
def create_queue(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Make a queue. One of the same name is an error."""
    context, given = info.context, arguments["input"]
    entity, project = context.entity(given["entityName"]), given["projectName"]
    name = check_queue_name(given["queueName"])
    if queues.find_queue(context.connection, entity, project, name) is not None:
        raise RequestError(f"queue {name!r} exists already in entity {entity!r}")
    config_id = given.get("defaultResourceConfigID")
    number = None if config_id is None else _own_config(context, entity, config_id)
    queue = _add_queue(context, (entity, project, name), number, given)
    return {"success": True, "queueID": ids.encode(Kind.QUEUE, queue)}


def _own_config(context: Context, entity: str, config_id: str) -> int:
    row = queues.read_config(context.connection, ids.decode(Kind.CONFIG, config_id))
    if row is None or row.entity != entity:
        raise NotFoundError(f"default resource config {config_id!r} does not exist in entity {entity!r}")
    return int(row.id)


def _add_queue(context: Context, place: tuple[str, str, str], config: int | None, given: dict[str, Any]) -> int:
    entity, project, name = place
    accounts.ensure_project(context.connection, entity, values.check_name(project, "the project's name"), context.now)
    return queues.add_queue(
        context.connection,
        {
            "entity": entity,
            "project": project,
            "name": name,
            "access": given.get("access") or "PROJECT",
            "created_by": context.user.id,
            "prioritization": given.get("prioritizationMode") or queues.MODE_FIFO,
            "config_id": config,
            "external_links": _links(given.get("externalLinks")),
            "created_at": context.now,
        },
    )


@mutation.field("upsertRunQueue")
def upsert_queue(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Make a queue with its config, or give an existing one a new config, mode and links."""
    context, given = info.context, arguments["input"]
    entity, project = context.entity(given["entityName"]), given["projectName"]
    name = check_queue_name(given["queueName"])
    links = _links(given.get("externalLinks"))
    config = _add_config(
        context, entity, given["resourceType"], given["resourceConfig"], given.get("templateVariables")
    )
    found = queues.find_queue(context.connection, entity, project, name)
    if found is None:
        _add_queue(context, (entity, project, name), config, given)
    else:
        mode = given.get("prioritizationMode") or queues.MODE_FIFO
        changes = {"config_id": config, "prioritization": mode, "external_links": links}
        queues.change_queue(context.connection, found.id, changes)
    return {"success": True, "configSchemaValidationErrors": []}


@mutation.field("deleteRunQueues")
def delete_queues(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Delete queues with their items: all that are named, or none when one is missing."""
    context = info.context
    rows = [own_queue(context, queue_id) for queue_id in arguments["input"]["queueIDs"]]
    for row in rows:
        queues.delete_queue(context.connection, row.id)
    return {"success": True}


def own_queue(context: Context, queue_id: str) -> Row[Any]:
    """The queue of this id in an entity of the caller.

    Raises:
        NotFoundError: there is none.

    """
    row = queues.read_queue(context.connection, ids.decode(Kind.QUEUE, queue_id))
    if row is None or not context.may_use(row.entity):
        raise NotFoundError(f"queue {queue_id!r} does not exist")
    return row


def check_queue_name(name: str) -> str:
    """A queue's name: 1 to 64 letters, digits, `_`, `-`, `.` and inner spaces.

    Raises:
        RequestError: it is not one.

    """
    checked = values.check_name(name, "the queue's name", LONGEST_QUEUE_NAME)
    if not re.fullmatch(r"[\w.\- ]+", checked):
        raise RequestError(f"the queue's name {name!r} may have letters, digits, '_', '-', '.' and spaces only")
    return checked


def _links(text: str | None) -> str | None:
    if not text:
        return None
    return json.dumps(values.parse_object(text, "externalLinks"))
