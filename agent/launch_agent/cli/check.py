"""``launch-agent check``: try for real, without a trace, everything that this configuration will need."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from launch_agent.checks import report
from launch_agent.checks.report import Area, Check
from launch_agent.cli import logs
from launch_agent.cli.parsing import Parser, add_cluster, add_common, add_output, add_queues
from launch_agent.cli.world import World
from launch_agent.settings import ConfigProblems, Flags, load

MEANINGS = {
    Area.CONFIGURATION: "the configuration can not be used",
    Area.WANDB: "W&B is not reached, or does not know the key, the entity or a queue",
    Area.KUBERNETES: "the API server is not reached; a namespace, the records or the Lease are not as needed",
    Area.PERMISSIONS: "the account lacks a right",
    Area.JOBS: "a sample Job is refused, or the Secret with the API key is not as jobs need it",
}


def main(arguments: Sequence[str], world: World) -> int:
    """Print a line for each check; the exit code names the first area in which one failed."""
    found = parser().read(arguments)
    checks, secrets = _inspect(found, world)
    if found.output == "json":
        world.stdout.write(report.write_json(checks, secrets))
    else:
        world.stdout.write(report.write_text(checks, has_colour=_has_colour(world), secrets=secrets))
    return report.find_exit_code(checks)


def _inspect(found: argparse.Namespace, world: World) -> tuple[list[Check], tuple[str, ...]]:
    """The checks, and what must never be shown."""
    from launch_agent.checks import inspection  # the HTTP clients: not for --help

    flags = Flags(
        config=found.config,
        queues=tuple(found.queue),
        entity=found.entity,
        verbosity=found.verbose,
        kubeconfig=found.kubeconfig,
        kube_context=found.context,
    )
    try:
        settings = load(flags, world.environ, home=world.home)
    except ConfigProblems as error:
        key = world.environ.get("WANDB_API_KEY", "").strip()
        return inspection.describe_problems(error), tuple(filter(None, [key]))
    if found.verbose > 1:  # else all that went wrong stands in the report
        logs.set_up(settings, world.stdout, world.stderr)
    return inspection.inspect(settings, world.environ, world.home), inspection.find_secrets(settings)


def _has_colour(world: World) -> bool:
    return world.stdout.isatty() and not world.environ.get("NO_COLOR")


def parser() -> Parser:
    """The flags."""
    codes = "\n".join(f"  {report.EXIT_CODES[area]}  {meaning}" for area, meaning in MEANINGS.items())
    result = Parser(
        "launch-agent check",
        description="Try for real everything that this configuration will need: W&B, queues, Kubernetes, every right,\n"
        "a sample Job for each queue. Nothing is changed anywhere: what would be created is a dry-run.",
        epilog="exit codes (where several areas fail, the first counts):\n  0  nothing failed\n" + codes,
    )
    add_common(result)
    add_queues(result, "a queue to look at; may be repeated")
    add_output(result, "text", "json", help_text="lines for people, or one JSON object")
    add_cluster(result)
    return result
