"""Each value makes a difference: without it, one of the chart's ci files renders something else."""

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.charts import CHART, SCENARIOS, find_helm

Manifest = dict[str, Any]
VALUES: Manifest = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
FILES: list[Manifest] = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in SCENARIOS]
# Read by the schema, by nobody, and by what only a cluster answers.
SILENT = {"allowUnknownValues", "global", "createNamespaces"}


def leaves(node: Manifest, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name, child in node.items():
        path = (*prefix, name)
        found += leaves(child, path) if isinstance(child, dict) and child else [path]
    return found


def without(values: Manifest, path: tuple[str, ...]) -> Manifest | None:
    """A copy of the values that lacks one; None where they do not set it."""
    result = copy.deepcopy(values)
    node: Any = result
    for step in path[:-1]:
        node = node.get(step) if isinstance(node, dict) else None
    if not isinstance(node, dict) or path[-1] not in node:
        return None
    del node[path[-1]]
    return result


class Renderer:
    """What Helm prints for values, each asked once; a refusal is an answer too."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "values.yaml"
        self._known: dict[str, str] = {}

    def __call__(self, values: Manifest) -> str:
        text = yaml.safe_dump(values)
        if text not in self._known:
            self._path.write_text(text, encoding="utf-8")
            command = [str(find_helm("helm4")), "template", "rel", str(CHART), "--values", str(self._path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            self._known[text] = f"{done.returncode}\n{done.stdout}"
        return self._known[text]


@pytest.fixture(scope="module")
def render(tmp_path_factory: pytest.TempPathFactory) -> Renderer:
    return Renderer(tmp_path_factory.mktemp("values"))


@pytest.mark.parametrize("path", [path for path in leaves(VALUES) if path[0] not in SILENT], ids=".".join)
def test_a_value_makes_a_difference(render: Renderer, path: tuple[str, ...]) -> None:
    pairs = [(values, less) for values in FILES if (less := without(values, path)) is not None]
    assert any(render(values) != render(less) for values, less in pairs)
