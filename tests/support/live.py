"""The agent's own client at the cluster's API server, and what tests lay out there with it."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator

from launch_agent.adapters.kubernetes import access
from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.errors import KubernetesConflict, KubernetesMissing
from tests.support.crds import CRDS
from tests.support.waiting import wait_until


def find_access() -> ClusterAccess:
    """How to reach the cluster that this runs in."""
    found = access.from_kubeconfig(environ=os.environ)
    assert found is not None, "run this inside a cluster: ci/inside"
    return found


@contextlib.contextmanager
def open_client(reach: ClusterAccess | None = None, *, timeout: float | None = None) -> Iterator[Client]:
    """A client of that cluster or of another; it is closed at the end."""
    found = reach or find_access()
    client = Client(found) if timeout is None else Client(found, timeout=timeout)
    with contextlib.closing(client):
        yield client


def name_namespace(prefix: str) -> str:
    """A name that no other test has."""
    return f"{prefix}-{secrets.token_hex(4)}"


@contextlib.contextmanager
def open_namespace(client: Client, name: str, *, admits_pods: bool = False) -> Iterator[str]:
    """A namespace, with the account that pods need where a test creates some; it goes at the end."""
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    try:
        if admits_pods:
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
            with contextlib.suppress(KubernetesConflict):  # where controllers run, one of them makes it
                client.create(account)
        yield name
    finally:
        client.delete("v1", "Namespace", "", name)


def define_kinds(client: Client, *needed: tuple[str, str]) -> None:
    """Define the operators' kinds, and wait until those of these versions and names are served."""
    for crd in CRDS:
        with contextlib.suppress(KubernetesConflict):  # other tests of this cluster define the same kinds
            client.create(crd)
    for version, kind in needed:

        def is_served(version: str = version, kind: str = kind) -> bool:
            with contextlib.suppress(KubernetesMissing):
                client.list(version, kind, "default")
                return True
            return False

        wait_until(is_served, 30, f"{kind} to be served")
