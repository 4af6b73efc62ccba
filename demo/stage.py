"""The stage: a temporary folder, the programs in it, and an end that leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
BIN = ROOT / ".venv" / "bin"
WANDB_BIN = ROOT / ".venv-wandb" / "bin"

KEPT = ("LANG", "LC_ALL", "TMPDIR")
"""Variables that the programs inherit. No kubeconfig, no key, no proxy: nothing of the user's reaches the demo."""

LEAVE_WITHIN = 8.0
"""Seconds that a program gets to end by itself. The agent finishes the steps under way, which takes up to 4."""

T = TypeVar("T")


class DemoError(Exception):
    """The demo can not go on; the text says why."""


class Stage:
    """Programs that run until the stage is left, each with its log below ``folder/logs``."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="launch-agent-demo-"))
        self.home = self.folder / "home"
        self.logs = self.folder / "logs"
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self.home.mkdir()
        self.logs.mkdir()

    @property
    def environment(self) -> dict[str, str]:
        """What every program gets. W&B's interpreter comes first on the PATH, for the training script."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        path = f"{WANDB_BIN}:{BIN}:{os.environ.get('PATH', '/usr/bin:/bin')}"
        return {**kept, "PATH": path, "HOME": str(self.home), "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}

    def start(self, name: str, command: Sequence[str], extra: Mapping[str, str]) -> None:
        """Start a program of .venv. It has a session of its own, so that Ctrl-C reaches the demo alone."""
        with self.log(name).open("wb") as log:
            self._running[name] = subprocess.Popen(
                [str(BIN / command[0]), *command[1:]],
                env={**self.environment, **extra},
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def call(self, command: Sequence[str], extra: Mapping[str, str]) -> str:
        """Run a program of .venv to its end; what it printed. DemoError when it fails."""
        try:
            done = subprocess.run(
                [str(BIN / command[0]), *command[1:]],
                env={**self.environment, **extra},
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise DemoError(f"`{' '.join(command)}` did not end within 60 s") from None
        if done.returncode:
            raise DemoError(f"`{' '.join(command)}` failed: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def wait(self, look: Callable[[], T | None], what: str, *, timeout: float, every: float = 0.1) -> T:
        """Look until there is an answer. DemoError when it takes too long, or a program has ended meanwhile."""
        deadline = time.monotonic() + timeout
        while True:
            found = look()
            if found is not None:
                return found
            for name, program in self._running.items():
                if program.poll() is not None:
                    raise DemoError(f"the {name} ended with exit code {program.returncode} while waiting for {what}")
            if time.monotonic() > deadline:
                raise DemoError(f"waited {timeout:g} s in vain for {what}")
            time.sleep(every)

    def log(self, name: str) -> Path:
        """Where a program's output is."""
        return self.logs / f"{name}.log"

    def collect(self) -> None:
        """Put the outputs of the processes that the agent started beside the other logs."""
        for path in self._processes():
            if (path / "log").exists():
                shutil.copyfile(path / "log", self.log("training"))

    def close(self, *, keep_logs: bool) -> None:
        """End everything that was started, the last first, and remove the folder (or all of it but the logs)."""
        for program in reversed(list(self._running.values())):
            _end(program)
        for path in self._processes():
            _end_session(path)
        if not keep_logs:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        self.collect()
        for path in self.folder.iterdir():
            if path != self.logs:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink()

    def _processes(self) -> list[Path]:
        """The folders that the agent's local-process target keeps, one per process."""
        return sorted((self.home / ".local/state/launch-agent/processes").glob("*"))


def _end(program: subprocess.Popen[bytes]) -> None:
    if program.poll() is not None:
        return
    program.terminate()
    try:
        program.wait(LEAVE_WITHIN)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()


def _end_session(folder: Path) -> None:
    """End a training process that outlives its agent: agents leave workloads running, the demo does not."""
    if (folder / "exit").exists():
        return
    with contextlib.suppress(OSError, ValueError, KeyError):
        pid = int(json.loads((folder / "pid").read_text())["pid"])
        os.killpg(pid, signal.SIGTERM)
        deadline = time.monotonic() + LEAVE_WITHIN
        while time.monotonic() < deadline:
            os.killpg(pid, 0)  # ProcessLookupError: all of them are gone
            time.sleep(0.1)
        os.killpg(pid, signal.SIGKILL)
