"""PyYAML's complaints → problems in our words."""

from __future__ import annotations

import yaml

from launch_agent.settings.problems import Problem

TAB_LINES = 8
"""How many of the lines that start with a tab are named."""


def explain_tabs(lines: list[int], source: str) -> Problem:
    """Tabs where YAML wants spaces, with the numbers of the lines."""
    others = [str(line) for line in lines[1:TAB_LINES]]
    if len(lines) > TAB_LINES:
        others.append(f"{len(lines) - TAB_LINES} more")
    also = f" (and so do: {', '.join(others)})" if others else ""
    what = f"line {lines[0]} starts with a tab; YAML wants spaces{also}"
    return Problem(source, lines[0], 1, "", what, "replace each tab by two spaces")


def explain(error: yaml.MarkedYAMLError, source: str) -> Problem:
    """What keeps the text from being YAML, where the parser noticed."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    what = str(error.problem or error.context or "not YAML")
    if "expected a single document" in str(error.context):
        return Problem(source, line, column, "", "a second document starts here (`---`)", "keep one document")
    if error.context_mark and what.startswith(("expected ',' or ", "found unexpected end of stream")):
        start = error.context_mark.line + 1
        kind = {"]": "list (`[`)", "}": "map (`{`)"}.get(what[17:18], "text in quotes")
        summary = f"the {kind} that begins in line {start} is not closed"
        return Problem(source, line, column, "", summary, "close it, or look for a missing comma before this place")
    for sign, summary, cure in _KNOWN:
        if sign in what:
            return Problem(source, line, column, "", summary, cure)
    return Problem(source, line, column, "", f"not YAML: {what}", "look at this line and the one above it")


_KNOWN = (
    (
        "mapping values are not allowed here",
        "a `:` where none may be",
        "look for a wrong indentation, or put the text in quotes",
    ),
    (
        "found undefined alias",
        "an alias (`*name`) without its anchor (`&name`)",
        "put a text that begins with `*` in quotes",
    ),
    ("found duplicate anchor", "an anchor (`&name`) that is there already", "give it another name"),
    ("could not find expected ':'", "a line without `:`", "write `key: value`"),
    (
        "expected <block end>, but found",
        "this line's indentation fits none of the lines above",
        "align it with its neighbours",
    ),
    ("found character '%' that cannot start", "a text that begins with `%`", "put it in quotes"),
    ("found character '@' that cannot start", "a text that begins with `@`", "put it in quotes"),
    ("found character '`' that cannot start", "a text that begins with a backtick", "put it in quotes"),
)
"""PyYAML's words for frequent mistakes → ours."""
