"""What is refused, where, and in which words. `lint` is the earliest; `fail` in a template is silent there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Manifest = dict[str, Any]
Run = Callable[..., Any]

CHART = Path(__file__).resolve().parents[2] / "charts" / "launch-agent"
KEY = "0123456789abcdef0123456789abcdef01234567"
LEAST: Manifest = {"agent": {"apiKey": KEY}, "launchConfig": "entity: e\nqueues: [q]\n"}

# values (over the least) and what the message must hold; the schema says it, at lint, template and install alike
BY_SCHEMA: list[tuple[Manifest, list[str]]] = [
    ({"replicaCount": 2}, ["replicaCount"]),
    ({"agnet": {"image": "x"}}, ["agnet"]),
    ({"launchConfg": "x"}, ["launchConfg"]),
    ({"agent": {"apikey": KEY}}, ["agent", "apikey"]),
    ({"agent": {"apiKey": 1234567890}}, ["agent", "apiKey", "string"]),
    ({"agent": {"useExternalWandbSecret": "yes"}}, ["useExternalWandbSecret", "boolean"]),
    ({"agent": {"image": "<my-image>"}}, ["agent", "image"]),
    ({"agent": {"image": "two words"}}, ["agent", "image"]),
    ({"agent": {"imagePullPolicy": "Sometimes"}}, ["imagePullPolicy", "Always"]),
    ({"agent": {"labels": ["a"]}}, ["labels", "array"]),
    ({"agent": {"labels": {"a": {"b": 1}}}}, ["labels"]),
    ({"agent": {"resources": {"limit": {}}}}, ["resources", "limit"]),
    ({"agent": {"resources": {"limits": {"cpu": True}}}}, ["cpu", "boolean"]),
    ({"agent": {"tolerations": {"key": "a"}}}, ["tolerations", "object"]),
    ({"agent": {"affinity": []}}, ["affinity", "array"]),
    ({"agent": {"startTimeout": "30m"}}, ["startTimeout"]),
    ({"agent": {"startTimeout": -1}}, ["startTimeout"]),
    ({"agent": {"minAvailable": "half"}}, ["minAvailable"]),
    ({"namespace": "Team_A"}, ["namespace"]),
    ({"namespace": "a" * 64}, ["namespace"]),
    ({"additionalTargetNamespaces": "default"}, ["additionalTargetNamespaces", "string"]),
    ({"additionalTargetNamespaces": ["ok", "not ok"]}, ["additionalTargetNamespaces", "1"]),
    ({"createNamespaces": "always"}, ["createNamespaces", "never"]),
    ({"baseUrl": "api.wandb.ai"}, ["baseUrl"]),
    ({"baseUrl": "https://user:pass@api.wandb.ai"}, ["baseUrl"]),
    ({"baseUrl": "<your url>"}, ["baseUrl"]),
    ({"launchConfig": ["queues"]}, ["launchConfig", "array"]),
    ({"additionalEnvVars": {"A": "b"}}, ["additionalEnvVars"]),
    ({"additionalEnvVars": [{"value": "b"}]}, ["additionalEnvVars"]),
    ({"additionalEnvVars": [{"name": "A B", "value": "b"}]}, ["additionalEnvVars"]),
    ({"additionalEnvVars": [{"name": "A", "value": "b", "valueFrom": {"fieldRef": {}}}]}, ["additionalEnvVars"]),
    ({"additionalSecretEnvVars": [{"name": "A"}]}, ["additionalSecretEnvVars"]),
    ({"gitCreds": ["x"]}, ["gitCreds", "array"]),
    ({"sshAuthSecrets": [{"name": "deploy-key"}]}, ["sshAuthSecrets", "host"]),
    ({"sshAuthSecrets": [{"name": "Deploy Key", "host": "h"}]}, ["sshAuthSecrets", "name"]),
    ({"serviceAccount": {"name": "x"}}, ["serviceAccount", "name"]),
    ({"azureStorageAccessKey": 12}, ["azureStorageAccessKey", "string"]),
    ({"customCABundle": {"secret": {}}}, ["customCABundle", "secret"]),
    ({"kanikoPvcName": "Not A Name"}, ["kanikoPvcName"]),
    ({"volcano": "no"}, ["volcano", "boolean"]),
    ({"podMonitor": {"interval": "often"}}, ["podMonitor", "interval"]),
]

# what the templates refuse: at template and install
BY_TEMPLATE: list[tuple[Manifest, list[str]]] = [
    ({"agent": {"apiKey": ""}}, ["agent.apiKey is empty", "wandb-api-key-rel", "useExternalWandbSecret: true"]),
    ({"agent": {"apiKey": "<your key>"}}, ["agent.apiKey is not a key"]),
    (
        {"agent": {"useExternalWandbSecret": True}},
        ["agent.apiKey and agent.useExternalWandbSecret are both set", "Keep one"],
    ),
    ({"agent": {"image": "wandb/launch-agent:latest"}}, ["agent.image is W&B's own agent (wandb/launch-agent:latest)"]),
    ({"agent": {"image": "docker.io/wandb/launch-agent@sha256:00"}}, ["agent.image is W&B's own agent"]),
    ({"agent": {"labels": {"app": "x"}}}, ["agent.labels.app", "app: launch-agent-rel", "Use another label"]),
    ({"launchConfig": ""}, ["launchConfig is empty", "queues: [<your queue>]"]),
    ({"launchConfig": "entity: e\n"}, ["launchConfig.queues is empty. Name at least one queue."]),
    ({"launchConfig": "queues:\n\t- q\n"}, ["launchConfig is indented with a tab", "Replace tabs by blanks"]),
    ({"launchConfig": "queues: [q\n"}, ["launchConfig is not a YAML mapping"]),
    ({"launchConfig": "- q\n"}, ["launchConfig is not a YAML mapping"]),
    ({"launchConfig": "", "agentConfig": "entity: e\n"}, ["agentConfig.queues is empty"]),
    ({"agentConfig": "queues: [other]"}, ["launchConfig and agentConfig are two spellings", "Remove agentConfig"]),
    ({"launchConfig": "queues: [<queue name>]"}, ["launchConfig still has the placeholder <queue name>. Fill it in."]),
]


def over_least(values: Manifest) -> Manifest:
    agent = values.get("agent")
    return {**LEAST, **values, "agent": {**LEAST["agent"], **agent} if isinstance(agent, dict) else LEAST["agent"]}


@pytest.mark.parametrize(("values", "words"), BY_SCHEMA)
@pytest.mark.parametrize("verb", ["lint", "template"])
def test_the_schema_refuses_and_names_the_value(run_helm: Run, values: Manifest, words: list[str], verb: str) -> None:
    done = run_helm(verb, over_least(values))
    assert done.returncode != 0
    said = done.stdout + done.stderr
    assert not [word for word in words if word not in said], said


@pytest.mark.parametrize(("values", "words"), BY_TEMPLATE)
def test_the_templates_refuse_and_name_value_and_cure(run_helm: Run, values: Manifest, words: list[str]) -> None:
    done = run_helm("template", over_least(values))
    assert done.returncode != 0
    assert "These values need a change:" in done.stderr
    assert not [word for word in words if word not in done.stderr], done.stderr


def test_the_documented_file_with_its_placeholders_names_all_of_them_at_once(run_helm: Run, tmp_path: Path) -> None:
    text = (CHART / "ci" / "seeds-values.yaml").read_text(encoding="utf-8")
    filled = {
        KEY: "",
        "reg.local:5000/launch-agent:0.1.0": "wandb/launch-agent:latest",
        "- gpu": "- <queue name>",
        "max_jobs: 2": "max_jobs: <n concurrent jobs>",
        "us-east-1\n": "<aws-region>\n",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/launch": "<my-registry-uri>",
        "s3://launch-contexts/builds": "<s3-bucket-uri>",
    }
    for value, placeholder in filled.items():
        assert value in text
        text = text.replace(value, placeholder)
    path = tmp_path / "seeds.yaml"
    path.write_text(text, encoding="utf-8")
    done = run_helm("template", path)
    wanted = ["<queue name>", "<n concurrent jobs>", "<aws-region>", "<my-registry-uri>", "<s3-bucket-uri>"]
    missing = [
        word for word in [*wanted, "agent.apiKey is empty", "agent.image is W&B's own"] if word not in done.stderr
    ]
    assert (done.returncode, missing) == (1, []), done.stderr


def test_a_refusal_never_repeats_a_secret(run_helm: Run) -> None:
    values = over_least({"agent": {"apiKey": "not a key: hunter2"}, "launchConfig": ""})
    done = run_helm("template", values)
    assert done.returncode != 0
    assert "hunter2" not in done.stdout + done.stderr
