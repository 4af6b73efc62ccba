"""Looks at what W&B's own agent still runs during a migration: one watch per namespace. Nothing is ever written."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.adapters.kubernetes.watch import Watch
from launch_agent.core import foreign
from launch_agent.core.foreign import Foreign
from launch_agent.runtime.inbox import ForeignSeen
from launch_agent.runtime.loops import Loops

log = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that the first poll waits for the first lists."""

STEP = 0.1
"""Seconds between two looks at whether the agent is to stop."""


class Tally:
    """What the watches of all namespaces see; tells each new count. A sink of `Watch`, keyed by what it watches."""

    def __init__(self, scopes: Iterable[object], post: Callable[[ForeignSeen], None]) -> None:
        self._post = post
        self._waiting = set(scopes)
        self._seen: dict[object, dict[str, Foreign]] = {}
        self._lock = threading.Lock()
        self._told = 0

    @property
    def waiting(self) -> tuple[object, ...]:
        """What has neither been listed nor refused yet."""
        with self._lock:
            return tuple(self._waiting)

    def synced(self, key: object, objects: list[dict[str, Any]]) -> None:
        """A complete list."""
        found = {_name(body): one for body in objects if (one := foreign.read(body)) is not None}
        with self._lock:
            for one in found.values():
                if key in self._waiting:
                    text = "Job %s/%s (run %s) of the agent `%s` uses a slot until it is over; it is not touched"
                    log.info(text, one.namespace, one.name, one.run_id, one.agent)
            self._seen[key] = found
            self._tell()
            self._waiting.discard(key)

    def changed(self, key: object, change: str, body: dict[str, Any]) -> None:
        """One change."""
        one = foreign.read(body) if change != "DELETED" else None
        with self._lock:
            seen = self._seen.setdefault(key, {})
            if one is None:
                seen.pop(_name(body), None)
            else:
                seen[_name(body)] = one
            self._tell()

    def refused(self, key: object, why: str) -> None:
        """Nothing can be seen there: what was seen before is not known to run any more."""
        log.warning("whether another agent's Jobs run can not be seen, they use no slots: %s", why)
        with self._lock:
            self._seen.pop(key, None)
            self._tell()
            self._waiting.discard(key)

    def _tell(self) -> None:
        count = sum(len(one) for one in self._seen.values())
        if count != self._told:
            self._told = count
            self._post(ForeignSeen(count))


def _name(body: dict[str, Any]) -> str:
    metadata = body.get("metadata") or {}
    return f"{metadata.get('namespace')}/{metadata.get('name')}"


class Foreigners:
    """The watches, from the agent's start to its end; ``namespaces`` may hold ``*`` for all."""

    def __init__(self, client: Client, namespaces: Iterable[str], post: Callable[[ForeignSeen], None]) -> None:
        names = set(namespaces)
        scopes = [""] if "*" in names else sorted(names)
        self._watches = {
            scope: Watch(client, "batch/v1", "Job", scope, label_selector=foreign.SELECTOR) for scope in scopes
        }
        self._tally = Tally([("batch/v1", "Job", scope) for scope in scopes], post)

    def start(self, loops: Loops) -> None:
        """Watch from now on."""
        for scope, watch in self._watches.items():
            loops.start(f"foreign {scope or '*'}", self._loop(watch), is_judged=False)

    def _loop(self, watch: Watch) -> Callable[[threading.Event, Callable[[], None]], None]:
        return lambda stop, _beat: watch.run(self._tally, stop)

    def await_lists(self, stop: threading.Event, patience: float = PATIENCE) -> None:
        """Return when all is listed, or with a warning after ``patience`` seconds, or when ``stop`` is set."""
        deadline = time.monotonic() + patience
        while self._tally.waiting and not stop.wait(STEP):
            if time.monotonic() >= deadline:
                log.warning("Jobs of another agent are not listed yet; items are taken without counting them")
                return

    def interrupt(self) -> None:
        """End the open streams; set the loops' ``stop`` first."""
        for watch in self._watches.values():
            watch.interrupt()
