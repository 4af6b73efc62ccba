"""A GraphQL client of the queue server that shares no code with the agent, the server or W&B."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import httpx

from tests.support.waiting import wait_until

Json = dict[str, Any]
PROJECT = "model-registry"
"""Queues live in this project (protocol section 1)."""

ENDED = frozenset({"FINISHED", "FAILED"})

_CREATE_CONFIG = """mutation($entity: String!, $resource: String!, $config: JSONString!) {
  createDefaultResourceConfig(input: {entityName: $entity, resource: $resource, config: $config}) {
    defaultResourceConfigID success } }"""
_CREATE_QUEUE = """mutation($entity: String!, $project: String!, $queue: String!, $config: ID) {
  createRunQueue(input: {entityName: $entity, projectName: $project, queueName: $queue, access: PROJECT,
    defaultResourceConfigID: $config}) { success queueID } }"""
_CHANGE_QUEUE = """mutation($entity: String!, $project: String!, $queue: String!, $resource: String!,
    $config: JSONString!) {
  upsertRunQueue(input: {entityName: $entity, projectName: $project, queueName: $queue, resourceType: $resource,
    resourceConfig: $config}) { success configSchemaValidationErrors } }"""
_PUSH = """mutation($entity: String!, $project: String!, $queue: String!, $spec: JSONString!) {
  pushToRunQueueByName(input: {entityName: $entity, projectName: $project, queueName: $queue, runSpec: $spec}) {
    runQueueItemId } }"""
_ITEM = """query($entity: String!, $project: String!, $queue: String!, $item: ID!) {
  project(entityName: $entity, name: $project) { runQueue(name: $queue) { runQueueItem(id: $item) {
    id state associatedRunId error { message stage } warnings { message stage } } } } }"""
_ITEMS = """query($entity: String!, $project: String!, $queue: String!) {
  project(entityName: $entity, name: $project) { runQueue(name: $queue) { runQueueItems(first: 500) { edges { node {
    id state associatedRunId error { message stage } } } } } } }"""
_RUN = """query($entity: String!, $project: String!, $run: String!) {
  project(entityName: $entity, name: $project) { run(name: $run) {
    id name state exitCode stopped config summaryMetrics historyLineCount history(minStep: 0, maxStep: 100) } } }"""
_UPSERT = """mutation($entity: String!, $project: String!, $run: String!) {
  upsertBucket(input: {entityName: $entity, modelName: $project, name: $run}) { bucket { id name } inserted } }"""
_STOP_RUN = "mutation($id: ID!) { stopRun(input: {id: $id}) { success } }"
_AGENTS = """query($entity: String!, $project: String!) { project(entityName: $entity, name: $project) {
  launchAgents { id name agentStatus stopPolling runQueues hostname version agentConfig } } }"""
_STOP_AGENT = """mutation($id: ID!) {
  updateLaunchAgent(input: {launchAgentId: $id, stopPolling: true}) { success } }"""


class Backend:
    """W&B's API as a tester needs it: queues, items, runs, agents of one entity."""

    def __init__(self, url: str, key: str, entity: str) -> None:
        self.url = url
        self.key = key
        self.entity = entity
        token = b64encode(f"api:{key}".encode()).decode()
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Basic {token}"}, timeout=30.0, trust_env=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def execute(self, document: str, **variables: Any) -> Json:
        """The data of one GraphQL document; an error of the server's fails the test."""
        answer = self._http.post("/graphql", json={"query": document, "variables": variables})
        body: Json = answer.json()
        assert answer.status_code == 200, body
        assert not body.get("errors"), body
        data: Json = body["data"]
        return data

    def metrics(self) -> str:
        """The server's own figures."""
        return self._http.get("/metrics").text

    # ── queues and items ──

    def create_queue(self, queue: str, resource: str | None = "kubernetes", arguments: Json | None = None) -> None:
        """A queue with a default config of ``resource_args.<resource>``; without a resource, one without a config."""
        config_id = None
        if resource is not None:
            text = json.dumps({"resource_args": {resource: arguments or {}}})
            config = self.execute(_CREATE_CONFIG, entity=self.entity, resource=resource, config=text)
            config_id = config["createDefaultResourceConfig"]["defaultResourceConfigID"]
        made = self.execute(_CREATE_QUEUE, entity=self.entity, project=PROJECT, queue=queue, config=config_id)
        assert made["createRunQueue"]["success"], made

    def change_queue(self, queue: str, arguments: Json) -> None:
        """Give a queue for Kubernetes another config."""
        text = json.dumps({"resource_args": {"kubernetes": arguments}})
        done = self.execute(
            _CHANGE_QUEUE, entity=self.entity, project=PROJECT, queue=queue, resource="kubernetes", config=text
        )
        assert done["upsertRunQueue"]["success"], done

    def push(self, queue: str, spec: Json) -> str:
        """Put a run spec into the queue; the item's id."""
        pushed = self.execute(_PUSH, entity=self.entity, project=PROJECT, queue=queue, spec=json.dumps(spec))
        item_id: str = pushed["pushToRunQueueByName"]["runQueueItemId"]
        return item_id

    def item(self, queue: str, item_id: str) -> Json:
        """The item: id, state, associatedRunId, error {message, stage}, warnings."""
        data = self.execute(_ITEM, entity=self.entity, project=PROJECT, queue=queue, item=item_id)
        item: Json = data["project"]["runQueue"]["runQueueItem"]
        return item

    def items(self, queue: str) -> list[Json]:
        """All items of the queue, oldest first."""
        data = self.execute(_ITEMS, entity=self.entity, project=PROJECT, queue=queue)
        return [edge["node"] for edge in data["project"]["runQueue"]["runQueueItems"]["edges"]]

    def wait_for_state(self, queue: str, item_id: str, state: str, timeout: float) -> Json:
        """Wait until the item is in ``state``; another end fails the test at once."""
        seen = wait_until(
            lambda: self.item(queue, item_id),
            timeout,
            f"item {item_id} to be {state}",
            until=lambda item: item["state"] in ENDED | {state},
        )
        assert seen["state"] == state, seen
        return seen

    # ── runs: what the SDK in a pod would do ──

    def run(self, project: str, run_id: str) -> Json | None:
        """The run, None where there is none."""
        data = self.execute(_RUN, entity=self.entity, project=project, run=run_id)
        found: Json | None = (data.get("project") or {}).get("run")
        return found

    def start_run(self, project: str, run_id: str) -> str:
        """Begin the run, as `wandb.init` does; its storage id."""
        made = self.execute(_UPSERT, entity=self.entity, project=project, run=run_id)
        storage_id: str = made["upsertBucket"]["bucket"]["id"]
        return storage_id

    def end_run(self, project: str, run_id: str, exit_code: int = 0) -> None:
        """End the run, as the SDK's last message to the file stream does (protocol 3.5)."""
        path = f"/files/{self.entity}/{project}/{run_id}/file_stream"
        answer = self._http.post(path, json={"complete": True, "exitcode": exit_code})
        assert answer.status_code == 200, answer.text

    def stop_run(self, storage_id: str) -> None:
        """Ask for the run's end, as the UI's stop button does."""
        assert self.execute(_STOP_RUN, id=storage_id)["stopRun"]["success"]

    # ── agents ──

    def agents(self) -> list[Json]:
        """All agents that ever registered, newest first."""
        found = self.execute(_AGENTS, entity=self.entity, project=PROJECT)
        agents: list[Json] = found["project"]["launchAgents"]
        return agents

    def stop_agent(self, agent_id: str) -> None:
        """Ask the agent to stop polling."""
        assert self.execute(_STOP_AGENT, id=agent_id)["updateLaunchAgent"]["success"]


def image_spec(entity: str, project: str, image: str, **extra: Any) -> Json:
    """The run spec that `wandb launch --docker-image` makes (protocol section 4)."""
    spec: Json = {"entity": entity, "project": project, "docker": {"docker_image": image}, "resource": "kubernetes"}
    return {**spec, **extra}


def texts(item: Mapping[str, Any]) -> str:
    """Everything that an item tells a person: its error and its warnings."""
    parts = [item["error"], *item["warnings"]] if item.get("error") else list(item["warnings"])
    return "\n".join(part["message"] for part in parts)
