"""The base images: Python's own where a registry is in reach, else two bare Debian ones, made from packages."""

import shutil
import tempfile
from pathlib import Path

from agentimage.builders import Builder, call
from localcluster.paths import ToolError
from localcluster.progress import say, step

PYTHON = "docker.io/library/python:3.12-slim-bookworm"
DEBIAN_BUILD, DEBIAN_RUNTIME = "localhost/launch-agent-base:build-1", "localhost/launch-agent-base:runtime-1"
# The fewest Debian packages that the agent runs on, and those that pip needs besides.
_RUNTIME = ("python3-minimal", "libpython3.11-stdlib", "dash", "coreutils", "libc-bin", "base-passwd", "base-files")
_BUILD = (*_RUNTIME, "python3-pip", "python3-venv", "ca-certificates", "findutils")
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")
_SECONDS = 300


def ensure_debian(builder: Builder) -> tuple[str, str]:
    """Make the two bare Debian bases unless they are there; returns (build base, runtime base)."""
    for reference, packages in ((DEBIAN_BUILD, _BUILD), (DEBIAN_RUNTIME, _RUNTIME)):
        if builder.has(reference):
            continue
        if not shutil.which("mmdebstrap"):
            raise ToolError(
                "mmdebstrap is missing, and no Python base image can be pulled. On Debian: apt install mmdebstrap"
            )
        with step(f"base image {reference}"), tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "root.tar"
            excludes = [f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT]
            include = f"--include={','.join(packages)}"
            call(["mmdebstrap", "--variant=extract", include, *excludes, "bookworm", str(archive)], _SECONDS)
            builder.import_root(archive, reference)
    return DEBIAN_BUILD, DEBIAN_RUNTIME


def choose_bases(builder: Builder, base: str) -> tuple[str, str]:
    """Return (build base, runtime base) for `debian`, `python`, `auto`, or BUILD,RUNTIME (or one for both)."""
    if base == "debian":
        return ensure_debian(builder)
    if base == "auto" and not builder.has(PYTHON) and builder.has(DEBIAN_BUILD) and builder.has(DEBIAN_RUNTIME):
        return DEBIAN_BUILD, DEBIAN_RUNTIME
    if base in {"auto", "python"}:
        with step(f"pull {PYTHON}"):
            pulled = builder.pull(PYTHON)
        if pulled:
            return PYTHON, PYTHON
        if base == "python":
            raise ToolError(f"{PYTHON} can not be pulled. Use --base debian.")
        say("        not reachable: bare Debian bases are used instead")
        return ensure_debian(builder)
    build, _, runtime = base.partition(",")
    for reference in (build, runtime or build):
        if not builder.pull(reference):
            raise ToolError(f"the base image {reference} can not be pulled")
    return build, runtime or build
