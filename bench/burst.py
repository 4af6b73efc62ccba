"""A burst: 300 items are waiting, how fast are they Jobs? Next to the raw rate of as many writes in the same run."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import world
from launch_agent.adapters.kubernetes import access
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.adapters.kubernetes.watch import Watch
from launch_agent.core import ledger_format, manifest
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import KeySecret, QueueItem, Record, Resource

ITEMS = 300
WARM_UP = 100
"""Items before the burst: every cache of agent and server is then as in daily work."""

RAW_THREADS = (1, 4, 8)


@dataclass(slots=True)
class Burst:
    """One burst: items a second from the first pop to the last Job, and processor milliseconds for each."""

    who: str
    latency_ms: int
    rate: float
    cpu_ms: float

    def row(self) -> str:
        return f"{self.who:<28} {self.latency_ms:>4} ms  {self.rate:>7.1f} items/s   {self.cpu_ms:>6.1f} ms CPU/item"


class Counter:
    """Counts Jobs as the API server makes them, and remembers when the last came."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.last = 0.0
        self.is_synced = threading.Event()

    def synced(self, _key: object, objects: list[dict[str, Any]]) -> None:
        for body in objects:
            self._note(body)
        self.is_synced.set()

    def changed(self, _key: object, change: str, body: dict[str, Any]) -> None:
        if change == "ADDED":
            self._note(body)

    def _note(self, body: dict[str, Any]) -> None:
        name = body["metadata"]["name"]
        if name not in self.names:
            self.names.add(name)
            self.last = time.monotonic()


def connect() -> Client:
    found = access.from_kubeconfig()
    assert found is not None, "bench runs inside a cluster: make bench"
    return Client(found, timeout=60.0)


@contextlib.contextmanager
def namespace(client: Client) -> Iterator[str]:
    """A namespace of its own, with a quota of no pods: only Jobs are measured, as for W&B's agent."""
    name = f"bench-{secrets.token_hex(4)}"
    client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    try:
        yield name
    finally:
        client.delete("v1", "Namespace", "", name)


def item_spec(where: str) -> dict[str, Any]:
    """A plain item; its Job is suspended, so that no pods compete for the processors."""
    return {
        "entity": "local",
        "project": "bench",
        "resource": "kubernetes",
        "docker": {"docker_image": "registry.example/train:1"},
        "overrides": {"args": ["--epochs", "3"], "run_config": {"lr": 0.001, "layers": [64, 64]}},
        "resource_args": {"kubernetes": {"metadata": {"namespace": where}, "spec": {"suspend": True}}},
    }


def measure(who: str, latency_ms: int, folder: Path, client: Client) -> Burst:
    """One burst by one agent (``launch-agent`` or W&B's), after a warm-up."""
    with (
        namespace(client) as where,
        world.server(folder, latency_ms=latency_ms) as server,
        counting(client, where) as seen,
    ):
        command, environment = world.ours(server, where) if who == "launch-agent" else world.theirs(server)
        log = folder / "agent.log"
        server.push([item_spec(where)] * WARM_UP)
        with world.agent(command, environment, log) as process:
            world.wait_until(lambda: len(seen.names) >= WARM_UP, 120, f"the warm-up of {who} ({log})")
            waiting = server.count("PENDING", "LEASED")
            assert waiting == 0, f"{waiting} items of the warm-up were not taken"
            server.push([item_spec(where)] * ITEMS)
            world.wait_until(lambda: server.count("PENDING") < ITEMS, 60, f"the first pop of {who} ({log})")
            began, (cpu, _) = time.monotonic(), world.usage(process)
            every = WARM_UP + ITEMS
            world.wait_until(lambda: len(seen.names) >= every, 240, f"the last of {ITEMS} Jobs of {who} ({log})")
            spent = world.usage(process)[0] - cpu
        return Burst(who, latency_ms, ITEMS / (seen.last - began), spent * 1000 / ITEMS)


@contextlib.contextmanager
def counting(client: Client, where: str) -> Iterator[Counter]:
    """Jobs of a namespace, counted while they come."""
    counter, stop = Counter(), threading.Event()
    watch = Watch(client, "batch/v1", "Job", where)
    thread = threading.Thread(target=watch.run, args=(counter, stop), daemon=True)
    thread.start()
    try:
        counter.is_synced.wait(10)
        yield counter
    finally:
        stop.set()
        watch.interrupt()
        thread.join(5)


def measure_raw(client: Client, threads: int, writes: int) -> float:
    """Items a second of nothing but their writes: 1 the Job, 2 record and Job, 3 record, Job, the record's patch."""
    with namespace(client) as where:
        bodies = [_bodies(where, number) for number in range(ITEMS)]

        def write(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
            record, job = pair
            if writes > 1:
                client.create(record)
            client.create(job)
            if writes > 2:
                patch = {"data": {"record.json": record["data"]["record.json"] + " "}}
                client.patch("v1", "ConfigMap", where, record["metadata"]["name"], patch)

        client.create({**bodies[0][0], "metadata": {"name": "warm", "namespace": where}})
        began = time.monotonic()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(write, bodies))
        return ITEMS / (time.monotonic() - began)


def _bodies(where: str, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    item = QueueItem(f"raw-{number}", "bench", item_spec(where))
    spec = specs.parse(item.run_spec)
    context = LaunchContext("http://127.0.0.1", "local", "agent", "raw", key_secret=KeySecret("wandb-api-key-raw"))
    job = manifest.plan(item, spec, "abcd1234", context, api_key="k" * 40).workload
    record = Record(item.id, "bench", "local", "abcd1234", "local", "bench", Resource.KUBERNETES, item.run_spec)
    head, packed = ledger_format.encode(record)
    body = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": item.id, "namespace": where},
        "data": {"record.json": head},
        "binaryData": {"run-spec": packed},
    }
    return body, dict(job)
