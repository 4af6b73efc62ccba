"""AWS without AWS: moto's server as a process of its own."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import httpx

from tests.support.agents import free_port
from tests.support.processes import Program, clean_environment
from tests.support.waiting import wait_until

ACCOUNT = "123456789012"
HOST = f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"
PASSWORD = f"{ACCOUNT}-auth-token"
"""What moto's ECR gives for the account."""


class Amazon:
    """The server, and the environment of a process that asks it."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self._program = Program(command, clean_environment(folder / "home", {}), folder / "moto.log")
        self.url = f"http://127.0.0.1:{port}"
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            wait_until(self._is_up, 60, "moto's server")
            undo.pop_all()  # it is up: from now on its user closes it

    def _is_up(self) -> bool:
        assert self._program.exit_code is None, self._program.log
        try:
            return httpx.get(f"{self.url}/moto-api/", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    @property
    def environ(self) -> dict[str, str]:
        """Keys that are good there, and its address."""
        return {
            "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_ENDPOINT_URL_ECR": self.url,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def close(self) -> None:
        """End it."""
        self._program.stop()
