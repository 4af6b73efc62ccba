"""What a package imports, its part of pyproject.toml names: the development lock holds more, and would hide a gap."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions

import pytest

from tests.support.processes import ROOT

EXTRAS = {"agent/launch_agent": ("kubeconfig", "aws", "google"), "server/launch_server": ("server", "conformance")}


def _read_imports(folder: str) -> Iterator[str]:
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (one.name.partition(".")[0] for one in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def _normalize(requirement: str) -> str:
    """The project's name of a requirement, as indexes compare names (PEP 503)."""
    name = re.match(r"[\w.-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


@pytest.mark.parametrize("folder", EXTRAS)
def test_whatever_is_imported_is_a_dependency_by_name(folder: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [one for name in EXTRAS[folder] for one in project["optional-dependencies"][name]]
    declared = {_normalize(one) for one in [*project["dependencies"], *extras]}
    providers = packages_distributions()
    found = set(_read_imports(folder)) - sys.stdlib_module_names - {"launch_agent", "launch_server"}
    assert found
    missing = {one for one in found if not {_normalize(name) for name in providers.get(one, [])} & declared}
    assert not missing
