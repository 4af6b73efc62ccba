"""W&B's names, selectors, types and keys: what an upgrade in place from W&B's chart depends on."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]
Pick = Callable[..., Manifest]

FULL: Manifest = {
    "namespace": "team-a",
    "additionalTargetNamespaces": ["jobs"],
    "gitCreds": "https://user:token@git.example.com",
    "azureStorageAccessKey": "key",
    "additionalSecretEnvVars": [{"name": "TOKEN", "value": "t"}],
    "sshAuthSecrets": [{"name": "deploy-key", "host": "git.example.com"}],
}
OBJECTS = {
    ("ConfigMap", "team-a", "ssh-config-rel"),
    ("ConfigMap", "team-a", "wandb-launch-configmap-rel"),
    ("Deployment", "team-a", "launch-agent-rel"),
    ("Lease", "team-a", "launch-agent-rel"),
    ("Pod", "team-a", "launch-agent-rel-check"),
    ("PodDisruptionBudget", "team-a", "launch-agent-rel"),
    ("Role", "jobs", "wandb-job-creator-rel"),
    ("Role", "team-a", "wandb-job-creator-rel"),
    ("Role", "team-a", "wandb-launch-agent-rel"),
    ("RoleBinding", "jobs", "wandb-launch-job-creator-binding-rel"),
    ("RoleBinding", "team-a", "wandb-launch-job-creator-binding-rel"),
    ("RoleBinding", "team-a", "wandb-launch-role-binding-rel"),
    ("Secret", "jobs", "wandb-api-key-rel"),
    ("Secret", "team-a", "azure-storage-access-key"),
    ("Secret", "team-a", "git-creds"),
    ("Secret", "team-a", "launch-agent-secret-env-vars"),
    ("Secret", "team-a", "wandb-api-key-rel"),
    ("ServiceAccount", "team-a", "wandb-launch-serviceaccount-rel"),
}


def test_every_object_has_its_name_and_namespace_and_there_are_no_others(render: Render) -> None:
    found = {(item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]) for item in render(FULL)}
    assert found == OBJECTS


@pytest.mark.parametrize(
    ("name", "kind", "keys"),
    [
        ("wandb-api-key-rel", "kubernetes.io/basic-auth", {"password"}),
        ("azure-storage-access-key", "kubernetes.io/basic-auth", {"password"}),
        ("git-creds", "Opaque", {".git-credentials", ".gitconfig"}),
        ("launch-agent-secret-env-vars", "Opaque", {"TOKEN"}),
    ],
)
def test_secrets_keep_their_types_and_keys_and_are_written_as_data(
    pick: Pick, name: str, kind: str, keys: set[str]
) -> None:
    secret = pick("Secret", name, FULL)
    assert secret["type"] == kind
    assert set(secret["data"]) == keys
    assert "stringData" not in secret


def test_the_api_key_secret_says_that_helm_made_it_in_every_target_namespace(pick: Pick) -> None:
    for namespace in ("team-a", "jobs"):
        secret = pick("Secret", "wandb-api-key-rel", FULL, namespace)
        assert secret["metadata"]["labels"]["wandb.ai/created-by"] == "helm-chart"
        assert b64decode(secret["data"]["password"]).decode() == "0123456789abcdef0123456789abcdef01234567"


def test_the_selector_is_wandbs_and_the_pod_matches_it(pick: Pick) -> None:
    spec = pick("Deployment", "launch-agent-rel", FULL)["spec"]
    assert spec["selector"] == {"matchLabels": {"app": "launch-agent-rel"}}
    assert spec["template"]["metadata"]["labels"]["app"] == "launch-agent-rel"
    budget = pick("PodDisruptionBudget", "launch-agent-rel", FULL)["spec"]
    assert budget["selector"] == spec["selector"]


def test_the_config_map_keeps_its_keys_and_the_ssh_config_map_its_key(pick: Pick) -> None:
    assert set(pick("ConfigMap", "wandb-launch-configmap-rel", FULL)["data"]) == {
        "wandb-base-url",
        "launch-config.yaml",
    }
    assert "config" in pick("ConfigMap", "ssh-config-rel", FULL)["data"]


def test_bindings_refer_to_roles_and_the_one_that_wandb_binds_to_a_cluster_role_has_a_new_name(render: Render) -> None:
    bindings = [item for item in render(FULL) if item["kind"] == "RoleBinding"]
    assert {binding["roleRef"]["kind"] for binding in bindings} == {"Role"}
    assert {binding["roleRef"]["name"] for binding in bindings if "job-creator" in binding["metadata"]["name"]} == {
        "wandb-job-creator-rel"
    }
    # roleRef is immutable: this name is bound to a ClusterRole in W&B's releases
    assert not [binding for binding in bindings if "cluster-role-binding" in binding["metadata"]["name"]]
    assert {(s["kind"], s["name"], s["namespace"]) for binding in bindings for s in binding["subjects"]} == {
        ("ServiceAccount", "wandb-launch-serviceaccount-rel", "team-a")
    }


def test_every_object_carries_the_recommended_labels(render: Render) -> None:
    for item in render(FULL):
        labels = item["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "launch-agent", item["kind"]
        assert labels["app.kubernetes.io/instance"] == "rel"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert labels["helm.sh/chart"] == "launch-agent-0.1.0"


OWN = {
    "WANDB_API_KEY": {"valueFrom": {"secretKeyRef": {"name": "wandb-api-key-rel", "key": "password"}}},
    "WANDB_BASE_URL": {
        "valueFrom": {"configMapKeyRef": {"name": "wandb-launch-configmap-rel", "key": "wandb-base-url"}}
    },
    "WANDB_LAUNCH_SERVICE_ACCOUNT_NAME": {"value": "wandb-launch-serviceaccount-rel"},
    "WANDB_LAUNCH_START_TIMEOUT": {"value": "1800"},
    "WANDB_RELEASE_NAME": {"value": "rel"},
    "POD_NAMESPACE": {"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}},
    "POD_NAME": {"valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
    "LAUNCH_AGENT_LEASE": {"value": "launch-agent-rel"},
    "LAUNCH_AGENT_TARGET_NAMESPACES": {"value": "wandb,default"},
    "LAUNCH_AGENT_SERVICE_ACCOUNT": {"value": "wandb-launch-serviceaccount-rel"},
    "LAUNCH_AGENT_OWN_SECRETS": {"value": "launch-agent-moved-variables-rel,wandb-api-key-rel"},
}


def test_the_container_has_wandbs_name_and_variables(container: Callable[..., Manifest]) -> None:
    one = container()
    assert one["name"] == "launch-agent"
    variables = {variable.pop("name"): variable for variable in one["env"]}
    checksum = variables.pop("CM_CHECKSUM")
    assert len(checksum["value"]) == 64
    assert variables == OWN


def test_values_that_name_a_claim_a_secret_or_a_bundle_set_wandbs_variables(
    environment: Callable[..., Manifest],
) -> None:
    bundle = {"configMap": {"name": "company-ca", "key": "ca.crt"}}
    found = environment({"kanikoPvcName": "builds", "kanikoDockerConfigSecret": "push", "customCABundle": bundle})
    assert found["WANDB_LAUNCH_KANIKO_PVC_NAME"]["value"] == "builds"
    assert found["WANDB_LAUNCH_KANIKO_PVC_MOUNT_PATH"]["value"] == "/home/launch_agent/kaniko"
    assert found["WANDB_LAUNCH_KANIKO_AUTH_SECRET"]["value"] == "push"
    assert found["REQUESTS_CA_BUNDLE"]["value"] == "/etc/launch-agent/ca/bundle.pem"


@pytest.mark.parametrize("length", [1, 50, 51, 53])
def test_a_long_release_name_still_gives_a_valid_label_that_starts_as_before(render: Render, length: int) -> None:
    release = "r" * length
    (deployment,) = [item for item in render(release=release) if item["kind"] == "Deployment"]
    label = deployment["spec"]["selector"]["matchLabels"]["app"]
    assert len(label) <= 63
    assert label.startswith(f"launch-agent-{release}"[:54])
    assert (label == f"launch-agent-{release}") is (length <= 50)
    assert deployment["metadata"]["name"] == label
