"""Adoption: how long until a new agent knows the state of all Jobs that an earlier one left, and its memory then.

Next to it the raw limit: how long it takes to list the same records, Jobs and pods with the standard library's JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from bench import burst, world
from launch_agent.adapters.kubernetes.client import Client, add_query
from launch_agent.core import manifest
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import KeySecret, Manifest, ObjectRef, QueueItem, Record, Resource, Step
from launch_agent.runtime.ledger import ConfigMapLedger
from launch_agent.settings.loading import name_installation

COUNTS = (1_000, 10_000)
RUNS = 3
WRITERS = 8
STEADY = 10.0
"""Seconds after the adoption at whose end the steady memory is read."""

LIMIT = 120.0
GLANCE = 0.1
"""Seconds between two looks at the agent's figures. It counts its items twice a second; each look is work for it."""

LISTED = (("v1", "ConfigMap"), ("batch/v1", "Job"), ("v1", "Pod"))
PAGE = 500
COUNTED = "configmaps|jobs|pods|events"
REQUESTS = re.compile(rf'^apiserver_request_total{{(?=.*resource="(?:{COUNTED})")(?!.*verb="WATCH").*}} (\S+)$', re.M)
RUNNING = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}


@dataclass(slots=True)
class Adoption:
    """Seconds from the process's start; resident memory in MB; requests of the API server, watches excluded.

    ``raw_seconds`` is the mean of the raw limit just before and just after; ``load`` that of the machine then.
    """

    who: str
    items: int
    seconds: float
    peak_mb: float
    steady_mb: float
    requests: int
    cpu_seconds: float
    raw_seconds: float
    load: float

    def row(self) -> str:
        return (
            f"{self.who:<14} {self.items:>6} running items known after {self.seconds:5.1f} s   RSS peak "
            f"{self.peak_mb:4.0f} MB, {STEADY:g} s later {self.steady_mb:4.0f} MB   {self.requests} API requests   "
            f"{self.cpu_seconds:.1f} s CPU   raw {self.raw_seconds:.1f} s ({self.seconds / self.raw_seconds:.2f}x)   "
            f"load {self.load:.1f}"
        )


class Estate:
    """What an earlier agent left in one namespace: of each item its record, its Job, and a running pod."""

    def __init__(self, client: Client, where: str) -> None:
        self._client = client
        self._where = where
        installation = name_installation("bench", where, "")
        self._ledger = ConfigMapLedger(client, where, installation)
        self._context = LaunchContext(
            "http://127.0.0.1", "local", "agent", installation, where, key_secret=KeySecret("wandb-api-key-bench")
        )
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": where}}
        client.create(account)  # pods need it, and there is no controller that makes it
        self.count = 0

    def grow(self, count: int) -> None:
        """Add items until there are so many."""
        with ThreadPoolExecutor(WRITERS) as pool:
            list(pool.map(self._add, range(self.count, count)))
        self.count = count

    def _add(self, number: int) -> None:
        item = QueueItem(f"adopted-{number}", "bench", _make_spec(self._where, number))
        run_id = f"run{number:05d}"
        job = manifest.plan(item, specs.parse(item.run_spec), run_id, self._context, api_key="k" * 40).workload
        made = self._client.create(job)["metadata"]
        now = time.time()
        self._ledger.create(
            Record(
                item.id, "bench", "local", run_id, "local", "bench", Resource.KUBERNETES, item.run_spec,
                step=Step.CREATED, object=ObjectRef("batch/v1", "Job", self._where, made["name"], made["uid"]),
                claimed_at=now, created_at=now,
            )
        )  # fmt: skip
        self._client.create(_make_pod(job, made, self._where))
        self._client.patch("v1", "Pod", self._where, f"{made['name']}-x/status", RUNNING)


def _make_spec(where: str, number: int) -> dict[str, Any]:
    """An item of usual size: some 2 kB as JSON."""
    spec = burst.item_spec(where)
    spec["overrides"]["run_config"] = {f"parameter_{n}": number * n / 7 for n in range(60)}
    del spec["resource_args"]["kubernetes"]["spec"]["suspend"]
    return spec


def _make_pod(job: Manifest, made: Manifest, where: str) -> dict[str, Any]:
    template = job["spec"]["template"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": made["name"], "uid": made["uid"], "controller": True}
    metadata = {**template["metadata"], "name": f"{made['name']}-x", "namespace": where, "ownerReferences": [owner]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {**template["spec"], "nodeName": "none"}}


def measure(who: str, source: Path | None, estate: Estate, folder: Path, client: Client, where: str) -> Adoption:
    """Start an agent beside the estate, and wait until it knows all as running. ``source``: its code, if not this."""
    raw = measure_raw(client, where)
    with world.server(folder) as server:
        command, environment = world.ours(server, where)
        address = f"127.0.0.1:{world.free_port()}"
        environment |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "LAUNCH_AGENT_HEALTH_ADDRESS": address}
        if source is not None:
            environment["PYTHONPATH"] = str(source)
        before, began = _count_requests(client), time.monotonic()
        with world.agent(command, environment, folder / "agent.log") as process:
            _wait_until_running(address, estate.count, f"the state of all items ({folder}/agent.log)")
            seconds, cpu = time.monotonic() - began, world.usage(process)[0]
            threading.Event().wait(STEADY)
            peak, steady = _read_peak(process.pid), world.usage(process)[1]
            requests = _count_requests(client) - before
    raw = (raw + measure_raw(client, where)) / 2
    return Adoption(who, estate.count, seconds, peak, steady, requests, cpu, raw, os.getloadavg()[0])


def measure_raw(client: Client, where: str) -> float:
    """Seconds to list all records, Jobs and pods: one page after another on one thread, each decoded and dropped."""
    began = time.monotonic()
    for api_version, kind in LISTED:
        path, token = client.path(api_version, kind, where), ""
        while True:
            page = add_query(path, {"limit": PAGE, "continue": token})
            token = json.loads(client.stream(page, read_timeout=60.0).data)["metadata"].get("continue") or ""
            if not token:
                break
    return time.monotonic() - began


def _wait_until_running(address: str, count: int, what: str) -> None:
    pause, deadline = threading.Event(), time.monotonic() + LIMIT
    while _count_running(address) != count:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {LIMIT:g} s")
        pause.wait(GLANCE)


def _count_running(address: str) -> int:
    """What the agent's own figures say; they are counted twice a second."""
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        text = urllib3.PoolManager(retries=False, timeout=5.0).request("GET", f"http://{address}/metrics").data.decode()
        found = re.search(r'^launch_agent_items{state="running"} (\S+)$', text, re.M)
        return int(float(found[1])) if found else 0
    return 0


def _count_requests(client: Client) -> int:
    text = client.stream("/metrics", read_timeout=30.0).data.decode()
    return sum(int(float(number)) for number in REQUESTS.findall(text))


def _read_peak(pid: int) -> float:
    """The most that was ever resident, in MB."""
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.M)
    assert found is not None, "Linux tells the peak of a process"
    return int(found[1]) * 1024 / 1e6
