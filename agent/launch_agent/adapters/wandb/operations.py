"""The operations that the agent uses, as functions. Names, types and selections: protocol 3.3 and 3.4."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from launch_agent.adapters.wandb.operation import Argument, Operation


def viewer() -> Operation:
    """Who owns the key."""
    return Operation("query", "viewer", (), "{ id entity username }")


def entity_is_team(entity: str) -> Operation:
    """Whether the entity is a team."""
    return Operation("query", "entity", (Argument("name", "String!", entity),), "{ id isTeam }")


def project_queues(entity: str, project: str) -> Operation:
    """All queues of a project."""
    return Operation(
        "query", "project", _project(entity, project), "{ runQueues { id name createdBy access } }"
    )  # fmt: skip


def queue(entity: str, project: str, name: str) -> Operation:
    """A queue and the id of its default config; ``runQueue`` is None where there is none."""
    inner = (Argument("queue", "String!", name),)
    selection = "{ runQueue(name: $queue) { id defaultResourceConfigID } }"
    return Operation("query", "project", _project(entity, project), selection, inner=inner)


def default_config(entity: str, config_id: str) -> Operation:
    """A queue's default config: its resource, its arguments, its template variables."""
    inner = (Argument("config", "ID!", config_id),)
    selection = "{ defaultResourceConfig(id: $config) { resource config templateVariables { name schema } } }"
    return Operation("query", "entity", (Argument("name", "String!", entity),), selection, inner=inner)


def create_queue(entity: str, project: str, name: str) -> Operation:
    """Create a queue that the project may see."""
    arguments = (
        Argument("entityName", "String!", entity),
        Argument("projectName", "String!", project),
        Argument("queueName", "String!", name),
        Argument("access", "RunQueueAccessType!", "PROJECT"),
    )
    return Operation("mutation", "createRunQueue", arguments, "{ success queueID }", is_input=True)


def push(
    entity: str,
    project: str,
    queue: str,
    run_spec: str,
    *,
    priority: int | None = None,
    template_values: Mapping[str, Any] | None = None,
) -> Operation:
    """Put an item into a queue. ``run_spec`` is JSON text; what is not given is not declared (protocol 3.4)."""
    arguments: tuple[Argument, ...] = (
        Argument("entityName", "String!", entity),
        Argument("projectName", "String!", project),
        Argument("queueName", "String!", queue),
        Argument("runSpec", "JSONString!", run_spec),
    )
    if priority is not None:
        arguments = (*arguments, Argument("priority", "Int", priority))
    if template_values is not None:
        arguments = (*arguments, Argument("templateVariableValues", "JSONString", json.dumps(template_values)))
    return Operation("mutation", "pushToRunQueueByName", arguments, "{ runQueueItemId runSpec }", is_input=True)


def create_agent(
    entity: str, project: str, queue_ids: Sequence[str], hostname: str, config: str, version: str
) -> Operation:
    """Make this agent known. ``config`` is JSON text."""
    arguments = (
        Argument("entityName", "String!", entity),
        Argument("projectName", "String!", project),
        Argument("runQueues", "[ID!]!", list(queue_ids)),
        Argument("hostname", "String!", hostname),
        Argument("agentConfig", "JSONString", config),
        Argument("version", "String", version),
    )
    return Operation("mutation", "createLaunchAgent", arguments, "{ launchAgentId }", is_input=True)


def agent(agent_id: str) -> Operation:
    """The agent as W&B has it; None once it was deleted."""
    return Operation(
        "query", "launchAgent", (Argument("id", "ID!", agent_id),), "{ id name agentStatus stopPolling heartbeatAt }"
    )


def update_agent(agent_id: str, status: str) -> Operation:
    """Tell the agent's status: POLLING, RUNNING or KILLED."""
    arguments = (Argument("launchAgentId", "ID!", agent_id), Argument("agentStatus", "String", status))
    return Operation("mutation", "updateLaunchAgent", arguments, "{ success }", is_input=True)


def pop(entity: str, project: str, queue: str, agent_id: str) -> Operation:
    """Lease the next item of a queue; None where it is empty."""
    arguments = (
        Argument("entityName", "String!", entity),
        Argument("projectName", "String!", project),
        Argument("queueName", "String!", queue),
        Argument("launchAgentId", "ID", agent_id),
    )
    return Operation("mutation", "popFromRunQueue", arguments, "{ runQueueItemId runSpec }", is_input=True)


def ack(item_id: str, run_id: str) -> Operation:
    """Claim a leased item for a run."""
    arguments = (Argument("runQueueItemId", "ID!", item_id), Argument("runName", "String!", run_id))
    return Operation("mutation", "ackRunQueueItem", arguments, "{ success }", is_input=True)


def fail(item_id: str, message: str, stage: str, file_paths: Sequence[str] | None = None) -> Operation:
    """Fail an item."""
    return Operation(
        "mutation", "failRunQueueItem", _report(item_id, message, stage, file_paths), "{ success }", is_input=True
    )


def warn(item_id: str, message: str, stage: str, file_paths: Sequence[str] | None = None) -> Operation:
    """Put a warning on an item."""
    arguments = _report(item_id, message, stage, file_paths)
    return Operation("mutation", "updateRunQueueItemWarning", arguments, "{ success }", is_input=True)


def run_state(entity: str, project: str, run_id: str) -> Operation:
    """The state of a run."""
    return Operation("query", "project", _project(entity, project), "{ run(name: $run) { state } }", inner=_run(run_id))


def run_stopped(entity: str, project: str, run_id: str) -> Operation:
    """Whether somebody asked a run to stop."""
    return Operation(
        "query", "project", _project(entity, project), "{ run(name: $run) { stopped } }", inner=_run(run_id)
    )


def item(entity: str, project: str, queue: str, item_id: str) -> Operation:
    """An item's state, and the run that it was acked with."""
    selection = "{ runQueue(name: $queue) { runQueueItem(id: $item) { id state associatedRunId } } }"
    inner = (Argument("queue", "String!", queue), Argument("item", "ID!", item_id))
    return Operation("query", "project", _project(entity, project), selection, inner=inner)


def items(entity: str, project: str, queue: str, after: str | None = None) -> Operation:
    """A hundred items of a queue from a cursor on, with their run specs where W&B shows them."""
    inner = (Argument("queue", "String!", queue), Argument("after", "String", after))
    page = "edges { node { id runSpec } } pageInfo { hasNextPage endCursor }"
    selection = f"{{ runQueue(name: $queue) {{ runQueueItems(first: 100, after: $after) {{ {page} }} }} }}"
    return Operation("query", "project", _project(entity, project), selection, inner=inner)


def priority(entity: str, project: str, queue: str, item_id: str) -> Operation:
    """An item's priority, where W&B shows it."""
    selection = "{ runQueue(name: $queue) { runQueueItem(id: $item) { priority } } }"
    inner = (Argument("queue", "String!", queue), Argument("item", "ID!", item_id))
    return Operation("query", "project", _project(entity, project), selection, inner=inner)


def _project(entity: str, project: str) -> tuple[Argument, ...]:
    return (Argument("entityName", "String!", entity), Argument("name", "String!", project))


def _run(run_id: str) -> tuple[Argument, ...]:
    return (Argument("run", "String!", run_id),)


def _report(item_id: str, message: str, stage: str, file_paths: Sequence[str] | None) -> tuple[Argument, ...]:
    arguments = (
        Argument("runQueueItemId", "ID!", item_id),
        Argument("message", "String!", message),
        Argument("stage", "String!", stage),
    )
    return arguments if not file_paths else (*arguments, Argument("filePaths", "[String!]", list(file_paths)))
