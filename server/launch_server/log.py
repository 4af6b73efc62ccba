"""The server's log: one line an event on stderr, no secrets."""

import logging

log = logging.getLogger("launch_server")


def configure(level: str = "INFO") -> None:
    """Write the log to stderr from this level on."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=level)
