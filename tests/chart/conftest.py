"""Renders the chart with real Helm, each test with every one of them; each rendered object must be valid."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.charts import CHART, HELMS, find_helm, run_command
from tests.support.manifests import NEWEST, OLDEST, check_manifest

API_KEY = "0123456789abcdef0123456789abcdef01234567"
LEAST = {"agent": {"apiKey": API_KEY}, "launchConfig": {"entity": "ml-team", "queues": ["default"]}}
# What tests on a cluster and the long tables run with; LAUNCH_AGENT_HELMS names others (`make test` names one for the
# cluster, `make full` all).
NEWEST_HELMS = ("helm3", "helm4")
LONG_TABLES = ("test_refusals", "test_schema", "test_junk", "test_permissions")
LIVE_MARKS = ("apiserver", "sim", "cluster", "e2e")

Manifest = dict[str, Any]
Run = subprocess.CompletedProcess[str]


def _merge(base: Manifest, over: Manifest) -> Manifest:
    merged = dict(base)
    for key, value in over.items():
        known = merged.get(key)
        merged[key] = _merge(known, value) if isinstance(known, dict) and isinstance(value, dict) and value else value
    return merged


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give every test that asks for `helm` one run for each Helm."""
    if "helm" in metafunc.fixturenames:
        live = any(metafunc.definition.get_closest_marker(mark) for mark in LIVE_MARKS)
        chosen = os.environ.get("LAUNCH_AGENT_HELMS", "").split()
        is_long = metafunc.module.__name__.rpartition(".")[2] in LONG_TABLES
        metafunc.parametrize("helm", chosen or (NEWEST_HELMS if live or is_long else HELMS), indirect=True)


@pytest.fixture
def helm(request: pytest.FixtureRequest) -> Path:
    return find_helm(str(request.param))


@pytest.fixture(scope="session")
def answers() -> dict[tuple[str, ...], Run]:
    """What Helm answered in this session: the same question is put to the same Helm once."""
    return {}


@pytest.fixture
def run_helm(helm: Path, answers: dict[tuple[str, ...], Run], tmp_path: Path) -> Callable[..., Run]:
    """`run_helm(verb, values, *arguments)`: values are a file, or a map that is merged into the least that installs."""

    def run(verb: str, values: Manifest | Path, *arguments: str, release: str = "rel") -> Run:
        text = values.read_text(encoding="utf-8") if isinstance(values, Path) else json.dumps(values)
        path = values if isinstance(values, Path) else tmp_path / "values.json"
        names = [] if verb == "lint" else [release]
        question = (str(helm), verb, *names, *arguments)
        if (*question, text) not in answers:
            if not isinstance(values, Path):
                path.write_text(text, encoding="utf-8")
            command = [str(helm), verb, *names, str(CHART), "--values", str(path), *arguments]
            answers[*question, text] = run_command(command)
        return answers[*question, text]

    return run


@pytest.fixture(scope="session")
def documents() -> Callable[[str], list[Manifest]]:
    """`documents(text)`: what Helm printed, parsed once, each object valid for the oldest and the newest Kubernetes."""
    parsed: dict[str, str] = {}

    def parse(text: str) -> list[Manifest]:
        if text not in parsed:
            found = [document for document in yaml.load_all(text, yaml.CSafeLoader) if document]
            for document in found:
                for version in (OLDEST, NEWEST):
                    check_manifest(document, version)
            parsed[text] = json.dumps(found)
        return list(json.loads(parsed[text]))

    return parse


@pytest.fixture
def render(run_helm: Callable[..., Run], documents: Callable[[str], list[Manifest]]) -> Callable[..., list[Manifest]]:
    """`render({"namespace": "x"})`: the objects, the given values merged into the least that installs."""

    def template(values: Manifest | Path | None = None, *arguments: str, release: str = "rel") -> list[Manifest]:
        given = values if isinstance(values, Path) else _merge(LEAST, values or {})
        done = run_helm("template", given, "--namespace", "release-ns", *arguments, release=release)
        assert done.returncode == 0, done.stderr
        return documents(done.stdout)

    return template


@pytest.fixture
def refusal(run_helm: Callable[..., Run]) -> Callable[..., str]:
    """`refusal(values)`: what Helm says when it refuses to render them; `bare=True` takes them as they are."""

    def template(values: Manifest | Path, *, bare: bool = False) -> str:
        given = values if bare or isinstance(values, Path) else _merge(LEAST, values)
        done = run_helm("template", given)
        assert done.returncode != 0, "Helm rendered values that it had to refuse"
        return done.stderr

    return template


@pytest.fixture
def container(render: Callable[..., list[Manifest]]) -> Callable[..., Manifest]:
    """`container(values)`: the agent's container."""

    def only(values: Manifest | Path | None = None) -> Manifest:
        (deployment,) = [document for document in render(values) if document["kind"] == "Deployment"]
        (one,) = deployment["spec"]["template"]["spec"]["containers"]
        return dict(one)

    return only


@pytest.fixture
def environment(container: Callable[..., Manifest]) -> Callable[..., dict[str, Manifest]]:
    """`environment(values)`: the container's variables by name; a repeated name fails."""

    def by_name(values: Manifest | Path | None = None) -> dict[str, Manifest]:
        variables = container(values)["env"]
        names = [variable["name"] for variable in variables]
        assert len(names) == len(set(names)), names
        return {variable["name"]: variable for variable in variables}

    return by_name


@pytest.fixture
def pick(render: Callable[..., list[Manifest]]) -> Callable[..., Manifest]:
    """`pick(kind, name, values)`: the one object of that kind and name, in the namespace where it is named."""

    def one(kind: str, name: str, values: Manifest | Path | None = None, namespace: str | None = None) -> Manifest:
        found = [
            document
            for document in render(values)
            if document["kind"] == kind
            and document["metadata"]["name"] == name
            and namespace in {None, document["metadata"].get("namespace")}
        ]
        assert found, f"no {kind} {name}"
        return found[0]

    return one
