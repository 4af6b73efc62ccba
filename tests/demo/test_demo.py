"""`make demo` for real: W&B's own SDK logs, our server keeps, nothing is left behind."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import ROOT, Program, clean_environment
from tests.support.waiting import wait_until

pytestmark = pytest.mark.conformance

LIMIT = 110
"""Seconds: the demo promises two minutes."""


class Demo:
    """A demo under way, whose temporary files are all in one folder."""

    def __init__(self, folder: Path) -> None:
        self.temp = folder / "t"
        self.temp.mkdir()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text("this is not a kubeconfig, and must not be read")
        variables = {"TMPDIR": str(self.temp), "KUBECONFIG": str(kubeconfig), "WANDB_API_KEY": "not-to-be-used"}
        python = str(ROOT / ".venv" / "bin" / "python")
        environment = clean_environment(folder / "home", variables)
        self.program = Program([python, str(ROOT / "demo" / "run.py")], environment, folder / "demo.log")

    def wait_for(self, text: str) -> None:
        """Until it has printed the text."""
        wait_until(lambda: self.program.log, LIMIT, f"{text!r} of the demo", until=lambda log: text in log)

    def processes(self, word: str = "") -> list[int]:
        """The processes that work in the demo's folder, its own server, agent, script and W&B's service."""
        mark = f"{self.temp}/launch-agent-demo-".encode()
        return [pid for pid, command, environ in _processes() if mark in environ and word.encode() in command]


def _processes() -> Iterator[tuple[int, bytes, bytes]]:
    for path in Path("/proc").glob("[0-9]*"):
        try:
            yield int(path.name), (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:  # it ended between the two looks, or is somebody else's
            continue


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    demo = Demo(tmp_path)
    yield demo
    demo.program.stop(20)


def test_the_demo_shows_the_item_and_its_metrics_to_the_end_and_leaves_nothing(demo: Demo) -> None:
    assert demo.program.wait(LIMIT) == 0, demo.program.log

    log = demo.program.log
    states = re.findall(r"\d s  ([A-Z]+)", log)
    assert [state for state in states if state != "LEASED"] == ["PENDING", "CLAIMED", "FINISHED"]
    assert [int(step) for step in re.findall(r"step +(\d+)  loss", log)] == list(range(20))
    assert log.index("step 10  loss") < log.index("FINISHED")
    assert re.search(r"state +finished\n +steps +20\n", log)
    assert "\033" not in log
    assert max(len(line) for line in log.splitlines()) <= 80
    assert list(demo.temp.iterdir()) == []
    assert demo.processes() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_demo_that_is_interrupted_ends_what_it_started(demo: Demo, number: signal.Signals) -> None:
    demo.wait_for("step  2  loss")
    assert demo.processes("train.py") != []

    os.kill(demo.program.pid, number)

    assert demo.program.wait(40) == 130, demo.program.log
    wait_until(demo.processes, 10, "the end of all processes", until=lambda found: found == [])
    assert [path for path in demo.temp.iterdir() if path.name.startswith("launch-agent-demo-")] == []


def test_a_demo_that_fails_says_why_and_keeps_the_logs(demo: Demo) -> None:
    demo.wait_for("CLAIMED")
    agent = demo.processes("launch-agent\0-q")

    os.kill(agent[0], signal.SIGKILL)
    os.kill(demo.processes("launch-server\0serve")[0], signal.SIGKILL)

    assert demo.program.wait(40) == 1, demo.program.log
    log = demo.program.log
    assert "The demo failed: " in log
    assert "Traceback" not in log
    assert "the end of agent.log" in log
    assert "registered as agent" in log
    kept = re.search(r"the logs are kept in (\S+)", log)
    assert kept
    assert {"agent.log", "server.log"} <= {path.name for path in Path(kept[1]).iterdir()}
    assert [path.name for path in Path(kept[1]).parent.iterdir()] == ["logs"]
    wait_until(demo.processes, 10, "the end of all processes", until=lambda found: found == [])
