"""Each value is set to something else than its default by at least one of the chart's ci files."""

from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.charts import CHART, SCENARIOS

Manifest = dict[str, Any]
VALUES: Manifest = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def leaves(node: Manifest, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and default of every value; an empty map is a value, any other map is a block."""
    for key, child in node.items():
        if isinstance(child, dict) and child:
            yield from leaves(child, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", child


def look_up(node: Any, path: str, default: Any) -> Any:
    """The value at a dotted path, `default` where a file does not set it."""
    for step in path.split("."):
        if not isinstance(node, dict) or step not in node:
            return default
        node = node[step]
    return node


def test_every_value_is_changed_by_one_of_the_ci_files() -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in SCENARIOS]
    unchanged = [
        path
        for path, default in leaves(VALUES)
        if all(look_up(given, path, default) in (default, None) for given in files)
    ]
    assert not unchanged


def test_every_switch_is_seen_both_ways() -> None:
    files = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in SCENARIOS]
    switches = {path: default for path, default in leaves(VALUES) if isinstance(default, bool)}
    assert len(switches) >= 10
    one_way = {
        path: seen
        for path, default in switches.items()
        if len(seen := {look_up(given, path, default) is True for given in files}) == 1
    }
    assert not one_way
