"""One test's own corner: a namespace, queues, and the agents that it starts."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.agents import Agent, start_agent
from tests.support.backend import Backend, image_spec
from tests.support.cluster import Cluster, Json, environment_of
from tests.support.servers import Server
from tests.support.waiting import wait_until

RELEASE = "rel"
PROJECT = "demo"
IMAGE = "registry.example/team/train:1"
RECORDS = "launch-agent/record=item"


class Place:
    """A namespace and a queue of the same name, with what a test does in them."""

    def __init__(self, server: Server, cluster: Cluster, folder: Path) -> None:
        self.server = server
        self.cluster = cluster
        self.folder = folder
        self.name = f"sim-{secrets.token_hex(4)}"
        self.agents: list[Agent] = []
        cluster.create_namespace(self.name)
        cluster.create("Secret", self.name, {
            "metadata": {"name": f"wandb-api-key-{RELEASE}", "labels": {"wandb.ai/created-by": "helm-chart"}},
            "type": "kubernetes.io/basic-auth",
            "stringData": {"password": server.key},
        })  # fmt: skip
        self.create_queue(self.name)

    def close(self) -> None:
        """End what was started; the namespace goes in its own time."""
        for agent in self.agents:
            agent.stop()
        self.cluster.delete_namespace(self.name)

    @property
    def backend(self) -> Backend:
        """The queue server."""
        return self.server.backend

    def create_queue(self, queue: str) -> None:
        """A queue whose Jobs go to this namespace."""
        self.backend.create_queue(queue, "kubernetes", {"metadata": {"namespace": self.name}})

    def start(self, *queues: str, ready: bool = True, environ: Mapping[str, str] | None = None, **config: Any) -> Agent:
        """Start an agent on ``queues`` (this place's own where none is named) with settings fit for tests."""
        variables = {
            "WANDB_BASE_URL": self.server.url,
            "WANDB_API_KEY": self.server.key,
            "WANDB_RELEASE_NAME": RELEASE,
            "POD_NAMESPACE": self.name,
            **(environ or {}),
        }
        settings = {"entity": self.backend.entity, "max_jobs": -1, "poll_interval": 0.2, **config}
        folder = self.folder / f"agent-{len(self.agents)}"
        agent = start_agent(folder, queues or (self.name,), variables, settings)
        self.agents.append(agent)
        if ready:
            agent.wait_until_ready()
        return agent

    # ── items ──

    def push(self, queue: str = "", *, pod: Json | None = None, **extra: Any) -> str:
        """Push an item that runs an image; ``pod`` is merged into its pod template. The item's id."""
        spec = image_spec(self.backend.entity, PROJECT, IMAGE, **extra)
        if pod is not None:
            spec["resource_args"] = {"kubernetes": {"spec": {"template": pod}}}
        return self.backend.push(queue or self.name, spec)

    def item(self, item_id: str, queue: str = "") -> Json:
        """The item as the queue has it."""
        return self.backend.item(queue or self.name, item_id)

    def wait_for_item(self, item_id: str, state: str, timeout: float = 20.0, queue: str = "") -> Json:
        """Wait until the item is in ``state``."""
        return self.backend.wait_for_state(queue or self.name, item_id, state, timeout)

    # ── what the agent makes ──

    def wait_for_jobs(self, count: int, timeout: float = 20.0) -> list[Json]:
        """Wait until there are as many Jobs."""
        return wait_until(
            lambda: self.cluster.jobs(self.name), timeout, f"{count} Jobs", until=lambda jobs: len(jobs) >= count
        )

    def wait_for_job(self) -> Json:
        """Wait for the first Job."""
        return self.wait_for_jobs(1)[0]

    def wait_for_job_of(self, item_id: str) -> Json:
        """Wait for the Job of one item."""
        jobs = wait_until(
            lambda: [job for job in self.cluster.jobs(self.name) if item_of(job) == item_id], 20, f"a Job of {item_id}"
        )
        return jobs[0]

    def wait_for_pod(self, job: Json, phase: str = "Running") -> Json:
        """Wait until the Job's pod is in ``phase``."""
        name = job["metadata"]["name"]
        pods = wait_until(
            lambda: self.cluster.pods(self.name, name),
            20,
            f"a pod of {name} to be {phase}",
            until=lambda found: any((pod.get("status") or {}).get("phase") == phase for pod in found),
        )
        return pods[0]

    def play(self, job: Json, exit_code: int = 0, *, with_run: bool = True) -> None:
        """Do what a pod with the SDK does: start the run, end it, end the container."""
        pod = self.wait_for_pod(job)
        if with_run:
            run_id = run_id_of(job)
            self.backend.start_run(PROJECT, run_id)
            self.backend.end_run(PROJECT, run_id, exit_code)
        self.cluster.end_pod(self.name, pod["metadata"]["name"], exit_code)

    def records(self) -> list[Json]:
        """The agent's records in this namespace."""
        return self.cluster.find("ConfigMap", self.name, RECORDS)

    def wait_until_no_record(self, timeout: float = 20.0) -> None:
        """Wait until the agent has written off all items."""
        wait_until(self.records, timeout, "no record to be left", until=lambda found: not found)

    def wait_until_job(self, name: str, what: str, until: Callable[[Json | None], object]) -> Json | None:
        """Wait until the Job, None when it is gone, is as wanted."""
        return wait_until(lambda: self.cluster.get("Job", self.name, name), 30, what, until=until)


def run_id_of(job: Json) -> str:
    """The run that a Job was launched for."""
    found: str = environment_of(job)["WANDB_RUN_ID"]
    return found


def item_of(job: Json) -> str:
    """The item that a Job was launched for."""
    return str((job["metadata"].get("annotations") or {}).get("launch-agent/item-id"))
