"""Runs as they go on: streams, ends, silence; and the queue items that follow them."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row

from launch_server import leases
from launch_server.errors import RequestError
from launch_server.run_states import RunState, end_state
from launch_server.store import items, runs

Json = Any


def set_state(connection: Connection, run: Row[Any], state: RunState, exit_code: int | None, now: float) -> None:
    """Give a run a state; the item that was claimed for it last follows.

    An earlier one, whose workload was preempted, is claimed until the run ends: then it ends as well.
    """
    if state.value != run.state or exit_code != run.exit_code:
        changes = {"state": state, "exit_code": exit_code, "updated_at": now}
        runs.change_run(connection, run.id, changes)
    item = items.latest_of_run(connection, run.entity, run.project, run.name)
    if item is None:
        return
    for one in (item, *items.claimed_before(connection, item)):
        decision = leases.follow_run(items.view(one), state, exit_code, now)
        if decision.accepted:
            items.change_item(connection, one.id, decision.changes)


def take_stream(connection: Connection, run: Row[Any], body: Mapping[str, Json], now: float) -> dict[str, Json]:
    """Keep what a run streams (protocol section 3.5) and answer it.

    Raises:
        RequestError: the body is not of the protocol's shape; nothing was kept.

    """
    chunks = [_chunk(name, chunk) for name, chunk in _object(body.get("files"), "files").items()]
    exit_code = body.get("exitcode")
    if exit_code is not None and (isinstance(exit_code, bool) or not isinstance(exit_code, int)):
        raise RequestError("exitcode must be a whole number")
    if exit_code is not None and not -(2**31) <= exit_code < 2**31:
        raise RequestError("exitcode must be a whole number of 32 bits")
    uploaded = body.get("uploaded") or []
    if not isinstance(uploaded, list) or not all(isinstance(name, str) for name in uploaded):
        raise RequestError("uploaded must be a list of file names")
    for name, offset, content in chunks:
        _keep(connection, run, name, offset, content)
    if uploaded:
        runs.change_files(connection, run.id, uploaded, {"uploaded_at": now})
    runs.change_run(connection, run.id, {"heartbeat_at": now})
    _move(connection, run, body, exit_code, now)
    return {"exitcode": None, "limits": {}} | ({"stopped": True} if run.stop_requested else {})


def _move(connection: Connection, run: Row[Any], body: Mapping[str, Json], exit_code: int | None, now: float) -> None:
    state = RunState(run.state)
    if body.get("complete"):
        ended = end_state(
            exit_code or 0,
            stop_requested=run.stop_requested,
            preempting=bool(body.get("preempting")) or state is RunState.PREEMPTING,
        )
        set_state(connection, run, ended, exit_code or 0, now)
    elif body.get("preempting"):
        set_state(connection, run, RunState.PREEMPTING, None, now)
    elif state not in (RunState.RUNNING, RunState.PREEMPTING):
        set_state(connection, run, RunState.RUNNING, None, now)


def _object(value: Json, what: str) -> dict[str, Json]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestError(f"{what} must be an object")
    return value


def _chunk(name: str, chunk: Json) -> tuple[str, int, list[str]]:
    offset, content = (chunk.get("offset", 0), chunk.get("content", [])) if isinstance(chunk, dict) else (None, None)
    if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset < 2**31:
        raise RequestError(f"files.{name[:80]}.offset must be a whole number from 0 on")
    if not isinstance(content, list) or not all(isinstance(line, str) for line in content):
        raise RequestError(f"files.{name[:80]}.content must be a list of lines")
    if len(name) > 128:
        raise RequestError(f"the name of streamed file {name[:80]!r} is longer than 128 characters")
    return name, offset, content


def _keep(connection: Connection, run: Row[Any], name: str, offset: int, content: list[str]) -> None:
    if name != runs.SUMMARY:
        runs.write_lines(connection, run.id, name, offset, content)
    elif content:
        try:
            json.loads(content[-1])
        except (ValueError, RecursionError):
            raise RequestError(f"the last line of {runs.SUMMARY} is not valid JSON") from None
        runs.change_run(connection, run.id, {"summary": content[-1]})


def sweep(connection: Connection, now: float, run_timeout: float) -> int:
    """What time alone changes: lapsed leases go back, silent runs have crashed. Returns how many changed."""
    changed = items.release_lapsed(connection, now)
    for run in runs.silent_runs(connection, now - run_timeout):
        set_state(connection, run, RunState.CRASHED, None, now)
        changed += 1
    return changed


def is_due(connection: Connection, now: float, run_timeout: float) -> bool:
    """Whether a sweep would change something (a read)."""
    return items.any_lapsed(connection, now) or bool(runs.silent_runs(connection, now - run_timeout))
