"""Two agents under the same conditions: ours and W&B's own (0.31.0), each restarted as Kubernetes would."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from tests.support.agents import free_port
from tests.support.kills import LEASE, Arena
from tests.support.place import RELEASE
from tests.support.processes import BIN, ROOT, clean_environment

WANDB_BIN = ROOT / ".venv-wandb-launch" / "bin"
OURS, THEIRS = "launch-agent", "W&B's agent"
LOOK = 0.25
FIRST_BACKOFF, LONGEST_BACKOFF = 10.0, 300.0
"""Seconds until a container that ended is started again (the kubelet's own figures); the first time at once."""


class Contestant:
    """A running agent that is started again when it ends by itself. ``exits``: how often it did, with which codes."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], folder: Path) -> None:
        self._command = list(command)
        self._environ = dict(environ)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._due = 0.0
        self._is_counted = True
        self.exits: list[int] = []
        self.began = time.monotonic()
        self._thread = threading.Thread(target=self._keep, daemon=True)
        self._thread.start()

    @property
    def log(self) -> Path:
        """All its output, of all starts."""
        return self._folder / "agent.log"

    @property
    def is_alive(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start it now if it does not run; it is kept running from now on."""
        with self._lock:
            if not self.is_alive:
                self._start()

    def kill(self) -> bool:
        """SIGKILL to all processes of the container; whether it was alive. It stays down until ``launch``."""
        with self._lock:
            was_alive = self.is_alive
            self._is_counted = True
            if self._process is not None:
                _kill_family(self._process)
            self._process = None
            return was_alive

    def close(self) -> None:
        """The end."""
        self._end.set()
        self._thread.join(10)
        self.kill()

    def _start(self) -> None:
        with self.log.open("ab") as sink:
            self._process = subprocess.Popen(
                self._command, env=self._environ, cwd=self._folder, stdin=subprocess.DEVNULL,
                stdout=sink, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        self._is_counted, self.began = False, time.monotonic()

    def _keep(self) -> None:
        while not self._end.wait(LOOK):
            with self._lock:
                code = None if self._process is None else self._process.poll()
                if code is None:
                    continue
                now = time.monotonic()
                if not self._is_counted:
                    self._is_counted = True
                    self.exits.append(code)
                    self._due = now + _backoff(len(self.exits))
                if now >= self._due:
                    self._start()


def _backoff(exits: int) -> float:
    return 0.0 if exits < 2 else min(LONGEST_BACKOFF, FIRST_BACKOFF * 2.0 ** min(exits - 2, 10))


def _kill_family(process: subprocess.Popen[bytes]) -> None:
    """Children first: W&B's agent has a service process, also in a session of its own."""
    family = []
    with suppress(psutil.NoSuchProcess):
        family = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    for one in family:
        with suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait(10)


def make_contestant(who: str, arena: Arena, settings: Mapping[str, Any]) -> Contestant:
    """An agent for the arena's queue, with the same configuration file, release and API key for both."""
    folder = arena.folder / "contestant"
    config = {"entity": arena.place.backend.entity, "queues": [arena.place.name], **settings}
    environ = clean_environment(folder / "home", {
        "WANDB_BASE_URL": arena.wandb.url,
        "WANDB_API_KEY": arena.server.key,
        "WANDB_RELEASE_NAME": RELEASE,
        "POD_NAMESPACE": arena.place.name,
        "KUBECONFIG": str(arena.kube.kubeconfig),
    })  # fmt: skip
    file = folder / "launch-config.yaml"
    file.write_text(json.dumps(config))
    if who == OURS:
        environ |= {"LAUNCH_AGENT_LEASE": LEASE, "POD_NAME": "agent-0"}
        command = [str(BIN / "launch-agent"), "run", "--config", str(file)]
        return Contestant([*command, "--health-address", f"127.0.0.1:{free_port()}"], environ, folder)
    kube = folder / "home" / ".kube"
    kube.mkdir(parents=True)
    (kube / "config").write_text(Path(str(arena.kube.kubeconfig)).read_text())
    # No crash reports to the vendor; its own programs first on the path.
    environ |= {"WANDB_ERROR_REPORTING": "false", "PATH": f"{WANDB_BIN}:{environ['PATH']}"}
    command = [str(WANDB_BIN / "wandb"), "launch-agent", "-e", config["entity"], "-q", arena.place.name]
    return Contestant([*command, "-c", str(file)], environ, folder)
