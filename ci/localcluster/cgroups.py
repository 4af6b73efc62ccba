"""The cgroup that holds a cluster's pods, in every hierarchy of the machine."""

import os
import shutil
from pathlib import Path

from localcluster.namespaces import wait_until

_ROOT = Path("/sys/fs/cgroup")


def cgroup_name(name: str) -> str:
    """The pods' cgroup of the cluster called `name`."""
    return f"launch-agent-{name}"


def create_cgroups(name: str) -> None:
    """Make the cgroup in each v1 hierarchy, or in the single one of cgroup v2."""
    for hierarchy in _hierarchies():
        folder = hierarchy / cgroup_name(name)
        folder.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (folder / setting).exists():
                shutil.copyfile(hierarchy / setting, folder / setting)
        if (folder / "cgroup.subtree_control").exists():
            available = (folder / "cgroup.controllers").read_text("utf-8").split()
            (folder / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in available), "utf-8")


def remove_cgroups(name: str) -> None:
    """Remove the cgroup everywhere, deepest first; waits until the kernel has let go of ended processes."""
    wait_until(
        lambda: all(_remove(hierarchy / cgroup_name(name)) for hierarchy in _hierarchies()), 20, "the cgroups' end"
    )


def _hierarchies() -> list[Path]:
    if (_ROOT / "cgroup.controllers").exists():
        return [_ROOT]
    return (
        [folder for folder in _ROOT.glob("*") if folder.is_dir() and not folder.is_symlink()] if _ROOT.exists() else []
    )


def _remove(folder: Path) -> bool:
    if not folder.exists():
        return True
    for path, _, _ in os.walk(folder, topdown=False):
        try:
            Path(path).rmdir()
        except OSError:
            return False
    return True
