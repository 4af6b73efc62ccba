"""``launch-agent validate``: judge a configuration file, or the chart's values file, without contacting anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from launch_agent.cli.parsing import Parser, add_common, add_output
from launch_agent.cli.world import World
from launch_agent.errors import UsageError
from launch_agent.settings import ConfigProblems, Flags, Need, Settings, load


def main(arguments: Sequence[str], world: World) -> int:
    """Print OK and a summary; the problems are raised, or with ``--output json`` printed."""
    found = parser().read(arguments)
    if found.values:
        if found.config:
            raise UsageError("--config and --values stand together.", resolution="judge one file at a time")
        return _judge_values(found.values, found.output, world)
    flags = Flags(config=found.config)
    if found.output == "text":
        settings = load(flags, world.environ, home=world.home, need=Need.FILE)
        world.stderr.write("".join(f"{warning}\n" for warning in settings.warnings))
        world.stdout.write(_describe(settings))
        return 0
    try:
        settings = load(flags, world.environ, home=world.home, need=Need.FILE)
    except ConfigProblems as error:
        problems = [problem.to_json() for problem in error.problems]
        _print(world, {"ok": False, "problems": problems, "warnings": [one.line_text for one in error.warnings]})
        return error.exit_code
    summary = {"config": str(settings.config_path), "settings": settings.agent_config}
    _print(world, {"ok": True, "problems": [], "warnings": list(settings.warnings), **summary})
    return 0


def parser() -> Parser:
    """The flags."""
    result = Parser(
        "launch-agent validate",
        description="Judge a configuration without contacting anything. Exit code 0: usable, 2: not.",
    )
    add_common(result)
    result.add_argument(
        "--values",
        metavar="FILE",
        type=Path,
        help="judge a values file of the Helm chart and the configuration in it, instead of a configuration file",
    )
    add_output(result, "text", "json", help_text="for people or for machines")
    return result


def _judge_values(path: Path, output: str, world: World) -> int:
    """The chart's values file: as a configuration file is judged, and with the same exit codes."""
    from launch_agent.settings import values

    verdict = values.judge(path)
    failure = ConfigProblems(verdict.problems, verdict.warnings) if verdict.problems else None
    if output == "json":
        problems = [problem.to_json() for problem in (failure.problems if failure else ())]
        warnings = [one.line_text for one in verdict.warnings]
        summary = {} if failure else {"values": str(path), "config": verdict.config}
        _print(world, {"ok": not failure, "problems": problems, "warnings": warnings, **summary})
        return failure.exit_code if failure else 0
    if failure:
        raise failure
    world.stderr.write("".join(f"{warning.text}\n" for warning in verdict.warnings))
    queues = ", ".join((verdict.config or {}).get("queues", ())) or "none here"
    world.stdout.write(f"OK: {path}\n  queues    {queues}\n")
    return 0


def _print(world: World, value: dict[str, Any]) -> None:
    world.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def _describe(settings: Settings) -> str:
    """``OK`` and what holds."""
    limit = "no limit" if settings.max_jobs == -1 else str(settings.max_jobs)
    names = ", ".join(settings.queues) or "none (give -q when you start the agent)"
    lines = [
        f"OK: {settings.config_path}",
        f"  entity    {settings.entity or 'the default entity of the API key’s owner'}",
        f"  queues    {names}",
        f"  max_jobs  {limit}",
    ]
    for name in ("environment", "registry", "builder"):
        kind = getattr(settings, name).get("type")
        if kind:
            lines.append(f"  {name:<9} {kind}")
    return "\n".join(lines) + "\n"
