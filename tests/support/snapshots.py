"""What the chart renders for each file in its ci/, kept in snapshots; `make chart-snapshots` renews them."""

import difflib
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import yaml

from tests.support.charts import CHART, ROOT, SCENARIOS, render_text
from tests.support.manifests import NEWEST

SNAPSHOTS = ROOT / "tests" / "chart" / "snapshots"
# A release changes the chart's version and nothing else: snapshots are made of a copy that has this one.
VERSION = "0.0.0"


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stay readable."""


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def copy_chart(target: Path) -> Path:
    """A copy of the chart with the fixed version, in `target`."""
    chart = copytree(CHART, target / CHART.name)
    about = chart / "Chart.yaml"
    text = re.sub(r"^(version|appVersion): .*$", rf'\1: "{VERSION}"', about.read_text("utf-8"), flags=re.MULTILINE)
    about.write_text(text, encoding="utf-8")
    return chart


def take_snapshot(helm: Path, chart: Path, values: Path) -> str:
    """What Helm renders, in one spelling: each object after the name of its template, keys in the template's order."""
    text = render_text(helm, values, "--kube-version", f"{NEWEST}.0", chart=chart)
    return "".join(_spell(text))


def _spell(text: str) -> Iterator[str]:
    for part in re.split(r"^---$", text, flags=re.MULTILINE):
        source = re.search(r"^# Source: (\S+)$", part, re.MULTILINE)
        for item in yaml.load_all(part, yaml.CSafeLoader):
            if item:
                spelt = yaml.dump(item, Dumper=_Dumper, sort_keys=False, width=10_000, allow_unicode=True)
                yield f"---\n# {source.group(1) if source else 'unknown'}\n{spelt}"


def show_difference(kept: str, made: str, name: str) -> str:
    """The lines that differ, as `diff -u` shows them; "" when there are none."""
    lines = difflib.unified_diff(
        kept.splitlines(), made.splitlines(), f"snapshots/{name}", f"{name}, rendered now", lineterm="", n=2
    )
    return "\n".join(lines)


def main() -> None:
    """`python -m tests.support.snapshots HELM`: write every snapshot, remove those of files that are gone."""
    helm = Path(sys.argv[1])
    SNAPSHOTS.mkdir(exist_ok=True)
    for stale in set(SNAPSHOTS.iterdir()) - {SNAPSHOTS / values.name for values in SCENARIOS}:
        stale.unlink()
    with tempfile.TemporaryDirectory() as folder:
        chart = copy_chart(Path(folder))
        for values in SCENARIOS:
            (SNAPSHOTS / values.name).write_text(take_snapshot(helm, chart, values), encoding="utf-8")
    print(f"{len(SCENARIOS)} snapshots in {SNAPSHOTS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
