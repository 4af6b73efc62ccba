"""The Python base images' layers, made from Debian packages by mmdebstrap and kept in the cache."""

import gzip
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from localcluster.locks import hold_lock
from localcluster.packages import ensure_packages
from localcluster.paths import ToolError, cache_dir
from localcluster.progress import step

_SUITE = "bookworm"
_RUNTIME = (
    "python3-minimal",
    "libpython3.11-stdlib",
    "dash",
    "coreutils",
    "libc-bin",
    "base-passwd",
    "base-files",
    "ca-certificates",
)
_PACKAGES = {
    "runtime": _RUNTIME,
    "build": (*_RUNTIME, "python3-pip", "python3-venv"),
    "native": (*_RUNTIME, "libstdc++6"),
}
FLAVOURS = ("runtime", "build")
"""Those that `ci/images base` pushes; `native` is for wheels with C++ in them (`ci/wandbagent`)."""
_LEFT_OUT = ("/usr/share/man/*", "/usr/share/locale/*", "/usr/share/doc/*")
# Packages are unpacked, not configured: what their scripts would make and programs rely on is made here.
_HOOKS = (
    'cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"',
    'cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"',
    'cat "$1"/usr/share/ca-certificates/mozilla/*.crt > "$1/etc/ssl/certs/ca-certificates.crt"',
    'ldconfig -r "$1"',
)


def build_base(flavour: str) -> Path:
    """The compressed layer of `flavour` (a key of _PACKAGES); built when the cache has none for these packages."""
    command = _command(flavour)
    key = hashlib.sha256(" ".join(command).encode()).hexdigest()[:12]
    target = cache_dir() / "images" / f"python-base-{flavour}-{key}.tar.gz"
    with hold_lock(cache_dir() / "locks" / f"image-{flavour}", f"the base image {flavour}"):
        if not target.exists():
            ensure_packages("images")
            with step(f"python-base:{flavour} from Debian packages"):
                _build(command, target)
    return target


def _command(flavour: str) -> list[str]:
    return [
        "mmdebstrap",
        "--quiet",
        "--variant=extract",
        f"--include={','.join(_PACKAGES[flavour])}",
        *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        *(f"--extract-hook={hook}" for hook in _HOOKS),
        _SUITE,
    ]


def _build(command: list[str], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    tar = target.with_name(f".{target.name}.{os.getpid()}.tar")
    fresh = target.with_name(f".{target.name}.{os.getpid()}.gz")
    try:
        done = subprocess.run(
            [*command, str(tar)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=600
        )
        if done.returncode != 0:
            raise ToolError(f"mmdebstrap failed:\n{done.stderr[-2000:]}")
        with tar.open("rb") as plain, gzip.open(fresh, "wb", compresslevel=3) as packed:
            shutil.copyfileobj(plain, packed, 1 << 20)
        fresh.replace(target)
    finally:
        tar.unlink(missing_ok=True)
        fresh.unlink(missing_ok=True)
