"""``launch-agent validate``: judge a configuration file without contacting anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from launch_agent.cli.parsing import Parser, add_common, add_output
from launch_agent.cli.world import World
from launch_agent.settings import ConfigProblems, Flags, Need, Settings, load


def main(arguments: Sequence[str], world: World) -> int:
    """Print OK and a summary; the problems are raised, or with ``--output json`` printed."""
    found = parser().read(arguments)
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
    add_output(result, "text", "json", help_text="for people or for machines")
    return result


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
