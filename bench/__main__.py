"""`python -m bench`: all measurements, as a table and as JSON."""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import adoption, burst, chart, start, world

MEASUREMENTS = ("burst", "start", "weight", "chart", "adoption")


def say(text: str) -> None:
    print(text, flush=True)  # a person waits


def run_bursts(folder: Path, *, with_theirs: bool) -> dict[str, Any]:
    """The burst at 0 and 50 ms, ours and theirs, between two raw measurements."""
    client = burst.connect()
    found: dict[str, Any] = {"raw": [], "bursts": []}
    for writes, what in ((1, "Job"), (2, "record, Job"), (3, "record, Job, record's step")):
        for threads in burst.RAW_THREADS:
            rate = burst.measure_raw(client, threads, writes)
            found["raw"].append({"writes": writes, "threads": threads, "rate": rate})
            say(f"raw: {what:<27} {threads} threads: {rate:7.1f} items/s")
    for latency in (0, 50):
        for who in ("launch-agent", "wandb 0.31.0") if with_theirs else ("launch-agent",):
            one = burst.measure(who, latency, folder / f"{who.split()[0]}-{latency}", client)
            found["bursts"].append(asdict(one))
            say(one.row())
    for writes in (2, 3):
        best = max(one["rate"] for one in found["raw"] if one["writes"] == writes)
        for one in found["bursts"]:
            if one["who"] == "launch-agent":
                share = one["rate"] / best
                say(f"launch-agent at {one['latency_ms']} ms: {share:.0%} of raw with {writes} writes an item")
    return found


def run_starts(folder: Path, *, with_theirs: bool) -> list[dict[str, Any]]:
    """Start-up and idle memory."""
    found = []
    with burst.namespace(burst.connect()) as namespace:
        for who in ("launch-agent", "wandb 0.31.0") if with_theirs else ("launch-agent",):
            one = start.measure(who, folder, namespace)
            found.append(asdict(one))
            say(one.row())
    return found


def run_charts(folder: Path) -> list[dict[str, Any]]:
    """`helm template`, ours and a chart of W&B's shape."""
    found = chart.measure(folder)
    for one in found:
        say(one.row())
    for helm, ratio in chart.ratios(found).items():
        say(f"{helm}: launch-agent's chart takes {ratio:.2f} times as long as one of W&B's shape")
    return [asdict(one) for one in found]


def run_adoptions(folder: Path, before: Path | None) -> list[dict[str, Any]]:
    """Adoption of 1,000 and 10,000 running items, each thrice; ``before`` is the code of another version."""
    client, found = burst.connect(), []
    versions = [("launch-agent", None)] if before is None else [("before", before), ("launch-agent", None)]
    with burst.namespace(client) as where:
        estate = adoption.Estate(client, where)
        for count in adoption.COUNTS:
            estate.grow(count)
            for run, (who, source) in itertools.product(range(adoption.RUNS), versions):
                one = adoption.measure(who, source, estate, folder / f"{who}-{count}-{run}", client, where)
                found.append(asdict(one))
                say(one.row())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", choices=("burst", "start", "weight", "chart", "adoption"), help="one measurement alone"
    )
    parser.add_argument("--without-wandb", action="store_true", help="ours alone, without W&B's agent")
    parser.add_argument("--before", metavar="FOLDER", type=Path, help="adoption: the code of another version too")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures here too")
    options = parser.parse_args()
    with_theirs = not options.without_wandb
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="launch-agent-bench-") as name:
        folder = Path(name)
        if options.only in {None, "burst"}:
            figures["burst"] = run_bursts(folder / "burst", with_theirs=with_theirs)
        if options.only in {None, "start"}:
            figures["start"] = run_starts(folder / "start", with_theirs=with_theirs)
        if options.only in {None, "adoption"}:
            figures["adoption"] = run_adoptions(folder / "adoption", options.before)
        if options.only in {None, "weight"}:
            figures["weight_mb"] = {"launch-agent": start.weigh_ours(folder)}
            if with_theirs:
                figures["weight_mb"]["wandb 0.31.0"] = start.size_of(world.WANDB.parent / "lib")
            for who, size in figures["weight_mb"].items():
                say(f"{who:<28} installed {size:.0f} MB")
        if options.only in {None, "chart"}:
            figures["chart"] = run_charts(folder / "chart")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
