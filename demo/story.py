"""What happens: a server, a queue, an agent, an item, its metrics, its end."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import shutil
import signal
import sys
import time
from dataclasses import dataclass

from demo.backend import Backend, Item, Run
from demo.screen import Screen
from demo.stage import ROOT, WANDB_BIN, DemoError, Stage

QUEUE = "demo"
PROJECT = "demo"
STEPS = 20
"""Steps that demo/item.yaml asks for: the run must have them all on the server."""

METRICS = {"loss": 1.6, "accuracy": 1.0}
"""What is shown of the run, and the value of a full bar."""

LOG_LINES = 12
INTERRUPTED = 130

_MEANING = {
    "PENDING": "in the queue; nobody has taken it yet",
    "LEASED": "an agent took it and must claim it within a minute",
    "CLAIMED": "for run {run}; the agent starts its process",
    "FINISHED": "run {run} ended well",
    "FAILED": "{error}",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Where the server is, and the key to it."""

    url: str
    key: str

    @property
    def environment(self) -> dict[str, str]:
        """The two variables that W&B's client, the agent and `launch-server` read."""
        return {"WANDB_BASE_URL": self.url, "WANDB_API_KEY": self.key}


def main(arguments: list[str] | None = None) -> int:
    """Play the story; 0 only if the run finished with all its metrics on the server."""
    parser = argparse.ArgumentParser(prog="demo/run.py", description="Server, agent and a training script, here.")
    parser.add_argument("--keep", action="store_true", help="leave server and agent running until Ctrl-C")
    options = parser.parse_args(arguments)
    screen = Screen(sys.stdout)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    if not (WANDB_BIN / "python").exists():
        screen.line("error: .venv-wandb is missing: `make demo` makes it, with W&B's own SDK in it")
        return 2
    return _play(screen, keep=options.keep)


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def _play(screen: Screen, *, keep: bool) -> int:
    stage = Stage()
    is_well = False
    try:
        _tell(screen, stage, keep=keep)
        is_well = True
    except DemoError as error:
        screen.line(f"\n{screen.paint('The demo failed', 'red')}: {error}")
        stage.collect()
        for path in sorted(stage.logs.glob("*.log")):
            lines = path.read_text(errors="replace").splitlines()
            screen.quote(f"the end of {path.name}", lines[-LOG_LINES:] or ["(empty)"])
        screen.line(f"\n   the logs are kept in {stage.logs}")
        return 1
    except KeyboardInterrupt:
        is_well = True
        screen.line("\n   interrupted: stopping what was started, removing its folder")
        return INTERRUPTED
    finally:
        _leave_in_peace()
        stage.close(keep_logs=not is_well)
    _show_next(screen)
    return 0


def _leave_in_peace() -> None:
    """A second Ctrl-C must not stop the cleaning."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _tell(screen: Screen, stage: Stage, *, keep: bool) -> None:
    screen.line(screen.paint("launch-agent demo", "bold") + ": no cluster, no account, nothing leaves this machine")
    access = _start_server(screen, stage)
    backend = Backend(access.url, access.key)
    watcher = Watcher(screen, backend, _push(screen, stage, access))
    watcher.look()
    _start_agent(screen, stage, access)
    run_id, run = _follow(stage, watcher)
    _show_result(screen, run_id, run)
    if keep:
        _stay(screen, access, run_id)


# ── the steps ──


def _start_server(screen: Screen, stage: Stage) -> Access:
    screen.step("A queue server on SQLite, with one queue")
    key = secrets.token_hex(20)
    screen.command("launch-server", "serve", "--listen", "127.0.0.1:0")
    command = ["launch-server", "serve", "--listen", "127.0.0.1:0", "--database"]
    stage.start("server", [*command, f"sqlite:///{stage.folder / 'queue.db'}"], {"LAUNCH_SERVER_ADMIN_KEY": key})
    pattern = re.compile(r"listens on (http://\S+)")
    found = stage.wait(lambda: pattern.search(stage.log("server").read_text()), "the server's start", timeout=30)
    access = Access(found[1], key)
    screen.fact(f"listens on {access.url}; admin's key …{key[-4:]}, made for this demo")
    _command(screen, stage, access, "queue create demo -r local-process -c demo/queue.yaml")
    return access


def _push(screen: Screen, stage: Stage, access: Access) -> str:
    screen.step("An item: demo/train.py, which logs through W&B's own SDK")
    pushed = _command(screen, stage, access, "push demo/item.yaml -q demo", "--output", "json")
    return str(json.loads(pushed)["runQueueItemId"])


def _start_agent(screen: Screen, stage: Stage, access: Access) -> None:
    screen.step("An agent, which takes the item and runs it as a process")
    shutil.copyfile(ROOT / "demo" / "train.py", stage.home / "train.py")
    screen.command("launch-agent", "-q", QUEUE)
    stage.start("agent", ["launch-agent", "-q", QUEUE], access.environment)


def _command(screen: Screen, stage: Stage, access: Access, words: str, *hidden: str) -> str:
    screen.command("launch-server", words)
    printed = stage.call(["launch-server", *words.split(), *hidden], access.environment)
    if not hidden:
        screen.fact(printed.strip())
    return printed


def _follow(stage: Stage, watcher: Watcher) -> tuple[str, Run]:
    """Show the item's states and its run's steps as they come; the run when both have ended."""
    # LEASED lasts some milliseconds: to see it, the server is asked almost without a pause until the claim.
    stage.wait(lambda: watcher.look().run, "the item to be claimed", timeout=30, every=0.001)
    return stage.wait(watcher.look_for_end, "the end of the run", timeout=90)


class Watcher:
    """Shows the agent, each state of an item and each step of its run once."""

    def __init__(self, screen: Screen, backend: Backend, item_id: str) -> None:
        self._screen = screen
        self._backend = backend
        self._item_id = item_id
        self._agent = ""
        self._state = ""
        self._shown = 0

    def look(self) -> Item:
        """The item as it is now; what is new is shown. DemoError when it has failed."""
        item = self._backend.item(QUEUE, self._item_id)
        self._show(item)
        return item

    def _show(self, item: Item) -> None:
        if item.agent != self._agent:
            self._agent = item.agent
            self._screen.fact(f"registered as {item.agent}")
        if item.state != self._state:
            self._state = item.state
            self._screen.state(item.state, _MEANING.get(item.state, "").format(run=item.run, error=item.error))
        if item.state == "FAILED":
            raise DemoError("the item failed")

    def look_for_end(self) -> tuple[str, Run] | None:
        """The run and its id, once the item has finished."""
        item = self._backend.item(QUEUE, self._item_id)
        run = self._backend.run(PROJECT, item.run) if item.run else None
        for row in run.history[self._shown :] if run else ():
            values = [(name, float(row[name]), float(row[name]) / full) for name, full in METRICS.items()]
            self._screen.metrics(int(row["_step"]), values)
            self._shown += 1
        self._show(item)
        return (item.run, run) if item.state == "FINISHED" and item.run and run else None


def _show_result(screen: Screen, run_id: str, run: Run) -> None:
    """Raise DemoError unless the run finished with all its steps on the server."""
    screen.step("The result, as the server keeps it")
    if run.state != "finished":
        raise DemoError(f"run {run_id} is {run.state}, not finished")
    if len(run.history) < STEPS or not set(METRICS) <= set(run.summary):
        raise DemoError(f"run {run_id} finished, but only {len(run.history)} of {STEPS} steps are on the server")
    first, final = run.history[0], run.summary
    rows = [(name, f"{first[name]:.3f} → {final[name]:.3f}") for name in METRICS]
    screen.table([("run", f"{PROJECT}/{run_id}"), ("state", run.state), ("steps", str(len(run.history))), *rows])


def _show_next(screen: Screen) -> None:
    screen.step("Everything is stopped and its folder removed. What to try next")
    screen.table(
        [
            (".venv/bin/python demo/run.py --keep", "the same, and all stays up"),
            (".venv/bin/launch-agent --help", "every command and flag, with examples"),
            ("make test", "everything short of a real cluster"),
            ("make e2e", "a real cluster, Helm, real pods"),
            ("README.md", "how to install it in your cluster"),
        ]
    )


def _stay(screen: Screen, access: Access, run_id: str) -> None:
    screen.step("Server and agent stay until Ctrl-C. In another terminal, in this folder")
    for line in (
        f"export WANDB_BASE_URL={access.url}",
        f"export WANDB_API_KEY={access.key}",
        ".venv/bin/launch-server push demo/item.yaml --queue demo --follow",
        ".venv/bin/launch-server item list --queue demo",
        f".venv/bin/launch-server run metrics {PROJECT}/{run_id}",
        ".venv/bin/launch-server agent list",
    ):
        screen.line(f"   {line}")
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
