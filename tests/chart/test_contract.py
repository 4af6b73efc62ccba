"""values.yaml, the schema, the templates and the README say the same; every scenario lints and validates."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

Manifest = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "launch-agent"
SCHEMA: Manifest = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
VALUES: Manifest = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
# Known, so that a parent chart's values pass; nothing reads it.
UNREAD = {"global"}
OLDEST, NEWEST = "1.29", "1.37"


def paths(node: Manifest, prefix: str = "") -> Iterator[str]:
    """Dotted paths of the schema's own keys; maps of free keys end the path."""
    for name, child in node.get("properties", {}).items():
        yield f"{prefix}{name}"
        yield from paths(child, f"{prefix}{name}.")


def test_the_schema_file_is_current() -> None:
    done = subprocess.run([sys.executable, str(ROOT / "ci" / "values-schema"), "--check"], check=False)
    assert done.returncode == 0


def test_the_schema_is_closed_and_refers_to_nothing_outside_itself() -> None:
    assert SCHEMA["additionalProperties"] is False
    references = re.findall(r'"\$ref": "([^"]*)"', json.dumps(SCHEMA))
    assert references
    assert not [reference for reference in references if not reference.startswith("#/definitions/")]


def test_every_value_has_a_default_and_a_rule() -> None:
    assert set(VALUES) == set(SCHEMA["properties"])
    for block in ("agent", "serviceAccount", "podMonitor"):
        assert set(VALUES[block]) == set(SCHEMA["properties"][block]["properties"]), block


def test_every_value_is_read_by_a_template() -> None:
    templates = "\n".join(path.read_text(encoding="utf-8") for path in (CHART / "templates").iterdir())
    names = {path.rsplit(".", 1)[-1] for path in paths(SCHEMA)} - UNREAD - {"limits", "requests", "claims"}
    assert not {name for name in names if not re.search(rf"\.{name}\b", templates)}


def test_every_value_that_a_template_reads_is_in_the_schema() -> None:
    known = set(paths(SCHEMA))
    for template in (CHART / "templates").iterdir():
        text = template.read_text(encoding="utf-8")
        read = re.findall(r"\.Values\.([A-Za-z.]+)", text)
        read += [f"{block}.{key}" for block, key in re.findall(r"\(\.Values\.([A-Za-z]+)\)\.([A-Za-z]+)", text)]
        read += [f"agent.{key}" for key in re.findall(r"\$agent\.([A-Za-z]+)", text)]
        assert not {path for path in read if path not in known}, template.name


def test_every_value_is_in_the_readme() -> None:
    text = (CHART / "README.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `([A-Za-z.]+)`", text, re.MULTILINE))
    blocks = {path for path in paths(SCHEMA) if any(other.startswith(f"{path}.") for other in paths(SCHEMA))}
    assert documented == {path for path in paths(SCHEMA) if "resources." not in path} - (blocks - {"agent.resources"})


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_every_scenario_lints_clean(run_helm: Callable[..., Any], scenario: Path) -> None:
    done = run_helm("lint", scenario, "--strict")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout
    assert "0 chart(s) failed" in done.stdout


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.name)
def test_every_scenario_is_valid_for_the_oldest_and_the_newest_kubernetes(
    render: Callable[..., list[Manifest]], scenario: Path, version: str
) -> None:
    objects = render(scenario, "--kube-version", f"{version}.0")
    for item in objects:
        if item["kind"] != "PodMonitor":
            kubernetes_validate.validate(item, version, strict=True)


def test_the_charts_own_defaults_lint_clean(helm: Path) -> None:
    done = subprocess.run(
        [str(helm), "lint", "--strict", str(CHART)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_older_kubernetes_is_refused(run_helm: Callable[..., Any]) -> None:
    done = run_helm("template", SCENARIOS[0], "--kube-version", "1.28.0")
    assert done.returncode != 0
    assert "kubeVersion" in done.stderr


def test_there_is_one_kind_in_a_template_file() -> None:
    for template in (CHART / "templates").glob("*.yaml"):
        kinds = set(re.findall(r"^kind: (\w+)$", template.read_text(encoding="utf-8"), re.MULTILINE))
        assert len(kinds) <= 1, template.name
        assert {kind.lower() for kind in kinds} <= {template.stem}


def test_names_are_built_in_one_file_and_the_namespace_in_one_helper() -> None:
    for template in (CHART / "templates").iterdir():
        text = template.read_text(encoding="utf-8")
        if template.name != "_names.tpl":
            assert not re.search(r"(launch-agent|wandb-[a-z-]+)-\{\{|printf \"wandb-", text), template.name
        if template.name not in {"_helpers.tpl", "namespace.yaml"}:
            assert ".Release.Namespace" not in text, template.name
