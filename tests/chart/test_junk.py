"""Values that the schema's types allow, drawn at random: rendered or refused in words, never a template's error."""

import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

Manifest = dict[str, Any]

CHART = Path(__file__).resolve().parents[2] / "charts" / "launch-agent"
SCHEMA: Manifest = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
SEEDS = range(40)
LAUNCH = [{"queues": ["q"]}, "queues: [q]\nmax_jobs: 3\n"]
KEY = "0123456789abcdef0123456789abcdef01234567"

# What YAML, templates and shells stumble over, and what some pattern allows.
TEXTS = [
    "", "a", "x-1", "a.b", "A_B", "30s", "5", "50%", "1e3", "0x10", "~", "null", "true", "yes", "a b", "a: b", "# c",
    "- q", "*a", "&b", "%", "Ü", "'\"`", "\t- x", "a\nb", "x" * 70, "{{ .Values }}", "<placeholder>", "https://h:8080/p",
    "wandb/launch-agent:1", "example.com/launch-agent:1", f"sha256:{'0' * 64}", "queues: [q]\n",
]  # fmt: skip
NUMBERS = [0, 1, 5, 1800, 2024, 1_000_000, 123_456_789]
NAMES = ["a", "app", "a.io/b", "x y", "name", "cpu", "null", "yes"]


def draw(node: Manifest, chance: random.Random) -> Any:
    """A value of a type that the rule allows, and mostly one that it accepts."""
    if "enum" in node:
        return chance.choice(node["enum"])
    types = node.get("type", ["string", "number", "null", "boolean"])
    kind = chance.choice(types if isinstance(types, list) else [types])
    if kind == "string":
        fitting = [text for text in TEXTS if re.search(node.get("pattern", ""), text)]
        return chance.choice(fitting or TEXTS)
    if kind == "array":
        return [draw(node.get("items", {}), chance) for _ in range(chance.choice([0, 1, 1, 2]))]
    if kind == "object":
        return draw_map(node, chance)
    scalars: dict[str, list[Any]] = {
        "null": [None],
        "boolean": [True, False],
        "integer": NUMBERS,
        "number": [*NUMBERS, 0.1, 1e21, -3],
    }
    return chance.choice(scalars[kind])


def draw_map(node: Manifest, chance: random.Random) -> Manifest:
    """A map with some of the known keys, or with keys of its own where any may stand."""
    if "properties" in node:
        wanted = [name for name in node["properties"] if name in node.get("required", []) or chance.random() < 0.4]
        return {name: draw(node["properties"][name], chance) for name in wanted}
    rule = node.get("additionalProperties", {})
    size = min(chance.choice([0, 1, 2]), node.get("maxProperties", 2))
    return {name: draw(rule if isinstance(rule, dict) else {}, chance) for name in chance.sample(NAMES, size)}


def draw_values(seed: int) -> Manifest:
    """A values file; in most of them key and configuration are right, so that the rest is looked at."""
    chance = random.Random(seed)
    values = draw_map(SCHEMA, chance)
    if chance.random() < 0.8:
        given = values.get("agent") or {}
        values["agent"] = {**given, "apiKey": KEY, "useExternalWandbSecret": False}
        values["launchConfig"] = chance.choice(LAUNCH)
        values = {name: value for name, value in values.items() if name not in {"agentConfig", "existingSecrets"}}
    return values


@pytest.mark.parametrize("seed", SEEDS)
def test_drawn_values_are_rendered_or_refused_in_words(run_helm: Callable[..., Any], seed: int) -> None:
    values = draw_values(seed)
    done = run_helm("template", values)
    if done.returncode == 0:
        documents = list(yaml.load_all(done.stdout, yaml.CSafeLoader))
        assert {"Deployment", "ConfigMap"} <= {document["kind"] for document in documents if document}
    else:
        assert re.search("These values need a change:|don't meet the specifications", done.stderr), (
            values,
            done.stderr,
        )


def test_the_draws_reach_both_sides(run_helm: Callable[..., Any]) -> None:
    codes = [run_helm("template", draw_values(seed)).returncode for seed in SEEDS]
    assert min(codes.count(0), codes.count(1)) >= len(SEEDS) // 5
