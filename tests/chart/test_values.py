"""What values mean, and the accidents of W&B's chart that users rely on."""

from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Manifest = dict[str, Any]
Render = Callable[..., list[Manifest]]
Pick = Callable[..., Manifest]
CHART = Path(__file__).resolve().parents[2] / "charts" / "launch-agent"
TEXT = "entity: ml-team\nqueues: [default]\n"


def decoded(secret: Manifest, key: str) -> str:
    return b64decode(secret["data"][key]).decode()


@pytest.mark.parametrize("key", ["abc", "abc\n", "\n  abc  \n", "1234567890", "12e34", "a: b#c".replace(" ", "")])
def test_blanks_around_the_api_key_disappear_and_the_rest_is_kept(pick: Pick, key: str) -> None:
    secret = pick("Secret", "wandb-api-key-rel", {"agent": {"apiKey": key}})
    assert decoded(secret, "password") == key.strip()


def test_git_credentials_are_kept_whole_without_a_final_newline(pick: Pick) -> None:
    lines = "https://user:token #1@git.example.com\r\nhttps://other:token@code.example.com\n\n"
    secret = pick("Secret", "git-creds", {"gitCreds": lines})
    assert decoded(secret, ".git-credentials") == lines.replace("\r\n", "\n").strip()
    assert "helper = store" in decoded(secret, ".gitconfig")


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_namespace_means_the_release_namespace(render: Render, empty: str | None) -> None:
    objects = render({"namespace": empty, "additionalTargetNamespaces": []})
    assert {item["metadata"]["namespace"] for item in objects} == {"release-ns"}


def test_the_agents_namespace_is_always_a_target_and_duplicates_are_dropped(render: Render) -> None:
    objects = render({"namespace": "team-a", "additionalTargetNamespaces": ["jobs", "team-a", "jobs", 2024]})
    keys = [item["metadata"]["namespace"] for item in objects if item["kind"] == "Secret"]
    assert keys == ["team-a", "jobs", "2024"]


def test_without_values_the_targets_are_wandb_and_default(render: Render) -> None:
    keys = [item["metadata"]["namespace"] for item in render() if item["kind"] == "Secret"]
    assert keys == ["wandb", "default"]


def test_annotations_without_a_value_are_stored_as_empty_texts(pick: Pick, render: Render) -> None:
    account = pick("ServiceAccount", "wandb-launch-serviceaccount-rel", CHART / "ci" / "seeds-values.yaml")
    expected = {"iam.gke.io/gcp-service-account": "", "azure.workload.identity/client-id": ""}
    assert account["metadata"]["annotations"] == expected
    pod = pick("Deployment", "launch-agent-rel", {"agent": {"podAnnotations": {"a": None, "b": 1}}})["spec"]["template"]
    assert (pod["metadata"]["annotations"]["a"], pod["metadata"]["annotations"]["b"]) == ("", "1")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"limits": {"cpu": "1000m", "memory": "1Gi"}}),
        ({"requests": {"cpu": 1}}, {"limits": {"cpu": "1000m", "memory": "1Gi"}, "requests": {"cpu": 1}}),
        ({"limits": {"memory": "2Gi"}}, {"limits": {"cpu": "1000m", "memory": "2Gi"}}),
        ({"limits": {"cpu": None}}, {"limits": {"memory": "1Gi"}}),
        (None, None),
    ],
)
def test_resources_are_merged_with_the_default_limits(
    container: Callable[..., Manifest], given: Any, expected: Any
) -> None:
    assert container({"agent": {"resources": given}}).get("resources") == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, {"maxUnavailable": 1}),
        (0, {"minAvailable": 0}),
        (1, {"minAvailable": 1}),
        ("50%", {"minAvailable": "50%"}),
    ],
)
def test_the_budget_lets_a_node_be_drained_unless_it_is_told_otherwise(pick: Pick, given: Any, expected: Any) -> None:
    spec = pick("PodDisruptionBudget", "launch-agent-rel", {"agent": {"minAvailable": given}})["spec"]
    assert {key: value for key, value in spec.items() if key != "selector"} == expected


@pytest.mark.parametrize(
    ("given", "expected"), [(0, "0"), ("600", "600"), (1_000_000, "1000000"), (86_400_000, "86400000")]
)
def test_the_start_timeout_is_written_in_digits(
    environment: Callable[..., Manifest], given: Any, expected: str
) -> None:
    assert environment({"agent": {"startTimeout": given}})["WANDB_LAUNCH_START_TIMEOUT"]["value"] == expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("60", "60"),
        (60, "60"),
        (1.5, "1.5"),
        (10_000_000, "10000000"),
        (True, "true"),
        ("yes", "yes"),
        ("a: b", "a: b"),
        ("*all", "*all"),
        ("${HOME} {{ x }}", "${HOME} {{ x }}"),
        ("", ""),
        (None, ""),
    ],
)
def test_variables_are_quoted_texts(environment: Callable[..., Manifest], given: Any, expected: str) -> None:
    assert environment({"additionalEnvVars": [{"name": "X", "value": given}]})["X"]["value"] == expected


def test_a_variable_may_come_from_elsewhere(environment: Callable[..., Manifest]) -> None:
    source = {"secretKeyRef": {"name": "proxy", "key": "password"}}
    assert environment({"additionalEnvVars": [{"name": "X", "valueFrom": source}]})["X"] == {
        "name": "X",
        "valueFrom": source,
    }


def test_of_repeated_variables_the_last_counts_and_a_user_may_replace_the_charts_own(
    environment: Callable[..., Manifest],
) -> None:
    given = [{"name": "X", "value": 1}, {"name": "X", "value": 2}, {"name": "WANDB_BASE_URL", "value": "http://mine"}]
    found = environment({"additionalEnvVars": given})
    assert found["X"] == {"name": "X", "value": "2"}
    assert found["WANDB_BASE_URL"] == {"name": "WANDB_BASE_URL", "value": "http://mine"}


def test_secret_variables_go_through_a_secret(environment: Callable[..., Manifest], pick: Pick) -> None:
    values = {"additionalSecretEnvVars": [{"name": "PIN", "value": 12345678}, {"name": "P", "value": 'a"b: c'}]}
    reference = environment(values)["PIN"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": "launch-agent-secret-env-vars", "key": "PIN"}
    secret = pick("Secret", "launch-agent-secret-env-vars", values)
    assert (decoded(secret, "PIN"), decoded(secret, "P")) == ("12345678", 'a"b: c')


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"launchConfig": TEXT}, TEXT),
        ({"launchConfig": f"\n\n{TEXT}\n\n"}, TEXT),
        ({"launchConfig": TEXT.replace("\n", "\r\n")}, TEXT),
        (
            {"launchConfig": "    entity: e\n    queues:\n      - q\n\n    max_jobs: 1\n"},
            "entity: e\nqueues:\n  - q\n\nmax_jobs: 1\n",
        ),
        ({"launchConfig": "  # ${a} {{ b }} ü\nqueues: [q]\n"}, "  # ${a} {{ b }} ü\nqueues: [q]\n"),
        ({"launchConfig": None, "agentConfig": TEXT}, TEXT),
        ({"launchConfig": {"queues": ["q"], "max_jobs": 3}}, {"entity": "ml-team", "queues": ["q"], "max_jobs": 3}),
        ({"launchConfig": None, "agentConfig": {"queues": ["q"]}}, {"queues": ["q"]}),
    ],
)
def test_the_configuration_reaches_the_agent_as_it_was_meant(
    pick: Pick, values: Manifest, expected: str | Manifest
) -> None:
    text = pick("ConfigMap", "wandb-launch-configmap-rel", values)["data"]["launch-config.yaml"]
    if isinstance(expected, str):
        assert text == expected
    else:
        assert yaml.safe_load(text) == expected


def test_both_spellings_of_the_configuration_may_say_the_same(pick: Pick) -> None:
    config = pick("ConfigMap", "wandb-launch-configmap-rel", {"launchConfig": TEXT, "agentConfig": TEXT})
    assert config["data"]["launch-config.yaml"] == TEXT


@pytest.mark.parametrize("url", ["", None])
def test_an_empty_base_url_means_wandbs(pick: Pick, url: str | None) -> None:
    config = pick("ConfigMap", "wandb-launch-configmap-rel", {"baseUrl": url})
    assert config["data"]["wandb-base-url"] == "https://api.wandb.ai"


@pytest.mark.parametrize("bundle", [{"name": "company-ca"}, {"name": "company-ca", "key": ""}, {}])
def test_a_bundle_without_a_key_is_ignored(environment: Callable[..., Manifest], bundle: Manifest) -> None:
    assert "REQUESTS_CA_BUNDLE" not in environment({"customCABundle": {"configMap": bundle}})


@pytest.mark.parametrize(
    "block", ["serviceAccount", "customCABundle", "additionalTargetNamespaces", "podMonitor", "global", "namespace"]
)
def test_a_block_with_nothing_in_it_is_absent(render: Render, block: str) -> None:
    assert render({block: None})


def test_templates_do_without_the_keys_that_older_releases_stored_no_values_for(
    tmp_path: Path, run_helm: Callable[..., Any]
) -> None:
    keys = ["createNamespaces", "sshKnownHosts", "podMonitor", "volcano", "global", "agentConfig", "customCABundle"]
    values = {"agent": {"apiKey": "a" * 40}, "launchConfig": TEXT, **dict.fromkeys(keys)}
    assert run_helm("template", values).returncode == 0


def test_an_external_secret_is_referred_to_and_not_made(render: Render) -> None:
    objects = render({"agent": {"apiKey": "", "useExternalWandbSecret": True}})
    assert not [item for item in objects if item["kind"] == "Secret"]


def test_the_users_pod_labels_are_texts_and_reach_the_pod_only(pick: Pick) -> None:
    deployment = pick("Deployment", "launch-agent-rel", {"agent": {"labels": {"team": "ml", "cost": 42, "on": True}}})
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert (labels["team"], labels["cost"], labels["on"]) == ("ml", "42", "true")
    assert "team" not in deployment["metadata"]["labels"]


CHANGES = [
    ({"launchConfig": "queues: [other]"}, "checksum/config"),
    ({"baseUrl": "http://other"}, "checksum/config"),
    ({"agent": {"apiKey": "b" * 40}}, "checksum/secrets"),
    ({"gitCreds": "https://a:b@c"}, "checksum/secrets"),
    ({"additionalSecretEnvVars": [{"name": "A", "value": "b"}]}, "checksum/secrets"),
]


@pytest.mark.parametrize(("change", "annotation"), CHANGES)
def test_a_changed_configuration_or_secret_restarts_the_pod(pick: Pick, change: Manifest, annotation: str) -> None:
    before, after = (
        pick("Deployment", "launch-agent-rel", values)["spec"]["template"]["metadata"]["annotations"]
        for values in ({}, change)
    )
    assert {key for key in before if before[key] != after[key]} == {annotation}


def test_host_keys_are_always_checked(pick: Pick) -> None:
    values = {
        "sshAuthSecrets": [{"name": "deploy-key", "host": "git.example.com"}],
        "sshKnownHosts": "git.example.com ssh-ed25519 AAAA",
    }
    data = pick("ConfigMap", "ssh-config-rel", values)["data"]
    assert "StrictHostKeyChecking yes" in data["config"]
    assert "Host git.example.com\n" in data["config"]
    hosts = [line.split()[0] for line in data["known_hosts"].splitlines()]
    assert hosts == ["github.com", "gitlab.com", "bitbucket.org", "git.example.com"]


def test_the_pod_monitor_is_off_until_asked_for(render: Render) -> None:
    assert "PodMonitor" not in {item["kind"] for item in render()}
    (monitor,) = [item for item in render({"podMonitor": {"enabled": True}}) if item["kind"] == "PodMonitor"]
    assert monitor["spec"]["podMetricsEndpoints"] == [{"port": "http", "path": "/metrics", "interval": "30s"}]


@pytest.mark.parametrize("mode", ["auto", "never", None])
def test_without_a_cluster_no_namespace_is_rendered(render: Render, mode: str | None) -> None:
    assert "Namespace" not in {item["kind"] for item in render({"createNamespaces": mode})}
