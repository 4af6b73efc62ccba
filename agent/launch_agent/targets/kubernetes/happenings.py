"""Events of a namespace: the only place that tells why a workload has no pods."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from launch_agent.adapters.kubernetes.client import Client, add_query
from launch_agent.core.models import Manifest, ObjectRef
from launch_agent.errors import KubernetesDenied

TRUST = 1.5
"""Seconds for which a list serves all items of its namespace: in a burst many ask at once."""

_BUILT_IN = frozenset({"v1", "batch/v1"})
_WITHOUT_CHILDREN = frozenset({"Job", "Pod"})
"""Kinds of which nothing but pods is made."""

PAGE = 500
PAGES = 20


@dataclass(slots=True)
class _List:
    """The warnings of one namespace, and when they were read."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    read_at: float = -TRUST
    entries: tuple[Manifest, ...] = ()


class Happenings:
    """Warnings of namespaces, read at most once in `TRUST` seconds. May be asked from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lists: dict[tuple[str, str], _List] = {}

    def find(self, client: Client, ref: ObjectRef) -> list[Manifest]:
        """The warnings about an object and about what its operator made of it, whose names begin with its own.

        Of a Job or a Pod all that keeps pods away is told on the object itself: names that begin alike are others'.
        """
        known = self._lists.setdefault((ref.cluster, ref.namespace), _List())
        asked_at = self._clock()
        with known.lock:
            if known.read_at + TRUST <= asked_at:
                known.entries = tuple(_read(client, ref.namespace))
                known.read_at = self._clock()
            entries = known.entries
        return [event for event in entries if _concerns(event, ref)]


def _read(client: Client, namespace: str) -> list[Manifest]:
    found: list[Manifest] = []
    token = ""
    for _ in range(PAGES):
        query: dict[str, str | int] = {"fieldSelector": "type=Warning", "limit": PAGE, "continue": token}
        try:
            page = client.request("GET", add_query(client.path("v1", "Event", namespace), query))
        except KubernetesDenied:
            return []  # without this right only the reason is missing
        found += page.get("items") or ()
        token = (page.get("metadata") or {}).get("continue") or ""
        if not token:
            break
    return found


def _concerns(event: Manifest, ref: ObjectRef) -> bool:
    about = event.get("involvedObject") or {}
    name, uid = str(about.get("name") or ""), about.get("uid")
    if about.get("kind") == ref.kind and name == ref.name:
        return not ref.uid or not uid or uid == ref.uid
    if ref.kind in _WITHOUT_CHILDREN and ref.api_version in _BUILT_IN:
        return False
    return name == ref.name or name.startswith(f"{ref.name}-")
