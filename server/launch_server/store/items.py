"""Queue items: pushed, popped under a lease, changed as `leases` decides."""

from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, delete, select, update

from launch_server.leases import Item, ItemState
from launch_server.store.rows import insert_row
from launch_server.store.tables import items

# Statements that every launched item needs are built once: building one costs more than running it.
_READ = select(items).where(items.c.id == bindparam("item"))
_NEXT = (
    select(items.c.id)
    .where(items.c.queue_id == bindparam("queue"), items.c.state == ItemState.PENDING)
    .order_by(items.c.rank, items.c.id)
    .limit(1)
    .with_for_update(skip_locked=True)
    .scalar_subquery()
)
_POP = (
    update(items)
    .where(items.c.id == _NEXT)
    .values(
        state=ItemState.LEASED,
        leases=items.c.leases + 1,
        lease_expires=bindparam("expires"),
        agent_id=bindparam("agent"),
        updated_at=bindparam("now"),
    )
    .returning(items.c.id, items.c.spec)
)


def add_item(connection: Connection, values: dict[str, Any]) -> int:
    """Put an item at the end of its queue; returns its number."""
    return insert_row(connection, items, values)


def read_item(connection: Connection, item_id: int) -> Row[Any] | None:
    """The item of this number."""
    return connection.execute(_READ, {"item": item_id}).first()


def view(row: Row[Any]) -> Item:
    """What decisions need to know of an item."""
    return Item(state=ItemState(row.state), leases=row.leases, run_name=row.run_name, error_source=row.error_source)


def change_item(connection: Connection, item_id: int, values: dict[str, Any]) -> None:
    """Change an item."""
    connection.execute(_change_of(tuple(values)), {"item": item_id} | {f"new_{name}": values[name] for name in values})


@lru_cache(maxsize=64)
def _change_of(columns: tuple[str, ...]) -> Update:
    changes: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    return update(items).where(items.c.id == bindparam("item")).values(changes)


def delete_item(connection: Connection, item_id: int) -> None:
    """Delete an item."""
    connection.execute(delete(items).where(items.c.id == item_id))


def release_lapsed(connection: Connection, now: float) -> int:
    """Put items whose lease lapsed back into their queues; returns how many."""
    lapsed = update(items).where(items.c.state == ItemState.LEASED, items.c.lease_expires <= now)
    change = lapsed.values(state=ItemState.PENDING, lease_expires=None, updated_at=now)
    return int(connection.execute(change).rowcount)


def pop_item(
    connection: Connection, queue_id: int, agent_id: int | None, now: float, lease_seconds: float
) -> Row[Any] | None:
    """Lease the next item of a queue; None when it is empty. One statement; other poppers skip a locked row."""
    given = {"queue": queue_id, "agent": agent_id, "now": now, "expires": now + lease_seconds}
    return connection.execute(_POP, given).first()


def list_items(connection: Connection, queue_id: int, after: int, limit: int) -> list[Row[Any]]:
    """Items of a queue with numbers above `after`, oldest first."""
    query = select(items).where(items.c.queue_id == queue_id, items.c.id > after)
    return list(connection.execute(query.order_by(items.c.id).limit(limit)))


def latest_of_run(connection: Connection, entity: str, project: str, run_name: str) -> Row[Any] | None:
    """The item that was claimed last for a run. Agents lower-case the project (protocol section 4)."""
    query = select(items).where(items.c.run_name == run_name, items.c.run_entity == entity)
    matching = query.where(items.c.run_project == project.lower()).order_by(items.c.id.desc()).limit(1)
    return connection.execute(matching).first()


def claimed_before(connection: Connection, item: Row[Any]) -> list[Row[Any]]:
    """Earlier items that are claimed for the same run."""
    query = select(items).where(items.c.run_name == item.run_name, items.c.run_entity == item.run_entity)
    earlier = query.where(items.c.run_project == item.run_project, items.c.id < item.id)
    return list(connection.execute(earlier.where(items.c.state == ItemState.CLAIMED)))


def any_lapsed(connection: Connection, now: float) -> bool:
    """Whether the lease of some item lapsed."""
    query = select(items.c.id).where(items.c.state == ItemState.LEASED, items.c.lease_expires <= now).limit(1)
    return connection.scalar(query) is not None
