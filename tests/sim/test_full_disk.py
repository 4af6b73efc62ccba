"""An agent outside Kubernetes whose disk is full for a while: a real, tiny file system, real processes."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agents import Agent, start_agent
from tests.support.backend import Json
from tests.support.servers import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

PROJECT = "demo"
JOB = """echo "$WANDB_RUN_ID" >>"$0/begun"; until [ -e "$0/go" ]; do sleep 0.1; done"""


class Disk:
    """A file system of 256 kB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", str(folder)], check=True)

    def fill(self) -> None:
        """Leave not one byte."""
        with (self.folder / "rest").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                return

    def free(self) -> None:
        """Make space."""
        (self.folder / "rest").unlink()

    def unmount(self) -> None:
        """For clean-up: also where something of it is still open."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


class Machine:
    """A machine with an agent, its disk, and what its jobs write down elsewhere."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.queue = "full-disk-" + folder.name
        self.notes = folder / "notes"
        self.notes.mkdir()
        server.backend.create_queue(self.queue, "local-process")
        self.disk = Disk(folder / "disk")
        config = {"entity": server.backend.entity, "max_jobs": -1, "poll_interval": 0.2}
        environ = {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.key, "KUBECONFIG": ""}
        config["records"] = str(self.disk.folder)
        self.agent: Agent = start_agent(folder / "agent", (self.queue,), environ, config)
        self.agent.wait_until_ready()

    def close(self) -> None:
        """End the agent and its jobs."""
        (self.notes / "go").touch()
        self.agent.stop()
        self.disk.unmount()

    def push(self) -> str:
        """An item whose process says that it begins, and ends when it is let go."""
        return self.server.backend.push(self.queue, {
            "entity": self.server.backend.entity,
            "project": PROJECT,
            "resource": "local-process",
            "overrides": {"entry_point": ["sh", "-c", JOB, str(self.notes)]},
        })  # fmt: skip

    @property
    def begun(self) -> list[str]:
        """The runs of all processes that began, one for each beginning."""
        path = self.notes / "begun"
        return path.read_text().split() if path.exists() else []

    @property
    def troubles(self) -> str:
        """What the agent's readiness says."""
        return self.agent.get("/readyz").text

    def items(self) -> dict[str, Json]:
        """The queue."""
        return {item["id"]: item for item in self.server.backend.items(self.queue)}

    def finish_runs(self) -> None:
        """What the SDK in the processes would do."""
        for run in set(self.begun):
            self.server.backend.start_run(PROJECT, run)
            self.server.backend.end_run(PROJECT, run, 0)

    def finish(self, count: int) -> None:
        """Let the processes end; each item has its own run, which was made once, and is finished."""
        wait_until(lambda: self.begun, 40, "all processes to begin", until=lambda seen: len(seen) >= count)
        self.finish_runs()
        (self.notes / "go").touch()
        self.expect_all_finished(count)

    def expect_all_finished(self, count: int) -> None:
        """No item is lost, failed, or launched twice; no record is left."""
        wait_until(
            lambda: {item["state"] for item in self.items().values()},
            40,
            "all items to be finished",
            until=lambda states: states == {"FINISHED"},
        )
        assert len(self.begun) == len(set(self.begun)) == count
        wait_until(
            lambda: [*(self.disk.folder / "items").glob("*.record")], 20, "no record", until=lambda left: not left
        )
        assert "Traceback" not in self.agent.log


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> Iterator[Machine]:
    found = Machine(server, tmp_path)
    yield found
    found.close()


def test_items_that_find_the_disk_full_are_launched_once_there_is_space(machine: Machine) -> None:
    machine.disk.fill()
    for _ in range(3):
        machine.push()
    wait_until(lambda: machine.troubles, 20, "readiness to name the disk", until=lambda text: "No space left" in text)
    assert machine.agent.get("/healthz").status_code == 200
    late = machine.push()
    wait_until(lambda: machine.agent.log.count("no items are taken"), 20, "the folder to be tried in vain")
    assert machine.items()[late]["state"] == "PENDING"  # nothing is popped that no record could be written of
    assert machine.begun == []
    machine.disk.free()
    machine.agent.wait_until_ready()
    machine.finish(4)


def test_processes_that_run_and_end_while_the_disk_is_full_are_told_of(machine: Machine) -> None:
    for _ in range(3):
        machine.push()
    wait_until(lambda: machine.begun, 20, "the processes to begin", until=lambda seen: len(seen) == 3)
    machine.finish_runs()
    machine.disk.fill()
    (machine.notes / "go").touch()
    machine.expect_all_finished(3)


def test_an_agent_killed_while_its_disk_is_full_goes_on_where_it_was(machine: Machine) -> None:
    machine.push()
    wait_until(lambda: machine.begun, 20, "the process to begin", until=lambda seen: len(seen) == 1)
    machine.disk.fill()
    machine.push()
    wait_until(lambda: machine.troubles, 20, "readiness to name the disk", until=lambda text: "No space left" in text)
    machine.agent.program.kill()
    machine.agent.restart()
    machine.agent.wait_until_ready()  # it knows of no trouble before it has something to write
    wait_until(lambda: machine.troubles, 30, "readiness to name the disk", until=lambda text: "No space left" in text)
    machine.disk.free()
    machine.finish(2)
