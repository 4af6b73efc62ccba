"""The local-process target: a command on the agent's own machine, without a container.

Each process has a folder: ``log`` (both outputs), ``pid`` (process id and its start time), ``exit`` (the exit code,
written by the shell that waits for it). So a new agent finds what an old one started, and what it ended with.
For an agent that was killed while it started one: ``lock`` is held by it and then by the process, as long as either
lives, and ``begun`` (the shell's process id) is written by the shell before the command.
"""

from __future__ import annotations

import fcntl
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
keep() { echo "$2" 1<>"$LAUNCH_AGENT_FOLDER/$1.new" && mv "$LAUNCH_AGENT_FOLDER/$1.new" "$LAUNCH_AGENT_FOLDER/$1"; }
until keep begun $$; do sleep 2; done
cd "$1" && shift && "$@" >>"$LAUNCH_AGENT_FOLDER/log" 2>&1
code=$?
until keep exit $code; do sleep 2; done
"""
"""A full disk neither runs what could not be told from what was never begun nor hides an exit code."""

KEPT = ("begun", "pid", "exit")
SPACE = " " * 128
"""Files that are written once the process runs; their space is taken before it is started."""

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

    def find(self, plan: Plan, item_id: str) -> ObjectRef | None:
        """The process by its name; its folder is made of it."""
        del item_id
        return _ref_of(plan)

    def prepare(self, plan: Plan) -> tuple[str, ...]:
        """Nothing: a process has no Secrets."""
        del plan
        return ()

    def discard(self, plan: Plan) -> None:
        """Nothing was prepared."""

    def create(self, plan: Plan, item_id: str) -> ObjectRef:
        """Start the process, unless its folder shows that it was started before."""
        ref = _ref_of(plan)
        folder = self._folder(ref)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (folder / "started").exists() and not _was_cut_off(folder):
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
        self._start(folder, working_dir, command, spec["env"])
        return ref

    def _start(self, folder: Path, working_dir: str, command: list[str], env: Mapping[str, str]) -> None:
        environment = {**self._environ, **env, "LAUNCH_AGENT_FOLDER": str(folder)}
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for name in KEPT:
                (folder / f"{name}.new").write_text(SPACE)
            (folder / "started").touch()
            child = subprocess.Popen(
                ["/bin/sh", "-c", SCRIPT, "launch-agent", working_dir, *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
            threading.Thread(target=child.wait, name=f"reap-{child.pid}", daemon=True).start()
            _fill(folder / "pid", json.dumps({"pid": child.pid, "start": _start_time(child.pid)}))

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
        if not (folder / "pid").exists() and (is_held := _is_held(folder)) is not False:
            has_begun = is_held and (folder / "begun").exists()
            return Observation(JobState.RUNNING if has_begun else JobState.STARTING, pod=ref.name)
        if (text := _read(folder / "exit").strip()).isdigit():  # it ended between the two looks
            return _ended(int(text), ref)
        if _was_cut_off(folder):
            return Observation(JobState.MISSING)
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
        elif not (folder / "pid").exists() and _is_held(folder) and (text := _read(folder / "begun").strip()):
            os.killpg(int(text), signal.SIGTERM)

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

    def awaits(self, _item_id: str) -> bool:
        """No list is ever to come: a process is looked at."""
        return False

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


def _is_held(folder: Path) -> bool | None:
    """Whether the process, or the agent that starts it, lives; None where an older agent made the folder."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return True
    return False


def _was_cut_off(folder: Path) -> bool:
    """Whether the agent was killed just before it started the process: nothing of the command has run."""
    return _is_held(folder) is False and not any((folder / name).exists() for name in ("pid", "begun", "exit"))


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


def _fill(path: Path, text: str) -> None:
    """Whole or not at all, in the space that was taken."""
    new = path.with_suffix(".new")
    with new.open("r+") as file:
        file.write(text)
    new.replace(path)


def _ref_of(plan: Plan) -> ObjectRef:
    return ObjectRef(API_VERSION, KIND, "", plan.workload["metadata"]["name"])
