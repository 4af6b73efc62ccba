"""/healthz, /readyz and /metrics over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from launch_agent.errors import UsageError

Check = Callable[[], list[str]]
"""What is wrong now, one short sentence each; nothing is well."""

Note = Callable[[], str]
"""What a person should know of an agent that is ready, in one line; empty for nothing."""


class HealthServer:
    """Serves until stopped, on a thread of its own."""

    def __init__(self, address: str, *, live: Check, ready: Check, note: Note, registry: CollectorRegistry) -> None:
        host, _, port = address.rpartition(":")
        handler = _handler(live, ready, note, registry)
        try:
            self._server = ThreadingHTTPServer((host.strip("[]") or "127.0.0.1", int(port)), handler)
        except OSError as error:
            raise UsageError(
                f"The health server can not listen on {address}: {error.strerror}.",
                resolution="Choose another with --health-address HOST:PORT, or --health-address off.",
            ) from error
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        """The port in use; another than asked for only where 0 was asked for."""
        return int(self._server.server_address[1])

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Serve until stopped."""
        self._server.timeout = 1.0
        while not stop.is_set():
            beat()
            self._server.handle_request()
        self._server.server_close()


def _handler(live: Check, ready: Check, note: Note, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """One request."""

        timeout = 10

        def do_GET(self) -> None:
            match self.path.partition("?")[0]:
                case "/healthz":
                    self._tell(live())
                case "/readyz":
                    self._tell(ready(), note())
                case "/metrics":
                    self._send(200, CONTENT_TYPE_LATEST, generate_latest(registry))
                case _:
                    self._send(404, "text/plain; charset=utf-8", b"try /healthz, /readyz or /metrics\n")

        def _tell(self, troubles: list[str], note: str = "") -> None:
            text = "\n".join(troubles or filter(None, ["ok", note]))
            self._send(503 if troubles else 200, "text/plain; charset=utf-8", f"{text}\n".encode())

        def _send(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes are not worth a line each."""

    return Handler
