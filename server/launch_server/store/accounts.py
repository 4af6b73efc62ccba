"""Entities, users, their keys, and projects."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from launch_server import auth
from launch_server.errors import NotFoundError
from launch_server.store.rows import insert_row
from launch_server.store.tables import api_keys, entities, members, projects, users

LAUNCH_PROJECT = "model-registry"


@dataclass(frozen=True, slots=True)
class User:
    """A user and the entities that she works in."""

    id: int
    username: str
    email: str
    is_admin: bool
    default_entity: str
    entities: frozenset[str]


def find_entity(connection: Connection, name: str) -> Row[Any] | None:
    """The entity of this name."""
    return connection.execute(select(entities).where(entities.c.name == name)).first()


def list_entities(connection: Connection) -> list[Row[Any]]:
    """All entities by name."""
    return list(connection.execute(select(entities).order_by(entities.c.name)))


def ensure_entity(connection: Connection, name: str, now: float) -> bool:
    """Make the entity, with the project that queues live in, unless it is there. Returns whether it was made."""
    if find_entity(connection, name) is not None:
        return False
    connection.execute(insert(entities).values(name=name, is_team=True, created_at=now))
    connection.execute(insert(projects).values(entity=name, name=LAUNCH_PROJECT, created_at=now))
    return True


def find_user(connection: Connection, username: str) -> User | None:
    """The user of this name."""
    return _user(connection, connection.execute(select(users).where(users.c.username == username)).first())


def read_user(connection: Connection, user_id: int) -> User | None:
    """The user of this id."""
    return _user(connection, connection.execute(select(users).where(users.c.id == user_id)).first())


def first_admin(connection: Connection) -> User:
    """The admin who was made first.

    Raises:
        NotFoundError: the database has none.

    """
    row = connection.execute(select(users).where(users.c.is_admin).order_by(users.c.id).limit(1)).first()
    user = _user(connection, row)
    if user is None:
        raise NotFoundError("the database has no admin", "Start `launch-server serve` on it once.")
    return user


def ensure_user(connection: Connection, username: str, entity: str, *, is_admin: bool, now: float) -> User:
    """The user of this name, made when missing, with the entity among those she works in."""
    user = find_user(connection, username)
    if user is None:
        values = {"username": username, "email": f"{username}@localhost", "default_entity": entity}
        connection.execute(insert(users).values(**values, is_admin=is_admin, created_at=now))
        user = find_user(connection, username)
    if user is None:
        raise NotFoundError(f"user {username!r} could not be made")
    if entity not in user.entities:
        connection.execute(insert(members).values(user_id=user.id, entity=entity))
    return find_user(connection, username) or user


def _user(connection: Connection, row: Row[Any] | None) -> User | None:
    if row is None:
        return None
    names = connection.scalars(select(members.c.entity).where(members.c.user_id == row.id))
    return User(row.id, row.username, row.email, row.is_admin, row.default_entity, frozenset(names))


def find_key(connection: Connection, key_hash: str) -> Row[Any] | None:
    """The key with this hash, revoked or not."""
    return connection.execute(select(api_keys).where(api_keys.c.key_hash == key_hash)).first()


def add_key(connection: Connection, user_id: int, key: str, description: str, now: float) -> int:
    """Keep a key (its hash); returns its number."""
    values = {"user_id": user_id, "key_hash": auth.hash_key(key), "last_four": key[-4:]}
    return insert_row(connection, api_keys, {**values, "description": description, "created_at": now})


def list_keys(connection: Connection, user_id: int | None) -> list[Row[Any]]:
    """The keys in force, of one user or (None) of all."""
    query = select(api_keys, users.c.username).join(users).where(api_keys.c.revoked_at.is_(None))
    if user_id is not None:
        query = query.where(api_keys.c.user_id == user_id)
    return list(connection.execute(query.order_by(api_keys.c.id)))


def revoke_key(connection: Connection, key_id: int, owner: int | None, now: float) -> bool:
    """Revoke a key (of one owner, or None: anybody's). Returns whether it was in force."""
    change = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    if owner is not None:
        change = change.where(api_keys.c.user_id == owner)
    return connection.execute(change.values(revoked_at=now)).rowcount == 1


def authenticate(connection: Connection, key: str) -> User | None:
    """The user whose key this is; None when it is unknown or revoked."""
    presented = auth.hash_key(key)
    row = find_key(connection, presented)
    if row is None or not auth.keys_match(row.key_hash, presented) or row.revoked_at is not None:
        return None
    return read_user(connection, row.user_id)


def find_project(connection: Connection, entity: str, name: str) -> Row[Any] | None:
    """The project of this name in an entity."""
    query = select(projects).where(projects.c.entity == entity, projects.c.name == name)
    return connection.execute(query).first()


def list_projects(connection: Connection, entity: str) -> list[Row[Any]]:
    """The projects of an entity by name."""
    return list(connection.execute(select(projects).where(projects.c.entity == entity).order_by(projects.c.name)))


def ensure_project(connection: Connection, entity: str, name: str, now: float) -> tuple[Row[Any], bool]:
    """The project, made when missing, and whether it was made.

    Raises:
        NotFoundError: the entity does not exist.

    """
    found = find_project(connection, entity, name)
    if found is not None:
        return found, False
    if find_entity(connection, entity) is None:
        raise NotFoundError(f"entity {entity!r} does not exist", f"`launch-server entity create {entity}` makes it.")
    connection.execute(insert(projects).values(entity=entity, name=name, created_at=now))
    return connection.execute(select(projects).where(projects.c.entity == entity, projects.c.name == name)).one(), True
