"""A release with two pods: they share a queue, one dies, the number is made smaller and the release is drained."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import CHART, IMAGE, Stage, run_helm
from tests.e2e.test_upgrade import is_ready
from tests.support.backend import Json
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

RELEASE = "pair"
WORKLOAD = f"launch-agent-{RELEASE}"
HOME = "pair-agent"
QUEUE = "pair"


@dataclass(frozen=True, slots=True)
class Pair:
    """The release on its stage."""

    stage: Stage
    values: Path

    def pods(self) -> list[Json]:
        """The agent's pods that are not on their way out."""
        found = self.stage.cluster.find("Pod", HOME, f"app={WORKLOAD}")
        return [pod for pod in found if not pod["metadata"].get("deletionTimestamp")]

    def wait_for_pods(self, count: int) -> list[Json]:
        """So many pods, all of them ready."""
        return wait_until(
            self.pods, 120, f"{count} ready pods", interval=0.2,
            until=lambda pods: len(pods) == count and all(map(is_ready, pods)),
        )  # fmt: skip

    def holders(self) -> dict[str, str]:
        """Lease → the pod that holds it."""
        leases = self.stage.cluster.find("Lease", HOME)
        named = {one["metadata"]["name"]: one["spec"].get("holderIdentity") or "" for one in leases}
        return {lease: holder.rpartition("_")[0] for lease, holder in named.items()}

    def push(self, job: str) -> str:
        """The new item's id."""
        docker = {"docker_image": f"reg.local:5000/{job}:e2e"}
        backend = self.stage.backend
        spec = {"entity": backend.entity, "project": "demo", "resource": "kubernetes", "docker": docker}
        return backend.push(QUEUE, spec)

    def finish(self, item_id: str) -> None:
        """Wait for the item's good end; exactly one Job ran it."""
        run_id = self.stage.backend.wait_for_state(QUEUE, item_id, "FINISHED", 150)["associatedRunId"]
        jobs = self.stage.cluster.find("Job", HOME, f"wandb.ai/run-id={run_id}")
        assert len(jobs) == 1, [job["metadata"]["name"] for job in jobs]

    def run(self, *words: str) -> str:
        """What a command of ours prints in the agent's pod."""
        command = ["kubectl", "-n", HOME, "exec", f"deploy/{WORKLOAD}", "-c", "launch-agent", "--", "launch-agent"]
        done = subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def upgrade(self, *flags: str) -> None:
        """Upgrade with the same values and these flags."""
        run_helm("helm4", "upgrade", RELEASE, str(CHART), "-n", HOME, "-f", str(self.values), *flags)


@pytest.fixture(scope="module")
def pair(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Two pods that hold a shard each."""
    path = tmp_path_factory.mktemp("pair") / "values.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(_values(stage)))
    stage.client.create_queue(QUEUE, "kubernetes", {"metadata": {"namespace": HOME}})
    release = Pair(stage, path)
    try:
        run_helm("helm4", "install", RELEASE, str(CHART), "-n", HOME, "--create-namespace", "-f", str(path))
        release.wait_for_pods(2)
        yield release
    finally:
        run_helm("helm4", "uninstall", RELEASE, "-n", HOME, "--ignore-not-found", "--wait")
        stage.cluster.delete_namespace(HOME)


def _values(stage: Stage) -> dict[str, Any]:
    agent = {"apiKey": stage.server.key, "image": IMAGE, "resources": {"requests": {"cpu": "50m"}}, "replicas": 2}
    config = {"queues": [QUEUE], "max_jobs": 6, "poll_interval": 1}
    return {
        "agent": agent,
        "baseUrl": stage.server.url,
        "namespace": HOME,
        "additionalTargetNamespaces": [],
        "launchConfig": yaml.safe_dump(config),
    }


def test_each_of_two_pods_has_its_share_and_a_death_loses_nothing(pair: Pair) -> None:
    pods = {pod["metadata"]["name"] for pod in pair.wait_for_pods(2)}
    wait_until(
        pair.holders, 60, "each pod to hold a Lease", interval=0.2,
        until=lambda seen: set(seen) == {WORKLOAD, f"{WORKLOAD}-1"} and set(seen.values()) == pods,
    )  # fmt: skip
    items = [pair.push("job-trains-slowly") for _ in range(10)]
    listed = wait_until(
        lambda: json.loads(pair.run("items", "--output", "json"))["items"],
        90, "both shards to have items", interval=1.0,
        until=lambda rows: len(rows) >= 4 and len({row.get("shard", 0) for row in rows}) == 2,
    )  # fmt: skip
    assert {row["item"] for row in listed} <= set(items)
    victim = pair.holders()[f"{WORKLOAD}-1"]
    words = ["kubectl", "-n", HOME, "delete", "pod", victim, "--grace-period=0", "--force", "--wait=false"]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    wait_until(
        lambda: pair.holders()[f"{WORKLOAD}-1"], 90, "another pod to take over", interval=0.2,
        until=lambda holder: holder not in {"", victim},
    )  # fmt: skip
    for item_id in items:
        pair.finish(item_id)
    pair.wait_for_pods(2)


def test_one_pod_follows_what_two_had_and_an_upgrade_while_draining_takes_nothing(pair: Pair) -> None:
    items = [pair.push("job-trains-slowly") for _ in range(4)]
    for item_id in items:
        pair.stage.backend.wait_for_state(QUEUE, item_id, "CLAIMED", 60)
    pair.upgrade("--set", "agent.replicas=1")
    (pod,) = pair.wait_for_pods(1)
    for item_id in items:
        pair.finish(item_id)
    pair.run("drain", "--timeout", "90s")
    waiting = pair.push("job-trains")
    pair.upgrade("--set", "agent.replicas=1", "--set-string", "agent.podAnnotations.moved=on")
    old = pod["metadata"]["uid"]
    wait_until(
        pair.pods, 90, "the next pod", interval=0.2,
        until=lambda pods: len(pods) == 1 and is_ready(pods[0]) and pods[0]["metadata"]["uid"] != old,
    )  # fmt: skip
    wait_until(lambda: set(pair.holders().values()), 60, "the next pod to hold the Lease", until=lambda seen: seen)
    assert pair.stage.backend.item(QUEUE, waiting)["state"] == "PENDING"
    pair.run("drain", "--undo")
    pair.finish(waiting)
