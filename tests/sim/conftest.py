"""One queue server for all tests here; each test gets a namespace and a queue of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.place import Place
from tests.support.servers import Server, start_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A queue server; an operation that it does not know fails the session, for it is none of W&B's."""
    running = start_server(tmp_path_factory.mktemp("server"), "--lease-seconds", "15")
    yield running
    unknown = re.findall(r"^launch_server_unknown_operations_total\{.*\} (?!0\.0).*", running.backend.metrics(), re.M)
    running.stop()
    assert not unknown, unknown


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The API server that KUBECONFIG names."""
    client = Cluster(tmp_path_factory.mktemp("cluster"))
    yield client
    client.close()


@pytest.fixture
def place(server: Server, cluster: Cluster, tmp_path: Path) -> Iterator[Place]:
    """This test's own namespace, queue and agents."""
    own = Place(server, cluster, tmp_path)
    yield own
    own.close()


@pytest.fixture(scope="module")
def shared_place(server: Server, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One namespace, queue and agent for a table of items that must not disturb each other."""
    own = Place(server, cluster, tmp_path_factory.mktemp("place"))
    own.start()
    yield own
    own.close()
