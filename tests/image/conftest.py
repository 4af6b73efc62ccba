"""Builds the agent's image once and unpacks it."""

import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Image:
    """The unpacked root of the image and its configuration."""

    root: Path
    config: dict[str, Any]

    def run(self, *words: str, user: str = "1000:1000") -> subprocess.CompletedProcess[str]:
        """Run a command in the image's root as a user of its own, with the image's environment."""
        environment = dict(entry.split("=", 1) for entry in self.config["Env"])
        command = ["chroot", f"--userspec={user}", str(self.root), *words]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def _unpack(archive: Path, root: Path) -> dict[str, Any]:
    """Apply the layers of a docker archive in order; returns the image's configuration."""
    with tarfile.open(archive) as outer:

        def member(name: str) -> Any:
            return outer.extractfile(name)

        (manifest,) = json.load(member("manifest.json"))
        for name in manifest["Layers"]:
            with tarfile.open(fileobj=member(name)) as layer:
                for entry in layer:
                    place = root / entry.name
                    if place.name.startswith(".wh."):
                        gone = place.with_name(place.name.removeprefix(".wh."))
                        shutil.rmtree(gone) if gone.is_dir() else gone.unlink(missing_ok=True)
                    else:
                        layer.extract(entry, root, filter="fully_trusted")
        return dict(json.load(member(manifest["Config"]))["config"])


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    folder = tmp_path_factory.mktemp("image")
    folder.chmod(0o755)
    for parent in folder.parents[:2]:
        parent.chmod(0o755)
    archive, root = folder / "image.tar", folder / "root"
    root.mkdir(mode=0o755)
    command = [str(ROOT / "ci" / "image"), "--tag", "localhost/launch-agent:test", "--archive", str(archive)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert built.returncode == 0, built.stderr
    yield Image(root, _unpack(archive, root))
    shutil.rmtree(folder)
