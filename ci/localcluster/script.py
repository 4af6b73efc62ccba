"""How every script here ends: a ToolError is a message for a person, not a traceback."""

import sys
from collections.abc import Callable

from localcluster.paths import ToolError


def run(main: Callable[[list[str]], None], arguments: list[str]) -> None:
    """Call `main` and exit 1 with a plain message on a ToolError, 130 on an interrupt."""
    try:
        main(arguments)
    except ToolError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
