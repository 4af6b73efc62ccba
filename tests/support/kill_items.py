"""The kinds of items of the crash suite, and who plays what becomes of their pods."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.support.audit_log import TOKEN, run_of, token_of
from tests.support.auditor import FAILED, FINISHED
from tests.support.backend import Backend
from tests.support.cluster import Cluster, Json, is_over
from tests.support.place import PROJECT

PAUSE = 0.25
SIGN_OF_LIFE = 20
"""Turns between two heartbeats of the runs that go on."""


@dataclass(frozen=True, slots=True)
class Flavour:
    """What is pushed beside the image, how the item must end, how often its Job may be created."""

    name: str
    ends: str = FINISHED
    creations: int = 1
    extra: tuple[tuple[str, Any], ...] = ()
    pod: tuple[tuple[str, Any], ...] = ()


def _flavours(*all_of_them: Flavour) -> dict[str, Flavour]:
    return {one.name: one for one in all_of_them}


BAD_PODS = (("spec", {"restartPolicy": "Never", "containers": [{"name": "Not A Name", "image": "x"}]}),)
FLAVOURS = _flavours(
    Flavour("finish"),
    Flavour("key", extra=(("_wandb_api_key", "0d" * 20),)),
    Flavour("fail", FAILED),
    Flavour("early", FAILED),
    Flavour("stop", FAILED),
    Flavour("preempt", FINISHED, 2),
    Flavour("removed", FAILED),
    Flavour("vanished", FAILED),
    Flavour("overrun", FAILED, extra=(("max_runtime", "2s"),)),
    Flavour("refused", FAILED, 0, pod=BAD_PODS),
)


def flavour_of(token: str) -> str:
    """The name of a token's flavour."""
    return token.partition("-")[0]


def make_pod(flavour: Flavour, token: str) -> Json:
    """The pod template of an item, with its token."""
    return {"metadata": {"annotations": {TOKEN: token}}, **dict(flavour.pod)}


class Player:
    """Does to the Jobs of a namespace what their flavour says: a thread of its own, straight at both servers.

    It also counts, as a witness of its own, tokens that were ever seen with two Jobs at once.
    """

    def __init__(self, backend: Backend, cluster: Cluster, namespace: str) -> None:
        self._backend = backend
        self._cluster = cluster
        self._namespace = namespace
        self._played: set[str] = set()
        self._evicted: set[str] = set()
        self._stopped: dict[str, str] = {}
        self._turns = 0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)
        self.is_held = threading.Event()
        """While it is set, nothing new is played."""
        self.seen_twice: list[str] = []
        self.troubles: Counter[str] = Counter()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._end.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._end.wait(PAUSE):
            try:
                self._turn()
            except (AssertionError, httpx.HTTPError) as error:  # a server that is away: look again
                self.troubles[f"{type(error).__name__}: {str(error)[:120]}"] += 1

    def _turn(self) -> None:
        jobs = self._cluster.jobs(self._namespace)
        self._witness(jobs)
        self._turns += 1
        if self._turns % SIGN_OF_LIFE == 0:
            for run_id in {run_of(job) for job in jobs if not is_over(job)} & set(self._stopped):
                self._backend.start_run(PROJECT, run_id)
        self._bury({run_of(job) for job in jobs})
        if self.is_held.is_set():
            return
        waiting = [job for job in jobs if job["metadata"]["uid"] not in self._played and not is_over(job)]
        pods = self._running_pods() if waiting else {}
        for job in waiting:
            pod = pods.get(job["metadata"]["name"])
            if pod is not None:
                self._act(job, pod)
                self._played.add(job["metadata"]["uid"])

    def _witness(self, jobs: list[Json]) -> None:
        alive = Counter(token_of(job) for job in jobs if not is_over(job))
        self.seen_twice += [f"{token}: {count} live Jobs at once" for token, count in alive.items() if count > 1]

    def _running_pods(self) -> dict[str, str]:
        return {
            pod["metadata"].get("labels", {}).get("job-name", ""): pod["metadata"]["name"]
            for pod in self._cluster.pods(self._namespace)
            if (pod.get("status") or {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
        }

    def _bury(self, alive: set[str]) -> None:
        """The SDK in a pod that is deleted tells the end of its run."""
        for run_id in [one for one in self._stopped if one not in alive]:
            self._backend.end_run(PROJECT, run_id, 255)
            del self._stopped[run_id]

    # ── what happens to a running pod ──

    def _act(self, job: Json, pod: str) -> None:
        acts: dict[str, Callable[[Json, str], None]] = {
            "fail": self._fail,
            "early": self._end_early,
            "stop": self._stop_run,
            "preempt": self._preempt,
            "removed": self._remove_begun,
            "vanished": self._remove,
            "overrun": self._begin,
        }
        acts.get(flavour_of(token_of(job)), self._finish)(job, pod)

    def _finish(self, job: Json, pod: str) -> None:
        self._backend.start_run(PROJECT, run_of(job))
        self._backend.end_run(PROJECT, run_of(job), 0)
        self._cluster.end_pod(self._namespace, pod, 0)

    def _fail(self, job: Json, pod: str) -> None:
        self._backend.start_run(PROJECT, run_of(job))
        self._backend.end_run(PROJECT, run_of(job), 3)
        self._cluster.end_pod(self._namespace, pod, 3)

    def _end_early(self, job: Json, pod: str) -> None:
        self._cluster.end_pod(self._namespace, pod, 3)

    def _begin(self, job: Json, pod: str) -> None:
        self._backend.start_run(PROJECT, run_of(job))
        self._stopped[run_of(job)] = ""

    def _stop_run(self, job: Json, pod: str) -> None:
        self._backend.stop_run(self._backend.start_run(PROJECT, run_of(job)))
        self._stopped[run_of(job)] = ""

    def _preempt(self, job: Json, pod: str) -> None:
        if token_of(job) in self._evicted:
            self._finish(job, pod)
            return
        self._backend.start_run(PROJECT, run_of(job))
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": self._namespace}}
        self._cluster.post(f"/api/v1/namespaces/{self._namespace}/pods/{pod}/eviction", body)
        self._evicted.add(token_of(job))
        self._cluster.end_evicted(self._namespace, pod)

    def _remove_begun(self, job: Json, pod: str) -> None:
        self._begin(job, pod)
        self._remove(job, pod)

    def _remove(self, job: Json, pod: str) -> None:
        """As kubectl does: the pods go, too. Without a policy the API server leaves the pods of a Job alone."""
        path = f"/apis/batch/v1/namespaces/{self._namespace}/jobs/{job['metadata']['name']}"
        self._cluster.delete_path(f"{path}?propagationPolicy=Background")
