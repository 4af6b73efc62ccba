"""docs/configuration.md and the code name the same things."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from launch_agent.cli import check, manual, render, run, validate, version
from launch_agent.settings import schema, variables

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def first_cells(text: str) -> set[str]:
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {word for cell in cells for word in re.findall(r"`([^` ]+)[^`]*`", cell)}


def schema_keys(node: Any, prefix: str = "") -> set[str]:
    keys = set()
    for name, one in node.get("properties", {}).items():
        keys |= {prefix + name}
        if name != "policy":  # three times the same keys: a section of its own
            keys |= schema_keys(one, f"{prefix}{name}.")
    return keys


def test_every_key_of_the_schema_is_documented_and_every_documented_key_is_in_the_schema() -> None:
    assert first_cells(section("The file")) == schema_keys(schema.load())


def test_every_key_of_the_policy_is_documented_with_what_it_holds() -> None:
    policy = schema.load()["properties"]["policy"]["properties"]
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section("Policy"), re.MULTILINE)
    documented = {key: re.findall(r"`(\w+)`", held) for key, held in rows}
    for hand in ("queue", "submitter"):
        keys = policy[hand]["properties"]
        assert set(documented) == set(keys)
        for key, one in keys.items():
            inner = one.get("properties")
            assert set(documented[key]) == (schema_names(inner) if inner else set(one["enum"]) - {None}), key
    assert set(policy) - {"queue", "submitter"} == set(documented) - {"profile"}


def schema_names(properties: Any) -> set[str]:
    return {*properties, *(name for one in properties.values() for name in one.get("properties", {}))}


def test_every_environment_variable_is_documented_and_every_documented_one_is_read() -> None:
    assert first_cells(section("The environment")) == set(variables.NAMES)


def test_no_environment_variable_is_read_that_is_not_in_the_list() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "agent/launch_agent/settings").glob("*.py"))
    read = set(re.findall(r"""(?:reader\.(?:text|read|warn)|environ\.get)\(\s*"([A-Z_]+)\"""", code))
    assert read
    assert read <= set(variables.NAMES)


def test_every_flag_of_run_is_documented_and_in_the_help() -> None:
    flags = {name for action in run.parser()._actions for name in action.option_strings}
    hidden = {"-u", "--url", "-h", "--help"}
    page = section("The flags of `launch-agent [run]`").replace("\\|", "/")
    assert set(re.findall(r"`(--?[a-z-]+)", page.split("\n\n`validate`")[0])) == flags - hidden
    text = manual.overview()
    assert {flag for flag in flags - {"-u", "--url"} if flag not in text} == set()
    assert "--url" not in text


def test_every_exit_code_is_documented_and_in_the_help() -> None:
    codes = re.findall(r"^\| (\d+) \|", section("Exit codes"), re.MULTILINE)
    assert (
        codes
        == re.findall(r"^  (\d+) ", manual.overview(), re.MULTILINE)
        == [*("0", "1", "2", "3", "4", "5", "6", "7", "8", "130")]
    )


def test_the_help_of_each_command_names_its_flags() -> None:
    for command in (check, validate, render, version):
        parser = command.parser()
        text = parser.format_help()
        assert all(name in text for action in parser._actions for name in action.option_strings)


def test_every_key_says_what_is_allowed_what_it_does_and_gives_an_example() -> None:
    def missing(node: Any, path: str) -> list[str]:
        found = [f"{path}: {word}" for word in ("title", "description") if not node.get(word)]
        if path and not node.get("examples"):
            found.append(f"{path}: examples")
        for name, one in node.get("properties", {}).items():
            found += missing(one, f"{path}.{name}")
        return found + (missing(node["items"], f"{path}[]") if "items" in node else [])

    assert missing(schema.load(), "") == []


def test_the_documented_defaults_are_the_schema_s() -> None:
    rows = re.findall(r"^\| `([\w.-]+)` \| [^|]* \| `([^`]+)` \|", section("The file"), re.MULTILINE)
    for path, default in rows:
        node = schema.load()
        for part in path.split("."):
            node = node["properties"][part]
        wanted = node["default"]
        text = {True: "true", False: "false"}.get(wanted, str(wanted)) if isinstance(wanted, bool) else str(wanted)
        assert default in {text, "AWS_REGION"}, path
