"""`launch-server serve` as a process of its own: first start, kill -9, orderly end, faults."""

import re
import time
from pathlib import Path

import httpx
import pytest

from tests.support.backend import PROJECT
from tests.support.processes import BIN, Program, clean_environment
from tests.support.servers import Server, start_server
from tests.support.waiting import wait_until

_POP = """mutation($queue: String!) { popFromRunQueue(input: {entityName: "local", projectName: "model-registry",
  queueName: $queue}) { runQueueItemId } }"""
_ACK = """mutation($item: ID!, $run: String!) {
  ackRunQueueItem(input: {runQueueItemId: $item, runName: $run}) { success } }"""


def pop(server: Server) -> str | None:
    popped = server.backend.execute(_POP, queue="q")["popFromRunQueue"]
    return None if popped is None else popped["runQueueItemId"]


def test_kill_9_and_a_restart_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    first = start_server(tmp_path)
    first.backend.create_queue("q", arguments={"spec": {"backoffLimit": 0}})
    pushed = [first.backend.push("q", {"entity": "local", "project": "demo"}) for _ in range(6)]
    claimed, leased = pop(first), pop(first)
    assert [claimed, leased] == pushed[:2]
    assert first.backend.execute(_ACK, item=claimed, run="run-a")["ackRunQueueItem"]["success"] is True
    first.backend.start_run("demo", "run-a")
    first.program.kill()

    second = start_server(tmp_path)
    try:
        states = [(item["id"], item["state"]) for item in second.backend.items("q")]
        assert states == list(zip(pushed, ["CLAIMED", "LEASED"] + ["PENDING"] * 4, strict=True))
        assert second.backend.execute(_ACK, item=leased, run="run-b")["ackRunQueueItem"]["success"] is True
        second.backend.end_run("demo", "run-a", 0)
        assert second.backend.item("q", pushed[0])["state"] == "FINISHED"
        assert pop(second) == pushed[2]
        old = httpx.post(
            f"{second.url}/graphql", json={"query": "{ viewer { id } }"}, auth=("api", first.key), trust_env=False
        )
        assert old.json()["data"]["viewer"]["id"]
    finally:
        first.backend.close()
        second.stop()


def test_sigterm_ends_it_in_order_with_exit_code_0(tmp_path: Path) -> None:
    server = start_server(tmp_path)
    server.program.terminate()
    assert server.program.wait(20) == 0
    assert "Traceback" not in server.program.log
    server.stop()


def test_the_first_start_prints_a_key_once_and_the_next_does_not(tmp_path: Path) -> None:
    command = [str(BIN / "launch-server"), "serve", "--listen", "127.0.0.1:0"]
    command += ["--database", f"sqlite:///{tmp_path / 'queue.db'}"]
    logs = []
    for turn in ("first", "second"):
        program = Program(command, clean_environment(tmp_path / "home"), tmp_path / f"{turn}.log")
        _wait_for_start(program)
        program.stop()
        logs.append(program.log)
    key = re.search(r"shown this once\): (\w{40})\n", logs[0])
    assert key is not None
    assert key[1] not in logs[1]
    assert "shown this once" not in logs[1]


def _wait_for_start(program: Program) -> None:
    wait_until(lambda: "startup complete" in program.log, 30, "the server to start")


def test_faults_delay_each_document_and_not_one_after_the_other(tmp_path: Path) -> None:
    server = start_server(tmp_path, "--faults", "latency=200ms")
    try:
        started = time.monotonic()
        server.backend.create_queue("q")
        assert time.monotonic() - started >= 0.4
        started = time.monotonic()
        assert httpx.get(f"{server.url}/healthz", trust_env=False).text == "ok\n"
        assert time.monotonic() - started < 0.2
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--listen", "8080"],
            "--listen '8080' is not HOST:PORT. For example 127.0.0.1:8080; port 0 takes a free one.",
        ),
        (["--listen", "127.0.0.1:99999"], "--listen '127.0.0.1:99999' is not HOST:PORT"),
        (["--faults", "latency=fast"], "--faults 'latency=fast' is not known. Known: latency=50ms"),
        (["--database", "nonsense"], "--database 'nonsense' is no database address. Write sqlite:///PATH."),
        (["--database", "mysql://x/y"], "--database: mysql is not supported yet"),
        (["--database", "sqlite://"], "--database 'sqlite://' names no file"),
        (["--database", "sqlite:////proc/none/x.db"], "/proc/none/x.db cannot be"),
        (["--admin-key-file", "/nonexistent"], "--admin-key-file /nonexistent cannot be read"),
        (["--lease-seconds", "0"], "'0' is not a number of seconds above 0"),
        (["--log-level", "loud"], "invalid choice: 'loud'"),
    ],
)
def test_bad_options_are_explained_and_exit_2(tmp_path: Path, options: list[str], message: str) -> None:
    defaults = ["--listen", "127.0.0.1:0", "--database", f"sqlite:///{tmp_path / 'x.db'}"]
    command = [str(BIN / "launch-server"), "serve", *defaults, *options]
    program = Program(command, clean_environment(tmp_path / "home"), tmp_path / "log")
    assert program.wait(30) == 2
    assert message in program.log
    assert "Traceback" not in program.log


def test_a_key_that_wandbs_client_would_refuse_is_refused(tmp_path: Path) -> None:
    environment = clean_environment(tmp_path / "home", {"LAUNCH_SERVER_ADMIN_KEY": "too-short"})
    command = [str(BIN / "launch-server"), "serve", "--listen", "127.0.0.1:0"]
    command += ["--database", f"sqlite:///{tmp_path / 'x.db'}"]
    program = Program(command, environment, tmp_path / "log")
    assert program.wait(30) == 2
    assert "the API key must have 40 to 128 characters" in program.log
    assert "too-short" not in program.log


def test_an_address_in_use_is_named(tmp_path: Path) -> None:
    server = start_server(tmp_path)
    try:
        address = server.url.removeprefix("http://")
        command = [str(BIN / "launch-server"), "serve", "--listen", address]
        command += ["--database", f"sqlite:///{tmp_path / 'other.db'}"]
        program = Program(command, clean_environment(tmp_path / "home2"), tmp_path / "log")
        assert program.wait(30) == 2
        assert f"--listen {address} cannot be used" in program.log
    finally:
        server.stop()


def test_the_launch_project_holds_the_queues(tmp_path: Path) -> None:
    server = start_server(tmp_path)
    try:
        document = 'query($name: String!) { project(entityName: "local", name: $name) { runQueues { name } } }'
        assert server.backend.execute(document, name=PROJECT)["project"] == {"runQueues": []}
    finally:
        server.stop()
