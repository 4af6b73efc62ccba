"""Resolvers of users, entities, keys and projects."""

from typing import Any

from ariadne import MutationType, ObjectType, QueryType
from sqlalchemy import Row

from launch_server import auth, ids
from launch_server.api import values
from launch_server.api.context import Context, Info
from launch_server.errors import ForbiddenError
from launch_server.ids import Kind
from launch_server.store import accounts
from launch_server.store.accounts import User

query = QueryType()
mutation = MutationType()
user_type = ObjectType("User")
project_type = ObjectType("Project")
entity_type = ObjectType("Entity")


def show_user(user: User) -> dict[str, Any]:
    """A user on the wire."""
    return {
        "id": ids.encode(Kind.USER, user.id),
        "number": user.id,
        "name": user.username,
        "username": user.username,
        "email": user.email,
        "admin": user.is_admin,
        "flags": "{}",
        "entity": user.default_entity,
        "teams": {"edges": [{"node": {"name": name}} for name in sorted(user.entities)]},
    }


def show_entity(row: Row[Any]) -> dict[str, Any]:
    """An entity on the wire."""
    entity = {
        "id": ids.encode(Kind.ENTITY, row.id),
        "name": row.name,
        "isTeam": row.is_team,
        "available": False,
        "readOnly": False,
        "xxhashDigestsEnabled": False,
    }
    organization = {
        "id": ids.encode(Kind.ORGANIZATION, 1),
        "name": row.name,
        "coreWeaveOrganizationId": None,
        "orgEntity": {"id": entity["id"], "name": row.name, "isTeam": row.is_team},
    }
    return entity | {"organization": organization}


def show_project(row: Row[Any]) -> dict[str, Any]:
    """A project on the wire."""
    return {
        "id": ids.encode(Kind.PROJECT, row.id),
        "internalId": str(row.id),
        "name": row.name,
        "entityName": row.entity,
        "access": "PRIVATE",
        "createdAt": values.iso(row.created_at),
        "isBenchmark": False,
        "readOnly": False,
    }


@query.field("viewer")
def resolve_viewer(_: object, info: Info) -> dict[str, Any]:
    """The caller."""
    return show_user(info.context.user)


@query.field("entity")
def resolve_entity(_: object, info: Info, name: str) -> dict[str, Any] | None:
    """An entity that the caller may use."""
    return find_entity(info.context, name)


def find_entity(context: Context, name: str) -> dict[str, Any] | None:
    """The entity on the wire, or None when it is not there or not the caller's."""
    if not context.may_use(name):
        return None
    row = accounts.find_entity(context.connection, name)
    return None if row is None else show_entity(row)


@query.field("entities")
def resolve_entities(_: object, info: Info) -> list[dict[str, Any]]:
    """All entities that the caller may use."""
    context = info.context
    rows = accounts.list_entities(context.connection)
    return [show_entity(row) for row in rows if context.may_use(row.name)]


@query.field("organization")
def resolve_organization(_: object, info: Info, name: str) -> Any:
    """The organization of an entity: here each entity is its own."""
    entity = find_entity(info.context, name)
    return None if entity is None else entity["organization"] | {"featureFlags": []}


@query.field("serverInfo")
def resolve_server_info(_: object, _info: Info) -> dict[str, Any]:
    """The optional features of W&B's API that this server has: none yet."""
    return {"features": []}


@query.field("project")
@query.field("model")
def resolve_project(_: object, info: Info, name: str | None = None, **named: str | None) -> dict[str, Any] | None:
    """A project that the caller may see."""
    context = info.context
    entity = named.get("entityName") or context.user.default_entity
    row = context.project(entity, name or "uncategorized")
    return None if row is None else show_project(row)


@query.field("models")
def resolve_projects(_: object, info: Info, **named: Any) -> dict[str, Any]:
    """All projects of an entity."""
    context = info.context
    rows = accounts.list_projects(context.connection, context.entity(named.get("entityName")))
    return values.connection_of([show_project(row) for row in rows], [str(row.id) for row in rows], more=False)


@project_type.field("entity")
def resolve_project_entity(project: dict[str, Any], info: Info) -> dict[str, Any] | None:
    """The entity of a project."""
    return find_entity(info.context, project["entityName"])


@user_type.field("apiKeys")
def resolve_api_keys(user: dict[str, Any], info: Info) -> dict[str, Any]:
    """The keys in force of a user; for an admin who asks for her own, everybody's."""
    context = info.context
    own = user["number"] == context.user.id
    if not own and not context.user.is_admin:
        return {"edges": []}
    rows = accounts.list_keys(context.connection, None if own and context.user.is_admin else user["number"])
    return {"edges": [{"node": _show_key(row)} for row in rows]}


def _show_key(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": ids.encode(Kind.KEY, row.id),
        "name": f"…{row.last_four}",
        "description": row.description,
        "createdAt": values.iso(row.created_at),
        "username": row.username,
    }


@mutation.field("generateApiKey")
def generate_api_key(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Make a key for the caller, or (an admin) for anybody."""
    context, given = info.context, arguments["input"]
    owner = context.user
    if given.get("username") or given.get("entityName"):
        username = values.check_name(given.get("username") or owner.username, "the user name")
        owner = _user_for_key(context, username, given.get("entityName"))
    key, description = auth.make_key(), given.get("description") or ""
    number = accounts.add_key(context.connection, owner.id, key, description, context.now)
    shown = {"id": ids.encode(Kind.KEY, number), "name": key, "description": description, "username": owner.username}
    return {"apiKey": shown | {"createdAt": values.iso(context.now)}}


def _user_for_key(context: Context, username: str, entity: str | None) -> User:
    if not context.user.is_admin:
        raise ForbiddenError("only an admin may make keys for others", "Leave the user and the entity out.")
    chosen = values.check_name(entity or context.user.default_entity, "the entity's name")
    accounts.ensure_entity(context.connection, chosen, context.now)
    return accounts.ensure_user(context.connection, username, chosen, is_admin=False, now=context.now)


@mutation.field("deleteApiKey")
def delete_api_key(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Revoke a key of the caller, or (an admin) anybody's."""
    context = info.context
    number = ids.decode(Kind.KEY, arguments["input"]["id"])
    owner = None if context.user.is_admin else context.user.id
    return {"success": accounts.revoke_key(context.connection, number, owner, context.now)}


@mutation.field("createTeam")
def create_team(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Make an entity; its maker works in it. Made before: the same answer."""
    context = info.context
    if not context.user.is_admin:
        raise ForbiddenError("only an admin may create entities")
    name = values.check_name(arguments["input"]["teamName"], "the entity's name")
    accounts.ensure_entity(context.connection, name, context.now)
    accounts.ensure_user(context.connection, context.user.username, name, is_admin=True, now=context.now)
    return {"entity": find_entity(context, name)}


@mutation.field("upsertModel")
def upsert_model(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Make a project unless it is there."""
    context, given = info.context, arguments["input"]
    name = values.check_name(given.get("name"), "the project's name")
    entity = context.entity(given.get("entityName"))
    row, inserted = accounts.ensure_project(context.connection, entity, name, context.now)
    shown = show_project(row)
    return {"project": shown, "model": shown, "inserted": inserted}
