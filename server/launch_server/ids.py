"""Ids as the wire shows them: base64 of a kind and a number, opaque to clients (protocol section 1)."""

import base64
import binascii
from dataclasses import dataclass
from enum import StrEnum

from launch_server.errors import NotFoundError


class Kind(StrEnum):
    """What an id stands for."""

    ITEM = "RunQueueItem"
    QUEUE = "RunQueue"
    AGENT = "LaunchAgent"
    CONFIG = "DefaultResourceConfig"
    ENTITY = "Entity"
    PROJECT = "Project"
    USER = "User"
    KEY = "ApiKey"
    FILE = "File"
    ORGANIZATION = "Organization"


@dataclass(frozen=True, slots=True)
class StorageId:
    """What names a run wholly; on the wire base64 of `Run:v1:<run id>:<project>:<entity>`."""

    run: str
    project: str
    entity: str


def encode(kind: Kind, number: int) -> str:
    """The wire's id of row `number`."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def decode(kind: Kind, text: str) -> int:
    """The row number in an id.

    Raises:
        NotFoundError: the text is no id of this kind.

    """
    head, _, tail = _plain(text).partition(":")
    if head != kind.value or not (tail.isascii() and tail.isdigit()) or len(tail) > 18:
        raise NotFoundError(f"{text!r} is not the id of a {kind}")
    return int(tail)


def encode_run(run: str, project: str, entity: str) -> str:
    """The storage id of a run."""
    return base64.b64encode(f"Run:v1:{run}:{project}:{entity}".encode()).decode()


def decode_run(text: str) -> StorageId:
    """The parts of a storage id.

    Raises:
        NotFoundError: the text is no storage id.

    """
    parts = _plain(text).split(":")
    if len(parts) != 5 or parts[:2] != ["Run", "v1"] or not all(parts):
        raise NotFoundError(f"{text!r} is not the storage id of a run")
    return StorageId(run=parts[2], project=parts[3], entity=parts[4])


def _plain(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return ""
