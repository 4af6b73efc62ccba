"""Questions to the queue server's GraphQL API: who is there, where the item is, what its run has logged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import urllib3

from demo.stage import DemoError

ENTITY = "local"
QUEUE_PROJECT = "model-registry"
"""The project that W&B keeps an entity's queues in."""

_ITEM = """
query Item($entity: String!, $project: String!, $queue: String!, $item: ID!) {
  project(entityName: $entity, name: $project) {
    launchAgents { name }
    runQueue(name: $queue) { runQueueItem(id: $item) { state associatedRunId error { message stage } } }
  }
}
"""
_RUN = """
query Run($entity: String!, $project: String!, $run: String!) {
  project(entityName: $entity, name: $project) {
    run(name: $run) { state exitCode summaryMetrics history(samples: 1000) }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Item:
    """Where the item is. ``run`` is the run id that it was claimed for, ``error`` why it failed.

    ``agent`` is the name of the agent that has registered, empty before.
    """

    agent: str
    state: str
    run: str | None
    error: str


@dataclass(frozen=True, slots=True)
class Run:
    """What the server holds of a run: one row of ``history`` per logged step."""

    state: str
    history: tuple[dict[str, Any], ...]
    summary: dict[str, Any]


class Backend:
    """The server's API, with the admin's key."""

    def __init__(self, url: str, key: str) -> None:
        self._url = f"{url}/graphql"
        self._headers = urllib3.make_headers(basic_auth=f"api:{key}") | {"Content-Type": "application/json"}
        self._pool = urllib3.PoolManager(timeout=10.0, retries=urllib3.Retry(3, allowed_methods=None))

    def item(self, queue: str, item_id: str) -> Item:
        """The item as it is now."""
        project = self._ask(_ITEM, project=QUEUE_PROJECT, queue=queue, item=item_id)
        found = project["runQueue"]["runQueueItem"]
        agent = next((str(one["name"]) for one in project["launchAgents"]), "")
        return Item(agent, str(found["state"]), found["associatedRunId"], str((found["error"] or {}).get("message")))

    def run(self, project: str, run_id: str) -> Run | None:
        """The run as it is now, None before `wandb.init`."""
        found = (self._ask(_RUN, project=project, run=run_id) or {}).get("run")
        if found is None:
            return None
        history = tuple(json.loads(text) for text in found["history"] or ())
        return Run(str(found["state"]), history, json.loads(found["summaryMetrics"] or "{}"))

    def _ask(self, query: str, **variables: str) -> Any:
        body = json.dumps({"query": query, "variables": {"entity": ENTITY, **variables}})
        try:
            reply = self._pool.request("POST", self._url, body=body, headers=self._headers)
            answer = json.loads(reply.data)
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise DemoError(f"the queue server does not answer: {error}") from None
        if answer.get("errors"):
            raise DemoError(f"the queue server refuses a question: {answer['errors'][0].get('message')}")
        return answer["data"]["project"]
