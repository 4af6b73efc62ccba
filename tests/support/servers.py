"""`launch-server` as a process of its own."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from tests.support.backend import Backend
from tests.support.processes import BIN, Program, clean_environment
from tests.support.waiting import wait_until

ENTITY = "local"


@dataclass(frozen=True, slots=True)
class Server:
    """A running queue server and a client with its admin's key."""

    program: Program
    backend: Backend

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.backend.url

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.url.rpartition(":")[2])

    @property
    def key(self) -> str:
        """The admin's API key."""
        return self.backend.key

    def stop(self) -> None:
        """End it."""
        self.backend.close()
        self.program.stop()


def start_server(
    folder: Path, *arguments: str, host: str = "127.0.0.1", port: int = 0, key: str | None = None
) -> Server:
    """Start a queue server (port 0: on a free one) with a database in ``folder``; wait until it listens."""
    key = key or secrets.token_hex(20)
    folder.mkdir(parents=True, exist_ok=True)
    environment = clean_environment(folder / "home", {"LAUNCH_SERVER_ADMIN_KEY": key})
    command = [str(BIN / "launch-server"), "serve", "--listen", f"{host}:{port}"]
    command += ["--database", f"sqlite:///{folder / 'queue.db'}", "--entity", ENTITY, *arguments]
    log = folder / f"server-{len(list(folder.glob('server-*')))}.log"
    program = Program(command, environment, log)
    try:
        listening = wait_until(
            lambda: re.search(r"listens on (http://\S+)", program.log) or program.exit_code or program.log,
            120,  # seconds: on a busy machine
            "launch-server to listen",
            until=lambda seen: not isinstance(seen, str),
        )
        assert isinstance(listening, re.Match), program.log
    except BaseException:
        program.stop()
        raise
    return Server(program, Backend(listening[1], key, ENTITY))
