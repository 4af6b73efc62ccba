"""Real operators, real pods, W&B's own SDK in them: a queue server and an agent in the cluster's network."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.backend import ENDED, Json, image_spec
from tests.support.cluster import Cluster
from tests.support.place import PROJECT, Place
from tests.support.servers import Server, start_server
from tests.support.waiting import wait_until

IMAGE = "reg.local:5000/job-member:ops"
RUN = "wandb.ai/run-id"


class Works:
    """The place of all tests here: what they launch, and what became of it."""

    def __init__(self, place: Place) -> None:
        self.place = place

    @property
    def namespace(self) -> str:
        """Where everything runs."""
        return self.place.name

    def launch(self, manifest: Json, queue: str = "", image: str = IMAGE, **extra: Any) -> str:
        """Push an item with this manifest; its id."""
        spec = image_spec(self.place.backend.entity, PROJECT, image, **extra)
        spec["resource_args"] = {"kubernetes": manifest}
        return self.place.backend.push(queue or self.namespace, spec)

    def item(self, item_id: str) -> Json:
        """The item now."""
        return self.place.item(item_id)

    def wait_for(self, item_id: str, state: str, timeout: float = 120) -> Json:
        """The item once it is in this state."""
        return self.place.wait_for_item(item_id, state, timeout)

    def wait_for_stop(self, item_id: str) -> None:
        """Until the item has ended, finished or as stopped: W&B's SDK ends a stopped script with a code of its own."""
        ended = wait_until(
            lambda: self.item(item_id), 60, "the stopped item to end", until=lambda item: item["state"] in ENDED
        )
        assert ended["state"] == "FINISHED" or "stopped on request" in ended["error"]["message"]

    def run_of(self, item_id: str) -> str:
        """The run that the item was claimed for."""
        return str(wait_until(lambda: self.item(item_id)["associatedRunId"], 60, f"item {item_id} to be claimed"))

    def find(self, kind: str, item_id: str) -> Json:
        """The item's object, which must come."""
        run_id = self.run_of(item_id)
        found = wait_until(
            lambda: self.place.cluster.find(kind, self.namespace, f"{RUN}={run_id}"), 60, f"the {kind} of {item_id}"
        )
        assert len(found) == 1
        return found[0]

    def pods(self, item_id: str) -> list[Json]:
        """The pods of the item, by the label that each of them must have."""
        return self.place.cluster.find("Pod", self.namespace, f"{RUN}={self.run_of(item_id)}")

    def wait_for_pods(self, item_id: str, count: int, phases: set[str], timeout: float = 90) -> list[Json]:
        """The item's pods once there are so many, all in one of these phases; what is being deleted does not count."""

        def look() -> list[Json]:
            return [pod for pod in self.pods(item_id) if "deletionTimestamp" not in pod["metadata"]]

        pods = wait_until(
            look, timeout, f"{count} pods of {item_id}, {' or '.join(sorted(phases))}",
            until=lambda seen: len(seen) == count and {pod["status"].get("phase", "") for pod in seen} <= phases,
        )  # fmt: skip
        return sorted(pods, key=lambda pod: str(pod["metadata"]["name"]))

    def told_by(self, pod: Json) -> Json:
        """What the process in a pod said of its environment (jobs/member.py)."""
        lines = self.place.cluster.logs(self.namespace, pod["metadata"]["name"]).splitlines()
        told: Json = json.loads(next(line for line in lines if line.startswith('{"')))
        return told


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A queue server that pods reach."""
    address = os.environ["LAUNCH_AGENT_CLUSTER_ADDRESS"]
    running = start_server(tmp_path_factory.mktemp("server"), "--lease-seconds", "15", host=address)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster in which `ci/operators` put the operators."""
    client = Cluster(tmp_path_factory.mktemp("cluster"))
    yield client
    client.close()


@pytest.fixture(scope="session")
def works(server: Server, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Works]:
    """One namespace, one queue and one agent for all tests: nothing that they launch disturbs the rest."""
    place = Place(server, cluster, tmp_path_factory.mktemp("place"))
    try:
        place.start(ready=False, stopped_run_timeout=1).wait_until_ready(60)
        yield Works(place)
    finally:
        place.close()


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str, object], None]:
    """Print a finding in the test's output, passed or not."""

    def show(what: str, value: object) -> None:
        with capsys.disabled():
            print(f"\n  {what}: {value}")

    return show


def container(name: str = "main", **environment: str) -> Json:
    """A container of jobs/member.py; its image comes from the item."""
    return {"name": name, "env": [{"name": key, "value": value} for key, value in environment.items()]}


def template(one: Json, **spec: Any) -> Json:
    """A pod template of one container."""
    return {"spec": {"restartPolicy": "Never", "containers": [one], **spec}}


def job(one: Json, **spec: Any) -> Json:
    """A Job's manifest."""
    return {"spec": {"template": template(one), **spec}}
