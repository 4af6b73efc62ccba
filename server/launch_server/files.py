"""Names and places of run files in the folder beside the database."""

import hashlib
from pathlib import Path

from launch_server.errors import RequestError

LONGEST_NAME = 1024


def check_file_name(name: str) -> str:
    """A file's name inside a run: relative, `/` between parts, no part `.` or `..`.

    Raises:
        RequestError: it is not.

    """
    parts = name.split("/")
    if not name or len(name) > LONGEST_NAME or any(part in ("", ".", "..") for part in parts):
        raise RequestError(f"file name {name[:80]!r} must be a relative path without '.' and '..'")
    if "\\" in name or not name.isprintable():
        raise RequestError(f"file name {name[:80]!r} must not contain '\\' or control characters")
    return name


def storage_path(entity: str, project: str, run: str, name: str) -> str:
    """The path of a file in an address, not quoted."""
    return f"/storage/{entity}/{project}/{run}/{name}"


def place_on_disk(folder: Path, storage: str) -> Path:
    """Where the bytes of a storage path are kept. The name is a hash: no name can leave the folder or be too long."""
    digest = hashlib.sha256(storage.encode()).hexdigest()
    return folder / digest[:2] / digest
