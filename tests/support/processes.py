"""A program of ours as a process of its own: its log in a file, ended by the one who started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.waiting import wait_until

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
"""Where the console scripts are: beside the interpreter that runs the tests."""

KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "KUBECONFIG", "SSL_CERT_FILE")
"""Variables that a process inherits; everything else it gets is said by the test."""


def clean_environment(home: Path, extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a process under test, with a home folder of its own."""
    home.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", **(extra or {})}


class Program:
    """A started process with both outputs in ``log``."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        self.command = list(command)
        self.log_path = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                self.command, env=dict(environment), stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it has written."""
        return self.log_path.read_text(errors="replace")

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self._process.kill()
        self._process.wait(10)

    def wait(self, timeout: float) -> int:
        """The exit code; fails the test when it does not end in time."""
        wait_until(lambda: self.exit_code is not None or self.log[-1500:], timeout, f"the end of {self.command[0]}",
                   until=lambda seen: seen is True)  # fmt: skip
        return self._process.wait()

    def stop(self, timeout: float = 10.0) -> None:
        """End it, by force when it does not go by itself. For clean-up."""
        if self.exit_code is not None:
            return
        self.terminate()
        try:
            self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
