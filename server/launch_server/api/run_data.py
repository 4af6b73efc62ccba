"""Resolvers of what a run streamed and uploaded: history, events, log, files."""

import json
import mimetypes
from typing import Any

from launch_server import ids
from launch_server.api import values
from launch_server.api.context import Info
from launch_server.api.runs import link, run_type
from launch_server.errors import RequestError
from launch_server.store import runs

_TAIL = 20


@run_type.field("historyLineCount")
def resolve_history_count(run: dict[str, Any], info: Info) -> int:
    """How many steps the run logged."""
    return runs.count_lines(info.context.connection, run["row"].id, runs.HISTORY)


@run_type.field("eventsLineCount")
def resolve_events_count(run: dict[str, Any], info: Info) -> int:
    """How many system measurements the run sent."""
    return runs.count_lines(info.context.connection, run["row"].id, runs.EVENTS)


@run_type.field("logLineCount")
def resolve_log_count(run: dict[str, Any], info: Info) -> int:
    """How many lines the run printed."""
    return runs.count_lines(info.context.connection, run["row"].id, runs.OUTPUT)


@run_type.field("historyTail")
def resolve_history_tail(run: dict[str, Any], info: Info) -> str:
    """The last steps, as JSON text of a list of JSON texts."""
    return _tail(run, info, runs.HISTORY)


@run_type.field("eventsTail")
def resolve_events_tail(run: dict[str, Any], info: Info) -> str:
    """The last system measurements, likewise."""
    return _tail(run, info, runs.EVENTS)


def _tail(run: dict[str, Any], info: Info, file: str) -> str:
    kept = runs.read_lines(info.context.connection, run["row"].id, file, _TAIL)
    return json.dumps([content for _, content in kept])


@run_type.field("history")
def resolve_history(run: dict[str, Any], info: Info, **named: int | None) -> list[str]:
    """Steps from `minStep` up to before `maxStep`, each as JSON text; the last `samples` of them."""
    kept = _steps(run, info)
    low, high = named.get("minStep") or 0, named.get("maxStep")
    chosen = [text for step, text, _ in kept if step >= low and (high is None or step < high)]
    return chosen[-values.page_size(named.get("samples"), 500) :]


def _steps(run: dict[str, Any], info: Info) -> list[tuple[int, str, dict[str, Any]]]:
    steps = []
    for number, text in runs.read_lines(info.context.connection, run["row"].id, runs.HISTORY):
        try:
            logged = json.loads(text)
        except ValueError:
            continue
        if isinstance(logged, dict):
            step = logged.get("_step")
            steps.append((step if isinstance(step, int) else number, text, logged))
    return steps


@run_type.field("sampledHistory")
def resolve_sampled_history(run: dict[str, Any], info: Info, specs: list[str]) -> list[Any]:
    """For each spec (`{"keys": […], "samples": n}`) the steps that have all its keys."""
    kept = _steps(run, info)
    return [_sample(values.parse_object(spec, "a spec of sampledHistory"), kept) for spec in specs]


def _sample(spec: dict[str, Any], kept: list[tuple[int, str, dict[str, Any]]]) -> list[dict[str, Any]]:
    keys, samples = spec.get("keys") or [], spec.get("samples") or 500
    if not isinstance(keys, list) or not isinstance(samples, int) or samples < 1:
        raise RequestError("a spec of sampledHistory has `keys`, a list, and `samples`, a number from 1 on")
    rows = [
        {key: logged[key] for key in keys} if keys else logged
        for _, _, logged in kept
        if all(k in logged for k in keys)
    ]
    every = -(-len(rows) // samples) if rows else 1
    return rows[::every]


@run_type.field("historyKeys")
def resolve_history_keys(run: dict[str, Any], info: Info) -> dict[str, Any]:
    """The names of the logged metrics and the last step."""
    tail = runs.read_lines(info.context.connection, run["row"].id, runs.HISTORY, 1)
    summary = json.loads(run["row"].summary)
    keys = {key: {"typeCounts": [{"type": "number"}]} for key in summary if not key.startswith("_")}
    return {"lastStep": tail[-1][0] if tail else -1, "sets": [], "keys": keys}


@run_type.field("wandbConfig")
def resolve_wandb_config(run: dict[str, Any], _info: Info, keys: list[str] | None = None) -> str:
    """The SDK's own part of the run's config."""
    own = json.loads(run["row"].config).get("_wandb") or {}
    inner = own.get("value", {}) if isinstance(own, dict) else {}
    return json.dumps({key: value for key, value in inner.items() if keys is None or key in keys})


@run_type.field("logLines")
def resolve_log_lines(run: dict[str, Any], info: Info, **named: Any) -> dict[str, Any]:
    """Lines that the run printed: the `last` ones, else the first."""
    connection, number = info.context.connection, run["row"].id
    if named.get("last") is not None:
        kept = runs.read_lines(connection, number, runs.OUTPUT, values.page_size(named["last"]))
    else:
        after = values.read_cursor(named.get("after"))
        size = values.page_size(named.get("first"))
        kept = [line for line in runs.read_lines(connection, number, runs.OUTPUT) if line[0] >= after][:size]
    nodes = [{"number": place, "line": text, "level": "info"} for place, text in kept]
    return values.connection_of(nodes, [str(place + 1) for place, _ in kept], more=False)


@run_type.field("fileCount")
def resolve_file_count(run: dict[str, Any], info: Info) -> int:
    """How many files the run has."""
    return len(runs.list_files(info.context.connection, run["row"].id))


@run_type.field("files")
def resolve_files(run: dict[str, Any], info: Info, **named: Any) -> dict[str, Any]:
    """The run's uploaded files; `names` chooses some."""
    context, wanted = info.context, named.get("names") or []
    rows = [row for row in runs.list_files(context.connection, run["row"].id) if not wanted or row.name in wanted]
    shown = [
        {
            "id": ids.encode(ids.Kind.FILE, row.id),
            "name": row.name,
            "url": link(context, run["row"], row.name, "GET"),
            "directUrl": link(context, run["row"], row.name, "GET"),
            "sizeBytes": row.size or 0,
            "mimetype": mimetypes.guess_type(row.name)[0],
            "updatedAt": values.iso(row.uploaded_at),
        }
        for row in rows
    ]
    return values.connection_of(shown, [str(row.id) for row in rows], more=False)
