"""What commands print, and what files they read."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from launch_server.errors import UsageError

Json = Any


def show(options: argparse.Namespace, value: Json, text: str) -> None:
    """Print a result as JSON (`--output json`) or as text."""
    print(json.dumps(value, indent=2, ensure_ascii=False) if options.output == "json" else text, flush=True)


def table(rows: Sequence[Mapping[str, Json]], columns: Sequence[str]) -> str:
    """Rows under their columns' names, aligned; `(none)` when there are none."""
    if not rows:
        return "(none)"
    cells = [[column.upper() for column in columns], *[[cell(row.get(column)) for column in columns] for row in rows]]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) for line in cells]
    return "\n".join(line.rstrip() for line in lines)


def cell(value: Json) -> str:
    """One value as text in a table."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value).replace("\n", " ")


def read_document(source: str, what: str) -> Json:
    """The value in a JSON or YAML file, or in text that starts with `{`.

    Raises:
        UsageError: it cannot be read or parsed; the text says where.

    """
    if source.lstrip().startswith("{"):
        return _parse(source, what)
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{what} {source} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return _parse(text, f"{what} {source}")


def _parse(text: str, what: str) -> Json:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or "not valid YAML or JSON"
        raise UsageError(f"{what}{place}: {problem}", "It must be one YAML or JSON object.") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what}: {error}") from None


def read_object(source: str, what: str) -> dict[str, Json]:
    """The object in a JSON or YAML file or text.

    Raises:
        UsageError: it is something else.

    """
    value = read_document(source, what)
    if not isinstance(value, dict):
        raise UsageError(f"{what} {source} must hold an object, but holds {type(value).__name__}")
    return value
