"""What builds images here: docker with a running daemon, or buildah without one."""

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from localcluster.paths import CI, ToolError, cache_dir

ROOT = CI.parent
BUILD_SECONDS, PULL_SECONDS = 900, 60


@dataclass(frozen=True, slots=True)
class Secret:
    """A file of the build's environment that one step may read and no layer keeps."""

    name: str
    path: Path


class Builder(Protocol):
    """What both builders can do; every method raises ToolError with the command's last lines."""

    name: str

    def has(self, reference: str) -> bool:
        """Whether the image is in the builder's storage."""

    def pull(self, reference: str) -> bool:
        """Whether the image is here, after a pull where it was not."""

    def import_root(self, archive: Path, reference: str) -> None:
        """Make an image of one layer from a tar archive of a root."""

    def build(self, arguments: list[str], secrets: list[Secret], reference: str) -> None:
        """Build the Dockerfile of this repository as `reference`."""

    def save(self, reference: str, archive: Path) -> None:
        """Write the image as a docker archive."""


def call(command: list[str], seconds: int, environment: dict[str, str] | None = None) -> str:
    """Run a command and return its output; ToolError with its last lines when it fails or takes too long."""
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        raise ToolError(f"{command[0]} took more than {seconds} s and was stopped: {' '.join(command[:6])} …") from None
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise ToolError(f"{' '.join(command[:6])} … failed with exit code {done.returncode}:\n{tail}")
    return done.stdout


def succeeds(command: list[str], seconds: int) -> bool:
    """Whether a command ends with exit code 0 in time."""
    try:
        call(command, seconds)
    except ToolError:
        return False
    return True


class Docker:
    """A running docker daemon, with BuildKit for the secrets."""

    name = "docker"

    def has(self, reference: str) -> bool:
        """Whether the image is in the builder's storage."""
        return succeeds(["docker", "image", "inspect", reference], 30)

    def pull(self, reference: str) -> bool:
        """Whether the image is here, after a pull where it was not."""
        return self.has(reference) or succeeds(["docker", "pull", "--quiet", reference], PULL_SECONDS)

    def import_root(self, archive: Path, reference: str) -> None:
        """Make an image of one layer from a tar archive of a root."""
        call(["docker", "import", str(archive), reference], 120)

    def build(self, arguments: list[str], secrets: list[Secret], reference: str) -> None:
        """Build the Dockerfile of this repository as `reference`."""
        given = [word for secret in secrets for word in ("--secret", f"id={secret.name},src={secret.path}")]
        command = ["docker", "build", "--network", "host", *given, *arguments, "--tag", reference, str(ROOT)]
        call(command, BUILD_SECONDS, {"DOCKER_BUILDKIT": "1"})

    def save(self, reference: str, archive: Path) -> None:
        """Write the image as a docker archive."""
        call(["docker", "save", "--output", str(archive), reference], 120)


class Buildah:
    """buildah without a daemon, its storage in our cache."""

    name = "buildah"

    def __init__(self) -> None:
        storage = cache_dir() / "buildah"
        self._base = ["buildah", "--root", str(storage / "root"), "--runroot", str(storage / "run")]
        (storage / "root").mkdir(parents=True, exist_ok=True)
        driver = os.environ.get("STORAGE_DRIVER") or ("overlay" if self._overlays(storage) else "vfs")
        self._base += ["--storage-driver", driver]

    @staticmethod
    def _overlays(storage: Path) -> bool:
        """Whether the kernel mounts an overlay on the cache's file system (it does not inside most containers)."""
        with tempfile.TemporaryDirectory(dir=storage) as name:
            lower, upper, work, merged = (Path(name) / part for part in ("lower", "upper", "work", "merged"))
            for folder in (lower, upper, work, merged):
                folder.mkdir()
            options = f"lowerdir={lower},upperdir={upper},workdir={work}"
            if not succeeds(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], 10):
                return False
            call(["umount", str(merged)], 10)
            return True

    def has(self, reference: str) -> bool:
        """Whether the image is in the builder's storage."""
        return succeeds([*self._base, "inspect", "--type", "image", reference], 30)

    def pull(self, reference: str) -> bool:
        """Whether the image is here, after a pull where it was not."""
        return self.has(reference) or succeeds([*self._base, "pull", "--quiet", reference], PULL_SECONDS)

    def import_root(self, archive: Path, reference: str) -> None:
        """Make an image of one layer from a tar archive of a root."""
        container = call([*self._base, "from", "scratch"], 30).strip()
        try:
            call([*self._base, "add", container, str(archive), "/"], 120)
            call([*self._base, "commit", container, reference], 120)
        finally:
            call([*self._base, "rm", container], 60)

    def build(self, arguments: list[str], secrets: list[Secret], reference: str) -> None:
        """Build the Dockerfile of this repository as `reference`."""
        given = [word for secret in secrets for word in ("--secret", f"id={secret.name},src={secret.path}")]
        how = ["--isolation", "chroot", "--network", "host", "--pull-never", "--format", "oci", "--layers"]
        command = [*self._base, "build", *how, *given, *arguments, "--tag", reference, str(ROOT)]
        call(command, BUILD_SECONDS)

    def save(self, reference: str, archive: Path) -> None:
        """Write the image as a docker archive."""
        archive.unlink(missing_ok=True)
        call([*self._base, "push", reference, f"docker-archive:{archive}:{reference}"], 120)


def _docker_builds() -> bool:
    """Whether the daemon answers and the client has BuildKit: built in before version 23, since then a plugin."""
    if not succeeds(["docker", "info"], 15):
        return False
    version = call(["docker", "version", "--format", "{{.Client.Version}}"], 15)
    return int(version.split(".")[0]) < 23 or succeeds(["docker", "buildx", "version"], 15)


def find_builder(wanted: str) -> Builder:
    """The builder that was asked for, or the first that works here."""
    if wanted in {"auto", "docker"} and shutil.which("docker") and _docker_builds():
        return Docker()
    if wanted in {"auto", "buildah"} and shutil.which("buildah"):
        return Buildah()
    raise ToolError(
        f"no image builder works here (asked for: {wanted}). Start docker (with buildx), or install buildah."
    )
