"""Pull Secrets of running items, renewed in a real API server."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.adapters.kubernetes.clusters import Clusters
from launch_agent.core import clusters as keys
from launch_agent.core import pull_secrets
from launch_agent.core.models import ObjectRef, Record, Resource, Step
from launch_agent.core.pull_secrets import PullCredential
from launch_agent.registries.base import CredentialError, Issued
from launch_agent.registries.credentials import PullCredentials
from launch_agent.runtime.pull_secrets import PullSecrets
from tests.support import live

pytestmark = pytest.mark.apiserver

HOST = "registry.example"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with live.open_client() as one:
        yield one


@pytest.fixture
def namespace(client: Client) -> Iterator[str]:
    with live.open_namespace(client, live.name_namespace("pull")) as name:
        yield name


class Registry:
    """A registry whose password a test sets; None: it is away."""

    host = HOST

    def __init__(self) -> None:
        self.password: str | None = "one"
        self.now = 0.0

    def clock(self) -> float:
        """The test's time."""
        return self.now

    def issue(self) -> Issued:
        """The password of now, for an hour."""
        if self.password is None:
            raise CredentialError("away")
        return Issued(PullCredential(HOST, "u", self.password), self.now + 3600)


def record(namespace: str, run_id: str, cluster: str = "") -> Record:
    ref = ObjectRef("batch/v1", "Job", namespace, f"job-{run_id}", "uid", cluster)
    return Record(f"item-{run_id}", "q", "e", run_id, "e", "p", Resource.KUBERNETES, {}, Step.CREATED, ref)


def read_password(client: Client, namespace: str, name: str) -> Any:
    found = client.get("v1", "Secret", namespace, name)
    assert found is not None
    assert found["type"] == "kubernetes.io/dockerconfigjson"
    content = json.loads(base64.b64decode(found["data"][".dockerconfigjson"]))
    return content["auths"][HOST]["password"]


def test_a_renewed_credential_reaches_the_secrets_of_running_items_in_each_cluster(
    client: Client, namespace: str, tmp_path: Path
) -> None:
    registry = Registry()
    credentials = PullCredentials(registry, clock=registry.clock)
    other = keys.key({"configFile": os.environ["KUBECONFIG"]})
    clusters = Clusters(client)
    names = {}
    for run_id in ("own", "other"):
        body = pull_secrets.make(credentials.get(), f"regcred-{run_id}", namespace, {"app": "x"})
        names[run_id] = body["metadata"]["name"]
        client.create(body)
    items = [record(namespace, "own"), record(namespace, "other", other), record(namespace, "none")]
    loop = PullSecrets(credentials, clusters, lambda: tuple(items))
    loop.refresh()
    registry.password, registry.now = "two", 1800.0
    loop.refresh()
    assert {read_password(client, namespace, name) for name in names.values()} == {"two"}
    # what is not renewed is not written again
    client.patch("v1", "Secret", namespace, names["own"], {"metadata": {"labels": {"app": "y"}}})
    before = client.get("v1", "Secret", namespace, names["own"])
    registry.now = 1900.0
    loop.refresh()
    assert client.get("v1", "Secret", namespace, names["own"]) == before
    clusters.close()


def test_a_registry_or_a_cluster_that_is_away_is_asked_again(client: Client, namespace: str, tmp_path: Path) -> None:
    registry = Registry()
    credentials = PullCredentials(registry, clock=registry.clock)
    body = pull_secrets.make(credentials.get(), "regcred-far", namespace, {})
    client.create(body)
    missing = tmp_path / "kubeconfig"
    items = (record(namespace, "far", keys.key({"configFile": str(missing)})),)
    loop = PullSecrets(credentials, Clusters(client), lambda: items)
    registry.password, registry.now = None, 1800.0
    loop.refresh()
    registry.password, registry.now = "two", 1831.0
    loop.refresh()
    assert read_password(client, namespace, body["metadata"]["name"]) == "one"
    missing.write_text(Path(os.environ["KUBECONFIG"]).read_text())
    loop.refresh()
    assert read_password(client, namespace, body["metadata"]["name"]) == "two"
