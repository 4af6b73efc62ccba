"""Where the tools keep their files: one cache, with one directory for each named cluster in it."""

import os
import re
from pathlib import Path

CI = Path(__file__).resolve().parent.parent
TOOLS = CI / "tools"
MANIFESTS = CI / "manifests"
DEFAULT_NAME = "launch-agent"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


class ToolError(Exception):
    """Something a person can act on; the scripts print it without a traceback and exit 1."""


def cache_dir() -> Path:
    """`LAUNCH_AGENT_CACHE`, else `$XDG_CACHE_HOME/launch-agent`, else `~/.cache/launch-agent`."""
    if given := os.environ.get("LAUNCH_AGENT_CACHE"):
        return Path(given).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "launch-agent"


def bin_dir() -> Path:
    """The directory of the built binaries."""
    return cache_dir() / "bin"


def cluster_dir(name: str) -> Path:
    """State of the cluster called `name`; raises ToolError for a name that is no DNS label."""
    if not _NAME.fullmatch(name):
        raise ToolError(
            f"cluster name {name!r}: use at most 40 lower-case letters, digits and dashes,"
            " beginning and ending with a letter or digit"
        )
    return cache_dir() / "clusters" / name


def read_text(path: Path) -> str | None:
    """The file's text without surrounding blanks, or None when there is no such file."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
