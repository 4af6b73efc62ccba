"""Launch agents."""

from typing import Any

from sqlalchemy import Connection, Row, or_, select, update

from launch_server.store.rows import insert_row
from launch_server.store.tables import agents


def add_agent(connection: Connection, values: dict[str, Any]) -> int:
    """Register an agent; returns its number."""
    return insert_row(connection, agents, values)


def read_agent(connection: Connection, agent_id: int) -> Row[Any] | None:
    """The agent of this number."""
    return connection.execute(select(agents).where(agents.c.id == agent_id)).first()


def name_is_taken(connection: Connection, name: str) -> bool:
    """Whether an agent has this name."""
    return connection.scalar(select(agents.c.id).where(agents.c.name == name)) is not None


def list_agents(connection: Connection, entity: str, project: str) -> list[Row[Any]]:
    """The agents of a project, newest first."""
    query = select(agents).where(agents.c.entity == entity, agents.c.project == project)
    return list(connection.execute(query.order_by(agents.c.id.desc())))


def change_agent(connection: Connection, agent_id: int, values: dict[str, Any]) -> None:
    """Change an agent."""
    connection.execute(update(agents).where(agents.c.id == agent_id).values(**values))


def note_heartbeats(connection: Connection, agent_ids: frozenset[int], now: float) -> None:
    """Write down that agents were heard of; moments less than two seconds apart are one."""
    stale = or_(agents.c.heartbeat_at <= now - 2.0, agents.c.heartbeat_at > now)
    change = update(agents).where(agents.c.id.in_(agent_ids), stale)
    connection.execute(change.values(heartbeat_at=now))
