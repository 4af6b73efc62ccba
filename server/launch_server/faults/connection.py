"""Connections that an application may close without a word."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_KEY = "launch_server.connection"


class DropConnection(Exception):
    """The connection must be closed; whoever serves it does."""


class OpenProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which shows its connection to the application in the scope's state."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base does
        """Keep the connection where the scopes of its requests will have it."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _KEY: transport}


async def drop(scope: Scope, receive: Receive) -> None:
    """Close a request's connection at once; what was not sent is lost. Returns when the server has noticed."""
    transport: asyncio.Transport = scope["state"][_KEY]
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
