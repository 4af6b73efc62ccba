"""A cluster's own network, process and mount namespaces, held by one process.

Killing the holder ends every process in them, and the kernel drops their mounts and links with the last of these:
nothing can be left behind, whatever state a previous run died in. Process ids of daemons are those inside.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from localcluster.paths import ToolError, read_text

# The first process of the namespace: adopts daemons and reaps them (bash does both while it waits).
_INIT = "sleep infinity & wait $!"
# A proxy is out of reach from the cluster's network, and would be asked for the cluster's own addresses.
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy")
_START = 'log=$1; shift; setsid "$@" >>"$log" 2>&1 </dev/null & echo $!'


@dataclass(frozen=True, slots=True)
class Namespaces:
    """The namespaces of the cluster whose state lies in `state`; nothing is contacted until a method is called."""

    state: Path

    def create(self) -> None:
        """Start the holder; raises ToolError where this user may not make namespaces."""
        self.state.mkdir(parents=True, exist_ok=True)
        private = ["--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]
        mapping = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
        with (self.state / "holder.log").open("wb") as log:
            holder = subprocess.Popen(
                ["unshare", *mapping, *private, "bash", "-c", _INIT],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        wait_until(lambda: _child_of(holder.pid) is not None or holder.poll() is not None, 10, "the namespaces")
        child = _child_of(holder.pid)
        if child is None:
            reason = (self.state / "holder.log").read_text("utf-8").strip()
            raise ToolError(
                f"no namespaces for a cluster ({reason}): run as root, or give a cluster by LAUNCH_AGENT_KUBECONFIG"
            )
        identity = f"{holder.pid} {_started_at(holder.pid)} {child} {_started_at(child)}"
        (self.state / "holder").write_text(identity, encoding="utf-8")

    def alive(self) -> bool:
        """Whether the recorded holder is still that very process (pids are reused, start times are not)."""
        return self._identity() is not None

    def destroy(self) -> None:
        """End every process in the namespaces and wait until they are gone; nothing happens without a holder."""
        recorded = (read_text(self.state / "holder") or "").split()
        pairs = list(zip(recorded[::2], recorded[1::2], strict=False))
        for pid, started in pairs:
            if _started_at(int(pid)) == started:
                os.kill(int(pid), signal.SIGKILL)
        wait_until(
            lambda: not any(_started_at(int(pid)) == started for pid, started in pairs), 30, "the processes' end"
        )
        (self.state / "holder").unlink(missing_ok=True)

    def enter(self, *command: str) -> list[str]:
        """`command` as an argument list that runs in all the namespaces."""
        holder, _ = self._living()
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        pid_namespace = f"--pid=/proc/{holder}/ns/pid_for_children"
        return ["nsenter", "-t", str(holder), *user, "--net", "--mount", pid_namespace, "--wdns=/", *command]

    def enter_network(self, *command: str) -> list[str]:
        """`command` as an argument list that runs in the network alone, as the very process that is started."""
        holder, _ = self._living()
        user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
        return ["nsenter", "-t", str(holder), *user, "--net", *command]

    def run(self, *command: str, check: bool = True, stdin: str = "", timeout: float = 120) -> str:
        """Run `command` in all the namespaces; returns its output; ToolError if it fails and `check` is set."""
        done = subprocess.run(
            self.enter(*command),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            env=without_proxies(),
        )
        if check and done.returncode != 0:
            raise ToolError(
                f"{' '.join(command[:4])} … failed ({done.returncode}): {(done.stderr or done.stdout)[-1500:]}"
            )
        return done.stdout

    def start(self, name: str, *command: str) -> None:
        """Start a daemon with its log in `<state>/logs/<name>.log`."""
        for folder in ("logs", "pids"):
            (self.state / folder).mkdir(exist_ok=True)
        pid = self.run("bash", "-c", _START, "start", str(self.log(name)), *command)
        (self.state / "pids" / name).write_text(pid.strip(), encoding="utf-8")
        (self.state / "pids" / f"{name}.command").write_text(json.dumps(command), encoding="utf-8")

    def start_again(self, name: str) -> None:
        """Start a daemon that was stopped, as it was started before; nothing happens while it runs."""
        command = read_text(self.state / "pids" / f"{name}.command")
        if command is None:
            raise ToolError(f"{name} is no daemon of this cluster; there are: {' '.join(self._daemons())}")
        if not self.running(name):
            self.start(name, *json.loads(command))

    def stop(self, name: str) -> None:
        """End a daemon at once, as a crash would; nothing happens when it does not run."""
        if name not in self._daemons():
            raise ToolError(f"{name} is no daemon of this cluster; there are: {' '.join(self._daemons())}")
        if self.running(name):
            self.run("kill", "-KILL", (self.state / "pids" / name).read_text("utf-8"), check=False)
            wait_until(lambda: not self.running(name), 10, f"the end of {name}")

    def _daemons(self) -> list[str]:
        return sorted(path.stem for path in (self.state / "pids").glob("*.command"))

    def log(self, name: str) -> Path:
        """The log file of the daemon called `name`."""
        return self.state / "logs" / f"{name}.log"

    def running(self, name: str) -> bool:
        """Whether the daemon called `name` was started and lives."""
        identity, pid = self._identity(), read_text(self.state / "pids" / name)
        if identity is None or not pid:
            return False
        stat = read_text(Path(f"/proc/{identity[1]}/root/proc/{pid}/stat"))
        return stat is not None and stat.rsplit(")", 1)[1].split()[0] != "Z"

    def wait_for(self, ready: Callable[[], bool], seconds: float, daemon: str) -> None:
        """Wait for `ready`; raises ToolError with the end of the daemon's log when it dies or time is over."""
        try:
            wait_until(lambda: ready() or not self.running(daemon), seconds, daemon)
        except ToolError as error:
            raise ToolError(f"{error}\n{self._log_end(daemon)}") from None
        if not self.running(daemon):
            raise ToolError(f"{daemon} ended by itself\n{self._log_end(daemon)}")

    def remove_state(self) -> None:
        """Delete the state directory (call after `destroy`)."""
        shutil.rmtree(self.state, ignore_errors=True)
        if self.state.exists():
            raise ToolError(f"{self.state} could not be removed wholly; remove it by hand")

    def _log_end(self, daemon: str) -> str:
        lines = (read_text(self.log(daemon)) or "").splitlines()[-15:]
        return "\n".join([f"the end of {self.log(daemon)}:", *lines])

    def _identity(self) -> tuple[int, int] | None:
        recorded = (read_text(self.state / "holder") or "").split()
        if (
            len(recorded) != 4
            or _started_at(int(recorded[0])) != recorded[1]
            or _started_at(int(recorded[2])) != recorded[3]
        ):
            return None
        return int(recorded[0]), int(recorded[2])

    def _living(self) -> tuple[int, int]:
        identity = self._identity()
        if identity is None:
            raise ToolError(f"no cluster is up in {self.state}")
        return identity


def without_proxies() -> dict[str, str]:
    """The current environment for a process in a cluster's network."""
    return {key: value for key, value in os.environ.items() if key.lower() not in _PROXIES}


def wait_until(ready: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll `ready` every tenth of a second; raises ToolError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise ToolError(f"{what}: not ready after {seconds:.0f} s")
        time.sleep(0.1)


def _child_of(pid: int) -> int | None:
    children = read_text(Path(f"/proc/{pid}/task/{pid}/children"))
    return int(children.split()[0]) if children else None


def _started_at(pid: int) -> str | None:
    """The process's start in clock ticks since boot, None for one that is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else fields[19]
