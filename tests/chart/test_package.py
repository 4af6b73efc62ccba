"""The package of the chart: the same bytes everywhere, nothing in it that a user does not need, and it installs."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree

import pytest

from tests.support.charts import CHART, ROOT, SCENARIOS, render_text

Run = subprocess.CompletedProcess[str]


def make_package(chart: Path, folder: Path) -> Run:
    command = [sys.executable, str(ROOT / "ci" / "chart-package"), "--chart", str(chart), "--destination", str(folder)]
    environment = {key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def clone(tmp_path: Path) -> Callable[[str], Path]:
    """`clone(name)`: a copy of the chart in a folder of its own."""
    return lambda name: copytree(CHART, tmp_path / name / CHART.name)


def test_two_clones_of_other_times_and_modes_give_the_same_bytes(clone: Callable[[str], Path], tmp_path: Path) -> None:
    one, other = clone("one"), clone("other")
    for path in other.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    made = [make_package(chart, tmp_path / f"{chart.parent.name}-out") for chart in (one, other)]
    assert [done.returncode for done in made] == [0, 0], made[0].stderr + made[1].stderr
    sums = [re.findall(r"sha256:([0-9a-f]{64})$", done.stdout.strip()) for done in made]
    assert sums[0] == sums[1] != []


@pytest.mark.parametrize(
    "name", ["snapshots/all-values.yaml", "tests/test_values.py", "values-production.yaml", "LOCAL.md"]
)
def test_a_file_that_users_do_not_need_is_refused(clone: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    chart = clone("cluttered")
    (chart / name).parent.mkdir(exist_ok=True)
    (chart / name).write_text("kind: Secret\n", encoding="utf-8")
    done = make_package(chart, tmp_path / "out")
    assert done.returncode == 1
    assert f"these do not belong into the chart: launch-agent/{name}. Remove them" in done.stderr
    assert not list((tmp_path / "out").iterdir())


def test_the_ci_values_stay_outside_and_every_helm_renders_the_package_as_the_folder(
    helm: Path, tmp_path: Path
) -> None:
    done = make_package(CHART, tmp_path)
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.glob("*.tgz")
    listed = subprocess.run(["tar", "tzf", str(made)], capture_output=True, text=True, timeout=30, check=True).stdout
    assert "launch-agent/values.schema.json" in listed.splitlines()
    assert "-values.yaml" not in listed
    for values in SCENARIOS:
        assert render_text(helm, values, chart=made) == render_text(helm, values)
