"""The local-process target: a command on the agent's own machine, without a container.

Each process has a folder: ``log`` (both outputs), ``pid`` (process id and its start time), ``exit`` (the exit code,
written by the shell that waits for it). So a new agent finds what an old one started, and what it ended with.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from launch_agent.core.events import Event, Observed
from launch_agent.core.models import Diagnosis, JobState, ObjectRef, Observation, Plan, Resource
from launch_agent.errors import RefusedError
from launch_agent.targets.base import Notice, Post

KIND = "Process"
API_VERSION = "launch-agent/v1"
TAIL_BYTES = 16_384
INTERVAL = 0.5
"""Seconds between two looks at the processes."""

SCRIPT = """
cd "$1" && shift && "$@" >>"$LAUNCH_AGENT_FOLDER/log" 2>&1
echo $? >"$LAUNCH_AGENT_FOLDER/exit.new"
mv "$LAUNCH_AGENT_FOLDER/exit.new" "$LAUNCH_AGENT_FOLDER/exit"
"""
WITHHELD = ("WANDB_", "LAUNCH_AGENT_")
"""Beginnings of the agent's own variables, which a process does not inherit: it gets its own (protocol 5.4)."""


class LocalProcessTarget:
    """Commands on this machine, each in a folder below ``home``."""

    resource = Resource.LOCAL_PROCESS

    def __init__(self, home: Path, environ: Mapping[str, str], post: Post) -> None:
        self._home = home
        self._environ = {key: value for key, value in environ.items() if not key.startswith(WITHHELD)}
        self._post = post
        self._followed: dict[str, str] = {}
        self._last: dict[str, Observation] = {}

    # ── input and output ──

    def locate(self, plan: Plan) -> ObjectRef:
        """The process by its name; its folder is made of it."""
        return ObjectRef(API_VERSION, KIND, "", plan.workload["metadata"]["name"])

    def prepare(self, plan: Plan) -> tuple[str, ...]:
        """Nothing: a process has no Secrets."""
        del plan
        return ()

    def discard(self, plan: Plan) -> None:
        """Nothing was prepared."""

    def create(self, plan: Plan, item_id: str) -> ObjectRef:
        """Start the process, unless its folder shows that it was started before."""
        ref = self.locate(plan)
        folder = self._folder(ref)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (folder / "started").exists():
            return ref
        spec = plan.workload["spec"]
        working_dir = spec.get("workingDir") or str(Path.home())
        command = [str(word) for word in spec["command"]]
        if shutil.which(command[0], path=self._environ.get("PATH")) is None:
            raise RefusedError(
                f"The command {command[0]!r} is not found on the agent's machine.",
                resolution="Name a program on the agent's PATH in overrides.entry_point, or give its full path.",
            )
        (folder / "item").write_text(item_id)
        (folder / "started").touch()
        environment = {**self._environ, **spec["env"], "LAUNCH_AGENT_FOLDER": str(folder)}
        child = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "launch-agent", working_dir, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        _write(folder / "pid", json.dumps({"pid": child.pid, "start": _start_time(child.pid)}))
        threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
        return ref

    def look(self, ref: ObjectRef, *, is_late: bool = False) -> Observation:
        """The exit code if there is one, else whether the process lives."""
        del is_late  # a process starts at once
        folder = self._folder(ref)
        if not (folder / "started").exists():
            return Observation(JobState.MISSING)
        text = _read(folder / "exit").strip()
        if text.isdigit():
            return _ended(int(text), ref)
        if self._is_alive(folder):
            return Observation(JobState.RUNNING, pod=ref.name)
        if (text := _read(folder / "exit").strip()).isdigit():  # it ended between the two looks
            return _ended(int(text), ref)
        if not (folder / "pid").exists():
            return Observation(JobState.STARTING, pod=ref.name)
        killed = Diagnosis("Killed", "The process was killed from outside, with the shell that waited for it.")
        return Observation(JobState.FAILED, killed, pod=ref.name)

    def tail(self, ref: ObjectRef, _seen: Observation) -> str:
        """The end of the log file."""
        path = self._folder(ref) / "log"
        try:
            with path.open("rb") as log:
                log.seek(max(0, path.stat().st_size - TAIL_BYTES))
                return log.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def release(self, ref: ObjectRef, after: int | None) -> None:
        """The folder stays: its log is the only one there is."""

    def delete(self, ref: ObjectRef) -> None:
        """End the process with all its children: SIGTERM to its session."""
        folder = self._folder(ref)
        if self._is_alive(folder):
            os.killpg(json.loads(_read(folder / "pid"))["pid"], signal.SIGTERM)

    def _folder(self, ref: ObjectRef) -> Path:
        return self._home / ref.name

    def _is_alive(self, folder: Path) -> bool:
        text = _read(folder / "pid")
        if not text:
            return False
        known = json.loads(text)
        return bool(known["start"]) and _start_time(known["pid"]) == known["start"]

    # ── the picture ──

    def explain(self, _ref: ObjectRef) -> None:
        """A process has no pods that could be missing."""
        return

    def follow(self, item_id: str, ref: ObjectRef) -> tuple[tuple[str, Event], ...]:
        """Look at this process from now on."""
        self._followed = {**self._followed, item_id: ref.name}
        return ()

    def forget(self, item_id: str) -> None:
        """Look no more."""
        self._followed = {key: name for key, name in self._followed.items() if key != item_id}
        self._last.pop(item_id, None)

    def absorb(self, notice: Notice) -> Iterable[tuple[str, Event]]:
        """Observations of processes that changed."""
        for entry in notice.objects:
            yield entry["item_id"], Observed(entry["observation"])

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Look at every followed process, each half second, and post what changed."""
        while not stop.wait(INTERVAL):
            beat()
            self.sweep()

    def sweep(self) -> None:
        """One look at every followed process."""
        changed: list[dict[str, Any]] = []
        for item_id, name in self._followed.items():
            seen = self.look(ObjectRef(API_VERSION, KIND, "", name))
            if self._last.get(item_id) != seen:
                self._last[item_id] = seen
                changed.append({"item_id": item_id, "observation": seen})
        if changed:
            self._post(Notice(self.resource, KIND, "", "MODIFIED", tuple(changed)))


def _ended(code: int, ref: ObjectRef) -> Observation:
    if code == 0:
        return Observation(JobState.FINISHED, pod=ref.name)
    what = f"The process ended with exit code {code}."
    return Observation(JobState.FAILED, Diagnosis("ExitCode", what, resolution=_cure(code)), pod=ref.name)


def _cure(code: int) -> str:
    if code > 128:
        return f"It was ended by signal {code - 128} ({signal.strsignal(code - 128) or 'unknown'})."
    return "Its last lines say why."


def _start_time(pid: int) -> str:
    """When the process began, in the kernel's clock ticks (proc(5), field 22); empty for a process that is gone.

    Where there is no /proc, only whether it lives can be told.
    """
    if not Path("/proc/self/stat").exists():
        try:
            os.kill(pid, 0)
        except OSError:
            return ""
        return "unknown"
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] != "Z" else ""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)
