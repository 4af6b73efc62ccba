"""The configuration is judged by one schema, whether it is a map (Helm's own check) or a text (our templates)."""

import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

Manifest = dict[str, Any]
Run = Callable[..., Any]

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "launch-agent"
SCHEMA: Manifest = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
COPY: Manifest = json.loads((CHART / "files" / "launch-config.schema.json").read_text(encoding="utf-8"))
SOURCE: Manifest = json.loads((ROOT / "schema" / "launch-config.schema.json").read_text(encoding="utf-8"))
KEY = "0123456789abcdef0123456789abcdef01234567"

# What templates/_schema.tpl reads; `const`, `if` and `else` serve allowUnknownValues, at the root only.
READ_BY_TEMPLATES = {
    "type", "enum", "properties", "additionalProperties", "items", "minLength", "maxLength", "minItems", "minimum",
    "maximum", "pattern", "uniqueItems", "dependencies", "required",
}  # fmt: skip
READ_BY_HELM = READ_BY_TEMPLATES | {"maxProperties", "minProperties", "$schema", "if", "else", "const"}


def nodes(node: Manifest) -> Iterator[Manifest]:
    yield node
    for child in node.get("properties", {}).values():
        yield from nodes(child)
    for word in ("items", "additionalProperties", "if", "else"):
        if isinstance(node.get(word), dict):
            yield from nodes(node[word])


def words(root: Manifest) -> set[str]:
    return {word for node in nodes(root) for word in node}


def test_the_generated_files_are_current() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "ci" / "values-schema"), "--check"], check=False)
    assert done.returncode == 0


def test_the_schemas_use_only_keywords_that_their_readers_know() -> None:
    assert words(COPY) <= READ_BY_TEMPLATES
    assert words(SCHEMA) <= READ_BY_HELM
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator.check_schema(COPY)


def test_the_schema_needs_nothing_outside_itself() -> None:
    assert "$ref" not in json.dumps(SCHEMA)


def test_nothing_is_said_by_a_keyword_that_hides_what_is_wrong() -> None:
    assert not words(SCHEMA) & {"anyOf", "oneOf", "allOf", "not"}


SECRETS = [
    "agent.apiKey",
    "gitCreds",
    "azureStorageAccessKey",
    "additionalSecretEnvVars.value",
    "additionalEnvVars.value",
]


@pytest.mark.parametrize("path", SECRETS)
def test_no_rule_about_a_secret_makes_helm_print_it(path: str) -> None:
    node = SCHEMA
    for step in path.split("."):
        node = node.get("items", node)["properties"][step]
    assert set(node) == {"type"}


@pytest.mark.parametrize("spelling", ["launchConfig", "agentConfig"])
def test_the_configurations_schema_is_embedded_whole(spelling: str) -> None:
    embedded = SCHEMA["properties"][spelling]
    assert {**embedded, "type": "object"} == COPY
    assert set(embedded["properties"]) == set(SOURCE["properties"])


FAULTS = [
    "queues: [gpu]\nmax_job: 1",
    "queues: [gpu]\nbase_url: https://x\nproject: p",
    "queues: [gpu]\na/b: 1\nc~d: 2",
    "queues: [gpu]\n\"it's\": 1",
    'queues: [gpu]\n\'say "so"\': 1',
    "queues: [gpu]\nünïcode: 1",
    "queues: gpu",
    "queues: {gpu: 1}",
    "queues: 3",
    "queues: true",
    "queues: [gpu, gpu]",
    "queues: [a, b, c, b, a]",
    "queues: [1]",
    "queues: [null]",
    "queues: [gpu, [cpu]]",
    "queues: ['']",
    "queues: [{name: gpu}]",
    f"queues: [{'q' * 65}]",
    f"queues: [{'é' * 65}]",
    "queue: {name: gpu}",
    "queue: ''",
    "queue: [1, '']",
    "queues: [gpu]\nentity: ''",
    "queues: [gpu]\nentity: 12",
    "queues: [gpu]\nentity: [team]",
    "queues: [gpu]\nentity: no",
    "queues: [gpu]\nmax_jobs: -2",
    "queues: [gpu]\nmax_jobs: 1000001",
    "queues: [gpu]\nmax_jobs: 1.5",
    "queues: [gpu]\nmax_jobs: many",
    "queues: [gpu]\nmax_jobs: '12345678'",
    "queues: [gpu]\nmax_jobs: \"it's\\t\\\"many\\\"\"",
    "queues: [gpu]\nmax_jobs: [8]",
    "queues: [gpu]\nmax_jobs: true",
    "queues: [gpu]\nmax_jobs: 123456789012",
    "queues: [gpu]\nmax_schedulers: -1.0e+3",
    "queues: [gpu]\nsecure_mode: 'true'",
    "queues: [gpu]\nsecure_mode: 1",
    "queues: [gpu]\nverbosity: 3",
    "queues: [gpu]\nverbosity: -1",
    "queues: [gpu]\nverbosity: high",
    "queues: [gpu]\nstopped_run_timeout: 604801",
    "queues: [gpu]\nstopped_run_timeout: -0.5",
    "queues: [gpu]\nstopped_run_timeout: 1e30",
    "queues: [gpu]\nstopped_run_timeout: 60s",
    "queues: [gpu]\npoll_interval: 0.01",
    "queues: [gpu]\npoll_interval: 0.00001",
    "queues: [gpu]\npoll_interval: 3600.5",
    "queues: [gpu]\nlaunch_concurrency: 0",
    "queues: [gpu]\nlaunch_concurrency: 1234",
    "queues: [gpu]\nenvironment: aws",
    "queues: [gpu]\nenvironment: {type: amazon}",
    "queues: [gpu]\nenvironment: {region: us-east-1}",
    "queues: [gpu]\nenvironment: {region: r, project: p}",
    "queues: [gpu]\nenvironment: {type: [aws]}",
    "queues: [gpu]\nregistry: {type: docker, uri: ''}",
    "queues: [gpu]\nregistry: {account_id: 123456789012}",
    "queues: [gpu]\nregistry: {account_id: '123'}",
    "queues: [gpu]\nbuilder: {type: dock}",
    "queues: [gpu]\nbuilder: {type: kaniko, secret-name: s}",
    "queues: [gpu]\nbuilder: {secret-name: s}",
    "queues: [gpu]\nbuilder: {type: kaniko, platform: linux/riscv64}",
    "queues: [gpu]\nbuilder: {type: kaniko, build-job-name: Build_Job}",
    "queues: [gpu]\nbuilder: {type: kaniko, kaniko-config: [spec]}",
    "queues: [gpu]\nbuilder: [kaniko]",
    "queues: [gpu]\nrecords: ''",
    "queues: [gpu]\nmacro_environment: [A, A, 1B]",
    "queues: [gpu]\nmacro_environment: {A: b}",
    "queues: [gpu, gpu]\nmax_jobs: -5\nverbosity: 9\nbuilder: {type: x, uri: ''}\nfoo: 1",
]  # fmt: skip

# One value for every key at once: whatever the schema says of it, both readers say the same.
JUNK = [
    "null",
    "true",
    "-3",
    "0.05",
    "7e+20",
    "12345",
    "''",
    "junk",
    "'1234567'",
    "[]",
    "[a, a]",
    "[1, {}]",
    "{}",
    "{x: y}",
]


def with_everywhere(node: Manifest, junk: Any) -> Manifest:
    """A map with the value under every key that the schema knows."""
    return {
        name: with_everywhere(child, junk) if "properties" in child else junk
        for name, child in node["properties"].items()
    }


def said(text: str) -> list[str]:
    """What is said of the configuration: sorted, without the headings of groups."""
    lines = []
    for where, what in re.findall(r"at '(/launchConfig.*?)': (.*)", text):
        if what == "validation failed":
            continue
        names = re.fullmatch(r"additional properties (.*) not allowed", what)
        listed = ", ".join(sorted(names[1].split(", "))) if names else what
        lines.append(f"{where}: {listed}")
    return sorted(set(lines))


def places(text: str) -> list[str]:
    """Where something is said to be wrong; Helm 3.18.0 has other words than later ones, but means the same."""
    pointers = re.findall(r"at '(/launchConfig.*?)': (?!validation failed)", text)
    dotted = re.findall(r"^- (launchConfig[^:]*): ", text, re.MULTILINE)
    return sorted({*(pointer[1:].replace("/", ".") for pointer in pointers), *dotted})


def both(run_helm: Run, helm: Path, tmp_path: Path, text: str) -> tuple[list[str], list[str]]:
    """What Helm says of the configuration as a map, and the templates of it as a text."""
    read = places if helm.name == "helm318" else said
    heard = []
    for opening in ("launchConfig:\n", "launchConfig: |\n"):
        path = tmp_path / "values.yaml"
        path.write_text(f"agent: {{apiKey: '{KEY}'}}\n{opening}{textwrap.indent(text, '  ')}\n", encoding="utf-8")
        done = run_helm("template", path)
        assert (done.returncode == 0) == (not read(done.stderr)), done.stderr
        heard.append(read(done.stderr))
    return heard[0], heard[1]


@pytest.mark.parametrize("text", FAULTS)
def test_a_bad_configuration_is_refused_in_the_same_words_as_map_and_as_text(
    run_helm: Run, helm: Path, tmp_path: Path, text: str
) -> None:
    as_map, as_text = both(run_helm, helm, tmp_path, text)
    assert as_map
    assert as_text == as_map


@pytest.mark.parametrize("junk", JUNK)
def test_junk_under_every_key_is_judged_alike(run_helm: Run, helm: Path, tmp_path: Path, junk: str) -> None:
    values = {**with_everywhere(COPY, yaml.safe_load(junk)), "queues": ["gpu"]}
    as_map, as_text = both(run_helm, helm, tmp_path, yaml.safe_dump(values))
    assert as_text == as_map


ACCEPTED = [
    "queues: [gpu]",
    "queue: gpu",
    "queue: [gpu, cpu]",
    "queues:\nqueue: gpu",
    "queues: [gpu]\nmax_jobs: 2.0\nverbosity: 1e0",
    "queues: [gpu]\nmax_jobs: '-1'",
    "queues: [gpu]\nentity:\nmax_jobs:\nenvironment:\nregistry:\nbuilder:\nrecords:\nmacro_environment:",
    "queues: [gpu]\nbuilder: {type: noop, anything: goes}\nenvironment: {type: azure, else: 1}",
    "queues: [gpu]\nbuilder: {type: kaniko, kaniko-config: {spec: {template: {spec: {x: '<free text>'}}}}}",
    "queues: ['" + "é" * 64 + "']",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_a_good_configuration_passes_as_map_and_as_text(run_helm: Run, helm: Path, tmp_path: Path, text: str) -> None:
    assert both(run_helm, helm, tmp_path, text) == ([], [])


def test_the_examples_of_the_source_pass(run_helm: Run, helm: Path, tmp_path: Path) -> None:
    examples = {name: node["examples"][0] for name, node in SOURCE["properties"].items()}
    assert both(run_helm, helm, tmp_path, yaml.safe_dump(examples)) == ([], [])
