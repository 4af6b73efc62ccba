"""What each of the chart's ci values renders is what was looked at; `make chart-snapshots` renews what is meant."""

from pathlib import Path

import pytest

from tests.support.charts import SCENARIOS
from tests.support.snapshots import SNAPSHOTS, VERSION, copy_chart, show_difference, take_snapshot


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_chart(tmp_path_factory.mktemp("chart"))


@pytest.mark.parametrize("values", SCENARIOS, ids=lambda path: path.stem)
def test_every_helm_renders_what_the_snapshot_keeps(helm: Path, chart: Path, values: Path) -> None:
    kept = (SNAPSHOTS / values.name).read_text(encoding="utf-8")
    difference = show_difference(kept, take_snapshot(helm, chart, values), values.name)
    if difference:
        pytest.fail(
            f"{helm.name} renders something else; `make chart-snapshots` if that is meant:\n{difference}", pytrace=False
        )


def test_there_is_a_snapshot_of_each_values_file_and_no_other() -> None:
    assert {path.name for path in SNAPSHOTS.iterdir()} == {path.name for path in SCENARIOS}


def test_a_snapshot_outlives_a_new_version_of_the_chart() -> None:
    marked = [
        path for path in SNAPSHOTS.iterdir() if f"helm.sh/chart: launch-agent-{VERSION}" in path.read_text("utf-8")
    ]
    assert len(marked) == len(SCENARIOS)


def test_a_difference_is_shown_line_by_line() -> None:
    shown = show_difference("kind: Role\nname: a\n", "kind: Role\nname: b\n", "x.yaml").splitlines()
    assert shown[-3:] == [" kind: Role", "-name: a", "+name: b"]
