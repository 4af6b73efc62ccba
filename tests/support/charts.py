"""The chart, its ci values, and the Helms that `ci/binaries` builds."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "launch-agent"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
# Helm ends before collecting garbage pays: without it a render costs a quarter less.
ENVIRONMENT = {**os.environ, "GOGC": "off"}
# The oldest Helm 3 that is supported, the newest Helm 3, and Helm 4.
HELMS = ("helm318", "helm3", "helm4")


def find_helm(name: str) -> Path:
    """The binary called `name`; fails when `ci/binaries` has not built it."""
    base = os.environ.get("XDG_CACHE_HOME")
    cache = os.environ.get("LAUNCH_AGENT_CACHE") or (Path(base) if base else Path.home() / ".cache") / "launch-agent"
    binary = Path(cache) / "bin" / name
    assert binary.exists(), f"{binary} is missing: run ci/binaries {name}"
    return binary


def run_command(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run Helm for at most a minute; the answer has its output, whatever the exit code."""
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)


def render_text(helm: Path, values: Path, *arguments: str, chart: Path = CHART) -> str:
    """What `helm template` prints for a values file; fails when Helm refuses."""
    command = [str(helm), "template", "rel", str(chart), "--namespace", "release-ns", "--values", str(values)]
    done = run_command([*command, *arguments])
    assert done.returncode == 0, f"{values.name}: {done.stderr}"
    return done.stdout
