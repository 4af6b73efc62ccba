"""`helm template` of our chart and of a chart of W&B's shape, by each Helm, one after the other in turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.world import ROOT

RUNS = 20
OURS = ROOT / "charts" / "launch-agent"
THEIRS = ROOT / "tests" / "chart" / "upstream-shape"
HELMS = ("helm318", "helm3", "helm4")
# What both charts take: a key, a queue, and one of each kind of value.
VALUES = {
    "agent": {"apiKey": "0123456789abcdef0123456789abcdef01234567", "image": "example.com/launch-agent:1"},
    "launchConfig": "entity: ml-team\nqueues: [default]\nmax_jobs: 5\nbuilder:\n  type: noop\n",
    "additionalEnvVars": [{"name": "HTTPS_PROXY", "value": "http://proxy.example.com"}],
    "additionalSecretEnvVars": [{"name": "TOKEN", "value": "secret"}],
    "gitCreds": "https://user:token@git.example.com",
}


@dataclass(slots=True)
class Rendering:
    """Seconds of `helm template`, middle of the runs, and the size of what it printed."""

    helm: str
    who: str
    seconds: float
    fastest: float
    kilobytes: float

    def row(self) -> str:
        times = f"{self.seconds * 1000:5.0f} ms (fastest {self.fastest * 1000:.0f})"
        return f"{self.who:<16} {self.helm:<8} helm template {times}   {self.kilobytes:.0f} kB"


def measure(folder: Path) -> list[Rendering]:
    """Both charts with every Helm; raises CalledProcessError when one does not render."""
    folder.mkdir(parents=True, exist_ok=True)
    values = folder / "values.json"
    values.write_text(json.dumps(VALUES), encoding="utf-8")
    found = []
    for name in HELMS:
        helm = find_helm(name)
        charts = {"launch-agent": OURS, "shape of W&B's": THEIRS}
        runs = {who: [render(helm, chart, values) for _ in range(2)] for who, chart in charts.items()}
        for _ in range(RUNS):  # in turns, so that a busy moment meets both
            for who, chart in charts.items():
                runs[who].append(render(helm, chart, values))
        for who, each in runs.items():
            seconds = [took for took, _ in each[2:]]
            found.append(Rendering(name, who, statistics.median(seconds), min(seconds), each[0][1] / 1000))
    return found


def ratios(found: list[Rendering]) -> dict[str, float]:
    """By Helm: our seconds over those of W&B's shape."""
    by_name = {(one.helm, one.who): one.seconds for one in found}
    return {
        helm: by_name[helm, "launch-agent"] / by_name[helm, "shape of W&B's"]
        for helm in dict.fromkeys(one.helm for one in found)
    }


def render(helm: Path, chart: Path, values: Path) -> tuple[float, int]:
    """Seconds that `helm template` took, and the bytes that it printed."""
    began = time.monotonic()
    done = subprocess.run(
        [str(helm), "template", "rel", str(chart), "--values", str(values)], capture_output=True, check=True, timeout=60
    )
    return time.monotonic() - began, len(done.stdout)


def find_helm(name: str) -> Path:
    """The binary that `ci/binaries` built."""
    base = os.environ.get("XDG_CACHE_HOME")
    cache = os.environ.get("LAUNCH_AGENT_CACHE") or (Path(base) if base else Path.home() / ".cache") / "launch-agent"
    return Path(cache) / "bin" / name
