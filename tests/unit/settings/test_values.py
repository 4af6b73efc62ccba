"""Values files of the chart, judged without Helm: places, words, and the same judgement as Helm's."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from launch_agent.cli import main
from launch_agent.settings import schema, values

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "launch-agent"
TABLE = yaml.safe_load((ROOT / "tests" / "chart" / "bad-values.yaml").read_text(encoding="utf-8"))
RULES = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def told(tmp_path: Path, text: str) -> list[str]:
    """The problems of a values file, each as `line:column: path: what → cure`."""
    path = tmp_path / "v.yaml"
    path.write_text(text, encoding="utf-8")
    verdict = values.judge(path)
    return [problem.line_text.removeprefix(f"{path}:") for problem in verdict.problems]


JUDGED = yaml.safe_load(Path(__file__).with_name("judged-values.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", JUDGED["values"], ids=lambda case: case[0])
def test_a_bad_value_is_told_with_its_place_and_a_cure(tmp_path: Path, case: list[str]) -> None:
    text, *messages = case
    assert told(tmp_path, f"launchConfig: {{queues: [q]}}\n{text}\n") == messages


@pytest.mark.parametrize("case", JUDGED["files"], ids=lambda case: case[0])
def test_a_whole_file_and_its_configuration_are_judged_with_their_places(tmp_path: Path, case: list[str]) -> None:
    text, *messages = case
    assert told(tmp_path, text) == messages


def test_a_file_that_is_not_there_is_named_with_the_right_flag(tmp_path: Path) -> None:
    (problem,) = values.judge(tmp_path / "none.yaml").problems
    assert (problem.summary, problem.cure) == ("there is no such file", "create it, or name another with --values")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "agent: {}\n"])
def test_a_file_without_a_configuration_is_doubtful_and_not_wrong(tmp_path: Path, text: str) -> None:
    path = tmp_path / "v.yaml"
    path.write_text(text, encoding="utf-8")
    verdict = values.judge(path)
    assert [problem.summary for problem in verdict.warnings] == ["has no launchConfig"]
    assert (verdict.problems, verdict.config) == ((), None)


def test_unknown_keys_are_doubtful_where_they_are_allowed(tmp_path: Path) -> None:
    path = tmp_path / "v.yaml"
    path.write_text("launchConfig: {queues: [q]}\nallowUnknownValues: true\nagnet: 1\nvolcano: 3\n", encoding="utf-8")
    verdict = values.judge(path)
    assert [problem.path for problem in verdict.problems] == ["volcano"]
    assert [problem.path for problem in verdict.warnings] == ["agnet"]


@pytest.mark.parametrize("path", sorted((CHART / "ci").glob("*-values.yaml")), ids=lambda path: path.name)
def test_the_charts_own_cases_are_accepted(path: Path) -> None:
    assert values.judge(path).problems == ()


@pytest.mark.parametrize("case", TABLE["schema"], ids=lambda case: case["name"])
def test_what_helms_schema_check_refuses_is_refused_here_at_the_same_place(tmp_path: Path, case: Any) -> None:
    given = {name: value for name, value in {"launchConfig": {"queues": ["q"]}, **case["values"]}.items() if value}
    path = tmp_path / "v.yaml"
    path.write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")
    found = {re.sub(r"\[(\d+)\]", r".\1", problem.path) for problem in values.judge(path).problems}
    for sentence in case["says"]:
        (where,) = re.findall(r"at '/?([^']*)'", sentence)
        unknown = re.findall(r"additional properties '(.*)' not allowed", sentence)
        assert ".".join(filter(None, [where.replace("/", "."), *unknown])) in found, sentence


def test_the_schemas_reader_knows_every_keyword_of_the_values_schema() -> None:
    def walk(node: Any) -> set[str]:
        children = [*node.get("properties", {}).values(), node.get("items"), node.get("additionalProperties")]
        return set(node).union(*(walk(child) for child in children if isinstance(child, dict)))

    assert walk(schema.load_values()) <= schema.KEYWORDS | schema.ANNOTATIONS


def test_every_rule_says_what_is_allowed() -> None:
    def walk(node: Any, path: str) -> list[str]:
        below = [(child, f"{path}.{name}") for name, child in node.get("properties", {}).items()]
        below += [
            (node[word], f"{path}[]") for word in ("items", "additionalProperties") if isinstance(node.get(word), dict)
        ]
        return [*([] if node.get("title") else [path]), *(one for child, name in below for one in walk(child, name))]

    assert walk(schema.load_values(), "") == []


JUNK: list[Any] = [None, True, -1, 0.5, "", "junk", "x y", [], ["a"], [{}], {}, {"a": 1}]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_junk_is_judged_as_the_jsonschema_package_judges_it(junk: Any) -> None:
    judge = jsonschema.Draft7Validator(RULES)
    for name in schema.load_values()["properties"]:
        if name not in values.SPELLINGS and not (isinstance(junk, dict) and junk):
            is_fine = not list(schema.check({name: junk}, schema.load_values()))
            assert is_fine == judge.is_valid({name: junk}), name


def test_the_command_answers_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "v.yaml"
    path.write_text("launchConfig: |\n  queues: [a, b]\n", encoding="utf-8")
    assert main(["validate", "--values", str(path)], {}, tmp_path) == 0
    assert capsys.readouterr().out == f"OK: {path}\n  queues    a, b\n"
    path.write_text("agnet: 1\n", encoding="utf-8")
    assert main(["validate", "--values", str(path)], {}, tmp_path) == 2
    assert capsys.readouterr().err == (
        f"{path}:1:1: agnet: is not a key of the chart's values\n    → did you mean `agent`?\n"
        f"{path}:1:1: warning: has no launchConfig\n    → set it, unless another values file does\n"
        "error: 1 problem; nothing was contacted\n"
    )


def test_the_command_answers_machines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "v.yaml"
    path.write_text("agent: {apiKey: 12}\nlaunchConfig: {queues: [a]}\n", encoding="utf-8")
    assert main(["validate", "--values", str(path), "--output", "json"], {}, tmp_path) == 2
    (problem,) = json.loads(capsys.readouterr().out)["problems"]
    assert (problem["path"], problem["line"], problem["column"]) == ("agent.apiKey", 1, 17)
    path.write_text("launchConfig: {queues: [a]}\n", encoding="utf-8")
    assert main(["validate", "--values", str(path), "--output", "json"], {}, tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["config"] == {"queues": ["a"]}


def test_a_values_file_and_a_configuration_are_judged_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "--values", "a", "--config", "b"], {}, tmp_path) == 2
    assert capsys.readouterr().err == "error: --config and --values stand together.\n    → judge one file at a time\n"
