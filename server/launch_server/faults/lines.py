"""Streams of lines (watches, logs) on their way: cut, repeated, ended by an ERROR event."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import Message, Send

from launch_server.faults.replies import too_old


@dataclass(slots=True)
class Shape:
    """What befalls a stream. `cut_after`: lines until it is closed; `stale_after`: until the ERROR event."""

    cut_after: int | None = None
    stale_after: int | None = None
    is_twice: bool = False


class LineStream:
    """A `send` that passes whole lines on until its shape says stop; then `finish` is called."""

    def __init__(self, send: Send, shape: Shape, finish: Callable[[], object]) -> None:
        self.is_cut = False
        self.lines = 0
        self._send = send
        self._shape = shape
        self._finish = finish
        self._rest = b""
        self.is_over = False

    async def __call__(self, message: Message) -> None:
        """Take a message of the application's."""
        if self.is_over:
            return
        if message["type"] == "http.response.start":
            await self._start(message)
        elif message["type"] == "http.response.body":
            await self._feed(message.get("body", b""), more=message.get("more_body", False))

    async def _start(self, message: Message) -> None:
        headers = [pair for pair in message.get("headers", ()) if pair[0].lower() != b"content-length"]
        await self._send({**message, "headers": headers})
        if message["status"] == 200:
            await self._stop_if_due()
        else:
            self._shape = Shape()  # a refusal is no stream

    async def _feed(self, data: bytes, *, more: bool) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            await self._pass(line + b"\n")
            if self.is_over:
                return
        if not more:
            self.is_over = True
            await self._send({"type": "http.response.body", "body": self._rest})

    async def _pass(self, line: bytes) -> None:
        for _ in range(2 if self._shape.is_twice else 1):
            await self._send({"type": "http.response.body", "body": line, "more_body": True})
        self.lines += 1
        await self._stop_if_due()

    async def _stop_if_due(self) -> None:
        if self._shape.stale_after is not None and self.lines >= self._shape.stale_after:
            event = json.dumps({"type": "ERROR", "object": too_old()}).encode() + b"\n"
            await self._send({"type": "http.response.body", "body": event})
        elif self._shape.cut_after is not None and self.lines >= self._shape.cut_after:
            self.is_cut = True
        else:
            return
        self.is_over = True
        self._finish()
