"""A stand-in for W&B's API (and for a proxy) on loopback that answers as a test tells it."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]

ALIAS = re.compile(r"^  (a\d+): (\w+)", re.M)


@dataclass(frozen=True, slots=True)
class Request:
    """What came in."""

    method: str
    target: str
    headers: Message
    body: bytes

    @property
    def json(self) -> Json:
        """The body as an object."""
        read: Json = json.loads(self.body)
        return read

    @property
    def fields(self) -> list[tuple[str, str]]:
        """Alias and name of each root field."""
        return ALIAS.findall(self.json["query"])


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out; ``hold`` waits for the test's end first, ``is_cut`` ends the connection without an answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    hold: bool = False
    is_cut: bool = False


Answer = Callable[[Request], Reply]


def reply(content: object, status: int = 200, **headers: str) -> Reply:
    """JSON; header names with ``_`` for ``-``."""
    return Reply(status, json.dumps(content).encode(), {key.replace("_", "-"): text for key, text in headers.items()})


def succeed(request: Request) -> Reply:
    """Every root field's value is its own variables, so that a test sees which answer belongs to which operation."""
    variables = request.json["variables"]
    data = {alias: _own(variables, alias) for alias, _ in request.fields}
    return reply({"data": data})


def _own(variables: Json, alias: str) -> Json:
    prefix = f"v{alias[1:]}_"
    return {key.removeprefix(prefix): value for key, value in variables.items() if key.startswith(prefix)}


class Standin:
    """Requests so far, and the answer to the next."""

    def __init__(self) -> None:
        self.answer: Answer = succeed
        self.requests: list[Request] = []
        self.released = threading.Event()
        self.url = ""

    @property
    def sizes(self) -> list[int]:
        """Operations in each document so far."""
        return [len(request.fields) for request in self.requests]


@contextmanager
def serve(context: ssl.SSLContext | None = None) -> Iterator[Standin]:
    """A stand-in on a free port, ended with the block."""
    standin = Standin()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:  # http.server's own name
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            request = Request(self.command, self.path, self.headers, body)
            standin.requests.append(request)
            answer = standin.answer(request)
            if answer.hold:
                standin.released.wait(30)
            if answer.is_cut or answer.hold:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, text in answer.headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def do_CONNECT(self) -> None:  # what a proxy is asked for https addresses
            self.do_POST()

        def log_message(self, template: str, *args: Any) -> None:
            """Tests read `requests`."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hangs up, or refuses our certificate, is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    standin.url = f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield standin
    finally:
        standin.released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
