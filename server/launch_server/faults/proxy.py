"""The reverse proxy as an ASGI application: bodies stream both ways, nothing is changed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import compare_digest

import anyio
import httpx
from starlette.types import Receive, Scope, Send

from launch_server.faults.connection import DropConnection
from launch_server.faults.operations import read_api_call
from launch_server.faults.replies import JSON, Reply, status_object
from launch_server.faults.upstream import Upstream
from launch_server.log import log

HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization te trailer transfer-encoding upgrade host".split()
)
"""Headers that are of one connection, not of the request (RFC 9110, 7.6.1)."""

ANSWERS_WITHIN = 120.0
"""Seconds without a byte after which a reply that is no stream is given up."""

Headers = list[tuple[bytes, bytes]]


class Proxy:
    """Sends each request to an upstream.

    Who shows `lent_token` acts with the upstream's own certificate or token; other credentials pass through untouched.
    """

    def __init__(self, upstream: Upstream, lent_token: str = "") -> None:
        self._upstream = upstream
        self._base = httpx.URL(upstream.url)
        self._lent = f"Bearer {lent_token}".encode() if lent_token else None
        self._plain = _client(upstream, with_certificate=False)
        self._lending = _client(upstream, with_certificate=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the beginning and end of the program."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"a proxy of HTTP got {scope['type']}")
        client, headers = self._identify(scope)
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1").partition("?")[0]
        query = scope["query_string"].decode("latin-1")
        asked = read_api_call(scope["method"], path, query)
        is_stream = asked is not None and asked.is_stream
        target = self._base.raw_path.rstrip(b"/") + path.encode("latin-1") + (f"?{query}".encode() if query else b"")
        request = client.build_request(
            scope["method"],
            self._base.copy_with(raw_path=target),
            headers=headers,
            content=_body(receive) if _has_body(scope) else None,
            timeout=httpx.Timeout(10.0, read=None if is_stream else ANSWERS_WITHIN, write=60.0, pool=None),
        )
        watcher = _ends_with_client(receive) if is_stream else _runs_on()
        async with watcher:
            await self._forward(client, request, scope, send)

    async def _forward(self, client: httpx.AsyncClient, request: httpx.Request, scope: Scope, send: Send) -> None:
        try:
            response = await client.send(request, stream=True)
        except httpx.HTTPError as error:
            log.warning("%s %s: the upstream does not answer: %s", scope["method"], scope["path"], type(error).__name__)
            text = f"the proxy's upstream does not answer: {type(error).__name__}"
            body = json.dumps(status_object(502, text) | {"errors": [{"message": text}]})
            await Reply(502, (JSON,), body.encode()).send(send)
            return
        try:
            headers = [pair for pair in response.headers.raw if pair[0].lower() not in HOP_BY_HOP | {b"date"}]
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            async for part in response.aiter_raw():
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        except httpx.HTTPError as error:
            raise DropConnection from error  # half a reply is what the upstream gave
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    def _identify(self, scope: Scope) -> tuple[httpx.AsyncClient, Headers]:
        headers = [pair for pair in scope["headers"] if pair[0].lower() not in HOP_BY_HOP]
        shown = next((value for key, value in headers if key.lower() == b"authorization"), None)
        if self._lent is None or shown is None or not compare_digest(shown, self._lent):
            return self._plain, headers
        headers = [pair for pair in headers if pair[0].lower() != b"authorization"]
        token = self._upstream.read_token()
        if token:
            headers.append((b"authorization", f"Bearer {token}".encode()))
        return self._lending, headers

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._plain.aclose()
        await self._lending.aclose()
        await send({"type": "lifespan.shutdown.complete"})


def _client(upstream: Upstream, *, with_certificate: bool) -> httpx.AsyncClient:
    context = upstream.make_context(with_certificate=with_certificate)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=50, keepalive_expiry=30.0)
    client = httpx.AsyncClient(verify=context, trust_env=False, http2=False, limits=limits, follow_redirects=False)
    client.headers.clear()  # nothing is added to what was asked
    return client


def _has_body(scope: Scope) -> bool:
    names = {key.lower() for key, _ in scope["headers"]}
    return b"content-length" in names or b"transfer-encoding" in names


async def _body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise httpx.WriteError("the asker left before its request was whole")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body", False):
            return


@asynccontextmanager
async def _ends_with_client(receive: Receive) -> AsyncIterator[None]:
    """A block that is left when the client goes away: a stream nobody reads is not followed."""
    with anyio.CancelScope() as block:

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            block.cancel()

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()


@asynccontextmanager
async def _runs_on() -> AsyncIterator[None]:
    """A block that goes on without its client: what was sent to the upstream is waited for."""
    yield
