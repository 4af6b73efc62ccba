"""Additional services of a job: what is planned for each, and what is refused before anything is created."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from launch_agent.errors import ItemError
from tests.support.specs import make_plan, make_spec
from tests.unit.core.test_junk import JUNK, find_paths, plan_or_refuse, replace

CONTAINER: dict[str, Any] = {"name": "c", "image": "redis:7"}
SERVICE: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "redis"}}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "redis"},
    "spec": {"containers": [CONTAINER, {"name": "helper", "image": "busybox"}]},
}
DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "redis"},
    "spec": {"template": {"metadata": {"labels": {"app": "redis"}}, "spec": {"containers": [CONTAINER]}}},
}
CONFIG_MAP: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "redis"}}
POLICY: dict[str, Any] = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "redis"}}
ALL = [pytest.param(body, id=body["kind"]) for body in (SERVICE, POD, DEPLOYMENT, CONFIG_MAP, POLICY)]
WITH_PODS = [
    pytest.param(POD, ("spec",), id="Pod"),
    pytest.param(DEPLOYMENT, ("spec", "template", "spec"), id="Deployment"),
]


def plan_one(config: Any, run_id: str = "run12345", **changes: Any) -> dict[str, Any]:
    """The service's object."""
    (made,) = make_plan(
        make_spec(additional_services=[{"name": "s", "config": config}], **changes), run_id=run_id
    ).services
    return dict(made)


def pod(*containers: Any) -> dict[str, Any]:
    return {**POD, "spec": {"containers": list(containers)}}


def read(body: Any, *path: Any) -> Any:
    for key in path:
        body = body[key]
    return body


@pytest.mark.parametrize("config", ALL)
def test_each_allowed_kind_is_planned_beside_the_job_with_the_item_s_labels(config: dict[str, Any]) -> None:
    before = copy.deepcopy(config)
    made = plan_one(config)
    assert (made["metadata"]["name"], made["metadata"]["namespace"]) == ("redis", "jobs")
    assert made["metadata"]["labels"] == {
        "wandb.ai/run-id": "run12345",
        "wandb.ai/created-by": "launch-agent",
        "wandb.ai/auxiliary-resource": "aux-team-vision-run12345",
        "launch-agent/installation": "launch-agent.wandb",
        "launch-agent/item": "item-1",
    }
    assert config == before


@pytest.mark.parametrize(("config", "path"), WITH_PODS)
def test_the_first_container_gets_config_and_key_reference_and_no_helper_does(
    config: dict[str, Any], path: tuple[str, ...]
) -> None:
    main, *helpers = read(plan_one(config), *path, "containers")
    assert [entry["name"] for entry in main["env"]] == ["WANDB_CONFIG", "WANDB_API_KEY"]
    assert main["env"][1]["valueFrom"]["secretKeyRef"] == {"name": "wandb-api-key-run12345", "key": "password"}
    assert not [helper for helper in helpers if "env" in helper]


@pytest.mark.parametrize(("config", "path"), WITH_PODS)
def test_every_container_is_restricted(config: dict[str, Any], path: tuple[str, ...]) -> None:
    for container in read(plan_one(config), *path, "containers"):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_pods_of_a_service_carry_the_auxiliary_label_but_no_item() -> None:
    labels = plan_one(DEPLOYMENT)["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "redis"
    assert labels["wandb.ai/auxiliary-resource"] == "aux-team-vision-run12345"
    assert "launch-agent/item" not in labels


def test_only_the_object_s_own_name_is_a_name() -> None:
    given = {
        **CONTAINER,
        "env": [{"name": "REDIS_ARGS", "value": "--x"}],
        "envFrom": [{"secretRef": {"name": "My.Secret"}}],
        "ports": [{"name": "http_x", "containerPort": 6379}],
    }
    made = plan_one(pod(given))["spec"]["containers"][0]
    assert made["env"][0] == {"name": "REDIS_ARGS", "value": "--x"}
    assert (made["envFrom"], made["ports"]) == (given["envFrom"], given["ports"])


def test_a_data_key_called_name_is_left_alone() -> None:
    assert plan_one({**CONFIG_MAP, "data": {"name": "Va Lue"}})["data"] == {"name": "Va Lue"}


def test_a_config_in_several_variables_reaches_the_service_whole() -> None:
    made = plan_one(POD, overrides={"run_config": {"k": "x" * 70_000}})
    names = [entry["name"] for entry in made["spec"]["containers"][0]["env"]]
    assert names == ["WANDB_CONFIG_0", "WANDB_CONFIG_1", "WANDB_CONFIG_2", "WANDB_API_KEY"]


@pytest.mark.parametrize(("entity", "project"), [("e" * 80, "p" * 80), ("e", "p" * 200), ("É", "…")])
@pytest.mark.parametrize("run_id", ["run12345", "r" * 32])
def test_the_auxiliary_label_is_short_and_keeps_the_run_id(entity: str, project: str, run_id: str) -> None:
    label = plan_one(SERVICE, run_id, entity=entity, project=project)["metadata"]["labels"][
        "wandb.ai/auxiliary-resource"
    ]
    assert label.startswith("aux-")
    assert label.endswith(run_id)
    assert len(label) <= 63


def test_services_of_a_custom_resource_are_made_too() -> None:
    template = {"spec": {"containers": [{"name": "pytorch", "image": "i"}]}}
    replicas = {"pytorchReplicaSpecs": {"Master": {"template": template}}}
    body: dict[str, Any] = {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": replicas}
    plan = make_plan(make_spec(body, additional_services=[{"config": POD}]))
    assert [one["kind"] for one in plan.objects] == ["Secret", "Pod", "PyTorchJob"]


@pytest.mark.parametrize(
    ("config", "place"),
    [
        (None, "[0].config"),
        ({}, "[0].config.apiVersion"),
        ({"apiVersion": "v1"}, "[0].config.kind"),
        ({**POD, "kind": "Secret"}, "[0].config"),
        ({**POD, "apiVersion": "x/v1", "kind": "Redis"}, "[0].config"),
        ({**POD, "metadata": {"name": "redis", "namespace": "elsewhere"}}, "[0].config.metadata.namespace"),
        ({**POD, "metadata": {"name": "Not_Valid"}}, "[0].config.metadata.name"),
        ({**POD, "metadata": {"labels": []}}, "[0].config.metadata.labels"),
        ({**POD, "spec": "x"}, "[0].config.spec"),
        ({**POD, "spec": {}}, "[0].config.spec.containers"),
        (pod("x"), "[0].config.spec.containers[0]"),
        (pod({"name": "c"}), "[0].config.spec.containers[0].image"),
        (pod({"image": "i"}), "[0].config.spec.containers[0].name"),
        (pod({**CONTAINER, "env": "A=b"}), "[0].config.spec.containers[0].env"),
        ({**DEPLOYMENT, "spec": {}}, "[0].config.spec.template"),
        ({**SERVICE, "spec": "ClusterIP"}, "[0].config.spec"),
        ({**POLICY, "spec": []}, "[0].config.spec"),
        ({**CONFIG_MAP, "data": "a=b"}, "[0].config.data"),
        ({**CONFIG_MAP, "data": {"a": {"b": 1}}}, "[0].config.data.a"),
        ({**CONFIG_MAP, "binaryData": ["x"]}, "[0].config.binaryData"),
        ({**SERVICE, "metadata": {"generateName": "Not_Valid-"}}, "[0].config.metadata.generateName"),
        ({**SERVICE, "metadata": {"generateName": "0-"}}, "[0].config.metadata.generateName"),
        (
            {**POD, "metadata": {"annotations": {"launch-agent/main-container": "none"}}},
            "[0].config.metadata.annotations.launch-agent/main-container",
        ),
        ({**POD, "metadata": {"labels": {"a": "${author}"}}}, "[0].config.metadata.labels.a"),
    ],
)
def test_what_can_not_be_made_is_refused_with_its_place(config: Any, place: str) -> None:
    with pytest.raises(ItemError) as caught:
        plan_one(config)
    assert f"additional_services{place}" in str(caught.value)
    assert caught.value.resolution


def test_two_services_of_one_kind_and_name_are_refused() -> None:
    with pytest.raises(ItemError, match=r"additional_services\[1\]\.config\.metadata\.name"):
        make_plan(make_spec(additional_services=[{"config": POD}, {"config": POD}]))


@pytest.mark.parametrize("config", ALL)
@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_junk_anywhere_in_a_service_is_planned_or_refused_in_words(config: dict[str, Any], junk: Any) -> None:
    for path in find_paths(config):
        outcome = plan_or_refuse(make_spec(additional_services=[{"config": replace(config, path, junk)}]))
        assert not isinstance(outcome, ItemError) or outcome.summary
