"""A server in this process whose clock the test holds."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from launch_server.api.engine import Engine
from launch_server.cli.serve import bind
from launch_server.settings import Settings
from launch_server.store import bootstrap
from launch_server.store.adapter import Database
from launch_server.web.app import make_app
from tests.server.documents import DOCUMENTS
from tests.support.waiting import wait_until

KEY = "k" * 40
PROJECT = "model-registry"


@dataclass
class Clock:
    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Server:
    """A server, spoken to over HTTP as by a client."""

    http: httpx.Client
    engine: Engine
    clock: Clock
    headers: dict[str, str] = field(default_factory=dict)

    def post(self, query: str, variables: dict[str, Any] | None = None, key: str = KEY) -> dict[str, Any]:
        body = {"query": query, "variables": variables, "operationName": ""}
        reply = self.http.post("/graphql", json=body, headers={"Authorization": basic(key)})
        parsed: dict[str, Any] = reply.json()
        return parsed | {"status": reply.status_code}

    def ask(self, operation: str, key: str = KEY, **variables: Any) -> dict[str, Any]:
        """The data of one of the documents that clients send; it must have no errors."""
        reply = self.post(DOCUMENTS[operation], variables, key)
        assert "errors" not in reply, reply
        data: dict[str, Any] = reply["data"]
        return data

    def refusal(self, operation: str, key: str = KEY, **variables: Any) -> str:
        """The message of the errors of a document that must be refused."""
        reply = self.post(DOCUMENTS[operation], variables, key)
        return "; ".join(error["message"] for error in reply["errors"])

    def make_queue(
        self,
        name: str = "q",
        config: dict[str, Any] | None = None,
        resource: str = "kubernetes",
        mode: str = "DISABLED",
        variables: dict[str, Any] | None = None,
    ) -> None:
        self.ask(
            "UpsertRunQueue",
            entityName="local",
            projectName=PROJECT,
            queueName=name,
            resourceType=resource,
            resourceConfig=json.dumps({"resource_args": {resource: config or {}}}),
            prioritizationMode=mode,
            templateVariables=json.dumps(variables or {}),
        )

    def push(self, queue: str = "q", priority: int | None = None, **spec: Any) -> str:
        whole = {"entity": "local", "project": "demo", "docker": {"docker_image": "busybox"}} | spec
        operation = "pushToRunQueueByName" if priority is None else "pushToRunQueueByName with priority"
        more: dict[str, Any] = {} if priority is None else {"priority": priority}
        pushed = self.ask(
            operation, entityName="local", projectName=PROJECT, queueName=queue, runSpec=json.dumps(whole), **more
        )
        item: str = pushed["pushToRunQueueByName"]["runQueueItemId"]
        return item

    def pop(self, queue: str = "q", agent: str | None = None) -> dict[str, Any] | None:
        data = self.ask("popFromRunQueue", entity="local", project=PROJECT, queueName=queue, launchAgentId=agent)
        popped: dict[str, Any] | None = data["popFromRunQueue"]
        return popped

    def pop_id(self, queue: str = "q") -> str | None:
        popped = self.pop(queue)
        return None if popped is None else popped["runQueueItemId"]

    def ack(self, item: str, run: str) -> bool:
        return bool(self.ask("ackRunQueueItem", itemId=item, runId=run)["ackRunQueueItem"]["success"])

    def fail(self, item: str, message: str = "broken", stage: str = "agent", **more: Any) -> bool:
        data = self.ask("failRunQueueItem", runQueueItemId=item, message=message, stage=stage, **more)
        return bool(data["failRunQueueItem"]["success"])

    def item(self, item: str, queue: str = "q") -> dict[str, Any]:
        data = self.ask("item of ours", projectName=PROJECT, entityName="local", runQueue=queue, itemId=item)
        found: dict[str, Any] = data["project"]["runQueue"]["runQueueItem"]
        return found

    def claim(self, run: str, queue: str = "q") -> str:
        """An item that was pushed, popped and acknowledged for a run."""
        item = self.push(queue)
        assert self.pop_id(queue) == item
        assert self.ack(item, run)
        return item

    def start_run(self, run: str, project: str = "demo") -> dict[str, Any]:
        bucket: dict[str, Any] = self.ask("UpsertBucket of the SDK", name=run, project=project, entity="local")[
            "upsertBucket"
        ]
        return bucket

    def stream(self, run: str, body: dict[str, Any], project: str = "demo") -> dict[str, Any]:
        reply = self.http.post(
            f"/files/local/{project}/{run}/file_stream", json=body, headers={"Authorization": basic(KEY)}
        )
        parsed: dict[str, Any] = reply.json()
        return parsed | {"status": reply.status_code}

    def run_state(self, run: str, project: str = "demo") -> str:
        data = self.ask("RunState", project=project, entity="local", name=run)
        state: str = data["project"]["run"]["state"]
        return state


def basic(key: str) -> str:
    return "Basic " + base64.b64encode(f"api:{key}".encode()).decode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(tmp_path: Path, clock: Clock) -> Iterator[Server]:
    database = Database(f"sqlite:///{tmp_path / 'server.sqlite3'}")
    bootstrap.prepare(database, bootstrap.Admin(key=KEY), clock())
    engine = Engine(database, Settings(sweep_every=10_000.0), clock)
    with serving(engine) as url, httpx.Client(base_url=url, timeout=20.0, trust_env=False) as http:
        yield Server(http, engine, clock)
    database.close()


@contextmanager
def serving(engine: Engine) -> Iterator[str]:
    """The address of a real HTTP server on a thread of its own."""
    with bind("127.0.0.1", 0) as bound:
        program = uvicorn.Server(uvicorn.Config(make_app(engine), log_config=None, access_log=False))
        thread = threading.Thread(target=program.run, kwargs={"sockets": [bound]})
        thread.start()
        try:
            wait_until(lambda: program.started or not thread.is_alive(), 10, "the server to start", interval=0.005)
            yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        finally:
            program.should_exit = True
            thread.join(10)
