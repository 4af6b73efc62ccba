"""An HTTP server on loopback whose answers a test scripts, and which remembers what it was asked."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """What came in. Header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What goes out: an object as JSON, bytes as they are. ``parts`` are sent as they come, as a stream's chunks."""

    status: int = 200
    body: Mapping[str, Any] | bytes = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: Iterable[bytes] | None = None
    is_cut: bool = False


Script = Callable[[Request], Reply]


class ScriptedServer:
    """The server; ``requests`` are in order of arrival."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self._script = script
        self._server = _Server(("127.0.0.1", 0), _make_handler(self._answer))
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def _answer(self, request: Request) -> Reply:
        self.requests.append(request)
        return self._script(request)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


class _Server(ThreadingHTTPServer):
    block_on_close = False
    connections = 0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in the middle, or does not like our certificate, is what tests are about."""


def _make_handler(answer: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            _Server.connections += 1
            self.number = _Server.connections

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(answer(Request(self.command, self.path, headers, body, self.number)))

        def _send(self, reply: Reply) -> None:
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response_only(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.parts is not None:
                self._stream(reply)
                return
            self.send_header("Content-Length", str(len(data) + (10 if reply.is_cut else 0)))
            self.end_headers()
            self.wfile.write(data)
            self.close_connection = self.close_connection or reply.is_cut

        def _stream(self, reply: Reply) -> None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for part in reply.parts or ():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            if not reply.is_cut:
                self.wfile.write(b"0\r\n\r\n")
            self.close_connection = self.close_connection or reply.is_cut

        def log_message(self, *_parts: Any) -> None:
            pass

    for method in ("GET", "POST", "PATCH", "PUT", "DELETE", "CONNECT"):
        setattr(Handler, f"do_{method}", Handler._serve)
    return Handler
