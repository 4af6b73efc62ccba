"""Findings of the schema → problems in words: what was found, what is allowed, the nearest valid key."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from launch_agent.settings.document import Document
from launch_agent.settings.problems import Problem, show, show_path, show_text
from launch_agent.settings.schema import Finding, Schema

CURES = {
    "base_url": "take it out and set WANDB_BASE_URL (in the chart: `baseUrl`); W&B's agent refuses it here, too",
    "project": "take it out: queues belong to the entity",
    "runner": "take it out: each queue names its own resource",
    "api_key": "take it out and set WANDB_API_KEY (in the chart: `agent.apiKey`); a key does not belong in a file",
    "agent": "this looks like the chart's values.yaml: pass that to Helm",
    "launchConfig": "this looks like the chart's values.yaml: pass that to Helm, or keep the text under `launchConfig`",
    "agentConfig": "this looks like the chart's values.yaml: pass that to Helm; the key is `launchConfig` there",
    "start_timeout": "take it out and set WANDB_LAUNCH_START_TIMEOUT (in the chart: `agent.startTimeout`)",
}
"""Top-level keys that people try, and where they belong."""


def explain(finding: Finding, document: Document) -> Problem:
    """The problem of one finding, at its place in the document."""
    return _EXPLAINERS[finding.keyword](finding, document)


def nearest(word: str, words: Iterable[str]) -> str:
    """The word that was probably meant, or nothing."""
    import difflib  # only when something is wrong

    plain = {_plain(known): known for known in words}
    found = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else ""


def unknown_key(key: str, schema: Schema) -> str:
    """The cure for a key that the schema does not know."""
    known = [name for name, one in schema["properties"].items() if not one.get("deprecated")]
    meant = nearest(key, known)
    return f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}"


def example(path: tuple[str | int, ...], schema: Schema) -> str:
    """``for example `max_jobs: 8```; nothing where the schema has no example."""
    if not schema.get("examples"):
        return ""
    value = _as_yaml(schema["examples"][0])
    last = path[-1] if path else ""
    return f"for example `{last}: {value}`" if isinstance(last, str) and last else f"for example `{value}`"


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")


def _as_yaml(value: Any) -> str:
    """One line of YAML; JSON's quotes left out where YAML needs none."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False).replace('"', "")


def _explain_value(finding: Finding, document: Document) -> Problem:
    path, schema = finding.path, finding.schema
    place = document.places.get(path)
    found = show(finding.value)
    if isinstance(finding.value, (bool, int, float)) and place:
        found = f"`{show_text(place.text)}`"
    if finding.keyword == "type" and _is_misread(finding.value, schema):
        what = f"found {found}, which YAML reads as {_kind(finding.value)}; allowed is {schema['title']}"
        return document.problem(path, what, f'put it in quotes: `"{place.text if place else finding.value}"`')
    if finding.keyword == "type" and place and place.is_quoted:
        what = f"found the text {found} in quotes; allowed is {schema['title']}"
        return document.problem(path, what, "; ".join(filter(None, ["take the quotes off", example(path, schema)])))
    if finding.value == "":
        found = "an empty text"
    if finding.value is None:
        return document.problem(path, f"has no value; allowed is {schema['title']}", example(path, schema), at_key=True)
    return document.problem(path, f"found {found}; allowed is {schema['title']}", example(path, schema))


def _is_misread(value: Any, schema: Schema) -> bool:
    """Whether a text was meant: one is allowed, a number is not, and YAML read one (or true, or false)."""
    wants_text = "string" in schema["type"] and not {"integer", "number", "object"} & set(schema["type"])
    return wants_text and isinstance(value, (bool, int, float))


def _kind(value: Any) -> str:
    return "true or false" if isinstance(value, bool) else "a number"


def _explain_enum(finding: Finding, document: Document) -> Problem:
    allowed = [value for value in finding.schema["enum"] if isinstance(value, str)]
    listed = ", ".join(f"`{value}`" for value in allowed)
    meant = nearest(str(finding.value), allowed)
    several = [value for value in allowed if value in str(finding.value).lower().replace("|", " ").split()]
    if len(several) > 1:
        cure = f"keep one of them: {example(finding.path, finding.schema).removeprefix('for example ')}"
    else:
        cure = f"did you mean `{meant}`?" if meant else example(finding.path, finding.schema)
    return document.problem(finding.path, f"found {show(finding.value)}; allowed are {listed}", cure)


def _explain_length(finding: Finding, document: Document) -> Problem:
    if finding.keyword == "minLength":
        return _explain_value(finding, document)
    what = f"found a text of {len(finding.value)} characters; allowed is {finding.schema['title']}"
    return document.problem(finding.path, what, "use its name as W&B shows it")


def _explain_repeat(finding: Finding, document: Document) -> Problem:
    first = show_path((*finding.path[:-1], finding.extra))
    return document.problem(finding.path, f"repeats {first} ({show(finding.value)})", "delete one of the two")


def _explain_unknown(finding: Finding, document: Document) -> Problem:
    key = str(finding.extra)
    cure = CURES.get(key) or unknown_key(key, finding.schema)
    where = f"of {show_path(document.prefix)}" if document.prefix else "of this file"
    return document.problem(finding.path, f"is not a key {where}", cure, at_key=True)


def _explain_missing(finding: Finding, document: Document) -> Problem:
    needed = str(finding.extra)
    schema = finding.schema["properties"][needed]
    what = f"needs the key `{needed}` beside it"
    return document.problem(finding.path, what, f"add it: `{needed}: {_as_yaml(schema['examples'][0])}`", at_key=True)


def _explain_required(finding: Finding, document: Document) -> Problem:
    needed = str(finding.extra)
    title = finding.schema["properties"][needed]["title"]
    return document.problem(finding.path, f"lacks the key `{needed}`", f"add it: {title}")


def _explain_size(finding: Finding, document: Document) -> Problem:
    count = f"{len(finding.value)} key{'s' if len(finding.value) > 1 else ''}" if finding.value else "nothing"
    what = f"found {show(finding.value)} with {count}; allowed is {finding.schema['title']}"
    return document.problem(finding.path, what, example(finding.path, finding.schema))


_EXPLAINERS = {
    "type": _explain_value,
    "minimum": _explain_value,
    "maximum": _explain_value,
    "pattern": _explain_value,
    "minLength": _explain_length,
    "maxLength": _explain_length,
    "enum": _explain_enum,
    "uniqueItems": _explain_repeat,
    "additionalProperties": _explain_unknown,
    "dependentRequired": _explain_missing,
    "required": _explain_required,
    "minItems": _explain_size,
    "minProperties": _explain_size,
    "maxProperties": _explain_size,
}
