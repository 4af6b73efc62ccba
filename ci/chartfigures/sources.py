"""What can be counted without running anything."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "launch-agent"
TESTS = ROOT / "tests" / "chart"


@dataclass(frozen=True, slots=True)
class Sources:
    """Sizes of the chart and of what tests it."""

    values: int
    manifests: int
    helpers: int
    lines: int
    scenarios: int
    objects: int
    kinds: int
    exceptions: int


def count_sources() -> Sources:
    """Count the chart's files, values and rendered objects."""
    files = [path for path in (CHART / "templates").rglob("*") if path.is_file()]
    helpers = [path for path in files if path.suffix == ".tpl"]
    snapshots = [path.read_text(encoding="utf-8") for path in sorted((TESTS / "snapshots").iterdir())]
    kinds = re.findall(r"^kind: (\w+)$", "\n".join(snapshots), re.MULTILINE)
    return Sources(
        values=len(list(_leaves(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))))),
        manifests=len([path for path in files if path.suffix == ".yaml"]),
        helpers=len(helpers),
        lines=sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files),
        scenarios=len(snapshots),
        objects=len(kinds),
        kinds=len(set(kinds)),
        exceptions=len(yaml.safe_load((TESTS / "policy-exceptions.yaml").read_text(encoding="utf-8"))),
    )


def bad_values() -> dict[str, list[str]]:
    """The names of the cases of bad input, by who refuses them: `schema` or `templates`."""
    table = yaml.safe_load((TESTS / "bad-values.yaml").read_text(encoding="utf-8"))
    return {part: [case["name"] for case in cases] for part, cases in table.items()}


def purpose_of(suite: str) -> str:
    """The first line of a test module; `suite` is its path below tests/chart, without .py."""
    text = (TESTS / f"{suite}.py").read_text(encoding="utf-8")
    return text.split('"""')[1].strip().splitlines()[0]


def _leaves(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, child in node.items():
        if isinstance(child, dict) and child:
            yield from _leaves(child, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"
