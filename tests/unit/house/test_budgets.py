"""House rules that a machine can hold: sizes, imports without effects, no host or path of anybody's machine."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted([*(ROOT / "agent").rglob("*.py"), *(ROOT / "server").rglob("*.py")])
LINES = 450
FUNCTION_LINES = 55
POSITIONAL = 6


def test_every_module_is_short_enough_to_read() -> None:
    long = {
        str(path.relative_to(ROOT)): count for path in MODULES if (count := len(path.read_text().splitlines())) > LINES
    }
    assert long == {}


def test_every_function_fits_on_a_screen_and_takes_few_positions() -> None:
    faults = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            lines = (node.end_lineno or node.lineno) - node.lineno
            if lines > FUNCTION_LINES or len(node.args.args) > POSITIONAL:
                faults.append(
                    f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {lines} lines, {len(node.args.args)} args"
                )
    assert faults == []


@pytest.mark.parametrize("package", ["launch_agent", "launch_server"])
def test_importing_a_module_reads_nothing_of_the_environment_and_starts_nothing(package: str) -> None:
    folder = ROOT / ("agent" if package == "launch_agent" else "server")
    names = [
        ".".join(path.relative_to(folder).with_suffix("").parts)
        for path in sorted(folder.rglob("*.py"))
        if path.name not in {"__init__.py", "__main__.py"}
    ]
    code = (
        "import importlib, sys, threading\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "print('quiet')\n"
    )
    found = subprocess.run([sys.executable, "-c", code], env={}, capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr) == ("quiet\n", "")
