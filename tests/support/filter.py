"""A proxy before the queue server that refuses some questions, as W&B does to a key that may not ask them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx


@contextmanager
def refuse_words(server: str, *words: bytes) -> Iterator[str]:
    """The address of a proxy for ``server`` whose GraphQL says no to every document that holds one of the words."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if any(word in body for word in words):
                self._answer(200, json.dumps({"errors": [{"message": "permission denied"}]}).encode())
                return
            kept = {
                name: value for name, value in self.headers.items() if name.lower() in {"authorization", "content-type"}
            }
            answer = httpx.post(server + self.path, content=body, headers=kept, timeout=30.0, trust_env=False)
            self._answer(answer.status_code, answer.content)

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    proxy = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()
        thread.join()
