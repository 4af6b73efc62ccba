"""A real API server takes every manifest that docs/kubernetes.md shows, as the agent plans it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import manifest
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import KeySecret, Plan, QueueItem
from tests.support import live
from tests.support.pages import read_examples

pytestmark = pytest.mark.apiserver

EXAMPLES = read_examples("kubernetes.md", "example")
SERVICES = read_examples("kubernetes.md", "run-spec")["services"]


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """The API server, with the kinds of the examples."""
    with live.open_client() as one:
        live.define_kinds(one, ("kubeflow.org/v1", "PyTorchJob"), ("ray.io/v1", "RayCluster"))
        yield one


@pytest.fixture
def namespace(client: Client) -> Iterator[str]:
    """A namespace in which pods are admitted."""
    with live.open_namespace(client, live.name_namespace("documented"), admits_pods=True) as name:
        yield name


def make_plan(run_spec: dict[str, Any], namespace: str) -> Plan:
    context = LaunchContext(
        base_url="https://api.example.org",
        entity="ml-team",
        agent_name="agent-7",
        installation="launch-agent.wandb",
        default_namespace=namespace,
        key_secret=KeySecret("wandb-api-key-launch-agent"),
    )
    spec = specs.parse({"run_id": "run12345", **run_spec})
    return manifest.plan(QueueItem("item-1", "gpu", run_spec), spec, "run12345", context, api_key=None)


def move(body: Any, namespace: str) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], "namespace": namespace}}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_api_server_takes_every_documented_manifest_without_a_warning_of_a_field(
    client: Client, namespace: str, name: str
) -> None:
    run_spec = {
        "entity": "ml-team",
        "project": "vision",
        "docker": {"docker_image": "registry.example.com/ml/train:7"},
        "resource": "kubernetes",
        "resource_args": {"kubernetes": EXAMPLES[name]},
    }
    for body in make_plan(run_spec, namespace).objects:
        assert client.try_create(move(body, namespace)) == ()


def test_the_api_server_takes_the_documented_services(client: Client, namespace: str) -> None:
    plan = make_plan(SERVICES, namespace)
    assert [body["kind"] for body in plan.objects] == ["Pod", "Service", "Job"]
    for body in plan.objects:
        assert client.try_create(body) == ()
