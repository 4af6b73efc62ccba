"""Examples of the documentation, by the comment above them: ``<!-- example: job -->`` and a fenced block."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(
    r"^<!-- (?P<label>[\w-]+): (?P<name>[\w-]+) -->\n```(?P<language>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)


def read_examples(page: str, label: str) -> dict[str, Any]:
    """The blocks of docs/``page`` under that label, read, by name."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = [block for block in BLOCK.finditer(text) if block["label"] == label]
    assert found, f"{page} has no <!-- {label}: … -->"
    return {
        one["name"]: json.loads(one["text"]) if one["language"] == "json" else yaml.safe_load(one["text"])
        for one in found
    }
