"""Entry point of `launch-server`: options, errors in words, exit codes."""

import argparse
import os
import sys
from collections.abc import Sequence

from launch_server.cli.parser import build_parser
from launch_server.errors import LaunchServerError

EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code (see `launch-server --help`)."""
    options: argparse.Namespace = build_parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except LaunchServerError as error:
        print(f"launch-server: {error}", file=sys.stderr)
        return options.failure_code if hasattr(options, "failure_code") else 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # whoever read the output left; nothing more may be written at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
