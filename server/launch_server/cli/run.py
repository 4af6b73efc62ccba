"""`launch-server run metrics|stop`."""

import argparse
import json
import time
from typing import Any

from launch_server.cli.client import Client, choose_entity, connect
from launch_server.cli.output import cell, show, table
from launch_server.errors import UsageError

_RUN = """
query Run($entity: String!, $project: String!, $run: String!, $from: Int64) {
  project(entityName: $entity, name: $project) {
    run(name: $run) { id name displayName state exitCode summaryMetrics history(minStep: $from, samples: 1000) }
  }
}
"""
_STOP = "mutation StopRun($id: ID!) { stopRun(input: {id: $id}) { success } }"
_ENDED = ("finished", "failed", "crashed", "killed", "preempted")
_EVERY = 0.5
EXIT_FAILED = 1


def metrics(options: argparse.Namespace) -> int:
    """What a run logged: its summary and history; with `--follow`, as it comes, until the run ends."""
    client = connect(options)
    place = _place(client, options)
    if options.follow:
        return _follow(client, options, place)
    run = _required(client, place, 0)
    history = steps_of(run)
    summary = {key: value for key, value in json.loads(run["summaryMetrics"]).items() if not key.startswith("_")}
    value = {"run": run["name"], "state": run["state"], "exitCode": run["exitCode"]}
    value |= {"summary": summary, "history": history}
    columns = _columns(history)
    text = f"run {place['project']}/{run['name']} is {run['state']}\n\n{table(history[-options.last :], columns)}"
    if summary:
        text += "\n\nlatest: " + ", ".join(f"{key} = {cell(summary[key])}" for key in sorted(summary))
    show(options, value, text)
    return 0


def _follow(client: Client, options: argparse.Namespace, place: dict[str, str]) -> int:
    deadline = time.monotonic() + options.timeout if options.timeout else None
    seen, step = False, 0
    while True:
        run = _find(client, place, step)
        if run is not None:
            for row in steps_of(run):
                step = int(row.get("_step", step)) + 1
                _tell(options, row)
            if run["state"] in _ENDED and seen:
                if options.output != "json":
                    print(f"run {place['project']}/{run['name']} {run['state']}", flush=True)
                return 0 if run["state"] == "finished" else EXIT_FAILED
            # one more look after the end is seen, so that its last lines are shown
            seen = run["state"] in _ENDED
        if deadline is not None and time.monotonic() > deadline:
            raise UsageError(f"run {place['project']}/{place['run']} did not end within {options.timeout:g} s")
        time.sleep(_EVERY)


def _tell(options: argparse.Namespace, row: dict[str, Any]) -> None:
    if options.output == "json":
        print(json.dumps(row, ensure_ascii=False), flush=True)
        return
    logged = "  ".join(f"{key} {cell(value)}" for key, value in row.items() if not key.startswith("_"))
    print(f"step {row.get('_step', '-'):>4}  {logged}", flush=True)


def stop(options: argparse.Namespace) -> int:
    """Ask a run to stop."""
    client = connect(options)
    run = _required(client, _place(client, options), 0)
    client.execute(_STOP, {"id": run["id"]})
    show(options, {"stopping": run["name"]}, f"run {run['name']} is asked to stop")
    return 0


def steps_of(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of a run's history."""
    return [json.loads(text) for text in run["history"] or []]


def _columns(history: list[dict[str, Any]]) -> list[str]:
    names: dict[str, None] = {"_step": None}
    for row in history:
        names |= dict.fromkeys(key for key in row if not key.startswith("_"))
    return list(names)


def _place(client: Client, options: argparse.Namespace) -> dict[str, str]:
    """Where a run given as RUN, PROJECT/RUN or ENTITY/PROJECT/RUN is."""
    parts = options.name.split("/")
    project = parts[-2] if len(parts) > 1 else options.run_project
    if not project or len(parts) > 3 or not all(parts):
        raise UsageError(f"{options.name!r} does not say which project the run is in", "Write PROJECT/RUN.")
    entity = parts[0] if len(parts) == 3 else choose_entity(client, options)
    return {"entity": entity, "project": project, "run": parts[-1]}


def _find(client: Client, place: dict[str, str], start: int) -> dict[str, Any] | None:
    project = client.execute(_RUN, place | {"from": start})["project"]
    return project["run"] if project else None


def _required(client: Client, place: dict[str, str], start: int) -> dict[str, Any]:
    run = _find(client, place, start)
    if run is None:
        raise UsageError(f"run {place['entity']}/{place['project']}/{place['run']} does not exist")
    return run
