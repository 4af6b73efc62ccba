"""The main job's stage: a queue server beside the cluster, the agent installed by Helm, W&B's own client."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.backend import Backend, Json
from tests.support.cluster import Cluster
from tests.support.processes import ROOT
from tests.support.servers import Server, start_server
from tests.support.waiting import wait_until
from tests.support.wandb_client import WandbClient

CHART = ROOT / "charts" / "launch-agent"
SEEDS = CHART / "ci" / "seeds-values.yaml"
IMAGE = "reg.local:5000/launch-agent:e2e"
RELEASE = "launch-agent"
NAMESPACE = "wandb"
QUEUE = "gpu"
PROJECT = "demo"
GRACE = 10
"""Seconds that an image may fail to be pulled in these tests; the default is 60."""


@dataclass(frozen=True, slots=True)
class Stage:
    """All that takes part."""

    server: Server
    cluster: Cluster
    client: WandbClient
    values: Path

    @property
    def backend(self) -> Backend:
        """The queue server's API."""
        return self.server.backend

    def agent_pod(self) -> Json:
        """The agent's pod, the only one that is not on its way out."""
        pods = self.cluster.find("Pod", NAMESPACE, "app=launch-agent-launch-agent")
        living = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
        assert len(living) == 1, [pod["metadata"]["name"] for pod in pods]
        return living[0]

    def push(self, image: str, *arguments: str, queue: str = QUEUE) -> str:
        """Push an image by W&B's client; the new item's id."""
        before = {item["id"] for item in self.backend.items(queue)}
        self.client.launch_image(queue, PROJECT, image, *arguments)
        new = [item["id"] for item in self.backend.items(queue) if item["id"] not in before]
        assert len(new) == 1
        return str(new[0])


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Server, cluster and client; the queue is made by W&B's SDK, then the agent is installed and becomes Ready."""
    folder = tmp_path_factory.mktemp("e2e")
    cluster = Cluster(folder)
    server = start_server(folder / "server", host=os.environ["LAUNCH_AGENT_CLUSTER_ADDRESS"])
    client = WandbClient(folder / "client", server.url, server.key, server.backend.entity)
    client.create_queue(QUEUE, "kubernetes", {"spec": {"ttlSecondsAfterFinished": 300}})
    stage = Stage(server, cluster, client, _write_values(folder, server))
    install = ["install", RELEASE, str(CHART), "-f", str(SEEDS), "-f", str(stage.values)]
    try:
        run_helm("helm3", *install)
        wait_until_available(cluster)
        yield stage
    finally:
        run_helm("helm3", "uninstall", RELEASE, "--ignore-not-found", "--wait")
        server.stop()
        cluster.close()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str, object], None]:
    """Print a finding in the test's output, passed or not."""

    def show(what: str, value: object) -> None:
        with capsys.disabled():
            print(f"\n  {what}: {value}")

    return show


def _write_values(folder: Path, server: Server) -> Path:
    """What a user fills in: image, key, address, and in the seeds' launch-config the settings of this test."""
    config: dict[str, Any] = yaml.safe_load(yaml.safe_load(SEEDS.read_text())["launchConfig"])
    config |= {"queues": [QUEUE], "max_jobs": -1, "image_pull_grace": GRACE, "poll_interval": 1}
    values = {
        "agent": {"image": IMAGE, "apiKey": server.key},
        "baseUrl": server.url,
        "launchConfig": yaml.safe_dump(config),
    }
    path = folder / "values.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(values))
    return path


def run_helm(helm: str, *arguments: str) -> str:
    """What Helm prints; fails the test with its words."""
    done = subprocess.run([helm, *arguments], capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, f"{helm} {arguments[0]}: {done.stderr}"
    return done.stdout


def wait_until_available(cluster: Cluster) -> None:
    """Wait for the Deployment's newest pod to be ready, and for the old one to be gone."""

    def look() -> tuple[bool, object]:
        found = cluster.find("Deployment", NAMESPACE)
        pods = cluster.find("Pod", NAMESPACE)
        state = [(pod["metadata"]["name"], (pod.get("status") or {}).get("containerStatuses")) for pod in pods]
        status = found[0].get("status") or {} if found else {}
        is_seen = bool(found) and status.get("observedGeneration") == found[0]["metadata"]["generation"]
        counts = {status.get(f"{kind}eplicas") for kind in ("r", "updatedR", "availableR")}
        return is_seen and counts == {1}, state

    wait_until(look, 90, "the agent's Deployment to be available", until=lambda seen: seen[0], interval=0.2)
