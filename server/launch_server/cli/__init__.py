"""The command line: `launch-server`."""

from launch_server.cli.main import main

__all__ = ["main"]
