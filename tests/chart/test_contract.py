"""values.yaml, the schema, the templates and the README say the same, in both directions; every scenario lints."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.templates import reads

Manifest = dict[str, Any]
Run = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "launch-agent"
KEY = "0123456789abcdef0123456789abcdef01234567"
SCHEMA: Manifest = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
VALUES: Manifest = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
READS = reads(CHART / "templates")
README = (CHART / "README.md").read_text(encoding="utf-8")
DOCUMENTED = set(re.findall(r"^\| `([A-Za-z.]+)` \|", README, re.MULTILINE))
LEAVES = {path for path in DOCUMENTED if not any(other.startswith(f"{path}.") for other in DOCUMENTED)}
# Known to the schema alone: a parent chart's values pass, and the schema itself reads the switch.
UNREAD = {"global", "allowUnknownValues"}
# Blocks whose keys are Kubernetes' or the agent's own: the schema knows them, values.yaml need not list them.
WHOLE = ("launchConfig", "agentConfig", "agent.resources")


def keys(node: Manifest, prefix: str = "") -> Iterator[str]:
    """Dotted paths of all keys."""
    for name, child in node.items():
        yield f"{prefix}{name}"
        if isinstance(child, dict):
            yield from keys(child, f"{prefix}{name}.")


def rules(node: Manifest, prefix: str = "") -> Iterator[str]:
    """Dotted paths of the schema's own keys, items of lists left out."""
    for name, child in node.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from rules(child, f"{prefix}{name}.")


def is_in_schema(path: str) -> bool:
    node = SCHEMA
    for step in re.findall(r"\[\]|[^.\[\]]+", path):
        if step == "[]":
            node = node.get("items", {})
        elif step in node.get("properties", {}):
            node = node["properties"][step]
        elif "properties" in node or node is SCHEMA:
            return False
        else:
            others = node.get("additionalProperties", {})
            node = others if isinstance(others, dict) else {}
    return True


def is_below(path: str, tops: set[str] | tuple[str, ...]) -> bool:
    return any(path == top or path.startswith((f"{top}.", f"{top}[")) for top in tops)


@pytest.mark.parametrize("template", sorted(READS))
def test_every_value_that_a_template_reads_is_in_values_yaml_the_schema_and_the_readme(template: str) -> None:
    assert [path for path in READS[template] if not is_in_schema(path)] == []
    assert [path for path in READS[template] if path not in DOCUMENTED and not is_below(path, LEAVES)] == []
    assert [path for path in READS[template] if path not in set(keys(VALUES)) and not is_below(path, LEAVES)] == []


def test_every_value_is_read_by_a_template() -> None:
    read = set().union(*READS.values())
    assert LEAVES - UNREAD - {path for path in LEAVES if any(is_below(one, {path}) for one in read)} == set()
    assert not UNREAD & read


def test_values_yaml_and_the_schema_have_the_same_keys() -> None:
    ruled = {path for path in rules(SCHEMA) if path in WHOLE or not is_below(path, WHOLE)}
    given = {path for path in keys(VALUES) if path in WHOLE or not is_below(path, WHOLE)}
    assert ruled == given


def test_every_key_of_values_yaml_is_explained_above_it_and_so_in_the_readme() -> None:
    assert {path for path in keys(VALUES) if path not in DOCUMENTED and not is_below(path, LEAVES)} == set()
    assert set(keys(VALUES)) >= DOCUMENTED


def test_the_readmes_table_is_current() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "ci" / "chart-readme"), "--check"], check=False)
    assert done.returncode == 0


def test_what_the_readme_says_must_be_set_is_enough_and_its_placeholders_are_refused(
    run_helm: Run, tmp_path: Path
) -> None:
    block = README.partition("```yaml\n")[2].partition("```")[0]
    path = tmp_path / "values.yaml"
    path.write_text(block, encoding="utf-8")
    told = run_helm("template", path).stderr
    assert told.count("still has the placeholder") == 3, told
    assert "agent.apiKey is not a key" in told
    path.write_text(re.sub("<[^>]*>", "x", block), encoding="utf-8")
    assert run_helm("template", path).returncode == 0


def test_the_schema_is_closed_at_the_root_and_in_every_block_of_ours() -> None:
    def walk(node: Manifest, path: str) -> Iterator[str]:
        if node.get("properties") and node.get("additionalProperties") is not False:
            yield path
        for name, child in node.get("properties", {}).items():
            yield from walk(child, f"{path}.{name}")
        if "items" in node:
            yield from walk(node["items"], f"{path}[]")

    assert list(walk(SCHEMA["else"], "")) == []
    for path in {one for one in rules(SCHEMA) if any(other.startswith(f"{one}.") for other in rules(SCHEMA))}:
        if not is_below(path, ("launchConfig", "agentConfig")):
            node = SCHEMA["else"]
            for step in path.split("."):
                node = node["properties"][step]
            assert node["additionalProperties"] is False, path


# What W&B's chart (0.13) has in its values.yaml: a release of it that is upgraded with --reuse-values has no more.
UPSTREAM: Manifest = yaml.safe_load("""
agent: {labels: {}, podAnnotations: {}, apiKey: "", useExternalWandbSecret: false, image: "wandb/launch-agent:0.17.3",
  imagePullPolicy: Always, resources: {limits: {cpu: 1000m, memory: 1Gi}}, nodeSelector: {}, startTimeout: 1800,
  minAvailable: 1, tolerations: [], affinity: {}}
namespace: wandb
baseUrl: https://api.wandb.ai
additionalTargetNamespaces: [default, wandb]
launchConfig: ""
additionalEnvVars: {}
additionalSecretEnvVars: {}
gitCreds: ""
sshAuthSecrets: []
serviceAccount: {annotations: {}}
azureStorageAccessKey: ""
customCABundle: {configMap: {name: "", key: ""}}
kanikoPvcName: ""
kanikoDockerConfigSecret: ""
""")
REUSED: list[Manifest] = [
    {},
    {"agent": {"image": "registry.example.com/launch-agent:0.1.0"}},
    {
        "agent": {"image": "registry.example.com/launch-agent:0.1.0", "labels": {"a": "b"}, "minAvailable": "50%"},
        "additionalEnvVars": [{"name": "A", "value": "b"}],
        "additionalSecretEnvVars": [{"name": "C", "value": "d"}],
        "gitCreds": "https://u:t@h",
        "sshAuthSecrets": [{"name": "k", "host": "h"}],
        "serviceAccount": {"annotations": {"a": "b"}},
        "azureStorageAccessKey": "abc",
        "customCABundle": {"configMap": {"name": "ca", "key": "ca.crt"}},
        "kanikoPvcName": "claim",
        "kanikoDockerConfigSecret": "push",
    },
]


@pytest.mark.parametrize("given", REUSED, ids=["W&B's agent", "ours", "ours with everything"])
def test_an_upgrade_that_reuses_the_values_of_wandbs_chart_misses_none_of_ours(
    helm: Path, tmp_path: Path, given: Manifest
) -> None:
    copy = tmp_path / "launch-agent"
    shutil.copytree(CHART, copy)
    (copy / "values.yaml").write_text(yaml.safe_dump(UPSTREAM), encoding="utf-8")
    least: Manifest = {"agent": {"apiKey": KEY}, "launchConfig": "entity: e\nqueues: [q]\n"}
    values = {**least, **given, "agent": {**least["agent"], **given.get("agent", {})}}
    whole = {**UPSTREAM, **values, "agent": {**UPSTREAM["agent"], **values["agent"]}}
    rendered = []
    for chart, one in ((copy, values), (CHART, whole)):
        path = tmp_path / "given.yaml"
        path.write_text(yaml.safe_dump(one), encoding="utf-8")
        command = [str(helm), "template", "rel", str(chart), "--values", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        rendered.append(list(yaml.safe_load_all(done.stdout)))
    assert rendered[0] == rendered[1]


def test_the_chart_works_below_a_parent_chart_and_refuses_there_too(helm: Path, tmp_path: Path) -> None:
    shutil.copytree(CHART, tmp_path / "charts" / "launch-agent")
    parent = {"apiVersion": "v2", "name": "parent", "version": "0.1.0"}
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump(parent), encoding="utf-8")
    given = {"agent": {"apiKey": KEY}, "namespaceOverride": "all", "launchConfig": "queues: [q]\n"}
    values = {"global": {"a": 1}, "launch-agent": given}

    def template(*flags: str) -> subprocess.CompletedProcess[str]:
        (tmp_path / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        command = [str(helm), "template", "rel", str(tmp_path), *flags]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert template().returncode == 0
    assert "at '/launchConfig/queues': got number" in template("--set", "launch-agent.launchConfig=queues: 5").stderr
    assert "agnet" in template("--set", "launch-agent.agnet=x").stderr


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_every_scenario_lints_clean(run_helm: Run, scenario: Path) -> None:
    done = run_helm("lint", scenario, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout
    assert "0 chart(s) failed" in done.stdout


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_every_scenario_is_valid_for_the_oldest_and_the_newest_kubernetes(
    render: Callable[..., list[Manifest]], scenario: Path
) -> None:
    # the fixture checks each object against both
    for version in ("1.29.0", "1.37.0"):
        assert render(scenario, "--kube-version", version)


def test_an_older_kubernetes_is_refused(run_helm: Run) -> None:
    done = run_helm("template", SCENARIOS[0], "--kube-version", "1.28.0")
    assert done.returncode != 0
    assert "kubeVersion" in done.stderr


def test_there_is_one_kind_in_a_template_file() -> None:
    for template in (CHART / "templates").glob("*.yaml"):
        kinds = set(re.findall(r"^kind: (\w+)$", template.read_text(encoding="utf-8"), re.MULTILINE))
        assert len(kinds) <= 1, template.name
        assert {kind.lower() for kind in kinds} <= {template.stem}


def test_names_are_built_in_one_file_and_the_namespace_in_one_helper() -> None:
    for template in (CHART / "templates").rglob("*.*"):
        text = template.read_text(encoding="utf-8")
        if template.name not in {"_names.tpl", "NOTES.txt"}:
            assert not re.search(r"(launch-agent|wandb-[a-z-]+)-\{\{|printf \"wandb-", text), template.name
        if template.name not in {"_helpers.tpl", "_refusals.tpl", "_repeats.tpl", "namespace.yaml", "NOTES.txt"}:
            assert ".Release.Namespace" not in text, template.name
