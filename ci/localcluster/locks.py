"""A lock between processes, released by the kernel when its holder dies."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster.progress import say


@contextmanager
def hold_lock(path: Path, what: str) -> Iterator[None]:
    """Hold the file lock at `path`, telling the person when it has to wait for another run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"  waiting for another run that holds {what}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
