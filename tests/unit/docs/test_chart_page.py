"""The values that the chart's page shows are ones that the chart takes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from launch_agent.cli import main

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "charts/launch-agent/README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_shows_a_policy_and_a_described_kind() -> None:
    assert any("policy:" in block and "customResources:" in block for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_the_values_of_the_page_are_valid(block: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    filled = block.replace("<key of a W&B account>", "f" * 40)
    for name in ("team", "queue", "your registry"):
        filled = filled.replace(f"<{name}>", f"my-{name.split()[-1]}")
    path = tmp_path / "values.yaml"
    path.write_text(filled, encoding="utf-8")
    assert main(["validate", "--values", str(path)], {}, tmp_path) == 0, capsys.readouterr().err
