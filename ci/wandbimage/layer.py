"""The layer of W&B's agent: packages from PyPI, user and home; kept in the cache by the hash of its pins."""

import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from localcluster.locks import hold_lock
from localcluster.paths import CI, ToolError, cache_dir
from localcluster.progress import step

LOCK = CI.parent / "requirements" / "wandb-launch.txt"
USER = "launch_agent"
UID = 1000
HOME = f"/home/{USER}"
SITE = "/opt/wandb"
COMMAND = "/usr/local/bin/wandb"
_PYTHON = "3.11"
# Two thirds of the bytes are for what no agent on Kubernetes without Google's cloud imports: notebooks, sweeps,
# Vertex, AWS's command line, the second Kubernetes client. pip installs without dependencies, so these stay away.
_LEFT_OUT = re.compile(
    r"(alembic|aiohttp-retry|awscli|beautifulsoup4|bleach|colorama|colorlog|cwevals|docstring-parser|docutils|"
    r"google-(cloud-.*|genai|crc32c|resumable-media)|grpc.*|jupyter.*|kubernetes|mako|mistune|nb.*|optuna|"
    r"pandocfilters|proto-plus|pygments|pyzmq|soupsieve|sqlalchemy|tinycss2|tornado|tqdm|traitlets|webencodings)=="
)
_PASSWD = f"root:x:0:0:root:/root:/bin/sh\n{USER}:x:{UID}:{UID}::{HOME}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
_SCRIPT = f"#!/usr/bin/python3\nimport sys\n\nsys.path.insert(0, {SITE!r})\nfrom wandb.cli.cli import cli\n\ncli()\n"


def build_layer() -> Path:
    """The compressed layer; made when the cache has none for these pins and this file."""
    key = hashlib.sha256(LOCK.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:12]
    target = cache_dir() / "images" / f"wandb-agent-{key}.tar.gz"
    with hold_lock(cache_dir() / "locks" / "wandb-agent", "the image of W&B's agent"):
        if not target.exists():
            with step("W&B's agent from PyPI"):
                _build(target)
    return target


def _build(target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="launch-agent-wandb-") as scratch:
        packages = Path(scratch) / "packages"
        _install(packages, Path(scratch))
        try:
            with gzip.open(fresh, "wb", compresslevel=1) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
                _fill(tar, packages)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)


def _install(packages: Path, scratch: Path) -> None:
    """Install what the agent needs of the lock, hashes checked."""
    pins = re.split(r"^(?=[a-z0-9])", LOCK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    chosen = scratch / "requirements.txt"
    chosen.write_text("".join(pin for pin in pins if not _LEFT_OUT.match(pin)), encoding="utf-8")
    command = [str(CI.parent / ".venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-compile"]
    command += ["--target", str(packages), "--no-deps", "--python-version", _PYTHON, "--only-binary=:all:"]
    command += ["--require-hashes", "-r", str(chosen)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=580)
    if done.returncode != 0:
        raise ToolError(f"pip could not install W&B's agent from {LOCK.name}:\n{done.stderr[-2000:]}")
    for folder in [*packages.rglob("tests"), *packages.rglob("__pycache__")]:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(tar: tarfile.TarFile, packages: Path) -> None:
    tar.add(packages, arcname=SITE.lstrip("/"), filter=lambda member: _owned(member, 0))
    _add_file(tar, "etc/passwd", _PASSWD, 0o644)
    _add_file(tar, "etc/group", f"root:x:0:\n{USER}:x:{UID}:\nnogroup:x:65534:\n", 0o644)
    _add_file(tar, COMMAND.lstrip("/"), _SCRIPT, 0o755)
    home = tarfile.TarInfo(HOME.lstrip("/"))
    home.type, home.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(_owned(home, UID))


def _add_file(tar: tarfile.TarFile, path: str, text: str, mode: int) -> None:
    data = text.encode()
    member = tarfile.TarInfo(path)
    member.size, member.mode = len(data), mode
    tar.addfile(_owned(member, 0), io.BytesIO(data))


def _owned(member: tarfile.TarInfo, uid: int) -> tarfile.TarInfo:
    member.uid = member.gid = uid
    member.uname = member.gname = ""
    return member
