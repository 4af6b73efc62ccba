"""Lists and events, read as far as somebody wants them: what nobody asks for never becomes an object of ours.

An object of a list is mostly what its submitter wrote and who changed which field of it; reading that costs five times
as much as skipping it, and thousands of objects are read when an agent starts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

Object = dict[str, Any]
Kept = TypeVar("Kept")


class Cursor(msgspec.Struct, frozen=True):
    """Where a page is in its list: ``token`` asks for the next page; empty after the last."""

    version: str = msgspec.field(default="", name="resourceVersion")
    token: str = msgspec.field(default="", name="continue")


class Page(msgspec.Struct, frozen=True):
    """Some objects of a list, not read yet."""

    cursor: Cursor = msgspec.field(default=Cursor(), name="metadata")
    items: list[msgspec.Raw] | None = None


class Event(msgspec.Struct, frozen=True):
    """One line of a watch: what happened, and the object, not read yet."""

    change: str = msgspec.field(name="type")
    object: msgspec.Raw


read_page = msgspec.json.Decoder(Page).decode
"""A page of a list. Raises ValueError for anything else."""

read_event = msgspec.json.Decoder(Event).decode
"""A line of a watch. Raises ValueError for anything else."""

_read_object = msgspec.json.Decoder(Object).decode


def read_whole(raw: msgspec.Raw) -> Object:
    """All of an object. Raises ValueError for anything else."""
    return _read_object(raw)


def drop_managed_fields(body: Object) -> Object:
    """The object without the record of who set which field."""
    (body.get("metadata") or {}).pop("managedFields", None)
    return body


class Shape(Generic[Kept]):
    """What is read and kept of each object of one kind.

    ``form`` is a TypedDict with all members optional: what it does not name is skipped unread. An object that is not of
    that form is read whole. ``make_keep`` gives, for each list anew, what makes the value to keep of the object read;
    it may let the objects of a list share their equal parts.
    """

    def __init__(self, form: object, make_keep: Callable[[], Callable[[Object], Kept]]) -> None:
        self._read: Callable[[msgspec.Raw], Object] = msgspec.json.Decoder(form).decode
        self.make_keep = make_keep

    def read(self, raw: msgspec.Raw) -> Object:
        """The object in its form. Raises ValueError for what is no object."""
        try:
            return self._read(raw)
        except msgspec.ValidationError:
            return read_whole(raw)


WHOLE: Shape[Object] = Shape(Object, lambda: drop_managed_fields)
"""All but the managedFields."""
