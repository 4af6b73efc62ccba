"""The counts of a run of `make crash` as a table: python -m tests.crash.report dist/crash.jsonl."""

from __future__ import annotations

import json
import sys
from pathlib import Path

COLUMNS = (
    "kills",
    "items",
    "creations",
    "lost",
    "twice",
    "contradicted",
    "stuck",
    "leftovers",
    "unresumed",
    "repeated",
)


def write_table(lines: list[str]) -> str:
    """A Markdown table with a line for each test and their sum."""
    rows = [json.loads(line) for line in lines if line.strip()]
    total = {"title": "**sum**", **{name: sum(row.get(name, 0) for row in rows) for name in COLUMNS}}
    out = [f"| what | {' | '.join(COLUMNS)} |", f"|---|{'--:|' * len(COLUMNS)}"]
    for row in [*rows, total]:
        out.append(f"| {row['title']} | {' | '.join(str(row.get(name, 0)) for name in COLUMNS)} |")
    return "\n".join(out)


if __name__ == "__main__":
    print(write_table(Path(sys.argv[1]).read_text().splitlines()))
