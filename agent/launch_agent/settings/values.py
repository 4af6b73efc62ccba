"""The chart's values file: judged by the chart's schema, its launchConfig by the agent's own rules."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from launch_agent.settings import document as documents
from launch_agent.settings import encoding, reading, rules, schema, wording
from launch_agent.settings.document import Document, Place
from launch_agent.settings.problems import KeyPath, Problem, show, show_path, show_text
from launch_agent.settings.schema import Finding, Schema

SPELLINGS = ("launchConfig", "agentConfig")
"""The configuration's two names; the first is the usual one."""

FREE = frozenset({"extraObjects", "global", *SPELLINGS})
"""Where ``<…>`` may mean itself, or is looked for by the agent's own rules."""

ALONE = (("agent", "podAnnotations"), ("additionalEnvVars",), ("additionalSecretEnvVars",))
"""Where a text may hold ``<…>``, but not be nothing else."""

_BLOCK = "|"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a values file, what is doubtful, and the configuration in it (None: none, or a bad one)."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    config: dict[str, Any] | None = None


def judge(path: Path) -> Verdict:
    """Judge a values file; nothing is contacted, and no value that may be secret is quoted."""
    text, unreadable = encoding.read_text(path, str(path))
    if unreadable:
        return Verdict((replace(unreadable, cure=unreadable.cure.replace("--config", "--values")),), ())
    found = documents.parse(text, str(path))
    if found.values is None and _is_empty(text):
        found = Document(str(path), {})
    if not isinstance(found.values, dict):
        wrong = found.problem((), f"found {show(found.values)} instead of keys; allowed is a map", "write `key: value`")
        return Verdict(tuple(found.problems or [wrong]), ())
    problems, warnings = _judge_values(found)
    config = _Config(found, text.splitlines())
    config.judge()
    problems += config.problems
    warnings += config.warnings
    return Verdict(tuple(problems), tuple(warnings), None if problems else config.values)


def _is_empty(text: str) -> bool:
    return all(not line.strip() or line.lstrip().startswith(("#", "---")) for line in text.splitlines())


def _judge_values(found: Document) -> tuple[list[Problem], list[Problem]]:
    """Problems and warnings of all but the configuration's own keys."""
    whole = schema.load_values()
    is_open = found.values.get("allowUnknownValues") is True
    placeholders = {problem.path: problem for problem in _find_placeholders(found, whole)}
    problems, warnings = [*found.problems, *placeholders.values()], []
    for one in schema.check(found.values, whole):
        if show_path(one.path) in placeholders:
            continue
        problem = _explain(one, found, whole)
        if is_open and one.keyword == "additionalProperties":
            warnings.append(replace(problem, is_warning=True))
        else:
            problems.append(problem)
    return problems, warnings


def _explain(finding: Finding, found: Document, whole: Schema) -> Problem:
    if finding.keyword == "additionalProperties":
        key = str(finding.extra)
        where = f"of {show_path(finding.path[:-1])}" if len(finding.path) > 1 else "of the chart's values"
        return found.problem(finding.path, f"is not a key {where}", _place_key(key, finding, whole), at_key=True)
    if finding.schema.get("writeOnly"):
        kind = {str: "a text", bool: "true or false", list: "a list", dict: "a map"}.get(
            type(finding.value), "a number"
        )
        cure = "put it in quotes" if kind == "a number" else ""
        return found.problem(finding.path, f"found {kind}; allowed is {finding.schema['title']}", cure)
    return wording.explain(finding, found)


def _place_key(key: str, finding: Finding, whole: Schema) -> str:
    """The cure for an unknown key: a similar one beside it, the same one elsewhere, or the list."""
    known = finding.schema["properties"]
    meant = wording.nearest(key, known)
    if meant:
        return f"did you mean `{meant}`?"
    elsewhere = [path for path in _paths(whole, ()) if path[-1] == key]
    if elsewhere:
        return f"did you mean `{show_path(elsewhere[0])}`?"
    if key in schema.load()["properties"]:
        return f"did you mean `launchConfig.{key}`?"
    return f"known here: {', '.join(known)}" if known is not whole["properties"] else "values.yaml lists all keys"


def _paths(node: Schema, path: KeyPath) -> Iterator[KeyPath]:
    for name, child in node.get("properties", {}).items():
        yield (*path, name)
        yield from _paths(child, (*path, name))


def _find_placeholders(found: Document, whole: Schema) -> Iterator[Problem]:
    for path, text in rules.texts(found.values, ()):
        holders = rules.PLACEHOLDER.findall(text)
        node = _node(path, whole)
        if not holders or path[0] in FREE or node is None:
            continue
        if any(path[: len(free)] == free for free in ALONE) and holders != [text.strip()]:
            continue
        if node.get("writeOnly"):
            what = "still holds a placeholder"
        else:
            what = f"still holds the placeholder `{show_text(holders[0])}`"
            what = what.replace("holds ", "") if holders == [text.strip()] else what
        title = node.get("title", "your own value")
        yield found.problem(path, what, "; ".join(filter(None, [f"put {title}", wording.example(path, node)])))


def _node(path: KeyPath, whole: Schema) -> Schema | None:
    """The rule for a path; an empty one where any value is allowed, None where nothing reads the path."""
    node: Schema = whole
    for part in path:
        if isinstance(part, int):
            node = node.get("items", {})
        elif part in node.get("properties", {}):
            node = node["properties"][part]
        elif node.get("additionalProperties") is False:
            return None
        else:
            node = node.get("additionalProperties") or {}
    return node


class _Config:
    """The agent's configuration in a values file: where it stands, and what is wrong with it."""

    def __init__(self, whole: Document, lines: list[str]) -> None:
        self._whole = whole
        self._lines = lines
        self.values: dict[str, Any] | None = None
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []

    def judge(self) -> None:
        """Fill in ``values``, ``problems`` and ``warnings``."""
        given = [name for name in SPELLINGS if self._whole.values.get(name)]
        if not given:
            what, cure = "has no launchConfig", "set it, unless another values file does"
            self.warnings.append(self._whole.problem((), what, cure, is_warning=True))
            return
        parts = {name: self._read(name) for name in given if isinstance(self._whole.values[name], (str, dict))}
        if len(parts) == 2 and parts["launchConfig"].values != parts["agentConfig"].values:
            what = "launchConfig and agentConfig are two spellings of one value and differ"
            self.problems.append(self._whole.problem(("agentConfig",), what, "remove agentConfig", at_key=True))
        for name in list(parts)[:1]:
            self._judge_part(name, parts[name])

    def _judge_part(self, name: str, part: Document) -> None:
        values, problems, self.warnings = reading.judge(part)
        self.problems += problems
        is_map = isinstance(part.values, dict)
        if is_map and not part.values.get("queues") and not part.values.get("queue"):
            what, cure = "names no queue", "name at least one: `queues: [<name of a queue>]`"
            self.problems.append(self._whole.problem((name,), what, cure, at_key=True))
        self.values = values if is_map and not self.problems else None

    def _read(self, name: str) -> Document:
        value = self._whole.values[name]
        if isinstance(value, dict):
            return self._whole.part((name,), value)
        part = documents.parse(value, self._whole.source)
        part.prefix = (name,)
        start = self._whole.places[(name,)]
        shift = self._find_shift(value, start)
        part.places = {path: shift(place) for path, place in part.places.items()}
        part.keys = {path: shift(place) for path, place in part.keys.items()}
        part.problems = [self._move(problem, name, shift) for problem in part.problems]
        return part

    def _move(self, problem: Problem, name: str, shift: _Shift) -> Problem:
        place = shift(Place(max(problem.line, 1), problem.column))
        summary = re.sub(r" that begins in line \d+", "", problem.summary.replace("the file is", "is"))
        if summary.startswith("line "):  # like the words above, this sentence counts the text's own lines
            summary = "is indented with a tab; YAML wants spaces"
        path = ".".join(filter(None, [name, problem.path]))
        return replace(problem, line=place.line, column=place.column, path=path, summary=summary)

    def _find_shift(self, text: str, start: Place) -> _Shift:
        """How places in a text become places in the file: exact for a block (`|`), else where the text begins."""
        header = self._lines[start.line - 1][start.column - 1 :] if start.line <= len(self._lines) else ""
        first = next((index for index, line in enumerate(text.split("\n")) if line.strip()), None)
        if not header.startswith(_BLOCK) or first is None or start.line + first >= len(self._lines):
            return _Shift(0, 0, start)
        indent = len(self._lines[start.line + first]) - len(text.split("\n")[first])
        return _Shift(start.line, indent, None)


@dataclass(frozen=True, slots=True)
class _Shift:
    """Lines and columns to add; or the one place that stands for all."""

    lines: int
    columns: int
    fixed: Place | None

    def __call__(self, place: Place) -> Place:
        if self.fixed:
            return replace(place, line=self.fixed.line, column=self.fixed.column)
        return replace(place, line=place.line + self.lines, column=place.column + self.columns)
