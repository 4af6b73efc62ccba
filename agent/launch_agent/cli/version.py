"""``launch-agent version``."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence

from launch_agent import __version__
from launch_agent.cli.parsing import Parser, add_output
from launch_agent.cli.world import World


def main(arguments: Sequence[str], world: World) -> int:
    """Print the version."""
    flags = parser().read(arguments)
    if flags.output == "json":
        found = {"version": __version__, "python": platform.python_version(), "wandb_protocol": "0.31.0"}
        world.stdout.write(json.dumps(found) + "\n")
    else:
        world.stdout.write(f"launch-agent {__version__} (Python {platform.python_version()}, speaks W&B 0.31.0)\n")
    return 0


def parser() -> Parser:
    """The flags."""
    result = Parser("launch-agent version", description="Print the version.")
    result.add_argument("-v", "--verbose", action="count", default=0, help="accepted like everywhere")
    add_output(result, "text", "json", help_text="for people or for machines")
    return result
