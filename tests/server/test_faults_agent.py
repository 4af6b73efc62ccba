"""The kit at work: our agent is killed where a request of its is held, and started again; each item has one Job."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.cluster import Cluster
from tests.support.faults import Faults, Proxy, faulty_proxy, faulty_server, hold_at
from tests.support.place import Place, item_of
from tests.support.servers import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.apiserver

RECORD = {"verb": "create", "resource": "configmaps"}
JOB = {"verb": "create", "resource": "jobs"}
ITEMS = 3


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Faults, Proxy]]:
    folder = tmp_path_factory.mktemp("world")
    nothing: dict[str, Any] = {"rules": []}
    with (
        faulty_server(folder / "server", nothing, "--lease-seconds", "3") as (server, faults),
        faulty_proxy(folder / "proxy", nothing, kubeconfig=Path(os.environ["KUBECONFIG"])) as proxy,
    ):
        yield server, faults, proxy


@pytest.fixture
def place(world: tuple[Server, Faults, Proxy], tmp_path: Path) -> Iterator[Place]:
    cluster = Cluster(tmp_path)
    own = Place(world[0], cluster, tmp_path)
    yield own
    own.close()
    cluster.close()


@pytest.mark.parametrize(
    ("what", "at"),
    [
        ("popFromRunQueue", "after"),
        (RECORD, "before"),
        (RECORD, "after"),
        ("ackRunQueueItem", "before"),
        ("ackRunQueueItem", "after"),
        (JOB, "before"),
        (JOB, "after"),
    ],
)
def test_an_agent_that_is_killed_at_a_step_launches_each_item_once(
    world: tuple[Server, Faults, Proxy], place: Place, what: Any, at: Any
) -> None:
    _, backend, proxy = world
    agent = place.start(environ={"KUBECONFIG": str(proxy.kubeconfig)})
    faults = backend if isinstance(what, str) else proxy.faults
    faults.replace({"rules": [hold_at(what, at=at)]})
    items = {place.push() for _ in range(ITEMS)}
    hold = faults.wait_for_hold()
    agent.program.kill()
    faults.release(hold, "drop")
    assert agent.program.exit_code == -9
    agent.restart()
    jobs = place.wait_for_jobs(ITEMS, timeout=40)
    wait_until(
        lambda: {place.item(one)["state"] for one in items}, 20, "all to be claimed", until=lambda s: s == {"CLAIMED"}
    )
    assert sorted(item_of(job) for job in jobs) == sorted(items)
    assert len(place.cluster.jobs(place.name)) == ITEMS
    assert faults.rules()[hold.rule]["bitten"] == 1
