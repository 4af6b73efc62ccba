"""Bad input: what is refused, in which words, and where. All of it bites at lint, template and install alike."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.refusals import find_unsaid, hear

Manifest = dict[str, Any]
Run = Callable[..., Any]

CHART = Path(__file__).resolve().parents[2] / "charts" / "launch-agent"
KEY = "0123456789abcdef0123456789abcdef01234567"
LEAST: Manifest = {"agent": {"apiKey": KEY}, "launchConfig": "entity: e\nqueues: [q]\n"}


@dataclass(frozen=True)
class Case:
    """Values (laid over the least that installs) and the whole sentences that answer them. `{R}` is the release."""

    name: str
    values: Manifest
    says: list[str] = field(default_factory=list)


TABLE: dict[str, list[Manifest]] = yaml.safe_load(
    Path(__file__).with_name("bad-values.yaml").read_text(encoding="utf-8")
)
BY_SCHEMA = [Case(**one) for one in TABLE["schema"]]
BY_TEMPLATE = [Case(**one) for one in TABLE["templates"]]
CASES = [*BY_SCHEMA, *BY_TEMPLATE]


def over_least(values: Manifest) -> Manifest:
    """The least that installs, with these values laid over it; None takes one away."""
    agent = values.get("agent")
    merged = {**LEAST, **values, "agent": {**LEAST["agent"], **agent} if isinstance(agent, dict) else LEAST["agent"]}
    return {name: value for name, value in merged.items() if value is not None}


def test_the_table_is_long_and_every_case_says_something() -> None:
    assert len(CASES) >= 60
    assert len({case.name for case in CASES}) == len(CASES)
    assert not [case.name for case in CASES if not case.says]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("verb", ["lint", "template"])
def test_bad_values_are_refused_at_lint_and_template(run_helm: Run, helm: Path, case: Case, verb: str) -> None:
    done = run_helm(verb, over_least(case.values))
    assert done.returncode == 1
    release = "test-release" if verb == "lint" else "rel"
    output = done.stdout + done.stderr
    assert find_unsaid(case.says, output, helm, release, by_schema=case in BY_SCHEMA) == [], output


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_refusal_never_repeats_a_secret(run_helm: Run, case: Case) -> None:
    done = run_helm("template", over_least(case.values))
    assert "hunter2" not in done.stdout + done.stderr
    assert KEY not in done.stdout + done.stderr


SECRETS: list[Manifest] = [
    {"agent": {"apiKey": "not a key: hunter2"}, "launchConfig": ""},
    {"agent": {"apiKey": ["hunter2"]}},
    {"agent": {"apiKey": {"value": "hunter2"}}},
    {"gitCreds": ["https://user:hunter2@host"]},
    {"gitCreds": "https://user:hunter2@host", "existingSecrets": {"gitCreds": "mine"}},
    {"azureStorageAccessKey": ["hunter2"]},
    {"azureStorageAccessKey": "hunter2", "existingSecrets": {"azureStorageAccessKey": {"name": "mine"}}},
    {"additionalSecretEnvVars": [{"name": "A", "value": ["hunter2"]}]},
    {"additionalSecretEnvVars": {"A": "hunter2"}},
    {"additionalSecretEnvVars": "hunter2"},
    {"additionalEnvVars": [{"name": "A", "value": {"a": "hunter2"}}]},
    {"baseUrl": "user:hunter2@host"},
]


@pytest.mark.parametrize("values", SECRETS)
@pytest.mark.parametrize("verb", ["lint", "template"])
def test_nothing_of_a_secret_is_printed_when_it_is_at_fault(run_helm: Run, values: Manifest, verb: str) -> None:
    done = run_helm(verb, over_least(values))
    assert done.returncode == 1
    assert "hunter2" not in done.stdout + done.stderr


def test_all_faults_are_told_at_once(run_helm: Run) -> None:
    done = run_helm(
        "template", {"agent": {"labels": {"app": "x"}, "image": "<image>"}, "launchConfig": {"queues": ["<queue>"]}}
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("  - ")]
    assert len(lines) == 4, done.stderr


def test_text_and_map_of_the_same_content_are_one_configuration(run_helm: Run) -> None:
    text = "# two spellings\nqueues: [q]\nmax_jobs: 2\n"
    values = over_least({"launchConfig": text, "agentConfig": {"max_jobs": 2, "queues": ["q"]}})
    assert run_helm("template", values).returncode == 0


def documented_file() -> str:
    """W&B's documented values file as it is published: placeholders in the configuration, no key."""
    text = (CHART / "ci" / "seeds-values.yaml").read_text(encoding="utf-8")
    filled = {
        KEY: "",
        "reg.local:5000/launch-agent:0.1.0": "wandb/launch-agent:latest",
        "http://10.200.0.1:8081": "https://api.wandb.ai",
        "- gpu": "- <queue name>",
        "max_jobs: 2": "max_jobs: <n concurrent jobs>",
        "us-east-1\n": "<aws-region>\n",
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/launch": "<my-registry-uri>",
        "s3://launch-contexts/builds": "<s3-bucket-uri>",
    }
    for value, placeholder in filled.items():
        assert value in text, value
        text = text.replace(value, placeholder)
    return text


DOCUMENTED = [
    "agent.apiKey is empty.",
    "launchConfig.queues[0] still has the placeholder <queue name>. Fill it in.",
    "launchConfig.max_jobs still has the placeholder <n concurrent jobs>. Fill it in.",
    "launchConfig.environment.region still has the placeholder <aws-region>. Fill it in.",
    "launchConfig.registry.uri still has the placeholder <my-registry-uri>. Fill it in.",
    "launchConfig.builder.build-context-store still has the placeholder <s3-bucket-uri>. Fill it in.",
]


@pytest.mark.parametrize("verb", ["lint", "template"])
def test_the_documented_file_names_every_placeholder_and_the_missing_key_at_once(
    run_helm: Run, tmp_path: Path, verb: str
) -> None:
    path = tmp_path / "seeds.yaml"
    path.write_text(documented_file(), encoding="utf-8")
    done = run_helm(verb, path)
    output = hear(done.stdout + done.stderr)
    assert (done.returncode, [sentence for sentence in DOCUMENTED if sentence not in output]) == (1, []), output
    assert "at '/launchConfig" not in output


def test_the_charts_own_defaults_say_what_must_be_set(helm: Path) -> None:
    done = subprocess.run([str(helm), "lint", str(CHART)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "agent.apiKey is empty." in done.stdout
    assert "launchConfig is empty." in done.stdout


DEFAULTS: Manifest = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def blocks(node: Manifest, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of all keys of values.yaml that have keys of their own."""
    below = [((*prefix, name), child) for name, child in node.items() if isinstance(child, dict) and child]
    return [path for path, _ in below] + [path for top, child in below for path in blocks(child, top)]


@pytest.mark.parametrize("name", sorted(set(DEFAULTS) - {"agent", "launchConfig"}))
def test_a_null_is_the_same_as_an_absent_key(run_helm: Run, name: str) -> None:
    done = run_helm("template", {**LEAST, name: None})
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", blocks(DEFAULTS), ids=".".join)
def test_a_block_may_hold_nothing_but_nulls(run_helm: Run, path: tuple[str, ...]) -> None:
    node = DEFAULTS
    for step in path:
        node = node[step]
    nulls: Manifest = dict.fromkeys(node)
    for step in reversed(path):
        nulls = {step: nulls}
    least = LEAST if path[0] != "agent" else {**LEAST, "existingSecrets": {"apiKey": {"name": "mine"}}}
    done = run_helm("template", {**least, **nulls})
    assert done.returncode == 0, done.stderr


def test_every_block_may_be_null_at_once(run_helm: Run) -> None:
    nulls = dict.fromkeys(DEFAULTS)
    values = {**nulls, "agentConfig": "queues: [q]", "existingSecrets": {"apiKey": {"name": "mine"}}}
    done = run_helm("template", values)
    assert done.returncode == 0, done.stderr


def test_unknown_keys_pass_when_they_are_allowed_and_types_are_still_checked(run_helm: Run) -> None:
    stray = over_least(
        {"allowUnknownValues": True, "replicaCount": 2, "agent": {"nameOverride": "x"}, "rbac": {"a": 1}}
    )
    assert run_helm("template", stray).returncode == 0
    assert run_helm("lint", stray, "--strict").returncode == 0
    assert "replicaCount" in run_helm("template", {**stray, "allowUnknownValues": False}).stderr
    done = run_helm("template", {**stray, "volcano": "no"})
    assert done.returncode == 1
    assert "volcano" in done.stderr
    assert "replicaCount" not in done.stderr


def test_the_configuration_stays_closed_when_unknown_values_are_allowed(run_helm: Run) -> None:
    done = run_helm(
        "template", over_least({"allowUnknownValues": True, "launchConfig": {"queues": ["q"], "base_url": "x"}})
    )
    assert done.returncode == 1
    assert "base_url" in done.stderr


def test_known_strays_of_other_charts_pass(run_helm: Run) -> None:
    values = over_least({"global": {"any": {"thing": [1]}}, "volcano": False, "agentConfig": LEAST["launchConfig"]})
    assert run_helm("template", values).returncode == 0
