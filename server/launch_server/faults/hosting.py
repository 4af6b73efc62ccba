"""A program with faults and its control endpoint, in one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from launch_server.faults.connection import OpenProtocol
from launch_server.faults.control import make_control
from launch_server.faults.desk import Desk
from launch_server.faults.middleware import FaultMiddleware


class _Edge(uvicorn.Server):
    """A server whose desk is closed before it waits for what is under way."""

    def __init__(self, config: uvicorn.Config, desk: Desk) -> None:
        super().__init__(config)
        self._desk = desk

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: let go of what is held, then in order."""
        self._desk.close()
        await super().shutdown(sockets)


class _Beside(uvicorn.Server):
    """A server that ends with another one, not by a signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the other one."""
        yield


def serve_with_faults(
    app: ASGIApp, desk: Desk, bound: socket.socket, control: socket.socket | None, *, pem: str | None = None
) -> None:
    """Serve until SIGINT or SIGTERM. `pem`: a file with the certificate and key that TLS is served by."""
    config = uvicorn.Config(
        FaultMiddleware(app, desk),
        http=OpenProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=64 * 1024,
        ssl_certfile=pem,
    )
    # uvicorn raises the signal that ended it once more when all is closed: that is an orderly end too
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(_Edge(config, desk), bound, desk, control))


async def _serve(server: uvicorn.Server, bound: socket.socket, desk: Desk, control: socket.socket | None) -> None:
    if control is None:
        await server.serve([bound])
        return
    options = uvicorn.Config(make_control(desk), log_config=None, access_log=False, timeout_graceful_shutdown=1)
    beside = _Beside(options)
    task = asyncio.create_task(beside.serve([control]))
    try:
        await server.serve([bound])
    finally:
        beside.should_exit = True
        await task


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)
