"""Queues and their default resource configs."""

from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, select, update

from launch_server.store.rows import insert_row
from launch_server.store.tables import items, queues, resource_configs

MODE_FIFO = "DISABLED"
MODE_PRIORITY = "V0"
# What W&B's client calls medium: the priority of an item that was pushed without one.
DEFAULT_PRIORITY = 2


def find_queue(connection: Connection, entity: str, project: str, name: str) -> Row[Any] | None:
    """The queue of this name."""
    query = select(queues).where(queues.c.entity == entity, queues.c.project == project, queues.c.name == name)
    return connection.execute(query).first()


def read_queue(connection: Connection, queue_id: int) -> Row[Any] | None:
    """The queue of this id."""
    return connection.execute(select(queues).where(queues.c.id == queue_id)).first()


def list_queues(connection: Connection, entity: str, project: str) -> list[Row[Any]]:
    """The queues of a project, oldest first."""
    query = select(queues).where(queues.c.entity == entity, queues.c.project == project)
    return list(connection.execute(query.order_by(queues.c.id)))


def add_queue(connection: Connection, values: dict[str, Any]) -> int:
    """Make a queue; returns its number."""
    return insert_row(connection, queues, values)


def change_queue(connection: Connection, queue_id: int, values: dict[str, Any]) -> None:
    """Change a queue; a new mode puts the waiting items into its order."""
    connection.execute(update(queues).where(queues.c.id == queue_id).values(**values))
    if "prioritization" in values:
        by_priority = case((items.c.priority.is_(None), DEFAULT_PRIORITY), else_=items.c.priority)
        rank = by_priority if values["prioritization"] == MODE_PRIORITY else 0
        connection.execute(update(items).where(items.c.queue_id == queue_id).values(rank=rank))


def delete_queue(connection: Connection, queue_id: int) -> None:
    """Delete a queue with its items."""
    connection.execute(delete(items).where(items.c.queue_id == queue_id))
    connection.execute(delete(queues).where(queues.c.id == queue_id))


def count_items(connection: Connection, queue_id: int) -> dict[str, int]:
    """How many items of a queue are in each state."""
    query = select(items.c.state, func.count()).where(items.c.queue_id == queue_id).group_by(items.c.state)
    return {row.state: int(row[1]) for row in connection.execute(query)}


def add_config(connection: Connection, values: dict[str, Any]) -> int:
    """Keep a default resource config; returns its number."""
    return insert_row(connection, resource_configs, values)


def read_config(connection: Connection, config_id: int) -> Row[Any] | None:
    """The default resource config of this number."""
    return connection.execute(select(resource_configs).where(resource_configs.c.id == config_id)).first()


def rank_of(prioritization: str, priority: int | None) -> int:
    """What an item of this priority is ordered by in a queue of this mode."""
    if prioritization != MODE_PRIORITY:
        return 0
    return DEFAULT_PRIORITY if priority is None else priority
