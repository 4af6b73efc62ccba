"""Faults at the edge of an ASGI application: ours, or the reverse proxy."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from launch_server.faults import operations
from launch_server.faults.connection import DropConnection, drop
from launch_server.faults.desk import Desk
from launch_server.faults.documents import Document, read_document
from launch_server.faults.operations import Asked
from launch_server.faults.passage import Passage


class FaultMiddleware:
    """An application that misbehaves as its desk's script says."""

    def __init__(self, app: ASGIApp, desk: Desk) -> None:
        self._app = app
        self._desk = desk

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body: bytes | None = None
        if _is_read(scope):
            body = await _read_body(receive)
            if body is None:
                return  # whoever asked has left
        asked, document = _describe(scope, body or b"")
        case = self._desk.open(asked)
        marked = _mark(send, ", ".join(bite.verdict.rule.name for bite in case.bites))
        passage = Passage(self._app, self._desk, case, document, scope, receive, marked, body)
        try:
            await passage.go()
        except DropConnection:
            await drop(scope, receive)
        except asyncio.CancelledError:
            if not self._desk.is_closing:
                raise
            await drop(scope, receive)


def _mark(send: Send, names: str) -> Send:
    """A `send` that says in each reply's headers that faults are on."""
    value = "".join(char if " " <= char <= "~" else "?" for char in names or "on").encode()

    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"x-launch-faults", value)]}
        await send(message)

    return marked


def _is_read(scope: Scope) -> bool:
    """Whether what is asked, or its name, stands in the body."""
    if scope["method"] not in {"POST", "PUT", "PATCH", "DELETE"}:
        return False
    return scope["path"].endswith("/graphql") or operations.API_PATH.fullmatch(scope["path"].rstrip("/")) is not None


async def _read_body(receive: Receive) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _describe(scope: Scope, body: bytes) -> tuple[Asked, Document | None]:
    method, path = scope["method"], scope["path"]
    if method == "POST" and path.endswith("/graphql"):
        encoding = dict(scope["headers"]).get(b"content-encoding", b"").decode("latin-1")
        document = read_document(body, encoding)
        if document is not None:
            return document.describe(path), document
    raw = scope.get("raw_path") or path.encode()
    query = scope["query_string"].decode("latin-1")
    found = operations.read_api_call(method, raw.decode("latin-1").partition("?")[0], query, body)
    return found or operations.read_plain(method, path), None
