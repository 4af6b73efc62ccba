"""The page itself."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chartfigures.runs import Case, Outcome
from chartfigures.sources import Sources, bad_values, purpose_of

REFUSED = "test_bad_values_are_refused_at_lint_and_template"
INSTALL = "test_every_bad_input_is_refused_at_install_and_nothing_is_made"


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was counted and measured in one run."""

    sources: Sources
    helms: dict[str, str]
    lint_seconds: float
    offline: Outcome
    live: list[Outcome]
    untried: list[str]
    rendering: list[dict[str, Any]]


def write_page(figures: Figures) -> str:
    """docs/chart-tests.md."""
    now = datetime.now(UTC).strftime("%Y-%m-%d, %H:%M UTC")
    head = (
        "# The chart's tests in figures\n\n"
        f"Written by `make chart-figures` from a run of {now} on {os.cpu_count()} processors ({platform.machine()}), "
        "which other work may have shared; not by hand. Seconds are of that run."
    )
    parts = (_size, _suites, _live, _refusals, _versions, _rendering)
    return "\n\n".join([head, *("\n".join(part(figures)) for part in parts)]) + "\n"


def _size(figures: Figures) -> Iterator[str]:
    sources, cases = figures.sources, len(figures.offline.cases) + sum(len(one.cases) for one in figures.live)
    yield "| what | number |"
    yield "|---|---|"
    yield f"| values, each in values.yaml, the schema, the README, and changed by a ci file | {sources.values} |"
    yield f"| templates: manifests, files of helpers, lines | {sources.manifests}, {sources.helpers}, {sources.lines} |"
    yield f"| ci values files, each with a snapshot | {sources.scenarios} |"
    yield f"| objects in the snapshots, and their kinds | {sources.objects}, {sources.kinds} |"
    yield f"| cases of bad input | {sum(map(len, bad_values().values()))} |"
    yield f"| exceptions from checkov's policies, each with a reason | {sources.exceptions} |"
    yield f"| test cases run, without and with an API server | {cases} |"
    yield f"| of these failed | {sum(len(one.failed()) for one in [figures.offline, *figures.live])} |"


def _suites(figures: Figures) -> Iterator[str]:
    outcome = figures.offline
    yield "## Without a cluster (`make chart-test-all`)\n"
    lint = f"{figures.lint_seconds:.0f} s of `ci/chart-lint`"
    yield f"{len(outcome.cases)} cases in {outcome.seconds:.0f} s, after {lint}."
    yield "The seconds of a suite are the sum of its cases; several run at a time.\n"
    yield "| suite | what it proves | tests | cases | failed | seconds |"
    yield "|---|---|---|---|---|---|"
    for suite, cases in outcome.suites().items():
        failed = sum(not case.passed for case in cases)
        tests, seconds = len({case.name for case in cases}), sum(case.seconds for case in cases)
        yield f"| `{suite}` | {purpose_of(suite)} | {tests} | {len(cases)} | {failed} | {seconds:.0f} |"


def _live(figures: Figures) -> Iterator[str]:
    yield "## On real API servers\n"
    if not figures.live:
        yield "Not tried in this run."
        return
    yield "Cases, failed cases where there are any, seconds.\n"
    yield f"| suite | what it proves | {' | '.join(one.where for one in figures.live)} |"
    yield f"|---|---|{'---|' * len(figures.live)}"
    for suite in sorted({suite for one in figures.live for suite in one.suites()}):
        cells = " | ".join(_cell(one.suites().get(suite, [])) for one in figures.live)
        yield f"| `{suite}` | {purpose_of(suite)} | {cells} |"
    yield f"| all | | {' | '.join(_cell(one.cases, one.seconds) for one in figures.live)} |"


def _cell(cases: list[Case], seconds: float | None = None) -> str:
    failed = sum(not case.passed for case in cases)
    took = sum(case.seconds for case in cases) if seconds is None else seconds
    return f"{len(cases)}{f', {failed} failed' if failed else ''} in {took:.0f} s" if cases else "–"


def _refusals(figures: Figures) -> Iterator[str]:
    yield "## Bad input: where it bites\n"
    yield "Cases that were refused in the words of `tests/chart/bad-values.yaml`, for each Helm that was asked.\n"
    yield "| refused by | cases | `helm lint` | `helm template` | `helm install` |"
    yield "|---|---|---|---|---|"
    for part, names in bad_values().items():
        lint, template = (_bites(figures, verb, names) for verb in ("lint", "template"))
        yield f"| {part} | {len(names)} | {lint} | {template} | {_bites_at_install(figures, part, len(names))} |"


def _bites(figures: Figures, verb: str, names: list[str]) -> str:
    found = {
        helm: sum(
            case.passed
            and case.name == REFUSED
            and set(case.parameters.split("-", 2)[:2]) == {helm, verb}
            and case.parameters.split("-", 2)[2] in names
            for case in figures.offline.cases
        )
        for helm in figures.helms
    }
    return _by_helm(figures, found)


def _bites_at_install(figures: Figures, part: str, count: int) -> str:
    passed = [
        case.parameters.split("-")
        for one in figures.live
        for case in one.cases
        if case.name == INSTALL and case.passed and part in case.parameters.split("-")
    ]
    found = {helm: count for helm in figures.helms if any(helm in words for words in passed)}
    return _by_helm(figures, found) if found else "not tried in this run"


def _by_helm(figures: Figures, found: dict[str, int]) -> str:
    return ", ".join(f"{figures.helms[helm]}: {count}" for helm, count in found.items())


def _versions(figures: Figures) -> Iterator[str]:
    live = ", ".join(one.where for one in figures.live) or "none in this run"
    yield "## What is supported, and what was tried on which\n"
    yield "| | supported | rendered, linted, refused, snapshots | installed, upgraded, rolled back |"
    yield "|---|---|---|---|"
    helms = list(figures.helms.values())
    tried = sorted({name for one in figures.live for case in one.cases for name in case.parameters.split("-")})
    lived = [version for helm, version in figures.helms.items() if helm in tried]
    yield f"| Helm | 3.18 and later 3, 4 | {', '.join(helms)} | {', '.join(lived) or 'none in this run'} |"
    yield f"| Kubernetes | 1.29 to 1.37 | schemas of 1.29 and 1.37, strict, for every object of every render | {live} |"
    if figures.untried:
        yield f"\nNot tried on an API server in this run: {', '.join(figures.untried)}."


def _rendering(figures: Figures) -> Iterator[str]:
    yield "## Time of `helm template`\n"
    yield "Our chart and one of W&B's shape (`tests/chart/upstream-shape`), same values, in turns: middle of 20."
    yield "Most of it is Helm itself. Ours also reads a schema and checks the configuration.\n"
    yield "| Helm | launch-agent | W&B's shape | ratio |"
    yield "|---|---|---|---|"
    for helm, version in figures.helms.items():
        ours, theirs = sorted(
            (one for one in figures.rendering if one["helm"] == helm), key=lambda one: str(one["who"])
        )
        ratio = ours["seconds"] / theirs["seconds"]
        yield f"| {version} | {ours['seconds'] * 1000:.0f} ms | {theirs['seconds'] * 1000:.0f} ms | {ratio:.2f} |"
