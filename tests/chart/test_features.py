"""What the chart offers beyond W&B's: each off or harmless until it is asked for."""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pytest
import yaml

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]
Pick = Callable[..., Manifest]
DIGEST = f"sha256:{'0' * 64}"


def pod_of(render: Render, values: Manifest) -> Manifest:
    (deployment,) = [item for item in render(values) if item["kind"] == "Deployment"]
    pod: Manifest = deployment["spec"]["template"]["spec"]
    return pod


def strategy_of(render: Render, values: Manifest) -> str:
    (deployment,) = [item for item in render(values) if item["kind"] == "Deployment"]
    return str(deployment["spec"]["strategy"]["type"])


@pytest.mark.parametrize(
    ("image", "wanted"),
    [
        ("", f"launch-agent@{DIGEST}"),
        ("reg.example.com:5000/ml/agent", f"reg.example.com:5000/ml/agent@{DIGEST}"),
        ("reg.example.com:5000/ml/agent:1.2", f"reg.example.com:5000/ml/agent@{DIGEST}"),
        (f"agent:1.2@sha256:{'1' * 64}", f"agent@{DIGEST}"),
    ],
)
def test_a_digest_wins_over_a_tag(container: Callable[..., Manifest], image: str, wanted: str) -> None:
    assert container({"agent": {"image": image, "imageDigest": DIGEST}})["image"] == wanted


def test_pull_secrets_are_names_or_references(render: Render) -> None:
    pod = pod_of(render, {"agent": {"imagePullSecrets": ["one", {"name": "two"}]}})
    assert pod["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    assert "imagePullSecrets" not in pod_of(render, {})


@pytest.mark.parametrize(
    ("image", "flavour", "is_own"),
    [
        ("wandb/launch-agent:latest", "auto", False),
        ("wandb/launch-agent-dev:abc", "auto", False),
        ("docker.io/wandb/launch-agent@" + DIGEST, "auto", False),
        ("reg.example.com:5000/mirror/wandb/launch-agent:0.17.3", None, False),
        ("reg.example.com/ml/agent:1", "own", True),
        ("reg.example.com/ml/launch-agent:1", "auto", True),
        ("reg.example.com/wandb/launch-agent-own:1", "auto", True),
        ("notwandb/launch-agent:1", "auto", True),
        ("reg.example.com/ml/agent:1", "wandb", False),
        ("", "auto", True),
    ],
)
def test_the_flavour_says_which_agent_the_image_holds(
    render: Render, image: str, flavour: str | None, is_own: bool
) -> None:
    objects = render({"agent": {"image": image, "flavour": flavour}})
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (one,) = pod["containers"]
    found = {
        "strategy": deployment["spec"]["strategy"]["type"],
        "arguments": "args" in one,
        "probes": "livenessProbe" in one and "readinessProbe" in one,
        "read-only": one["securityContext"].get("readOnlyRootFilesystem", False),
        "validate": "initContainers" in pod,
        "lease": "LAUNCH_AGENT_LEASE" in {variable["name"] for variable in one["env"]},
        "check": any(item["kind"] == "Pod" for item in objects),
    }
    wanted = dict.fromkeys(found, is_own) | {"strategy": "RollingUpdate" if is_own else "Recreate"}
    assert found == wanted


def test_wandbs_agent_gets_wandbs_rules_and_its_storage_key_where_it_looks_for_it(render: Render) -> None:
    objects = render({"agent": {"flavour": "wandb"}, "namespace": "team-a", "azureStorageAccessKey": "k"})
    copies = [
        item["metadata"]["namespace"] for item in objects if item["metadata"]["name"] == "azure-storage-access-key"
    ]
    assert copies == ["team-a", "wandb"]
    (role,) = [item for item in objects if item["metadata"]["name"] == "wandb-launch-agent-rel"]
    verbs = {"create", "get", "list", "watch", "update", "patch", "delete"}
    rights = {(resource, frozenset(rule["verbs"])) for rule in role["rules"] for resource in rule["resources"]}
    assert rights == {(one, frozenset(verbs)) for one in ("pods", "configmaps", "secrets", "pods/log", "jobs")}


def test_every_secret_can_be_one_that_exists(render: Render) -> None:
    values = {
        "agent": {"apiKey": ""},
        "existingSecrets": {
            "apiKey": {"name": "robot", "key": "api-key"},
            "gitCreds": "git-robot",
            "azureStorageAccessKey": {"name": "storage", "key": "access"},
            "environment": ["proxy", "more"],
        },
    }
    objects = render(values)
    assert [item for item in objects if item["kind"] == "Secret"] == []
    pod = pod_of(render, values)
    for one in [*pod["initContainers"], *pod["containers"]]:
        variables = {variable["name"]: variable for variable in one["env"]}
        assert variables["WANDB_API_KEY"]["valueFrom"]["secretKeyRef"] == {"name": "robot", "key": "api-key"}
        assert variables["LAUNCH_AGENT_API_KEY_SECRET"]["value"] == "robot/api-key"
        assert variables["LAUNCH_AGENT_STORAGE_KEY_SECRET"]["value"] == "storage/access"
        assert one["envFrom"] == [{"secretRef": {"name": "proxy"}}, {"secretRef": {"name": "more"}}]
        assert {"/home/launch_agent/.git-credentials", "/home/launch_agent/.gitconfig"} <= {
            mount["mountPath"] for mount in one["volumeMounts"]
        }
    (git,) = [volume for volume in pod["volumes"] if volume["name"] == "git"]
    sources = git["projected"]["sources"]
    assert sources[0]["secret"]["name"] == "git-robot"
    (config,) = [item for item in objects if item["metadata"]["name"] == "wandb-launch-configmap-rel"]
    assert "helper = store" in config["data"][sources[1]["configMap"]["items"][0]["key"]]


def test_a_second_release_in_a_namespace_gets_secrets_of_its_own(render: Render) -> None:
    values = {
        "gitCreds": "https://u:t@h",
        "azureStorageAccessKey": "k",
        "additionalSecretEnvVars": [{"name": "TOKEN", "value": "t"}],
        "secretNames": {"suffix": "second"},
    }
    objects = render(values)
    names = {item["metadata"]["name"] for item in objects if item["kind"] == "Secret"}
    fixed = {"git-creds", "azure-storage-access-key", "launch-agent-secret-env-vars"}
    assert names == {f"{name}-second" for name in fixed} | {"wandb-api-key-rel"}
    (one,) = pod_of(render, values)["containers"]
    variables = {variable["name"]: variable for variable in one["env"]}
    assert variables["TOKEN"]["valueFrom"]["secretKeyRef"]["name"] == "launch-agent-secret-env-vars-second"
    assert variables["LAUNCH_AGENT_STORAGE_KEY_SECRET"]["value"] == "azure-storage-access-key-second/password"


def test_an_account_of_the_users_own_is_used_and_none_created(render: Render) -> None:
    objects = render({"serviceAccount": {"create": False, "name": "robot"}})
    assert not [item for item in objects if item["kind"] == "ServiceAccount"]
    pod = pod_of(render, {"serviceAccount": {"create": False, "name": "robot"}})
    assert pod["serviceAccountName"] == "robot"
    subjects = [one["name"] for item in objects if item["kind"] == "RoleBinding" for one in item["subjects"]]
    assert set(subjects) == {"robot"}


def test_rights_can_be_left_to_somebody_else(render: Render) -> None:
    kinds = {item["kind"] for item in render({"rbac": {"create": False}})}
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def test_cluster_wide_rights_replace_those_in_targets_and_do_not_collide(render: Render) -> None:
    objects = render({"namespace": "team-a", "rbac": {"clusterWide": True}})
    roles = {(item["kind"], item["metadata"]["name"]) for item in objects if "Role" in item["kind"]}
    assert roles == {
        ("Role", "wandb-launch-agent-rel"),
        ("RoleBinding", "wandb-launch-role-binding-rel"),
        ("ClusterRole", "wandb-job-creator-team-a-rel"),
        ("ClusterRoleBinding", "wandb-job-creator-team-a-rel"),
    }
    (one,) = pod_of(render, {"rbac": {"clusterWide": True}})["containers"]
    assert {"name": "LAUNCH_AGENT_TARGET_NAMESPACES", "value": "*"} in one["env"]


@pytest.mark.parametrize(
    ("over", "changed"),
    [
        ({"readOnlyRootFilesystem": False}, {"readOnlyRootFilesystem": False}),
        ({"readOnlyRootFilesystem": None}, {"readOnlyRootFilesystem": "gone"}),
        ({"runAsUser": 0}, {"runAsUser": 0}),
        ({"capabilities": {"add": ["CHOWN"]}}, {"capabilities": {"drop": ["ALL"], "add": ["CHOWN"]}}),
    ],
)
def test_security_contexts_are_merged_false_and_null_included(
    container: Callable[..., Manifest], over: Manifest, changed: Manifest
) -> None:
    usual = container()["securityContext"]
    wanted = {key: value for key, value in {**usual, **changed}.items() if value != "gone"}
    assert container({"agent": {"securityContext": over}})["securityContext"] == wanted


def test_pod_contexts_and_probes_are_merged(render: Render) -> None:
    agent = {
        "podSecurityContext": {"runAsUser": 2000},
        "livenessProbe": {"periodSeconds": 3},
        "readinessProbe": {"failureThreshold": 0},
    }
    pod, usual = pod_of(render, {"agent": agent}), pod_of(render, {})
    assert pod["securityContext"] == {**usual["securityContext"], "runAsUser": 2000}
    one, before = pod["containers"][0], usual["containers"][0]
    assert one["livenessProbe"] == {**before["livenessProbe"], "periodSeconds": 3}
    assert one["readinessProbe"] == {**before["readinessProbe"], "failureThreshold": 0}


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, "RollingUpdate"),
        ({"agent": {"strategy": None}}, "RollingUpdate"),
        ({"agent": {"strategy": "Recreate"}}, "Recreate"),
        ({"kanikoPvcName": "claim-that-can-not-be-looked-up"}, "Recreate"),
        ({"kanikoPvcName": "claim", "agent": {"strategy": "RollingUpdate"}}, "RollingUpdate"),
    ],
)
def test_pods_overlap_in_an_upgrade_unless_a_claim_may_forbid_it(render: Render, values: Manifest, wanted: str) -> None:
    assert strategy_of(render, values) == wanted


def test_replicas_share_the_queues_and_spread_over_nodes(render: Render) -> None:
    alone, shared = pod_of(render, {}), pod_of(render, {"agent": {"replicas": 3}})
    told = [{one["name"]: one.get("value") for one in pod["containers"][0]["env"]} for pod in (alone, shared)]
    assert [one.get("LAUNCH_AGENT_REPLICAS") for one in told] == [None, "3"]
    (rule,) = shared["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert rule["podAffinityTerm"]["labelSelector"] == {"matchLabels": {"app": "launch-agent-rel"}}
    assert "affinity" not in alone
    own: Manifest = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}}
    assert pod_of(render, {"agent": {"replicas": 3, "affinity": own}})["affinity"] == own


@pytest.mark.parametrize(("replicas", "wanted"), [(None, 1), (1, 1), (8, 8)])
def test_there_are_as_many_pods_as_replicas(render: Render, replicas: int | None, wanted: int) -> None:
    (deployment,) = [item for item in render({"agent": {"replicas": replicas}}) if item["kind"] == "Deployment"]
    assert deployment["spec"]["replicas"] == wanted


def test_the_init_step_sees_what_the_agent_sees(render: Render) -> None:
    pod = pod_of(render, {"additionalEnvVars": [{"name": "WANDB_ENTITY", "value": "e"}]})
    (step,), (one,) = pod["initContainers"], pod["containers"]
    assert (step["name"], step["args"]) == ("validate", ["validate"])
    for key in ("image", "imagePullPolicy", "env", "resources", "securityContext", "volumeMounts"):
        assert step[key] == one[key], key


def test_the_policy_lets_the_agent_reach_what_it_needs(pick: Pick) -> None:
    values = {"networkPolicy": {"enabled": True}, "baseUrl": "http://wandb.example.com:8081/api"}
    spec = pick("NetworkPolicy", "launch-agent-rel", values)["spec"]
    assert spec["podSelector"] == {"matchLabels": {"app": "launch-agent-rel"}}
    ports = {entry["port"] for rule in spec["egress"] for entry in rule["ports"]}
    assert ports == {53, 443, 6443, 8081}
    assert spec["ingress"] == [{"ports": [{"port": 8080, "protocol": "TCP"}]}]


@pytest.mark.parametrize(
    ("url", "port"), [("http://h", 80), ("https://h/x", 443), ("http://[::1]:99", 99), ("https://h:8443/a:1", 8443)]
)
def test_the_policy_knows_the_port_of_any_address(pick: Pick, url: str, port: int) -> None:
    spec = pick("NetworkPolicy", "launch-agent-rel", {"networkPolicy": {"enabled": True}, "baseUrl": url})["spec"]
    assert port in {entry["port"] for entry in spec["egress"][1]["ports"]}


def test_more_rules_and_peers_are_added_to_the_policy(pick: Pick) -> None:
    policy = {
        "enabled": True,
        "ingressFrom": [{"podSelector": {}}],
        "extraEgress": [{"ports": [{"port": 5000, "protocol": "TCP"}]}],
    }
    values = {"networkPolicy": policy, "sshAuthSecrets": [{"name": "k", "host": "h"}]}
    spec = pick("NetworkPolicy", "launch-agent-rel", values)["spec"]
    assert spec["ingress"][0]["from"] == [{"podSelector": {}}]
    assert spec["egress"][-1] == {"ports": [{"port": 5000, "protocol": "TCP"}]}
    assert 22 in {entry["port"] for entry in spec["egress"][1]["ports"]}


def test_a_service_monitor_finds_its_service_and_that_the_pod(render: Render) -> None:
    objects = render({"serviceMonitor": {"enabled": True, "labels": {"release": "p"}, "interval": "1m"}})
    by_kind = {item["kind"]: item for item in objects}
    service, monitor, deployment = by_kind["Service"], by_kind["ServiceMonitor"], by_kind["Deployment"]
    assert monitor["metadata"]["labels"]["release"] == "p"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["spec"]["selector"].items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert monitor["spec"]["endpoints"] == [{"port": "http", "path": "/metrics", "interval": "1m"}]


def test_a_release_with_a_dot_gets_a_service_with_a_valid_name(render: Render) -> None:
    objects = render({"serviceMonitor": {"enabled": True}}, release="team.a")
    (service,) = [item for item in objects if item["kind"] == "Service"]
    assert service["metadata"]["name"] == "launch-agent-team-a"


def test_objects_of_the_users_own_are_rendered_as_templates(pick: Pick) -> None:
    plain = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-a"}}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-b\ndata: {x: '${run_id}'}\n"
    values = {"extraObjects": [plain, text]}
    assert pick("ConfigMap", "rel-a", values)
    assert pick("ConfigMap", "rel-b", values)["data"] == {"x": "${run_id}"}


def test_a_parent_chart_can_put_everything_into_one_namespace(render: Render) -> None:
    objects = render({"namespaceOverride": "one", "namespace": "other", "additionalTargetNamespaces": []})
    assert {item["metadata"]["namespace"] for item in objects} == {"one"}


def test_the_pod_of_helm_test_is_a_check_with_the_agents_eyes(render: Render) -> None:
    values = {"kanikoPvcName": "claim", "agent": {"imagePullSecrets": ["pull"]}}
    objects = render(values)
    (check,) = [item for item in objects if item["kind"] == "Pod"]
    pod = pod_of(render, values)
    assert check["metadata"]["annotations"]["helm.sh/hook"] == "test"
    (one,) = check["spec"]["containers"]
    assert one["args"] == ["check"]
    assert one["env"] == pod["containers"][0]["env"]
    assert check["spec"]["serviceAccountName"] == pod["serviceAccountName"]
    assert check["spec"]["imagePullSecrets"] == [{"name": "pull"}]
    assert "kaniko" not in {volume["name"] for volume in check["spec"]["volumes"]}
    assert check["metadata"]["labels"].get("app") is None


def test_unknown_hosts_can_be_accepted_once_but_checking_is_never_off(pick: Pick) -> None:
    keys = {"sshAuthSecrets": [{"name": "k", "host": "git.example.com"}]}
    strict = pick("ConfigMap", "ssh-config-rel", keys)["data"]
    once = pick("ConfigMap", "ssh-config-rel", {**keys, "sshStrictHostKeyChecking": "accept-new"})["data"]
    assert "StrictHostKeyChecking yes" in strict["config"]
    assert "StrictHostKeyChecking accept-new" in once["config"]
    assert "UserKnownHostsFile /tmp/known_hosts ~/.ssh/known_hosts" in once["config"]
    assert [host for host in ("github.com", "gitlab.com", "bitbucket.org") if host not in strict["known_hosts"]] == []


def test_the_last_of_repeated_variables_counts_and_stands_once(environment: Callable[..., Manifest]) -> None:
    repeated = [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}, {"name": "WANDB_RELEASE_NAME", "value": "x"}]
    found = environment({"additionalEnvVars": repeated})
    assert (found["A"]["value"], found["WANDB_RELEASE_NAME"]["value"]) == ("2", "x")


def test_the_checksums_change_with_what_the_agent_reads(render: Render) -> None:
    def sums(values: Manifest) -> tuple[str, str]:
        (deployment,) = [item for item in render(values) if item["kind"] == "Deployment"]
        marks = deployment["spec"]["template"]["metadata"]["annotations"]
        return marks["checksum/config"], marks["checksum/secrets"]

    config, secrets = sums({})
    configs: list[Manifest] = [{"baseUrl": "http://h"}, {"launchConfig": {"queues": ["other"]}}]
    for values in configs:
        assert sums(values)[0] != config
        assert sums(values)[1] == secrets
    token = [{"name": "T", "value": "1"}]
    given: list[Manifest] = [{"agent": {"apiKey": "k"}}, {"gitCreds": "g"}, {"additionalSecretEnvVars": token}]
    for values in given:
        assert sums(values)[0] == config
        assert sums(values)[1] != secrets


def test_secret_values_go_out_as_they_came(pick: Pick) -> None:
    tricky = "a\"b'c: #{{ x }} ${y} ünï\n"
    secret = pick(
        "Secret", "launch-agent-secret-env-vars", {"additionalSecretEnvVars": [{"name": "T", "value": tricky}]}
    )
    assert b64decode(secret["data"]["T"]).decode() == tricky


def test_a_map_as_configuration_reaches_the_agent_as_yaml(pick: Pick) -> None:
    config = {"entity": "e", "queues": ["q"], "max_jobs": 3, "builder": {"type": "noop"}}
    found = pick("ConfigMap", "wandb-launch-configmap-rel", {"launchConfig": config})
    assert yaml.safe_load(found["data"]["launch-config.yaml"]) == config
