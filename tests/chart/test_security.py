"""Least privilege, and a pod that the restricted profile of Pod Security admits."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]
CI = Path(__file__).resolve().parents[2] / "charts" / "launch-agent" / "ci"

VOLUME_KINDS = {
    "configMap",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
    "csi",
}


def pod_of(objects: list[Manifest]) -> Manifest:
    (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
    pod: Manifest = deployment["spec"]["template"]["spec"]
    return pod


def restricted_faults(pod: Manifest) -> list[str]:
    """What the restricted profile (Kubernetes' Pod Security Standards) would object to."""
    whole = pod.get("securityContext", {})
    faults = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    faults += [f"volume {volume['name']}" for volume in pod["volumes"] if not VOLUME_KINDS & set(volume)]
    for one in [*pod.get("initContainers", []), *pod["containers"]]:
        own = one.get("securityContext", {})
        merged = {**whole, **own}
        checks = {
            "privileged": not own.get("privileged"),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "runAsNonRoot": merged.get("runAsNonRoot") is True,
            "runAsUser": merged.get("runAsUser", 1) != 0,
            "seccompProfile": merged.get("seccompProfile", {}).get("type") in {"RuntimeDefault", "Localhost"},
            "capabilities.drop": own.get("capabilities", {}).get("drop") == ["ALL"],
            "capabilities.add": not own.get("capabilities", {}).get("add"),
            "hostPort": not [port for port in one.get("ports", []) if port.get("hostPort")],
        }
        faults += [f"{one['name']}: {name}" for name, right in checks.items() if not right]
    return faults


@pytest.mark.parametrize("scenario", sorted(CI.glob("*-values.yaml")), ids=lambda path: path.name)
def test_every_pod_passes_the_restricted_profile(render: Render, scenario: Path) -> None:
    objects = render(scenario)
    pods = [pod_of(objects), *(item["spec"] for item in objects if item["kind"] == "Pod")]
    assert [restricted_faults(pod) for pod in pods] == [[]] * len(pods)


def secrets_in(value: Any) -> set[str]:
    """Names of Secrets that a pod reads, wherever they stand; not those that its image is pulled with."""
    if isinstance(value, list):
        return {name for one in value for name in secrets_in(one)}
    if not isinstance(value, dict):
        return set()
    own = {value["secretName"]} if "secretName" in value else set()
    own |= {value[key]["name"] for key in ("secretKeyRef", "secretRef", "secret") if "name" in (value.get(key) or {})}
    return own | {name for key, one in value.items() if key != "imagePullSecrets" for name in secrets_in(one)}


@pytest.mark.parametrize("scenario", sorted(CI.glob("*-values.yaml")), ids=lambda path: path.name)
def test_the_agent_is_told_every_secret_and_the_account_that_no_job_may_use(render: Render, scenario: Path) -> None:
    objects = render(scenario)
    pod = pod_of(objects)
    told = {variable["name"]: variable.get("value", "") for variable in pod["containers"][0]["env"]}
    if "LAUNCH_AGENT_LEASE" not in told:
        assert not {"LAUNCH_AGENT_OWN_SECRETS", "LAUNCH_AGENT_SERVICE_ACCOUNT"} & told.keys()
        return
    made = {item["metadata"]["name"] for item in objects if item["kind"] == "Secret"}
    names = told["LAUNCH_AGENT_OWN_SECRETS"].split(",")
    by_name = {told.get("WANDB_LAUNCH_KANIKO_AUTH_SECRET", ""), told.get("LAUNCH_AGENT_STORAGE_KEY_SECRET", "")}
    others = {name.partition("/")[0] for name in by_name if name} | {"launch-agent-moved-variables-rel"}
    assert set(names) == made | secrets_in(pod) | others
    assert names == sorted(set(names))
    assert told["LAUNCH_AGENT_SERVICE_ACCOUNT"] == pod["serviceAccountName"]


def test_secrets_in_variables_and_volumes_of_the_users_own_are_told_too(render: Render) -> None:
    reference = {"secretKeyRef": {"name": "vault", "key": "token"}}
    volumes = [
        {"name": "a", "secret": {"secretName": "mounted"}},
        {"name": "b", "projected": {"sources": [{"secret": {"name": "projected"}}, {"configMap": {"name": "none"}}]}},
    ]
    agent = {"extraVolumes": volumes, "imagePullSecrets": ["pull"]}
    pod = pod_of(render({"agent": agent, "additionalEnvVars": [{"name": "TOKEN", "valueFrom": reference}]}))
    (names,) = [one["value"] for one in pod["containers"][0]["env"] if one["name"] == "LAUNCH_AGENT_OWN_SECRETS"]
    wanted = {"launch-agent-moved-variables-rel", "wandb-api-key-rel", "vault", "mounted", "projected"}
    assert set(names.split(",")) == wanted


def test_the_check_of_the_profile_bites() -> None:
    pod = {"volumes": [{"name": "h", "hostPath": {}}], "containers": [{"name": "c"}], "hostNetwork": True}
    assert restricted_faults(pod) == [
        "hostNetwork is set",
        "volume h",
        "c: allowPrivilegeEscalation",
        "c: runAsNonRoot",
        "c: seccompProfile",
        "c: capabilities.drop",
    ]


def test_the_root_is_read_only_and_home_and_tmp_are_the_places_to_write(render: Render) -> None:
    pod = pod_of(render())
    (one,) = pod["containers"]
    assert one["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {mount["mountPath"]: mount for mount in one["volumeMounts"]}
    empty = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
    assert {path for path, mount in mounts.items() if mount["name"] in empty} == {"/home/launch_agent", "/tmp"}
    assert mounts["/home/launch_agent/.config/wandb"]["readOnly"] is True
    assert (pod["securityContext"]["runAsUser"], pod["enableServiceLinks"]) == (1000, False)


def test_probes_ask_the_agents_health_port(container: Callable[..., Manifest]) -> None:
    one = container()
    assert one["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert one["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert one["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert one["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert one["args"] == ["run"]


def test_nothing_reaches_beyond_its_namespaces_unless_asked_for(render: Render) -> None:
    kinds = {item["kind"] for item in render(CI / "all-values.yaml")}
    assert not {kind for kind in kinds if kind.startswith("Cluster")}
    asked = {item["kind"] for item in render({"rbac": {"clusterWide": True}})}
    assert {kind for kind in asked if kind.startswith("Cluster")} == {"ClusterRole", "ClusterRoleBinding"}


def test_the_token_is_mounted_by_the_pod_and_not_by_its_account(render: Render) -> None:
    objects = render()
    (account,) = [item for item in objects if item["kind"] == "ServiceAccount"]
    assert account["automountServiceAccountToken"] is False
    assert pod_of(objects)["automountServiceAccountToken"] is True


def test_no_key_stands_outside_of_a_secret(render: Render) -> None:
    for item in render(CI / "all-values.yaml"):
        if item["kind"] != "Secret":
            text = str(item)
            assert not [
                word for word in ("0123456789abcdef0123", "token#1", "c3RvcmFnZS1rZXk", "12345678") if word in text
            ]
