"""The comparison as Markdown: python -m tests.crash.tables dist/crash-wandb.jsonl [--write FILE] [--short FILE].

The tables go between markers in the files that are named, or to the screen.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.crash.contestants import OURS, THEIRS

Row = dict[str, Any]
AGENTS = (OURS, THEIRS)
COUNTED = ("lost", "unlaunched", "twice", "contradicted", "stuck", "leftovers", "unresumed", "repeated")
COLUMNS = ("items", "kills", "creations", *COUNTED, "exits")
SHORT = {
    "items": "items",
    "kills": "kills (SIGKILL)",
    "lost": "lost: neither over nor in the queue, or failed without a reason",
    "unlaunched": "of all, never launched (no Job was ever created)",
    "twice": "launched twice",
    "contradicted": "ended otherwise than what happened",
    "stuck": "slots that take no item any more",
    "leftovers": "left over: records, Secrets, Jobs and pods that run on",
    "unresumed": "preempted, failed with a reason instead of put back",
    "exits": "ends of the agent by itself",
}


def count(row: Row, column: str) -> int:
    """One figure of one line; slots are counted, not the sentence about them."""
    if column == "exits":
        return len(row["exits"])
    if column not in COUNTED:
        return int(row[column])
    found = row["evidence"][column]
    return sum(int(text.split()[0]) for text in found) if column == "stuck" else len(found)


def write_full(rows: Sequence[Row]) -> str:
    """A line for each scenario; in each cell launch-agent's figure, then that of W&B's agent."""
    by = {(row["scenario"], row["agent"]): row for row in rows}
    names = [
        name for name in dict.fromkeys(row["scenario"] for row in rows) if all((name, who) in by for who in AGENTS)
    ]
    out = [f"| scenario | {' | '.join(COLUMNS)} |", f"|---|{'--:|' * len(COLUMNS)}"]
    for name in sorted(names, key=_order):
        cells = [" / ".join(str(count(by[name, who], column)) for who in AGENTS) for column in COLUMNS]
        out.append(f"| {name} | {' | '.join(cells)} |")
    sums = [
        " / ".join(str(sum(count(by[name, who], column) for name in names)) for who in AGENTS) for column in COLUMNS
    ]
    return "\n".join([*out, f"| **sum** | {' | '.join(sums)} |", "", *_tell_kinds(rows, set(names))])


def _order(name: str) -> tuple[int, str]:
    return (0 if "no kill" in name else 1 if name == "kills, no fault" else 2), name


def _tell_kinds(rows: Iterable[Row], names: set[str]) -> list[str]:
    """Which kinds of items, or things, each agent's figures are made of."""
    lines = []
    for who in AGENTS:
        for column in ("lost", "unlaunched", "twice", "contradicted", "leftovers", "unresumed"):
            texts = [
                text
                for row in rows
                if row["agent"] == who and row["scenario"] in names
                for text in row["evidence"][column]
            ]
            if texts:
                kinds = Counter(_kind(text) for text in texts)
                told = ", ".join(f"{kind} {number}" for kind, number in kinds.most_common())
                lines.append(f"* {who}, {column}: {told}.")
    return lines


def _kind(text: str) -> str:
    """The flavour of an item, or what is left over."""
    flavour = re.match(r"([a-z]+)-\d+:", text)
    return flavour[1] if flavour else re.sub(r"^(\w+) \S+", r"\1", text)


def write_short(rows: Sequence[Row]) -> str:
    """The sums alone."""
    both = {who: {row["scenario"] for row in rows if row["agent"] == who} for who in AGENTS}
    shared = both[OURS] & both[THEIRS]
    out = ["| | W&B's agent | launch-agent |", "|---|--:|--:|"]
    for column, label in SHORT.items():
        sums = [
            sum(count(row, column) for row in rows if row["agent"] == who and row["scenario"] in shared)
            for who in (THEIRS, OURS)
        ]
        out.append(f"| {label} | {sums[0]} | {sums[1]} |")
    return "\n".join(out)


def put_between(path: Path, name: str, text: str) -> None:
    """Replace what is between the markers of this name; ValueError where they are not there."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    page = path.read_text()
    if begin not in page or end not in page:
        raise ValueError(f"{path} has no lines {begin!r} and {end!r}")
    head, tail = page.split(begin)[0], page.split(end)[1]
    path.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def main(arguments: list[str]) -> None:
    """Read the lines, write the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.tables", description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--write", type=Path, help="the page for the table with all scenarios")
    parser.add_argument("--short", type=Path, help="the page for the sums")
    options = parser.parse_args(arguments)
    rows = [json.loads(line) for line in options.results.read_text().splitlines() if line.strip()]
    for path, text in ((options.write, write_full(rows)), (options.short, write_short(rows))):
        if path is None:
            print(text, end="\n\n")
        else:
            put_between(path, "compared", text)


if __name__ == "__main__":
    main(sys.argv[1:])
