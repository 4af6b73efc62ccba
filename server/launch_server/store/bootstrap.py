"""The first start: tables, the secrets of this database, one admin with an entity and a key."""

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from launch_server import auth
from launch_server.store import accounts
from launch_server.store.adapter import Database
from launch_server.store.tables import meta, metadata, users

# What is in `meta`.
SIGNING_NAME = "signing"
ITEM_OFFSET = "item_offset"


@dataclass(frozen=True, slots=True)
class Admin:
    """What the first start makes. `key`: taken as given, or made when None."""

    username: str = "admin"
    entity: str = "local"
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Secrets:
    """What this database keeps for itself.

    `item_offset` is random, so that the ids of items (and the names of Kubernetes objects made from them) never
    repeat those of an earlier database.
    """

    signing: str
    item_offset: int


def prepare(database: Database, admin: Admin, now: float) -> str | None:
    """Make the tables and, on the first start, the admin. Returns the admin's key if it was made just now."""
    with database.write() as connection:
        metadata.create_all(connection)
        for key, value in ((SIGNING_NAME, secrets.token_hex(32)), (ITEM_OFFSET, str(_random_offset()))):
            if read_meta(connection, key) is None:
                connection.execute(insert(meta).values(key=key, value=value))
        return _prepare_admin(connection, admin, now)


def _prepare_admin(connection: Connection, admin: Admin, now: float) -> str | None:
    first_start = connection.scalar(select(func.count()).select_from(users)) == 0
    if first_start:
        accounts.ensure_entity(connection, admin.entity, now)
        accounts.ensure_user(connection, admin.username, admin.entity, is_admin=True, now=now)
    elif admin.key is None:
        return None
    if admin.key is not None and accounts.find_key(connection, auth.hash_key(admin.key)) is not None:
        return None
    key = admin.key or auth.make_key()
    owner = accounts.find_user(connection, admin.username) or accounts.first_admin(connection)
    accounts.add_key(connection, owner.id, key, "made at the first start" if first_start else "given at start", now)
    return key if admin.key is None else None


def read_secrets(connection: Connection) -> Secrets:
    """The secrets of this database."""
    return Secrets(
        signing=read_meta(connection, SIGNING_NAME) or "",
        item_offset=int(read_meta(connection, ITEM_OFFSET) or "0"),
    )


def read_meta(connection: Connection, key: str) -> str | None:
    """A value that the database keeps about itself."""
    value = connection.scalar(select(meta.c.value).where(meta.c.key == key))
    return None if value is None else str(value)


def _random_offset() -> int:
    return 10**9 + secrets.randbelow(10**12)
