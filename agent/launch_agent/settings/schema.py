"""Values against the parts of JSON Schema 2020-12 that our schema uses.

Why not the jsonschema package: importing it takes 0.2 s of processor time, twice as much as everything else that the
agent does before its first call and a third of the goal for start → first poll; it weighs 2.4 MB with the packages
that it needs; and what a person needs (the place, the words) is ours either way. The tests hold this module to the
package: both must accept and refuse the same values, and a keyword that is not known here fails the tests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from launch_agent.settings.problems import KeyPath

Schema = Mapping[str, Any]

KEYWORDS = frozenset(
    {
        "type", "enum", "minimum", "maximum", "minLength", "maxLength", "pattern", "uniqueItems", "items",
        "dependentRequired", "additionalProperties", "properties", "required", "minItems", "minProperties",
        "maxProperties",
    }
)  # fmt: skip
"""The keywords that decide."""

ANNOTATIONS = frozenset({"$schema", "$id", "title", "description", "default", "examples", "deprecated", "writeOnly"})
"""The keywords that say something to people."""

NAME = "launch-config.schema.json"

VALUES = "values.schema.yaml"
"""The chart's values; written in YAML, because its comments say why each rule is as it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A keyword that the value at ``path`` breaks. ``extra`` is a key: the unknown, the missing, or the repeated."""

    path: KeyPath
    keyword: str
    schema: Schema
    value: Any
    extra: str | int = ""


@cache
def load() -> Schema:
    """The schema of launch-config.yaml, its references written out."""
    source = json.loads(_find(NAME).read_text(encoding="utf-8"))
    return _resolve(source, source["definitions"])


@cache
def load_values() -> Schema:
    """The schema of the chart's values.yaml, its references written out; the agent's configuration is not followed."""
    import yaml  # only for this command

    source = yaml.safe_load(_find(VALUES).read_text(encoding="utf-8"))
    return _resolve(source, source["definitions"])


def _find(name: str) -> Path:
    """A schema's file in the installed package or in the repository."""
    package = Path(__file__).resolve().parents[1]
    folders = (package / "schema", package.parents[1] / "schema")
    return next(folder / name for folder in folders if (folder / name).is_file())


def _resolve(node: Schema, known: Schema) -> Schema:
    reference = node.get("$ref", "")
    if reference.startswith("#/definitions/"):
        return _resolve(known[reference.removeprefix("#/definitions/")], known)
    result = {word: value for word, value in node.items() if word not in {"definitions", "$ref"}}
    if "properties" in node:
        result["properties"] = {name: _resolve(one, known) for name, one in node["properties"].items()}
    for word in ("items", "additionalProperties"):
        if isinstance(node.get(word), dict):
            result[word] = _resolve(node[word], known)
    return result


def check(value: Any, schema: Schema, path: KeyPath = ()) -> Iterator[Finding]:
    """What of the schema the value breaks; a value of a wrong type is judged no further."""
    if "type" in schema and not _is_one_of(value, schema["type"]):
        yield Finding(path, "type", schema, value)
        return
    if "enum" in schema and _identity(value) not in map(_identity, schema["enum"]):
        yield Finding(path, "enum", schema, value)
        return
    if isinstance(value, str):
        yield from _check_text(value, schema, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _check_number(value, schema, path)
    elif isinstance(value, list):
        yield from _check_list(value, schema, path)
    elif isinstance(value, dict):
        yield from _check_map(value, schema, path)


def _check_text(value: str, schema: Schema, path: KeyPath) -> Iterator[Finding]:
    if len(value) < schema.get("minLength", 0):
        yield Finding(path, "minLength", schema, value)
    elif len(value) > schema.get("maxLength", len(value)):
        yield Finding(path, "maxLength", schema, value)
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield Finding(path, "pattern", schema, value)


def _check_number(value: float, schema: Schema, path: KeyPath) -> Iterator[Finding]:
    if value < schema.get("minimum", value):
        yield Finding(path, "minimum", schema, value)
    if value > schema.get("maximum", value):
        yield Finding(path, "maximum", schema, value)


def _check_list(value: list[Any], schema: Schema, path: KeyPath) -> Iterator[Finding]:
    if len(value) < schema.get("minItems", 0):
        yield Finding(path, "minItems", schema, value)
    seen: dict[Any, int] = {}
    for index, item in enumerate(value):
        if "items" in schema:
            yield from check(item, schema["items"], (*path, index))
        first = seen.setdefault(_identity(item), index)
        if first < index and schema.get("uniqueItems"):
            yield Finding((*path, index), "uniqueItems", schema, item, first)


def _check_map(value: dict[str, Any], schema: Schema, path: KeyPath) -> Iterator[Finding]:
    yield from _check_size(value, schema, path)
    known = schema.get("properties", {})
    others = schema.get("additionalProperties")
    for key, item in value.items():
        if key in known:
            yield from check(item, known[key], (*path, key))
        elif isinstance(others, dict):
            yield from check(item, others, (*path, key))
        elif others is False:
            yield Finding((*path, key), "additionalProperties", schema, item, key)
        for needed in schema.get("dependentRequired", {}).get(key, ()):
            if needed not in value:
                yield Finding((*path, key), "dependentRequired", schema, item, needed)


def _check_size(value: dict[str, Any], schema: Schema, path: KeyPath) -> Iterator[Finding]:
    for needed in schema.get("required", ()):
        if needed not in value:
            yield Finding(path, "required", schema, value, needed)
    if len(value) < schema.get("minProperties", 0):
        yield Finding(path, "minProperties", schema, value)
    elif len(value) > schema.get("maxProperties", len(value)):
        yield Finding(path, "maxProperties", schema, value)


def _is_one_of(value: Any, types: str | list[str]) -> bool:
    return any(_TYPES[name](value) for name in ([types] if isinstance(types, str) else types))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value % 1 == 0,
    "number": _is_number,
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def _identity(value: Any) -> Any:
    """A hashable value; equal for what JSON calls equal: 1 and 1.0, but not 1 and true."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, list):
        return ("list", *map(_identity, value))
    if isinstance(value, dict):
        return ("map", frozenset((key, _identity(item)) for key, item in value.items()))
    return value
