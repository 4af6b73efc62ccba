"""List, then watch: one stream per kind and namespace, that survives whatever its API server does."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import urllib3

from launch_agent.adapters.kubernetes.answers import WHOLE, Event, Object, Shape, read_event, read_whole
from launch_agent.adapters.kubernetes.client import Client, add_query
from launch_agent.core import retry
from launch_agent.errors import (
    ConfigError,
    KubernetesDenied,
    KubernetesError,
    KubernetesGone,
    KubernetesMissing,
    KubernetesUnavailable,
)

log = logging.getLogger(__name__)

SERVER_TIMEOUT = 240.0
"""Seconds after which the API server ends a stream by itself; up to a quarter more by chance."""

SILENCE = 30.0
"""Seconds after that in which the end must be heard; the server's bookmarks come about each minute."""

RELIST = 600.0
"""Seconds after which all is listed again, whatever the stream said."""

SHORT = 0.5
"""Seconds that a stream lives at least; one that ends sooner, having said nothing, is an error of its server."""

STEADY = 60.0
"""Seconds of following after which earlier failures are forgotten."""

REFUSALS = (KubernetesDenied, KubernetesMissing, ConfigError)
"""Errors after which nothing will come: the account may not watch, or the cluster has no such kind."""

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class Sink(Protocol):
    """Who hears. Called on the watch's thread."""

    def synced(self, key: object, objects: list[dict[str, Any]]) -> None:
        """The complete list."""

    def changed(self, key: object, change: str, body: dict[str, Any]) -> None:
        """One object was ADDED, MODIFIED or DELETED."""

    def refused(self, key: object, why: str) -> None:
        """Nothing can be watched, and why; told once, and taken back by the next complete list."""


class Watch:
    """One kind in one namespace ("" for all). Objects come in ``shape``: whole, but without their managedFields.

    ``connect`` gives the client at each attempt: another cluster than the agent's own may not be reachable yet.
    """

    def __init__(
        self,
        connect: Client | Callable[[], Client],
        api_version: str,
        kind: str,
        namespace: str,
        *,
        label_selector: str = "",
        shape: Shape[Object] = WHOLE,
        clock: Callable[[], float] = time.time,
        relist: float = RELIST,
        jitter: Callable[[], float] = random.random,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> None:
        self._connect: Callable[[], Client] = (lambda: connect) if isinstance(connect, Client) else connect
        self._target = (api_version, kind, namespace)
        self._selector = label_selector
        self._shape = shape
        self._clock = clock
        self._relist = relist
        self._jitter = jitter
        self._wait = wait
        self._stream: urllib3.BaseHTTPResponse | None = None
        self._refusal = ""
        self.last_contact = 0.0
        """When the API server was last heard, epoch seconds; 0 for never."""
        self.away_since = 0.0
        """Since when it does not answer, epoch seconds; 0 while it does."""

    def run(self, sink: Sink, stop: threading.Event) -> None:
        """Follow until stopped. Errors are waited out, with growing pauses; a version too old only costs a new list."""
        failures = 0
        while not stop.is_set():
            began = self._clock()
            try:
                self.follow(sink, stop)
            except (KubernetesError, ConfigError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                if stop.is_set():
                    return
                if not isinstance(error, (*REFUSALS, KubernetesGone)):  # these are answers
                    self.away_since = self.away_since or self._clock()
                self._tell(error, sink)
                failures = 1 if self._clock() - began > STEADY else failures + 1
                self._recover(error, failures, stop)
            else:
                failures = 0

    def _tell(self, error: Exception, sink: Sink) -> None:
        text = str(error)
        if isinstance(error, REFUSALS) and text != self._refusal:
            self._refusal = text
            sink.refused(self._target, text)

    def _recover(self, error: Exception, failures: int, stop: threading.Event) -> None:
        if isinstance(error, KubernetesGone) and failures == 1:
            return  # the version is too old: list at once, but not in a tight loop
        if failures in {1, 5} or failures % 20 == 0:
            where = self._target[2] or "all namespaces"
            log.warning("the watch of %s in %s was cut (%d in a row): %s", self._target[1], where, failures, error)
        wish = getattr(error, "retry_after", None) or 0.0
        pause = retry.delay(failures - 1, self._jitter(), first=FIRST_PAUSE, cap=LONGEST_PAUSE)
        self._wait(stop, max(pause, wish))

    def follow(self, sink: Sink, stop: threading.Event) -> None:
        """List once, then watch until it is time to list again. Raises what the API server says."""
        version = self.list(sink)
        due = self._clock() + self._relist
        while not stop.is_set() and (rest := due - self._clock()) > 0:
            began, before = self._clock(), version
            version = self.listen(version, sink, stop, seconds=rest)
            if version == before and self._clock() - began < SHORT and not stop.is_set():
                raise KubernetesUnavailable("The API server ended the stream as soon as it had begun.")

    def list(self, sink: Sink) -> str:
        """Tell the sink of all objects; the version to watch from."""
        objects, version = self._connect().list_as(self._shape, *self._target, label_selector=self._selector)
        self._hear()
        self._refusal = ""
        sink.synced(self._target, objects)
        return version

    def listen(self, version: str, sink: Sink, stop: threading.Event, *, seconds: float = RELIST) -> str:
        """One stream of at most ``seconds``; the version to go on from. KubernetesGone if it is too old."""
        limit = max(1, int(min(SERVER_TIMEOUT * (1 + self._jitter() / 4), seconds)))
        query: dict[str, str | int] = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": limit,
            "labelSelector": self._selector,
        }
        client = self._connect()
        stream = client.stream(add_query(client.path(*self._target), query), read_timeout=limit + SILENCE)
        self._stream = stream
        self._hear()
        try:
            if stop.is_set():  # `interrupt` may have come before there was a stream to end
                return version
            for event in _events(stream):
                if stop.is_set():
                    break
                self._hear()
                version = self._take(event, version, sink)
        finally:
            self._stream = None
            stream.close()
        return version

    def _hear(self) -> None:
        self.last_contact = self._clock()
        self.away_since = 0.0

    def _take(self, event: Event, version: str, sink: Sink) -> str:
        if event.change == "ERROR":
            body = read_whole(event.object)
            text, code = str(body.get("message")), int(body.get("code") or 0)
            if code == 410:
                raise KubernetesGone(text, status=410)
            raise KubernetesUnavailable(f"The stream ended with an error: {text}", status=code)
        body = self._shape.read(event.object)
        version = str((body.get("metadata") or {}).get("resourceVersion") or version)
        if event.change != "BOOKMARK":
            sink.changed(self._target, event.change, self._shape.make_keep()(body))
        return version

    def interrupt(self) -> None:
        """End the stream that is open now, from another thread; set ``stop`` first. A list under way is not ended."""
        stream = self._stream
        if stream is not None:
            with contextlib.suppress(ValueError, RuntimeError, OSError):  # it ended in the meantime
                stream.shutdown()


def _events(stream: urllib3.BaseHTTPResponse) -> Iterator[Event]:
    """One JSON object per line, as they come."""
    rest = b""
    for part in _parts(stream):
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if line.strip():
                yield _read_event(line)


def _read_event(line: bytes) -> Event:
    try:
        return read_event(line)
    except ValueError as error:
        raise KubernetesUnavailable("The API server sent something that is no event.") from error


def _parts(stream: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    """What has come so far, without waiting for more."""
    if getattr(stream, "chunked", False):
        yield from stream.read_chunked()
        return
    while part := stream.read1(65_536):
        yield part
