"""Runs everything that the page tells of, and reads what came out."""

import json
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chartfigures.sources import ROOT
from localcluster.binaries import DEFAULT_KUBERNETES, HELMS, apiserver_of, build_missing
from localcluster.lifecycle import Size, bring_up, take_down
from localcluster.paths import bin_dir
from localcluster.progress import say

REMOTE = "apiserver or sim or cluster or e2e or conformance"
CLUSTER = "chart-figures"
# The oldest Helm meets the oldest Kubernetes; elsewhere the newest two.
OLDEST = "1.29"


@dataclass(frozen=True, slots=True)
class Case:
    """One test with one set of parameters."""

    suite: str
    name: str
    parameters: str
    passed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run of pytest: what it ran against, its cases, and the seconds that a person waits for it."""

    where: str
    cases: list[Case]
    seconds: float

    def suites(self) -> dict[str, list[Case]]:
        """The cases by the test module that they are of."""
        found: dict[str, list[Case]] = defaultdict(list)
        for case in self.cases:
            found[case.suite].append(case)
        return dict(sorted(found.items()))

    def failed(self) -> list[Case]:
        """Those that failed, or could not be run."""
        return [case for case in self.cases if not case.passed]


def time_lint() -> float:
    """Seconds of ci/chart-lint; raises CalledProcessError when it finds a fault."""
    began = time.monotonic()
    subprocess.run([sys.executable, "ci/chart-lint"], cwd=ROOT, check=True)
    return time.monotonic() - began


def run_offline(folder: Path) -> Outcome:
    """All chart tests that need no cluster, as `make chart-test-all` runs them."""
    build_missing(HELMS)
    report = folder / "offline.xml"
    everyone = ["env", f"LAUNCH_AGENT_HELMS={' '.join(HELMS)}"]
    return _run_pytest(everyone, report, f"not ({REMOTE})", "without a cluster", ["-n", "auto", "--dist", "worksteal"])


def run_live(folder: Path, kubernetes: str) -> Outcome:
    """The chart tests that need an API server, on one of that version (the clusters' own: with controllers too)."""
    size, marks = Size.APISERVER, "apiserver and not sim"
    if kubernetes == DEFAULT_KUBERNETES:
        size, marks = Size.SIM, "apiserver or sim"
    bring_up(CLUSTER, size, kubernetes)
    helms = HELMS if kubernetes == OLDEST else HELMS[1:]
    chosen = f"LAUNCH_AGENT_HELMS={' '.join(helms)}"
    inside = ["env", chosen, str(ROOT / "ci" / "inside"), "--name", CLUSTER]
    try:
        asked = [*inside, "kubectl", "get", "--raw", "/version"]
        version = json.loads(subprocess.run(asked, capture_output=True, text=True, check=True, timeout=60).stdout)
        return _run_pytest(
            inside, folder / f"live-{kubernetes}.xml", marks, version["gitVersion"], ["-n", "4", "--dist", "worksteal"]
        )
    finally:
        take_down(CLUSTER)


def is_built(kubernetes: str) -> bool:
    """Whether the API server of that version has been built already (a cold build takes minutes)."""
    return (bin_dir() / apiserver_of(kubernetes)).exists()


def measure_rendering(folder: Path) -> list[dict[str, Any]]:
    """What `python -m bench --only chart` measured."""
    target = folder / "bench.json"
    subprocess.run([sys.executable, "-m", "bench", "--only", "chart", "--json", str(target)], cwd=ROOT, check=True)
    return list(json.loads(target.read_text(encoding="utf-8"))["chart"])


def helm_versions() -> dict[str, str]:
    """By the name of the binary."""
    found = {}
    for binary in build_missing(HELMS):
        asked = [str(binary), "version", "--template", "{{.Version}}"]
        found[binary.name] = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return dict(sorted(found.items(), key=lambda pair: [int(part) for part in re.findall(r"\d+", pair[1])]))


def _run_pytest(prefix: list[str], report: Path, marks: str, where: str, flags: list[str]) -> Outcome:
    say(f"  pytest tests/chart {where}")
    began = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-m", marks, *flags, f"--junitxml={report}", "tests/chart"]
    subprocess.run([*prefix, *command], cwd=ROOT, check=False)
    return Outcome(where, _read_report(report), time.monotonic() - began)


def _read_report(report: Path) -> list[Case]:
    cases = []
    for each in ET.parse(report).iter("testcase"):
        suite = each.get("classname", "").removeprefix("tests.chart.").replace(".", "/")
        name, _, parameters = each.get("name", "").partition("[")
        passed = not any(child.tag in {"failure", "error"} for child in each)
        cases.append(Case(suite, name, parameters.removesuffix("]"), passed, float(each.get("time", "0"))))
    return cases
