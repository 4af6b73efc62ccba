"""What goes into a plan from settings, clusters and registry, and who is at fault when it can not be had."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.adapters.kubernetes.clusters import Clusters
from launch_agent.core import spec as specs
from launch_agent.core.models import Plan, QueueItem, Record, Resource, Step
from launch_agent.core.pull_secrets import PullCredential
from launch_agent.errors import KubernetesUnavailable, RefusedError
from launch_agent.registries.base import CredentialError, Issued
from launch_agent.registries.credentials import PullCredentials
from launch_agent.runtime.planning import Planner
from launch_agent.runtime.registration import Agent
from launch_agent.settings import Flags
from launch_agent.settings.loading import Need, load
from tests.support.specs import make_spec

HOST = "registry.example"


class Known:
    """A registration that is done."""

    agent = Agent("agent-1", "calm-sea-1", "team", ("gpu",))


class Registry:
    """A registry that gives a password while it is there."""

    host = HOST
    is_away = False

    def issue(self) -> Issued:
        if self.is_away:
            raise CredentialError("The registry is away.", resolution="Wait.")
        return Issued(PullCredential(HOST, "u", "p"), 3600.0)


def write_kubeconfig(path: Path, namespace: str) -> Path:
    config = {
        "current-context": "far",
        "contexts": [{"name": "far", "context": {"cluster": "c", "namespace": namespace}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://far.example"}}],
    }
    path.write_text(yaml.safe_dump(config))
    return path


def make_planner(tmp_path: Path, registry: Registry | None = None, *, is_needed: bool = True) -> Planner:
    settings = load(Flags(), {}, home=tmp_path, need=Need.NOTHING)
    own = Client(ClusterAccess("https://own.example", namespace="here"))
    credentials = PullCredentials(registry, is_needed=is_needed, clock=lambda: 0.0) if registry else None
    return Planner(settings, Known(), Clusters(own, environ={}, home=tmp_path), credentials)


def plan(planner: Planner, run_spec: dict[str, Any]) -> Plan:
    return planner.plan(QueueItem("item-1", "gpu", run_spec), specs.parse(run_spec), "run12345")


def replan(planner: Planner, run_spec: dict[str, Any]) -> Plan:
    record = Record("item-1", "gpu", "team", "run12345", "team", "vision", Resource.KUBERNETES, run_spec, Step.ACKED)
    return planner.replan(record)


def test_the_default_namespace_is_the_one_of_the_items_own_context(tmp_path: Path) -> None:
    planner = make_planner(tmp_path)
    path = write_kubeconfig(tmp_path / "far", "there")
    own, far = plan(planner, make_spec()), plan(planner, make_spec({"configFile": str(path)}))
    assert (own.cluster, own.workload["metadata"]["namespace"]) == ("", "here")
    assert (far.cluster, far.workload["metadata"]["namespace"]) == (f"{path}#", "there")


def test_an_outline_reads_no_file_that_an_item_names(tmp_path: Path) -> None:
    assert make_planner(tmp_path).outline().default_namespace == ""


def test_a_cluster_that_is_named_wrongly_is_a_new_items_fault_but_not_that_of_one_in_work(tmp_path: Path) -> None:
    planner, run_spec = make_planner(tmp_path), make_spec({"configFile": str(tmp_path / "none")})
    with pytest.raises(RefusedError, match=r"configFile: The kubeconfig .*none does not exist"):
        plan(planner, run_spec)
    with pytest.raises(RefusedError, match="does not exist"):
        planner.context(specs.parse(run_spec))
    with pytest.raises(KubernetesUnavailable, match="does not exist"):
        replan(planner, run_spec)


NAMED: list[tuple[str, dict[str, Any], bool]] = [
    ("the item's image", make_spec(docker={"docker_image": f"{HOST}/team/train:1"}), True),
    (
        "an image in the manifest",
        make_spec({"spec": {"template": {"spec": {"initContainers": [{"name": "a", "image": f"{HOST}/a:1"}]}}}}),
        True,
    ),
    (
        "an image of an additional service",
        make_spec(
            additional_services=[
                {
                    "name": "cache",
                    "config": {
                        "apiVersion": "v1",
                        "kind": "Pod",
                        "spec": {"containers": [{"name": "a", "image": f"{HOST}/cache:1"}]},
                    },
                }
            ]
        ),
        True,
    ),
    ("upper case", make_spec(docker={"docker_image": f"{HOST.upper()}/team/train:1"}), True),
    ("another registry", make_spec(docker={"docker_image": f"{HOST}.org/team/train:1"}), False),
]


@pytest.mark.parametrize(("run_spec", "is_pulled"), [one[1:] for one in NAMED], ids=[one[0] for one in NAMED])
def test_only_an_item_that_names_the_registry_gets_its_credential(
    tmp_path: Path, run_spec: dict[str, Any], is_pulled: bool
) -> None:
    found = plan(make_planner(tmp_path, Registry()), run_spec)
    assert found.pull_registry == (HOST if is_pulled else "")
    assert [one["type"] for one in found.secrets].count("kubernetes.io/dockerconfigjson") == int(is_pulled)


def test_a_registry_that_is_away_fails_a_new_item_and_makes_one_in_work_wait(tmp_path: Path) -> None:
    registry = Registry()
    registry.is_away = True
    planner, run_spec = make_planner(tmp_path, registry), make_spec(docker={"docker_image": f"{HOST}/a:1"})
    with pytest.raises(RefusedError) as caught:
        plan(planner, run_spec)
    assert str(caught.value) == "The registry is away. Wait."
    with pytest.raises(KubernetesUnavailable, match="is away"):
        replan(planner, run_spec)


def test_a_credential_that_nobody_asked_for_is_done_without(tmp_path: Path) -> None:
    registry = Registry()
    registry.is_away = True
    planner = make_planner(tmp_path, registry, is_needed=False)
    assert plan(planner, make_spec(docker={"docker_image": f"{HOST}/a:1"})).pull_registry == ""
