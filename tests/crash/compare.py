"""Both agents through the same scenarios: python -m tests.crash.compare (`make crash-wandb`)."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest

from tests.crash.contestants import OURS, THEIRS
from tests.crash.match import Scenario, make_scenarios, run_scenario


def main(arguments: list[str]) -> int:
    """Run all, or those whose names contain a text; a line of JSON for each, behind those that the file has."""
    parser = argparse.ArgumentParser(prog="python -m tests.crash.compare", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which kills are drawn")
    parser.add_argument("--parallel", type=int, default=5, help="scenarios at a time")
    parser.add_argument("--only", action="append", help="scenarios whose names contain this; may be repeated")
    parser.add_argument("--agent", choices=[OURS, THEIRS], action="append", help="only this one")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    known = _read_known(options.out)
    tasks = [
        (who, scenario)
        for scenario in make_scenarios(options.seed)
        if any(text in scenario.name for text in options.only or [""])
        for who in options.agent or (OURS, THEIRS)
        if (who, scenario.name) not in known
    ]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="compare-"))

    def run(number: int, who: str, scenario: Scenario) -> bool:
        try:
            score = run_scenario(who, scenario, options.seed, folder / str(number))
        except (AssertionError, httpx.HTTPError, OSError, pytest.fail.Exception):
            print(f"{who}, {scenario.name}: not judged (files: {folder / str(number)})\n{traceback.format_exc()}")
            return False
        with options.out.open("a") as file:
            file.write(json.dumps(asdict(score)) + "\n")
        counts = {name: len(found) for name, found in score.evidence.items() if found}
        told = f"{score.items} items, {score.kills} kills, {score.seconds} s, {counts}, exits {score.exits}"
        print(f"{who}, {scenario.name}: {told}", flush=True)
        return True

    with ThreadPoolExecutor(options.parallel) as pool:
        done = [pool.submit(run, number, *task) for number, task in enumerate(tasks)]
        return 0 if all(one.result() for one in done) else 1


def _read_known(path: Path) -> set[tuple[str, str]]:
    """What stands in the file already is not run again."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {(row["agent"], row["scenario"]) for row in map(json.loads, lines)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
