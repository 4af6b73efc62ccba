"""What is rendered is valid for the oldest and the newest supported Kubernetes, and its parts find one another."""

import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.charts import CHART, SCENARIOS
from tests.support.manifests import FOREIGN, NEWEST, OLDEST, check_manifest

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]
each_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)


def deployment_of(objects: list[Manifest]) -> Manifest:
    (found,) = [item for item in objects if item["kind"] == "Deployment"]
    return found


def pods_of(objects: list[Manifest]) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Namespace, labels and spec of each pod."""
    for item in objects:
        if item["kind"] == "Deployment":
            template = item["spec"]["template"]
            yield item["metadata"]["namespace"], template["metadata"]["labels"], template["spec"]
        elif item["kind"] == "Pod":
            yield item["metadata"]["namespace"], item["metadata"]["labels"], item["spec"]


def references_of(pod: Manifest) -> Iterator[tuple[str, str, str | None]]:
    """Kind, name and key of each ConfigMap and Secret that a pod can't start without."""
    for one in [*pod.get("initContainers", []), *pod["containers"]]:
        for variable in one.get("env", []):
            source = variable.get("valueFrom", {})
            for kind, field in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
                if field in source and not source[field].get("optional"):
                    yield kind, source[field]["name"], source[field]["key"]
        for source in one.get("envFrom", []):
            for kind, field in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
                if field in source:
                    yield kind, source[field]["name"], None
    for volume in pod.get("volumes", []):
        if "secret" in volume and not volume["secret"].get("optional"):
            yield "Secret", volume["secret"]["secretName"], None
        if "configMap" in volume and not volume["configMap"].get("optional"):
            yield "ConfigMap", volume["configMap"]["name"], None


@each_scenario
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_scenario_is_valid_for_the_oldest_and_the_newest_kubernetes(
    render: Render, scenario: Path, version: str
) -> None:
    objects = render(scenario, "--kube-version", f"{version}.0")
    assert deployment_of(objects)
    assert {item["kind"] for item in objects if item["apiVersion"] in FOREIGN} <= {"PodMonitor", "ServiceMonitor"}


def test_the_chart_asks_for_the_oldest_kubernetes_that_is_tried() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    assert about["kubeVersion"] == f">={OLDEST}.0-0"


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"replica": 1}, "replica"),
        ({"replicas": "one"}, "one"),
        ({"strategy": {"type": "Sometimes", "rolling": {}}}, "rolling"),
    ],
)
@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_field_that_kubernetes_does_not_know_is_found(
    render: Render, change: Manifest, fault: str, version: str
) -> None:
    wrong = deepcopy(deployment_of(render()))
    wrong["spec"] |= change
    with pytest.raises(AssertionError, match=rf"Deployment launch-agent-rel is not valid .*{version}.*{fault}"):
        check_manifest(wrong, version)


def test_a_field_newer_than_the_oldest_kubernetes_is_found(render: Render) -> None:
    newer = deepcopy(deployment_of(render()))
    newer["spec"]["template"]["spec"]["resources"] = {"limits": {"cpu": "1"}}
    check_manifest(newer, NEWEST)
    with pytest.raises(AssertionError, match="resources"):
        check_manifest(newer, OLDEST)


@each_scenario
def test_every_secret_and_config_map_of_a_pod_is_rendered_or_named_by_the_user(render: Render, scenario: Path) -> None:
    objects = render(scenario)
    given = scenario.read_text(encoding="utf-8")
    made = {
        (item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]): {
            *item.get("data", {}),
            *item.get("stringData", {}),
        }
        for item in objects
        if item["kind"] in {"Secret", "ConfigMap"}
    }
    external = "useExternalWandbSecret: true" in given
    for namespace, _, pod in pods_of(objects):
        for kind, name, key in references_of(pod):
            if (kind, namespace, name) in made:
                assert key is None or key in made[kind, namespace, name], (kind, name, key)
            else:
                assert re.search(rf"\b{re.escape(name)}\b", given) or (external and name == "wandb-api-key-rel"), name


@each_scenario
def test_every_selector_finds_the_agents_pod(render: Render, scenario: Path) -> None:
    objects = render(scenario)
    labels = deployment_of(objects)["spec"]["template"]["metadata"]["labels"]
    asked = {
        item["kind"]: selector.get("matchLabels", {}) if "matchLabels" in selector else selector
        for item in objects
        for field in ("selector", "podSelector")
        if (selector := item.get("spec", {}).get(field)) and item["kind"] != "ServiceMonitor"
    }
    assert {"Deployment", "PodDisruptionBudget"} <= set(asked)
    assert not {kind: wanted for kind, wanted in asked.items() if not wanted.items() <= labels.items()}


@each_scenario
def test_every_binding_binds_a_role_of_the_release_to_the_account_of_its_pod(render: Render, scenario: Path) -> None:
    objects = render(scenario)
    deployment = deployment_of(objects)
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    roles = {
        (item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"])
        for item in objects
        if item["kind"] in {"Role", "ClusterRole"}
    }
    bound = set()
    for item in objects:
        if item["kind"] in {"RoleBinding", "ClusterRoleBinding"}:
            reference = item["roleRef"]
            namespace = item["metadata"].get("namespace") if reference["kind"] == "Role" else None
            bound.add((reference["kind"], namespace, reference["name"]))
            (subject,) = item["subjects"]
            assert (subject["kind"], subject["name"]) == ("ServiceAccount", account)
            assert subject.get("namespace", item["metadata"].get("namespace")) == deployment["metadata"]["namespace"]
    assert bound == roles


def test_a_service_monitor_finds_its_service_and_both_name_ports_that_exist(render: Render) -> None:
    on = {"enabled": True}
    objects = render({"serviceMonitor": on, "podMonitor": on})
    by_kind = {item["kind"]: item for item in objects}
    service, monitor = by_kind["Service"], by_kind["ServiceMonitor"]
    (one,) = deployment_of(objects)["spec"]["template"]["spec"]["containers"]
    ports = {port["name"] for port in one["ports"]}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {end["port"] for end in monitor["spec"]["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    assert {end["port"] for end in by_kind["PodMonitor"]["spec"]["podMetricsEndpoints"]} <= ports
