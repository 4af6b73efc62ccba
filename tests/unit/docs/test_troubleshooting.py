"""Each message that docs/troubleshooting.md quotes is one that the code can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")

QUOTED = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text of a module; … where an f-string or a log line has a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"%(\.\d+)?[sdf]", "…", node.value)


@cache
def source() -> str:
    modules = sorted((ROOT / "agent/launch_agent").rglob("*.py"))
    return "\n".join(text for path in modules for text in texts(ast.parse(path.read_text(encoding="utf-8"))))


def test_the_page_quotes_messages() -> None:
    assert len(QUOTED) > 30


@pytest.mark.parametrize("message", QUOTED)
def test_a_quoted_message_is_one_of_the_code(message: str) -> None:
    fragments = [part.strip(" .:") for part in message.split("…")]
    wanted = [fragment for fragment in fragments if len(fragment) > 3]
    assert wanted
    assert [fragment for fragment in wanted if fragment not in source()] == []
