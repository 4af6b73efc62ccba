"""Values as the wire wants them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from launch_server.errors import RequestError

Json = Any
MAX_PAGE = 1000


def iso(moment: float | None) -> str | None:
    """A moment as ISO 8601 in UTC, whole seconds and milliseconds."""
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_object(text: str, what: str) -> dict[str, Json]:
    """A JSON object that a client sends as text.

    Raises:
        RequestError: it is not one; the text names `what`.

    """
    try:
        value = json.loads(text)
    except RecursionError:
        raise RequestError(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise RequestError(f"{what} is not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise RequestError(f"{what} must be a JSON object, not {type(value).__name__}")
    return value


def load_list(text: str | None) -> list[Json]:
    """A list kept as JSON text; empty for none."""
    value = json.loads(text) if text else []
    return value if isinstance(value, list) else []


def page_size(first: int | None, default: int = 100) -> int:
    """How many entries to give for `first`.

    Raises:
        RequestError: `first` is negative.

    """
    if first is None:
        return default
    if first < 0:
        raise RequestError(f"first must not be negative, but is {first}")
    return min(first, MAX_PAGE)


def connection_of(nodes: Sequence[Json], cursors: Sequence[str], *, more: bool) -> dict[str, Json]:
    """A list in the shape of a GraphQL connection."""
    edges = [{"node": node, "cursor": cursor} for node, cursor in zip(nodes, cursors, strict=True)]
    page = {
        "startCursor": cursors[0] if cursors else None,
        "endCursor": cursors[-1] if cursors else None,
        "hasNextPage": more,
        "hasPreviousPage": False,
    }
    return {"edges": edges, "pageInfo": page}


def read_cursor(after: str | None) -> int:
    """The number in a cursor; 0 for none.

    Raises:
        RequestError: it is not a cursor that was given out.

    """
    if not after:
        return 0
    if not (after.isascii() and after.isdigit()) or len(after) > 18:
        raise RequestError(f"{after!r} is not a cursor of this list")
    return int(after)


def check_name(name: str | None, what: str, longest: int = 128) -> str:
    """A name as it may be kept: some text of limited length, one line, no slash or colon.

    Raises:
        RequestError: it is not.

    """
    text = (name or "").strip()
    if not text:
        raise RequestError(f"{what} must not be empty")
    if len(text) > longest:
        raise RequestError(f"{what} may have at most {longest} characters, but has {len(text)}")
    if any(character in "/\\:" or not character.isprintable() for character in text):
        raise RequestError(f"{what} {text!r} must not contain '/', '\\', ':' or control characters")
    return text
