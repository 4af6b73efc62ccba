"""Whole replies: caught from an application, made up, sent."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from launch_server.faults.operations import Asked
from launch_server.faults.script import Status

Headers = tuple[tuple[bytes, bytes], ...]
JSON = (b"content-type", b"application/json")
REASONS = {
    401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired", 422: "Invalid",
    429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip
"""Kubernetes' own words for HTTP statuses."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole HTTP reply."""

    status: int
    headers: Headers
    body: bytes

    def read_json(self) -> dict[str, Any] | None:
        """The object in its body, None if there is none."""
        encoding = dict(self.headers).get(b"content-encoding", b"")
        try:
            value = json.loads(zlib.decompress(self.body, wbits=zlib.MAX_WBITS | 16) if encoding else self.body)
        except (ValueError, RecursionError, zlib.error):
            return None
        return value if isinstance(value, dict) else None

    def with_json(self, value: Mapping[str, Any]) -> Reply:
        """The same with another body."""
        dropped = {b"content-length", b"content-encoding", b"transfer-encoding", b"content-type"}
        headers = tuple(pair for pair in self.headers if pair[0].lower() not in dropped)
        return replace(self, headers=(*headers, JSON), body=json.dumps(value, ensure_ascii=False).encode())

    async def send(self, send: Send) -> None:
        """Send it."""
        dropped = {b"content-length", b"transfer-encoding"}
        headers = [pair for pair in self.headers if pair[0].lower() not in dropped]
        headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


async def catch(app: ASGIApp, scope: Scope, receive: Receive) -> Reply:
    """What an application replies, whole."""
    status, headers, parts = 500, (), bytearray()

    async def keep(message: Message) -> None:
        nonlocal status, headers, parts
        if message["type"] == "http.response.start":
            status, headers = message["status"], tuple(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            parts += message.get("body", b"")

    await app(scope, receive, keep)
    return Reply(status, headers, bytes(parts))


def make_status(fault: Status, asked: Asked) -> Reply:
    """The reply of a `status` fault: a Status object for an API server, a GraphQL error else."""
    text = fault.body
    if text is None:
        message = f"fault injection: HTTP {fault.code}"
        told = status_object(fault.code, message) if asked.api else {"errors": [{"message": message}]}
        text = json.dumps(told)
    headers: list[tuple[bytes, bytes]] = [JSON]
    if fault.retry_after is not None:
        headers.append((b"retry-after", f"{fault.retry_after:g}".encode()))
    return Reply(fault.code, tuple(headers), text.encode())


def status_object(code: int, message: str) -> dict[str, Any]:
    """A Status object of the Kubernetes API."""
    reason = REASONS.get(code) or "Unknown"
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


def too_old() -> dict[str, Any]:
    """What a watch is told whose version is too old."""
    return status_object(410, "fault injection: too old resource version")
