"""W&B's own client, SDK and agent 0.31.0, unmodified, in environments of their own, against our server."""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.processes import ROOT, Program, clean_environment
from tests.support.servers import Server, start_server


@dataclass(frozen=True, slots=True)
class Wandb:
    """W&B's package in its own interpreter, with a home folder of its own so that it finds no other account."""

    python: Path
    folder: Path
    environment: dict[str, str]

    def run(self, *command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a program of that environment to its end; both outputs in `stdout`."""
        return subprocess.run(
            self._command(command),
            env=self.environment | environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=110,
            check=False,
        )

    def script(self, text: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        """Run a Python script to its end."""
        file = self.folder / "script.py"
        file.write_text(text)
        return self.run("python", str(file), *arguments, **environment)

    def start(self, log: Path, *command: str) -> Program:
        """Start a program of that environment."""
        return Program(self._command(command), self.environment, log)

    def _command(self, command: tuple[str, ...]) -> list[str]:
        return [str(self.python.with_name(command[0])), *command[1:]]


def _wandb(variable: str, default: str, target: str, folder: Path, server: Server) -> Wandb:
    python = Path(os.environ.get(variable) or ROOT / default / "bin" / "python")
    assert python.exists(), f"{python} is missing: `make {target}` makes it (or set {variable})"
    home = folder / "wandb-home"
    environment = clean_environment(home, {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.key})
    for name in ("CONFIG", "CACHE", "DATA"):
        environment[f"WANDB_{name}_DIR"] = str(home / name.lower())
    environment |= {"WANDB_DIR": str(home), "WANDB_ENTITY": server.backend.entity}
    # W&B's own crash reports go to the vendor otherwise
    environment["WANDB_ERROR_REPORTING"] = "false"
    return Wandb(python, home, environment)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    started = start_server(tmp_path / "server")
    yield started
    started.stop()


@pytest.fixture
def wandb(tmp_path: Path, server: Server) -> Wandb:
    return _wandb("WANDB_PYTHON", ".venv-wandb", "venv-wandb", tmp_path, server)


@pytest.fixture
def wandb_launch(tmp_path: Path, server: Server) -> Wandb:
    return _wandb("WANDB_LAUNCH_PYTHON", ".venv-wandb-launch", "venv-wandb-launch", tmp_path, server)
