"""List, then watch: one stream per kind and namespace, that survives whatever its API server does."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol
from urllib.parse import urlencode

import urllib3

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import retry
from launch_agent.errors import KubernetesError, KubernetesGone, KubernetesUnavailable

log = logging.getLogger(__name__)

SERVER_TIMEOUT = 240
"""Seconds after which the API server ends a stream by itself; a quarter more by chance."""

RELIST = 600.0
"""Seconds after which all is listed again, whatever the stream said."""


class Sink(Protocol):
    """Who hears."""

    def synced(self, key: object, objects: list[dict[str, Any]]) -> None:
        """The complete list."""

    def changed(self, key: object, change: str, body: dict[str, Any]) -> None:
        """One object was ADDED, MODIFIED or DELETED."""


class Watch:
    """One kind in one namespace."""

    def __init__(
        self,
        client: Client,
        api_version: str,
        kind: str,
        namespace: str,
        *,
        label_selector: str = "",
        clock: Callable[[], float] = time.time,
        relist: float = RELIST,
    ) -> None:
        self._client = client
        self._target = (api_version, kind, namespace)
        self._selector = label_selector
        self._clock = clock
        self._relist = relist
        self._stream: urllib3.BaseHTTPResponse | None = None
        self.last_contact = 0.0
        """When the API server was last heard, epoch seconds; 0 for never."""

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Follow until stopped. Errors are waited out, with growing pauses."""
        failures = 0
        while not stop.is_set():
            try:
                self.follow(sink, stop)
                failures = 0
            except KubernetesGone:
                failures += 1  # the version is too old: list again, and not in a tight loop
            except (KubernetesError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                failures += 1
                if not stop.is_set() and (failures in {1, 5} or failures % 20 == 0):
                    log.warning("the watch of %s in %s was cut: %s", self._target[1], self._target[2], error)
            if failures and not stop.is_set():
                stop.wait(retry.delay(failures - 1, random.random(), first=1.0, cap=30.0))

    def follow(self, sink: Sink, stop: threading.Event) -> None:
        """List once, then watch until it is time to list again. Raises what the API server says."""
        objects, version = self._client.list(*self._target, label_selector=self._selector)
        self.last_contact = self._clock()
        for body in objects:
            (body.get("metadata") or {}).pop("managedFields", None)
        sink.synced(self._target, objects)
        due = self._clock() + self._relist
        while not stop.is_set() and self._clock() < due:
            version = self._watch_once(version, sink, stop)

    def _watch_once(self, version: str, sink: Sink, stop: threading.Event) -> str:
        """One stream; the version to go on from."""
        seconds = SERVER_TIMEOUT + int(random.random() * SERVER_TIMEOUT / 4)
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
            "labelSelector": self._selector,
        }
        path = f"{self._client.path(*self._target)}?{urlencode({k: v for k, v in query.items() if v})}"
        stream = self._client.open(
            "GET", path, stream=True, timeout=urllib3.Timeout(connect=10.0, read=float(seconds + 30))
        )
        self._stream = stream
        try:
            for event in _events(stream):
                if stop.is_set():
                    break
                self.last_contact = self._clock()
                version = self._take(event, version, sink)
        finally:
            self._stream = None
            stream.close()
        self.last_contact = self._clock()
        return version

    def _take(self, event: dict[str, Any], version: str, sink: Sink) -> str:
        change, body = str(event.get("type")), event.get("object") or {}
        if change == "ERROR":
            text = str(body.get("message"))
            if body.get("code") == 410:
                raise KubernetesGone(text, status=410)
            raise KubernetesUnavailable(f"The watch ended with an error: {text}", status=int(body.get("code") or 0))
        metadata = body.get("metadata") or {}
        if change != "BOOKMARK":
            metadata.pop("managedFields", None)
            sink.changed(self._target, change, body)
        return str(metadata.get("resourceVersion") or version)

    def interrupt(self) -> None:
        """End the stream that is open now, from another thread."""
        stream = self._stream
        if stream is not None:
            stream.shutdown()


def _events(stream: urllib3.BaseHTTPResponse) -> Iterator[dict[str, Any]]:
    """One JSON object per line, as they come."""
    rest = b""
    for part in stream.read_chunked() if getattr(stream, "chunked", False) else stream.stream(65_536):
        rest += part
        *lines, rest = rest.split(b"\n")
        for line in lines:
            if line.strip():
                yield json.loads(line)
