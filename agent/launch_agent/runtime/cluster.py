"""The watches of an agent: one for each kind in each namespace of each cluster that items use."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.adapters.kubernetes.watch import Watch
from launch_agent.core import clusters
from launch_agent.runtime.loops import Loops
from launch_agent.runtime.metrics import Metrics
from launch_agent.targets.base import Post
from launch_agent.targets.kubernetes import NoticeSink, shape_of

STALE = 900.0
"""Seconds without a word from the API server after which a watch counts as broken: it lists anew each 600 s."""

AWAY = 120.0
"""Seconds for which an API server may give no answer before the agent says that it is not ready."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What one watch looks at; ``cluster`` is a key of `core.clusters`."""

    cluster: str
    api_version: str
    kind: str
    namespace: str

    @property
    def text(self) -> str:
        """For people."""
        where = f" of {clusters.describe(self.cluster)}" if self.cluster else ""
        return f"{self.kind} in {self.namespace}{where}"


class Watches:
    """One watch per (cluster, kind, namespace), started when it is first wanted."""

    def __init__(
        self,
        connect: Callable[[str], Client],
        *,
        selector: str,
        post: Post,
        loops: Loops,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """``connect`` gives the client of a cluster, or raises ConfigError."""
        self._connect = connect
        self._selector = selector
        self._post = post
        self._loops = loops
        self._metrics = metrics
        self._clock = clock
        self._running: dict[Watched, Watch] = {}

    def ensure(self, cluster: str, api_version: str, kind: str, namespace: str) -> None:
        """See to it that this is watched; asking twice is asking once. From one thread only."""
        watched = Watched(cluster, api_version, kind, namespace)
        if watched in self._running:
            return
        watch = Watch(
            lambda: self._connect(cluster),
            api_version,
            kind,
            namespace,
            label_selector=self._selector,
            shape=shape_of(api_version, kind),
            clock=self._clock,
        )
        self._running[watched] = watch
        # A watch may be silent for long and be well; `stale` judges it.
        name = " ".join(part for part in ("watch", api_version, kind, namespace, cluster) if part)
        self._loops.start(name, self._loop(watched, watch), is_judged=False)

    def _loop(self, watched: Watched, watch: Watch) -> Callable[[threading.Event, Callable[[], None]], None]:
        sink = NoticeSink(watched.cluster, watched.api_version, watched.kind, watched.namespace, self._post)

        def run(stop: threading.Event, _beat: Callable[[], None]) -> None:
            watch.run(sink, stop)

        return run

    def interrupt(self) -> None:
        """Close all streams, so that their threads see that it is time to go."""
        for watch in list(self._running.values()):
            watch.interrupt()

    def stale(self) -> list[str]:
        """Watches whose API server gives no answer for `AWAY` seconds, or that have not heard of it for `STALE`."""
        now = self._clock()
        stale = []
        for watched, watch in list(self._running.items()):
            labels = (watched.kind, watched.namespace, clusters.describe(watched.cluster) if watched.cluster else "")
            self._metrics.watch_contact.labels(*labels).set(watch.last_contact)
            if watch.away_since and now - watch.away_since > AWAY:
                stale.append(f"the API server does not answer the watch of {watched.text}")
            elif watch.last_contact and now - watch.last_contact > STALE:
                stale.append(f"the watch of {watched.text} is silent")
        return stale
