"""Progress for people: one line for each step, with the seconds it took."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


def say(line: str) -> None:
    """Print a line to standard error, so that standard output stays for answers."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce `what` on a terminal, and print it with its seconds when it is done."""
    started = time.monotonic()
    if sys.stderr.isatty():
        print(f"  …     {what}", end="\r", file=sys.stderr, flush=True)
    yield
    say(f"  {time.monotonic() - started:5.1f}s {what}")
