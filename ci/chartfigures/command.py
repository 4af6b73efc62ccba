"""`ci/chart-figures`: run everything, write the page."""

import argparse
import tempfile
from pathlib import Path

from chartfigures.page import Figures, write_page
from chartfigures.runs import helm_versions, is_built, measure_rendering, run_live, run_offline, time_lint
from chartfigures.sources import ROOT, count_sources
from localcluster.binaries import KUBERNETES
from localcluster.paths import ToolError

PAGE = ROOT / "docs" / "chart-tests.md"


def main(arguments: list[str]) -> None:
    """Write docs/chart-tests.md; raises ToolError when a test failed (the page then tells how many)."""
    parser = argparse.ArgumentParser(prog="ci/chart-figures", description="Write docs/chart-tests.md from a real run.")
    parser.add_argument("--offline", action="store_true", help="without API servers: the page says so")
    parser.add_argument("--build", action="store_true", help="build the API servers that are missing (minutes each)")
    options = parser.parse_args(arguments)
    wanted = [] if options.offline else [version for version in KUBERNETES if options.build or is_built(version)]
    with tempfile.TemporaryDirectory(prefix="chart-figures-") as name:
        folder = Path(name)
        lint = time_lint()
        rendering = measure_rendering(folder)
        offline = run_offline(folder)
        live = [run_live(folder, version) for version in wanted]
    untried = [f"Kubernetes {version}" for version in KUBERNETES if version not in wanted]
    figures = Figures(count_sources(), helm_versions(), lint, offline, live, untried, rendering)
    PAGE.write_text(write_page(figures), encoding="utf-8")
    print(PAGE.relative_to(ROOT))
    if failed := [case for one in [offline, *live] for case in one.failed()]:
        raise ToolError(f"{len(failed)} cases failed, e.g. {failed[0].suite}::{failed[0].name}; the page says so too")
