"""`launch-server push FILE`."""

import argparse
import json
import time
from typing import Any

from launch_server.cli.client import Client, choose_entity, connect
from launch_server.cli.output import read_object, show
from launch_server.errors import UsageError

_PUSH = """
mutation pushToRunQueueByName($input: PushToRunQueueByNameInput!) {
  pushToRunQueueByName(input: $input) { runQueueItemId runSpec }
}
"""
ITEM = """
query GetRunQueueItem($projectName: String!, $entityName: String!, $runQueue: String!, $itemId: ID!) {
  project(name: $projectName, entityName: $entityName) {
    runQueue(name: $runQueue) {
      runQueueItem(id: $itemId) { id state associatedRunId error { message stage } warnings { message stage } }
    }
  }
}
"""
PRIORITIES = {"critical": 0, "high": 1, "medium": 2, "low": 3}
EXIT_FAILED = 1
EXIT_TIMEOUT = 3
_EVERY = 0.5


def push(options: argparse.Namespace) -> int:
    """Put a run spec into a queue; with `--follow`, wait for its end."""
    client = connect(options)
    spec = read_object(options.file, "run spec")
    entity = options.entity or spec.get("queue_entity") or spec.get("entity") or choose_entity(client, options)
    spec.setdefault("entity", entity)
    check_spec(spec, options.file)
    given: dict[str, Any] = {
        "entityName": entity,
        "projectName": options.project,
        "queueName": options.queue,
        "runSpec": json.dumps(spec),
    }
    if options.priority is not None:
        given["priority"] = parse_priority(options.priority)
    if options.set_var:
        given["templateVariableValues"] = json.dumps(dict(parse_variable(text) for text in options.set_var))
    pushed = client.execute(_PUSH, {"input": given})["pushToRunQueueByName"]
    item = {"runQueueItemId": pushed["runQueueItemId"], "queue": options.queue, "entity": entity}
    if not options.follow:
        show(
            options,
            item | {"runSpec": json.loads(pushed["runSpec"])},
            f"pushed {item['runQueueItemId']} to {options.queue}",
        )
        return 0
    if options.output != "json":
        print(f"pushed {item['runQueueItemId']} to {options.queue}", flush=True)
    return _follow(client, options, item, str(spec["project"]))


def check_spec(spec: dict[str, Any], source: str) -> None:
    """Refuse a run spec that no agent could start (protocol section 4).

    Raises:
        UsageError: it names no project, or not exactly one thing to run.

    """
    if not isinstance(spec.get("project"), str) or not spec["project"]:
        raise UsageError(f"run spec {source}: `project` is missing", "Name the project that the run goes to.")
    docker = spec.get("docker") if isinstance(spec.get("docker"), dict) else {}
    overrides = spec.get("overrides") if isinstance(spec.get("overrides"), dict) else {}
    image = (docker or {}).get("docker_image") or spec.get("image_uri")
    if spec.get("job") and image:
        raise UsageError(f"run spec {source}: both `job` and `docker.docker_image` are set", "Leave one out.")
    if not spec.get("job") and not image and not (overrides or {}).get("entry_point") and not spec.get("uri"):
        raise UsageError(
            f"run spec {source}: there is nothing to run",
            "Set `job`, or `docker.docker_image`, or (resource local-process) `overrides.entry_point`.",
        )


def parse_priority(text: str) -> int:
    """The number of a priority: its word or a whole number from 0 on.

    Raises:
        UsageError: it is neither.

    """
    if text in PRIORITIES:
        return PRIORITIES[text]
    if text.isascii() and text.isdigit() and len(text) < 9:
        return int(text)
    raise UsageError(f"--priority {text!r} is not known", f"Known: {', '.join(PRIORITIES)}, or a number from 0 on.")


def parse_variable(text: str) -> tuple[str, Any]:
    """Name and value of `NAME=VALUE`; numbers become numbers.

    Raises:
        UsageError: it has no `=`.

    """
    name, separator, value = text.partition("=")
    if not separator or not name:
        raise UsageError(f"--set-var {text!r} is not NAME=VALUE")
    for number in (int, float):
        try:
            return name, number(value)
        except ValueError:
            continue
    return name, value


def _follow(client: Client, options: argparse.Namespace, item: dict[str, Any], project: str) -> int:
    place = {"projectName": options.project, "entityName": item["entity"], "runQueue": item["queue"]}
    deadline = time.monotonic() + options.timeout if options.timeout else None
    last: tuple[Any, ...] = ()
    while True:
        queue = client.execute(ITEM, place | {"itemId": item["runQueueItemId"]})["project"]["runQueue"]
        found = queue["runQueueItem"] if queue else None
        if found is None:
            raise UsageError(f"item {item['runQueueItemId']} was deleted from queue {item['queue']}")
        now = (found["state"], found["associatedRunId"], len(found["warnings"]))
        if now != last:
            _tell(options, found, project, new_warnings=found["warnings"][last[2] if last else 0 :])
            last = now
        if found["state"] in ("FINISHED", "FAILED"):
            return 0 if found["state"] == "FINISHED" else EXIT_FAILED
        if deadline is not None and time.monotonic() > deadline:
            print(f"still {found['state']} after {options.timeout:g} s; the item stays in the queue", flush=True)
            return EXIT_TIMEOUT
        time.sleep(_EVERY)


def _tell(options: argparse.Namespace, found: dict[str, Any], project: str, new_warnings: list[dict[str, Any]]) -> None:
    if options.output == "json":
        print(json.dumps(found, ensure_ascii=False), flush=True)
        return
    run = f"  run {project.lower()}/{found['associatedRunId']}" if found["associatedRunId"] else ""
    print(f"{time.strftime('%H:%M:%S')}  {found['state']}{run}", flush=True)
    for warning in new_warnings:
        print(f"          warning ({warning['stage']}): {warning['message']}", flush=True)
    if found["error"]:
        print(f"          {found['error']['stage']}: {found['error']['message']}", flush=True)
