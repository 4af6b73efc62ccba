"""One arena of the crash suite: servers, faults before both of them, an agent that is killed, items, the audit."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.agents import CLOCK_SPEED, Agent
from tests.support.audit_log import TOKEN, JobEvent, read_audit_log
from tests.support.auditor import FAILED, Item, Pushed, Verdict, audit, find_open, read_items
from tests.support.backend import Backend
from tests.support.cluster import Cluster, is_over
from tests.support.faults import Faults, Hold, Proxy, faulty_proxy
from tests.support.kill_items import FLAVOURS, Player, make_pod
from tests.support.place import IMAGE, RECORDS, Place
from tests.support.servers import Server, start_server
from tests.support.waiting import wait_until

Rules = Sequence[Mapping[str, Any]]
NOTHING: Mapping[str, Any] = {"rules": []}
LEASE_SECONDS = 3
MAX_JOBS = 40
SLOT_PATIENCE = 90
"""Seconds for items to fill all slots: on a busy machine that takes long, and a slot that is stuck is so for ever."""

LEASE = "launch-agent-rel"


@dataclass(slots=True)
class Arena:
    """All that a crash test needs. The agent meets both servers only through ``wandb`` and ``kube``."""

    folder: Path
    server: Server
    wandb: Proxy
    kube: Proxy
    cluster: Cluster
    place: Place
    player: Player
    pushed: list[Pushed] = field(default_factory=list)
    kills: int = 0
    late: list[tuple[Faults, Hold]] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    speed: int = 1
    """How many times as fast the agent's clock runs."""
    slots: int = MAX_JOBS
    """The agent's ``max_jobs``."""
    image: str = IMAGE
    fields: list[str] = field(default_factory=list)
    """Further namespaces that items go to; nobody plays there."""

    @property
    def namespaces(self) -> list[str]:
        """All in which Jobs may be."""
        return [self.place.name, *self.fields]

    @property
    def agent(self) -> Agent:
        """The only one."""
        return self.place.agents[0]

    def side(self, peer: str) -> Faults:
        """The faults before a peer: ``wandb`` or ``kube``."""
        return self.wandb.faults if peer == "wandb" else self.kube.faults

    # ── items ──

    def push(self, *flavours: str) -> list[Pushed]:
        """Push an item of each flavour."""
        made = []
        for name in flavours:
            flavour = FLAVOURS[name]
            token = f"{name}-{next(self.numbers)}"
            self.place.push(pod=make_pod(flavour, token), docker={"docker_image": self.image}, **dict(flavour.extra))
            may_repeat = name == "vanished"
            made.append(
                Pushed(token, flavour.ends, flavour.creations, may_fail=name == "preempt", may_repeat=may_repeat)
            )
        self.pushed += made
        return made

    def items(self) -> list[Item]:
        """The items as the queue server has them."""
        return read_items(self.folder / "server" / "queue.db")

    def push_afield(self) -> None:
        """An item for each further namespace, whose pod ends by itself without a run."""
        ends = {"sim.launch-agent/exit-code": "3", "sim.launch-agent/after": "8s"}
        for name in self.fields:
            token = f"afield-{next(self.numbers)}"
            job = {"spec": {"template": {"metadata": {"annotations": {TOKEN: token, **ends}}}}}
            arguments = {"kubernetes": {"metadata": {"namespace": name}, **job}}
            self.place.push(docker={"docker_image": self.image}, resource_args=arguments)
            self.pushed.append(Pushed(token, FAILED))

    # ── the agent ──

    def launch(self) -> None:
        """Start the agent; the first time, or after it was killed."""
        if self.place.agents:
            self.agent.restart()
            return
        environ = {
            "WANDB_BASE_URL": self.wandb.url,
            "KUBECONFIG": str(self.kube.kubeconfig),
            "LAUNCH_AGENT_LEASE": LEASE,
            "POD_NAME": "agent-0",
            **({CLOCK_SPEED: str(self.speed)} if self.speed != 1 else {}),
        }
        settings = {"max_jobs": self.slots, "stopped_run_timeout": 0, "poll_interval": 0.2 * self.speed}
        self.place.start(ready=False, environ=environ, **settings)

    def kill(self) -> None:
        """SIGKILL."""
        self.agent.program.kill()
        assert self.agent.program.exit_code == -9, self.agent.log[-2000:]
        self.kills += 1

    def script(self, peer: str, rules: Rules, other: Rules = ()) -> None:
        """Put rules before one peer, and others before the other."""
        self.side(peer).replace({"seed": 7, "rules": list(rules)})
        self.side("kube" if peer == "wandb" else "wandb").replace({"seed": 7, "rules": list(other)})

    def calm(self) -> None:
        """No faults any more; all that is held goes on."""
        for faults in (self.wandb.faults, self.kube.faults):
            faults.replace(NOTHING)
            faults.release_all()
        self.late.clear()

    def release_late(self) -> None:
        """Let requests of dead agents arrive, now that the next one is at work."""
        for faults, hold in self.late:
            with suppress(AssertionError):
                faults.release(hold, "continue")
        self.late.clear()

    def kill_at(self, hold: Mapping[str, Any], peer: str, *, is_late: bool = False, timeout: float = 30.0) -> str:
        """Launch, kill when the rule ``hold`` of the scripts holds a request; what was held, "" if it never came."""
        faults = self.side(peer)
        self.launch()
        try:
            held = faults.wait_for_hold(timeout, rule=hold["name"])
        except pytest.fail.Exception:
            self.agent.program.kill()
            return ""
        finally:
            self.release_late()
        self.kill()
        if is_late:
            self.late.append((faults, held))
        else:
            faults.release(held, "drop")
        return held.operation

    # ── the end ──

    def settle(self, timeout: float = 300.0) -> None:
        """No faults, an agent that runs: wait until every item is over and the agent holds none."""
        self.calm()
        if not self.place.agents or self.agent.program.exit_code is not None:
            self.launch()
        self.agent.wait_until_ready(120)
        self.wait_until_over(timeout)

    def wait_until_over(self, timeout: float = 300.0) -> None:
        """Wait until every item is over and the agent holds none."""
        wait_until(
            lambda: find_open(self.items()) or self.player.troubles,
            timeout, "all items to be over", until=lambda left: not isinstance(left, list), interval=0.5,
        )  # fmt: skip
        wait_until(self.held, 180, "the agent to hold no items", until=lambda count: count == 0, interval=0.5)

    def held(self) -> float:
        """How many items the agent says that it holds."""
        with suppress(httpx.HTTPError):
            return sum(float(one) for one in re.findall(r"^launch_agent_items\{.*\} (\S+)", self._metrics(), re.M))
        return -1

    def _metrics(self) -> str:
        return self.agent.get("/metrics").text

    def try_slots(self) -> list[str]:
        """Push as many items as there are slots: all have to run at once."""
        self.player.is_held.set()
        before = {job["metadata"]["uid"] for job in self.cluster.jobs(self.place.name)}
        self.push(*["finish"] * self.slots)

        def count() -> int:
            jobs = self.cluster.jobs(self.place.name)
            return sum(1 for job in jobs if job["metadata"]["uid"] not in before and not is_over(job))

        what = f"{self.slots} Jobs at once"
        try:
            wait_until(count, SLOT_PATIENCE, what, until=lambda found: found == self.slots, interval=0.5)
        except pytest.fail.Exception:
            return [f"{count()} of {self.slots} slots take items"]
        finally:
            self.player.is_held.clear()
        return []

    def leftovers(self) -> list[str]:
        """What nobody needs any more: records, items' Secrets, finished Jobs whose time to live is held back."""
        records = self.cluster.find("ConfigMap", self.place.name, RECORDS)
        found = [f"record {one['metadata']['name']}" for one in records]
        return found + [line for name in self.namespaces for line in self._leftovers_in(name)]

    def _leftovers_in(self, name: str) -> list[str]:
        # A Job that is swept takes the Secrets that it owns with it.
        found = [
            f"Secret {one['metadata']['name']} that no Job owns"
            for one in self.cluster.find("Secret", name)
            if one["metadata"]["name"] != "wandb-api-key-rel" and not one["metadata"].get("ownerReferences")
        ]
        jobs = self.cluster.find("Job", name)
        found += [
            f"Job {job['metadata']['name']} is held back"
            for job in jobs
            if is_over(job) and "ttlSecondsAfterFinished" not in job["spec"]
        ]
        found += [f"Job {job['metadata']['name']} runs on" for job in jobs if not is_over(job)]
        owners = {job["metadata"]["name"] for job in jobs}
        return found + [
            f"Pod {pod['metadata']['name']} runs on without its Job"
            for pod in self.cluster.pods(name)
            if (pod.get("status") or {}).get("phase") in {"Pending", "Running"}
            and (pod["metadata"].get("labels") or {}).get("job-name", "") not in owners
        ]

    def remains(self, patience: float = 20.0) -> list[str]:
        """What is left over after the cluster had time to sweep."""
        with suppress(pytest.fail.Exception):
            wait_until(self.leftovers, patience, "nothing to be left", until=lambda found: not found, interval=1.0)
        return self.leftovers()

    def events(self) -> list[JobEvent]:
        """What happened to Jobs, from the API server's audit log."""
        log = Path(os.environ["LAUNCH_AGENT_CLUSTER_AUDIT_LOG"])
        return [event for name in self.namespaces for event in read_audit_log(log, name)]

    def judge(self) -> Verdict:
        """Settle, try the slots, and let the auditor count."""
        self.settle()
        stuck = self.try_slots()
        self.settle()
        return audit(self.pushed, self.items(), self.events(), stuck=stuck, leftovers=self.remains())


@contextmanager
def open_arena(
    folder: Path, *flags: str, lease: int = LEASE_SECONDS, connect: Callable[[Path], Cluster] = Cluster
) -> Iterator[Arena]:
    """A queue server (``flags``: more of its own), a proxy before it and one before the API server, a namespace with a
    player in it, who reaches the cluster through ``connect``."""
    with ExitStack() as stack:
        server = start_server(folder / "server", "--lease-seconds", str(lease), *flags)
        stack.callback(server.stop)
        cluster, players = connect(folder), connect(folder / "server")
        stack.callback(cluster.close)
        stack.callback(players.close)
        backend = Backend(server.url, server.key, server.backend.entity)
        stack.callback(backend.close)
        place = Place(server, cluster, folder)
        stack.callback(place.close)
        wandb = stack.enter_context(closed(faulty_proxy(folder / "wandb", NOTHING, upstream=server.url)))
        config = Path(os.environ["KUBECONFIG"])
        kube = stack.enter_context(closed(faulty_proxy(folder / "kube", NOTHING, kubeconfig=config)))
        player = Player(backend, players, place.name)
        player.start()
        stack.callback(player.stop)
        yield Arena(folder, server, wandb, kube, cluster, place, player)


@contextmanager
def closed(opened: AbstractContextManager[Proxy]) -> Iterator[Proxy]:
    """A proxy whose control connection is closed also when the test fails."""
    with opened as proxy:
        try:
            yield proxy
        finally:
            proxy.faults.close()
