"""Resolvers of runs: create and update, look, stop, files."""

import json
from typing import Any

from ariadne import MutationType, ObjectType
from sqlalchemy import Row

from launch_server import files, ids, signing, tracking
from launch_server.api import values
from launch_server.api.accounts import project_type, show_project, show_user
from launch_server.api.context import Context, Info
from launch_server.errors import NotFoundError, RequestError
from launch_server.run_states import LIVE, RunState, parse_state
from launch_server.store import accounts, runs

mutation = MutationType()
run_type = ObjectType("Run")

# The input's names and the columns that they are kept in (UpsertBucket, protocol section 3.5).
_COLUMNS = {
    "displayName": "display_name",
    "description": "description",
    "notes": "notes",
    "config": "config",
    "summaryMetrics": "summary",
    "groupName": "group_name",
    "jobType": "job_type",
    "sweep": "sweep",
    "commit": "commit_hash",
    "host": "host",
    "jobProgram": "program",
    "jobRepo": "repo",
}


def show_run(row: Row[Any]) -> dict[str, Any]:
    """A run on the wire."""
    return {
        "id": ids.encode_run(row.name, row.project, row.entity),
        "row": row,
        "name": row.name,
        "displayName": row.display_name,
        "description": row.description,
        "notes": row.notes,
        "state": row.state,
        "stopped": row.stop_requested,
        "config": row.config,
        "summaryMetrics": row.summary,
        "systemMetrics": "{}",
        "tags": values.load_list(row.tags),
        "group": row.group_name,
        "jobType": row.job_type,
        "commit": row.commit_hash,
        "host": row.host,
        "readOnly": False,
        "sweepName": row.sweep,
        "createdAt": values.iso(row.created_at),
        "updatedAt": values.iso(row.updated_at),
        "heartbeatAt": values.iso(row.heartbeat_at),
        "exitCode": row.exit_code,
    }


@project_type.field("run")
@project_type.field("bucket")
def resolve_run(project: dict[str, Any], info: Info, name: str, **_named: bool | None) -> dict[str, Any] | None:
    """A run of a project; null when it is not there."""
    row = runs.find_run(info.context.connection, project["entityName"], project["name"], name)
    return None if row is None else show_run(row)


@project_type.field("runCount")
def resolve_run_count(project: dict[str, Any], info: Info, **_named: Any) -> int:
    """How many runs a project has."""
    return runs.count_runs(info.context.connection, project["entityName"], project["name"])


@project_type.field("runs")
def resolve_runs(project: dict[str, Any], info: Info, **named: Any) -> dict[str, Any]:
    """Runs of a project, newest first. Filters and orders are not applied yet and are refused."""
    if named.get("filters") not in (None, "", "{}", "null"):
        raise RequestError("filters of runs are not supported by this server")
    size, after = values.page_size(named.get("first"), 50), values.read_cursor(named.get("after"))
    rows = runs.list_runs(info.context.connection, project["entityName"], project["name"], after, size + 1)
    kept = rows[:size]
    return values.connection_of([show_run(row) for row in kept], [str(row.id) for row in kept], more=len(rows) > size)


@run_type.field("project")
def resolve_run_project(run: dict[str, Any], info: Info) -> dict[str, Any] | None:
    """The project of a run."""
    row = info.context.project(run["row"].entity, run["row"].project)
    return None if row is None else show_project(row)


@run_type.field("projectId")
def resolve_project_id(run: dict[str, Any], info: Info) -> str | None:
    """The number of a run's project (the SDK reads it as a whole number)."""
    row = info.context.project(run["row"].entity, run["row"].project)
    return None if row is None else str(row.id)


@run_type.field("user")
def resolve_run_user(run: dict[str, Any], info: Info) -> dict[str, Any] | None:
    """The user who made the run."""
    user = accounts.read_user(info.context.connection, run["row"].user_id)
    return None if user is None else show_user(user)


@mutation.field("upsertBucket")
def upsert_run(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Make a run, or change one that is there. Without a state, a run that is named (not given by storage id) runs."""
    context, given = info.context, arguments["input"]
    changes = _changes(given)
    state = parse_state(given.get("state"))
    if given.get("state") and state is None:
        raise RequestError(f"run state {given['state']!r} is not known", f"Known: {', '.join(RunState)}.")
    found = _named_run(context, given)
    if found is None:
        number = _add_run(context, given, changes, state or RunState.RUNNING)
        return {"bucket": show_run(_reread(context, number)), "inserted": True}
    runs.change_run(context.connection, found.id, changes | {"heartbeat_at": context.now, "updated_at": context.now})
    if state is None and not given.get("id") and found.state != RunState.PREEMPTING:
        state = RunState.RUNNING
    if state is not None:
        tracking.set_state(
            context.connection, found, state, found.exit_code if state not in LIVE else None, context.now
        )
    return {"bucket": show_run(_reread(context, found.id)), "inserted": False}


def _changes(given: dict[str, Any]) -> dict[str, Any]:
    changes = {column: given[name] for name, column in _COLUMNS.items() if given.get(name) is not None}
    for name in ("config", "summaryMetrics"):
        if given.get(name) is not None:
            values.parse_object(given[name], name)
    if given.get("tags") is not None:
        changes["tags"] = json.dumps(given["tags"])
    return changes


def _named_run(context: Context, given: dict[str, Any]) -> Row[Any] | None:
    if given.get("id"):
        return own_run(context, given["id"])
    entity, project, name = _place(context, given)
    return runs.find_run(context.connection, entity, project, name)


def _place(context: Context, given: dict[str, Any]) -> tuple[str, str, str]:
    entity = context.entity(given.get("entityName"))
    project = values.check_name(given.get("modelName") or "uncategorized", "the project's name")
    return entity, project, values.check_name(given.get("name"), "the run id")


def _add_run(context: Context, given: dict[str, Any], changes: dict[str, Any], state: RunState) -> int:
    entity, project, name = _place(context, given)
    accounts.ensure_project(context.connection, entity, project, context.now)
    fresh = {
        "entity": entity,
        "project": project,
        "name": name,
        "user_id": context.user.id,
        "state": RunState.PENDING,
        "stop_requested": False,
        "display_name": name,
        "config": "{}",
        "summary": "{}",
        "created_at": context.now,
        "updated_at": context.now,
        "heartbeat_at": context.now,
    }
    number = runs.add_run(context.connection, fresh | changes)
    tracking.set_state(context.connection, _reread(context, number), state, None, context.now)
    return number


def _reread(context: Context, number: int) -> Row[Any]:
    row = runs.read_run(context.connection, number)
    if row is None:
        raise NotFoundError("the run was deleted meanwhile")
    return row


def own_run(context: Context, storage_id: str) -> Row[Any]:
    """The run of a storage id in an entity of the caller.

    Raises:
        NotFoundError: there is none.

    """
    place = ids.decode_run(storage_id)
    row = None
    if context.may_use(place.entity):
        row = runs.find_run(context.connection, place.entity, place.project, place.run)
    if row is None:
        raise NotFoundError(f"run {place.entity}/{place.project}/{place.run} does not exist")
    return row


@mutation.field("stopRun")
def stop_run(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Ask a run to stop: its stream is answered `stopped`, and agents see it."""
    context = info.context
    row = own_run(context, arguments["input"]["id"])
    runs.change_run(context.connection, row.id, {"stop_requested": True, "updated_at": context.now})
    return {"success": True}


@mutation.field("updateRunState")
def update_run_state(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Set a run `pending` or `failed`, as W&B's SDK may."""
    context, given = info.context, arguments["input"]
    state = parse_state(given["state"])
    if state not in (RunState.PENDING, RunState.FAILED):
        raise RequestError("a run can be set to 'pending' or 'failed' only")
    tracking.set_state(context.connection, own_run(context, given["id"]), state, None, context.now)
    return {"success": True}


@mutation.field("deleteRun")
def delete_run(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Delete a run with what it streamed."""
    context = info.context
    runs.delete_run(context.connection, own_run(context, arguments["input"]["id"]).id)
    return {"success": True}


def _files_of(context: Context, given: dict[str, Any]) -> tuple[Row[Any], list[str]]:
    entity = context.entity(given["entityName"])
    row = runs.find_run(context.connection, entity, given["projectName"], given["runName"])
    if row is None:
        raise NotFoundError(f"run {entity}/{given['projectName']}/{given['runName']} does not exist")
    return row, [files.check_file_name(name) for name in given["files"]]


@mutation.field("createRunFiles")
def create_files(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """Slots to upload files of a run to: signed addresses that need no key."""
    context = info.context
    row, names = _files_of(context, arguments["input"])
    slots = []
    for name in names:
        number = runs.ensure_file(context.connection, row.id, name)
        slots.append(
            {"id": ids.encode(ids.Kind.FILE, number), "name": name, "uploadUrl": link(context, row, name, "PUT")}
        )
    return {"runID": ids.encode_run(row.name, row.project, row.entity), "uploadHeaders": [], "files": slots}


@mutation.field("markRunFilesUploaded")
def mark_files(_: object, info: Info, **arguments: Any) -> dict[str, Any]:
    """The uploads of a run's files are done."""
    context = info.context
    row, names = _files_of(context, arguments["input"])
    runs.change_files(context.connection, row.id, names, {"uploaded_at": context.now})
    return {"success": True}


def link(context: Context, run: Row[Any], name: str, method: str) -> str:
    """A signed address of a run's file for one method."""
    path = files.storage_path(run.entity, run.project, run.name, name)
    expires = int(context.now + context.settings.file_link_seconds)
    return signing.signed_url(context.base_url, context.secrets.signing, method, path, expires)
