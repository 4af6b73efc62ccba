"""Runs and the files that they stream and upload."""

from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from launch_server.run_states import RunState
from launch_server.store.rows import insert_row
from launch_server.store.tables import files, lines, runs

HISTORY = "wandb-history.jsonl"
EVENTS = "wandb-events.jsonl"
OUTPUT = "output.log"
SUMMARY = "wandb-summary.json"

# Built once: agents ask for the state of all their runs at every turn.
_FIND = select(runs).where(
    runs.c.entity == bindparam("in_entity"),
    runs.c.project == bindparam("in_project"),
    runs.c.name == bindparam("named"),
)


def find_run(connection: Connection, entity: str, project: str, name: str) -> Row[Any] | None:
    """The run of this id in a project."""
    return connection.execute(_FIND, {"in_entity": entity, "in_project": project, "named": name}).first()


def read_run(connection: Connection, number: int) -> Row[Any] | None:
    """The run of this number."""
    return connection.execute(select(runs).where(runs.c.id == number)).first()


def list_runs(connection: Connection, entity: str, project: str, after: int, limit: int) -> list[Row[Any]]:
    """Runs of a project, newest first; `after` is a number to go on below, or 0."""
    query = select(runs).where(runs.c.entity == entity, runs.c.project == project)
    if after:
        query = query.where(runs.c.id < after)
    return list(connection.execute(query.order_by(runs.c.id.desc()).limit(limit)))


def count_runs(connection: Connection, entity: str, project: str) -> int:
    """How many runs a project has."""
    query = select(func.count()).select_from(runs).where(runs.c.entity == entity, runs.c.project == project)
    return connection.scalar(query) or 0


def add_run(connection: Connection, values: dict[str, Any]) -> int:
    """Make a run; returns its number."""
    return insert_row(connection, runs, values)


def change_run(connection: Connection, number: int, values: dict[str, Any]) -> None:
    """Change a run."""
    connection.execute(update(runs).where(runs.c.id == number).values(**values))


def delete_run(connection: Connection, number: int) -> None:
    """Delete a run with its lines and the notes of its files."""
    for table in (lines, files):
        connection.execute(delete(table).where(table.c.run_id == number))
    connection.execute(delete(runs).where(runs.c.id == number))


def silent_runs(connection: Connection, since: float) -> list[Row[Any]]:
    """Running runs that were last heard of before a moment."""
    live = (RunState.RUNNING, RunState.PREEMPTING)
    return list(connection.execute(select(runs).where(runs.c.state.in_(live), runs.c.heartbeat_at < since)))


def write_lines(connection: Connection, number: int, file: str, offset: int, content: list[str]) -> None:
    """Keep lines of a streamed file from `offset` on; the same lines sent again replace themselves."""
    if not content:
        return
    place = (lines.c.run_id == number, lines.c.file == file)
    connection.execute(delete(lines).where(*place, lines.c.number.between(offset, offset + len(content) - 1)))
    rows = [{"run_id": number, "file": file, "number": offset + i, "content": text} for i, text in enumerate(content)]
    connection.execute(insert(lines), rows)


def count_lines(connection: Connection, number: int, file: str) -> int:
    """How many lines a streamed file has, by its highest line."""
    query = select(func.max(lines.c.number)).where(lines.c.run_id == number, lines.c.file == file)
    highest = connection.scalar(query)
    return 0 if highest is None else int(highest) + 1


def read_lines(connection: Connection, number: int, file: str, limit: int | None = None) -> list[tuple[int, str]]:
    """Lines of a streamed file in order with their numbers; with `limit`, the last ones only."""
    query = select(lines.c.number, lines.c.content).where(lines.c.run_id == number, lines.c.file == file)
    if limit is None:
        return [(row.number, row.content) for row in connection.execute(query.order_by(lines.c.number))]
    tail = connection.execute(query.order_by(lines.c.number.desc()).limit(limit))
    return [(row.number, row.content) for row in tail][::-1]


def ensure_file(connection: Connection, number: int, name: str) -> int:
    """The number of a run's file, noted when it is new."""
    found = connection.scalar(select(files.c.id).where(files.c.run_id == number, files.c.name == name))
    if found is not None:
        return int(found)
    return insert_row(connection, files, {"run_id": number, "name": name})


def change_files(connection: Connection, number: int, names: list[str], values: dict[str, Any]) -> None:
    """Change the notes of a run's files."""
    connection.execute(update(files).where(files.c.run_id == number, files.c.name.in_(names)).values(**values))


def list_files(connection: Connection, number: int) -> list[Row[Any]]:
    """A run's files by name."""
    return list(connection.execute(select(files).where(files.c.run_id == number).order_by(files.c.name)))
