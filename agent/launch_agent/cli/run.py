"""``launch-agent [run]``: take items from the queues until told to stop."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence

from launch_agent.cli import logs
from launch_agent.cli.parsing import Parser, add_cluster, add_common, add_queues, one_of, read_limit
from launch_agent.cli.world import World
from launch_agent.errors import UsageError
from launch_agent.settings import Flags, load


def main(arguments: Sequence[str], world: World) -> int:
    """Read the settings, set up the log, hand over to the supervisor."""
    flags = read_flags(arguments)
    settings = load(flags, world.environ, home=world.home)
    logs.set_up(settings, world.stdout, world.stderr)
    log = logging.getLogger("launch_agent.cli")
    for warning in settings.warnings:
        log.warning("%s", warning)
    from launch_agent.runtime import supervisor

    return supervisor.run(settings)


def read_flags(arguments: Sequence[str]) -> Flags:
    """The flags as the settings take them."""
    found = parser().read(arguments)
    if found.url is not None:
        raise UsageError(
            "--url is not a flag any more (nor is it one of W&B's agent).",
            resolution="set WANDB_BASE_URL to the address of W&B's API, and name queues with -q",
        )
    return Flags(
        config=found.config,
        queues=tuple(found.queue),
        entity=found.entity,
        max_jobs=found.max_jobs,
        verbosity=found.verbose,
        log_file=found.log_file,
        log_format=found.log_format,
        kubeconfig=found.kubeconfig,
        kube_context=found.context,
        health_address=found.health_address,
    )


def parser() -> Parser:
    """The flags of W&B's `wandb launch-agent` (protocol 11), and ours."""
    result = Parser(
        "launch-agent", usage="launch-agent [run] [flags]", description="Take items from queues and launch them."
    )
    add_queues(result, "a queue to poll; may be repeated")
    result.add_argument("-j", "--max-jobs", metavar="N", type=read_limit, help="items in work at once; -1: no limit")
    add_common(result)
    result.add_argument(
        "-l", "--log-file", metavar="FILE", help="write the log there instead of to stderr; `-` is stdout"
    )
    result.add_argument(
        "--log-format",
        type=one_of("text", "json"),
        metavar="text|json",
        default="text",
        help="lines for people (text) or for machines (json)",
    )
    add_cluster(result)
    result.add_argument(
        "--health-address",
        metavar="HOST:PORT",
        help="serve /healthz, /readyz, /metrics there; `off`: not (default: 0.0.0.0:8080 in a cluster, else off)",
    )
    result.add_argument("-u", "--url", help=argparse.SUPPRESS)
    return result
