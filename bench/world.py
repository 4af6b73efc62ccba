"""A queue server and an agent as processes of their own, for one measurement."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import urllib3

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
WANDB = ROOT / ".venv-wandb-launch" / "bin"
PUSH_LIMIT = 100


def wait_until(condition: Callable[[], bool], timeout: float, what: str) -> None:
    """Look every 10 ms until it holds; TimeoutError names what did not come."""
    pause, deadline = threading.Event(), time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {timeout:g} s")
        pause.wait(0.01)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(slots=True)
class Server:
    """One running queue server, with one queue ``bench``."""

    url: str
    key: str
    folder: Path
    process: subprocess.Popen[bytes]

    def environment(self) -> dict[str, str]:
        """What a client of this server needs, in a home of its own."""
        kept = {name: os.environ[name] for name in ("PATH", "KUBECONFIG", "LANG") if name in os.environ}
        return {**kept, "HOME": str(self.folder), "WANDB_BASE_URL": self.url, "WANDB_API_KEY": self.key}

    def push(self, specs: list[dict[str, Any]]) -> None:
        """Push all, a hundred in a document."""
        http = urllib3.PoolManager(retries=False, timeout=60.0)
        headers = urllib3.make_headers(basic_auth=f"api:{self.key}") | {"Content-Type": "application/json"}
        for start in range(0, len(specs), PUSH_LIMIT):
            chunk = specs[start : start + PUSH_LIMIT]
            declared = ", ".join(f"$s{n}: JSONString!" for n in range(len(chunk)))
            where = 'entityName: "local", projectName: "model-registry", queueName: "bench"'
            fields = "\n".join(
                f"a{n}: pushToRunQueueByName(input: {{{where}, runSpec: $s{n}}}) {{ runQueueItemId }}"
                for n in range(len(chunk))
            )
            variables = {f"s{n}": json.dumps(spec) for n, spec in enumerate(chunk)}
            body = json.dumps({"query": f"mutation({declared}) {{ {fields} }}", "variables": variables})
            answer = http.request("POST", f"{self.url}/graphql", body=body, headers=headers).json()
            assert not answer.get("errors"), answer["errors"][:1]

    def count(self, *states: str) -> int:
        """How many items are in these states, read beside the server."""
        marks = ", ".join("?" * len(states))
        with contextlib.closing(sqlite3.connect(f"file:{self.folder}/queue.db?mode=ro", uri=True, timeout=10)) as db:
            (found,) = db.execute(f"SELECT count(*) FROM items WHERE state IN ({marks})", states).fetchone()  # noqa: S608
        return int(found)


@contextlib.contextmanager
def server(folder: Path, *, latency_ms: int = 0) -> Iterator[Server]:
    """A server on SQLite, with ``latency_ms`` added to each GraphQL request."""
    folder.mkdir(parents=True, exist_ok=True)
    port, key = free_port(), secrets.token_hex(20)
    command = [str(BIN / "launch-server"), "serve", "--listen", f"127.0.0.1:{port}"]
    command += ["--database", f"sqlite:///{folder}/queue.db", "--log-level", "warning"]
    if latency_ms:
        command += ["--faults", f"latency={latency_ms}ms"]
    environment = {**os.environ, "LAUNCH_SERVER_ADMIN_KEY": key}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    found = Server(f"http://127.0.0.1:{port}", key, folder, process)
    try:
        wait_until(lambda: _is_ready(found.url), 20, "the queue server")
        subprocess.run(
            [str(BIN / "launch-server"), "queue", "create", "bench", "--resource", "kubernetes"],
            env=found.environment(), check=True, capture_output=True,
        )  # fmt: skip
        yield found
    finally:
        process.terminate()
        process.wait(20)


def _is_ready(url: str) -> bool:
    try:
        return urllib3.PoolManager(retries=False, timeout=1.0).request("GET", f"{url}/readyz").status == 200
    except urllib3.exceptions.HTTPError:
        return False


def ours(where: Server, namespace: str, *, max_jobs: int = -1) -> tuple[list[str], dict[str, str]]:
    """Our agent's command and environment, as the chart would run it."""
    config = where.folder / "launch-config.yaml"
    config.write_text(f"entity: local\nqueues: [bench]\nmax_jobs: {max_jobs}\n")
    environment = {**where.environment(), "POD_NAMESPACE": namespace, "WANDB_RELEASE_NAME": "bench"}
    return [str(BIN / "launch-agent"), "run", "--config", str(config)], environment


def theirs(where: Server, *, max_jobs: int = -1) -> tuple[list[str], dict[str, str]]:
    """W&B's own agent 0.31.0 with the same queue."""
    kube = where.folder / ".kube"
    kube.mkdir(exist_ok=True)
    (kube / "config").write_text(Path(os.environ["KUBECONFIG"]).read_text())
    command = [str(WANDB / "wandb"), "launch-agent", "-q", "bench", "-e", "local", "-j", str(max_jobs)]
    environment = where.environment()
    environment["PATH"] = f"{WANDB}:{environment['PATH']}"
    return command, environment


@contextlib.contextmanager
def agent(command: list[str], environment: dict[str, str], log: Path) -> Iterator[psutil.Process]:
    """A running agent; ended, with its children, at the end."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, cwd=log.parent)
    watched = psutil.Process(process.pid)
    try:
        yield watched
    finally:
        family = [watched, *watched.children(recursive=True)] if watched.is_running() else []
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
        for child in family[1:]:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


def usage(process: psutil.Process) -> tuple[float, float]:
    """Processor seconds and resident megabytes of a process and its children."""
    seconds, memory = 0.0, 0.0
    for one in [process, *process.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            seconds += times.user + times.system
            memory += one.memory_info().rss / 1e6
    return seconds, memory
