"""One request on its way through the faults that bite it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from launch_server.faults.connection import DropConnection
from launch_server.faults.desk import Bite, Case, Desk
from launch_server.faults.documents import Document, replace_values
from launch_server.faults.lines import LineStream, Shape
from launch_server.faults.replies import Reply, catch, make_status, too_old
from launch_server.faults.script import (
    At,
    Cut,
    Duplicate,
    Error,
    Hold,
    Latency,
    LoseReply,
    Pass,
    Refuse,
    Stale,
    Status,
    Then,
)


@dataclass(slots=True)
class Passage:
    """A request, what is asked in it, and the way back. `body` None: it has not been read and streams through."""

    app: ASGIApp
    desk: Desk
    case: Case
    document: Document | None
    scope: Scope
    receive: Receive
    send: Send
    body: bytes | None
    _holds_after: list[Bite] = field(default_factory=list)

    async def go(self) -> None:
        """Serve it. Raises DropConnection where a fault closes the connection."""
        decider: Bite | None = None
        for bite in self.case.bites:
            match bite.fault:
                case Latency(seconds=seconds, jitter=jitter):
                    await anyio.sleep(seconds + jitter * bite.verdict.chance)
                case Hold(at=At.BEFORE):
                    await self._hold(bite)
                case Hold():
                    self._holds_after.append(bite)
                case Pass():
                    pass
                case _:
                    decider = decider or bite
        if decider is None:
            await self._serve()
        else:
            await self._misbehave(decider)

    async def _misbehave(self, bite: Bite) -> None:
        match bite.fault:
            case Refuse():
                raise self._drop(bite)
            case Status(performed=performed) as fault:
                if performed:
                    await self._perform()
                await self._answer(bite, make_status(fault, self.case.asked))
            case Error() as fault:
                await self._answer(bite, await self._reply_with_error(bite, fault))
            case LoseReply():
                await self._lose(bite)
            case Duplicate(is_delivery=is_delivery):
                await self._duplicate(bite, is_delivery=is_delivery)
            case Cut(events=events, seconds=seconds):
                await self._stream(bite, Shape(cut_after=events), seconds)
            case Stale(is_event=True, events=events):
                await self._stream(bite, Shape(stale_after=events), None)
            case Stale():
                await self._answer(bite, make_status(Status(410), self.case.asked).with_json(too_old()))

    # ── ways to serve ──

    async def _serve(self) -> None:
        """As if there were no fault, but for holds after it, and answers that are due again."""
        if self.case.asked.is_stream:
            await self._release_all()
            with self.desk.stream(self.case) as scope:
                await self.app(self.scope, self._replay(), self.send)
            if scope.cancelled_caught:
                raise DropConnection
        elif self._holds_after or self.desk.has_kept(self.case.asked):
            reply = self._deliver_again(await self._perform())
            await reply.send(self.send)
        else:
            await self.app(self.scope, self._replay(), self.send)

    async def _perform(self, body: bytes | None = None) -> Reply:
        """Perform the request wholly, then serve the holds that come after."""
        reply = await catch(self.app, self._scope_for(body), self._replay(body))
        for bite in self.case.bites:
            self.desk.note(self.case, bite, "performed", status=reply.status)
        await self._release_all()
        return reply

    async def _release_all(self) -> None:
        while self._holds_after:
            await self._hold(self._holds_after.pop(0))

    async def _answer(self, bite: Bite, reply: Reply) -> None:
        await reply.send(self.send)
        self.desk.note(self.case, bite, "answered", status=reply.status)

    async def _lose(self, bite: Bite) -> None:
        if self.case.asked.is_stream:
            await self._stream(bite, Shape(cut_after=0), None, is_silent=True)
            return
        await self._perform()
        raise self._drop(bite)

    async def _duplicate(self, bite: Bite, *, is_delivery: bool) -> None:
        if self.case.asked.is_stream:
            await self._stream(bite, Shape(is_twice=True), None)
            return
        if is_delivery:
            reply = await self._perform()
            data = (reply.read_json() or {}).get("data") or {}
            for operation in bite.operations:
                if data.get(operation.alias) is not None:
                    self.desk.remember(operation, data[operation.alias])
            await self._deliver_again(reply).send(self.send)
            return
        if self.body is None:
            self.body = await _drain(self.receive)
        held, self._holds_after = self._holds_after, []
        await self._perform()
        self._holds_after = held
        await (await self._perform()).send(self.send)

    async def _stream(self, bite: Bite, shape: Shape, seconds: float | None, *, is_silent: bool = False) -> None:
        await self._release_all()
        with self.desk.stream(self.case) as scope:
            if seconds is not None:
                scope.deadline = min(scope.deadline, anyio.current_time() + seconds)
            lines = LineStream(_nothing if is_silent else self.send, shape, scope.cancel)
            await self.app(self.scope, self._replay(), lines)
        if lines.is_cut or (scope.cancelled_caught and not lines.is_over):
            raise self._drop(bite)

    # ── pieces ──

    async def _reply_with_error(self, bite: Bite, fault: Error) -> Reply:
        """The error for the operations that bit; the rest of the document is performed."""
        aliases = frozenset(one.alias for one in bite.operations if one.alias)
        nothing = dict.fromkeys(sorted(aliases))
        document = self.document
        if document is None or not aliases:
            return _plain_reply({"errors": [{"message": fault.message}]})
        lean = self.body if fault.performed else document.without(aliases)
        if lean is None:
            return _plain_reply(replace_values({}, nothing, fault.message))
        reply = await self._perform(lean)
        value = reply.read_json()
        return reply if value is None else reply.with_json(replace_values(value, nothing, fault.message))

    def _deliver_again(self, reply: Reply) -> Reply:
        """Answers that are due again, in place of empty ones."""
        value = reply.read_json()
        data = (value or {}).get("data")
        if not isinstance(value, dict) or not isinstance(data, dict):
            return reply
        filled = dict(self._recall(data))
        return reply.with_json(replace_values(value, filled)) if filled else reply

    def _recall(self, data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for operation in self.case.asked.operations:
            if operation.alias in data and data[operation.alias] is None:
                kept = self.desk.recall(operation)
                if kept is not None:
                    yield operation.alias, kept

    async def _hold(self, bite: Bite) -> None:
        if isinstance(bite.fault, Hold) and await self.desk.hold(self.case, bite, bite.fault) is Then.DROP:
            raise self._drop(bite)

    def _drop(self, bite: Bite) -> DropConnection:
        self.desk.note(self.case, bite, "dropped")
        return DropConnection()

    def _replay(self, body: bytes | None = None) -> Receive:
        """A `receive` that gives the body that was read, or another one, and then what the connection says."""
        whole = self.body if body is None else body
        if whole is None:
            return self.receive
        waiting: list[Message] = [{"type": "http.request", "body": whole, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await self.receive()

        return replay

    def _scope_for(self, body: bytes | None) -> Scope:
        """The scope, with the length of another body."""
        if body is None or body is self.body:
            return self.scope
        dropped = {b"content-length", b"content-encoding", b"transfer-encoding"}
        headers = [pair for pair in self.scope["headers"] if pair[0].lower() not in dropped]
        return {**self.scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}


def _plain_reply(value: dict[str, Any]) -> Reply:
    return Reply(200, (), b"").with_json(value)


async def _nothing(_message: Message) -> None:
    """Where a reply goes that nobody gets."""


async def _drain(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)
