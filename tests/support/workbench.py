"""The agent without W&B: its real tracker, performer, watches and Kubernetes target; plans are given by hand."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from launch_agent.adapters.kubernetes import kubeconfig
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.adapters.kubernetes.clusters import Clusters
from launch_agent.adapters.wandb.operation import Operation
from launch_agent.core import names
from launch_agent.core.events import StopSeen
from launch_agent.core.kinds import Kind, Kinds
from launch_agent.core.lifecycle import Limits, Tracked
from launch_agent.core.marks import INSTALLATION_LABEL, ITEM_ANNOTATION, ITEM_LABEL
from launch_agent.core.models import Plan, Record, Resource
from launch_agent.errors import RefusedError
from launch_agent.runtime.batcher import Done
from launch_agent.runtime.cluster import Watches
from launch_agent.runtime.inbox import Claim, Found, Happened, Inbox, Polled
from launch_agent.runtime.ledger import DirectoryLedger
from launch_agent.runtime.loops import Loops
from launch_agent.runtime.metrics import Metrics
from launch_agent.runtime.performer import Performer
from launch_agent.runtime.pool import Pool
from launch_agent.runtime.tracker import Pace, Tracker
from launch_agent.targets.kubernetes import KubernetesTarget
from tests.support.records import make_record
from tests.support.waiting import wait_until

Json = dict[str, Any]


@dataclass(slots=True)
class Told:
    """What W&B was told of an item."""

    is_acked: bool = False
    failure: str = ""
    warnings: list[str] = field(default_factory=list)


class Wandb:
    """Takes every operation; all runs are in ``run_state``."""

    def __init__(self) -> None:
        self.run_state: str | None = "finished"
        self.items: dict[str, Told] = {}

    def submit(
        self, operation: Operation, done: Done, /, *, is_kept: bool = False, put_off: Callable[[], None] | None = None
    ) -> None:
        """Answer at once, on the caller's thread."""
        values = {one.name: one.value for one in (*operation.arguments, *operation.inner)}
        told = self.items.setdefault(str(values.get("runQueueItemId")), Told())
        match operation.name:
            case "ackRunQueueItem":
                told.is_acked = True
                done({"success": True}, None)
            case "failRunQueueItem":
                told.failure = str(values["message"])
                done({"success": True}, None)
            case "updateRunQueueItemWarning":
                told.warnings.append(str(values["message"]))
                done({"success": True}, None)
            case _:
                done({"run": {"state": self.run_state}} if self.run_state else None, None)


class Workbench:
    """One agent's inside in one namespace."""

    def __init__(
        self, folder: Path, namespace: str, *, kinds: tuple[Kind, ...] = (), kubeconfig_path: Path | None = None
    ) -> None:
        path = kubeconfig_path or Path(os.environ["KUBECONFIG"].split(os.pathsep)[0])
        client = Client(kubeconfig.load([path], None))
        self.namespace = namespace
        self.installation = f"bench-{namespace}"
        self.wandb = Wandb()
        self._metrics = Metrics()
        self._loops = Loops(self._metrics)
        self._pool = Pool(4)
        self._inbox = Inbox()
        clusters = Clusters(client)
        self._watches = Watches(
            clusters.client,
            selector=f"launch-agent/installation={self.installation}",
            post=self._inbox.put,
            loops=self._loops,
            metrics=self._metrics,
        )
        target = KubernetesTarget(clusters, watch=self._watches.ensure, image_pull_grace=5.0, kinds=Kinds(kinds))
        ledger = DirectoryLedger(folder / "records")
        performer = Performer(
            inbox=self._inbox,
            pool=self._pool,
            batcher=self.wandb,
            ledger=ledger,
            targets={Resource.KUBERNETES: target},
            replan=_refuse,
            requeue=_refuse,
        )
        self.tracker = Tracker(
            inbox=self._inbox,
            hands=performer,
            poll=lambda _slots, _busy: None,
            targets={Resource.KUBERNETES: target},
            limits=Limits(stopped_run_timeout=0.5),
            pace=Pace(-1, 1.0),
            metrics=self._metrics,
            clock=time.time,
            jitter=random.random,
        )
        self._inbox.put(Found(tuple(ledger.list())))
        self._loops.start("tracker", self.tracker.run)

    def close(self) -> None:
        """End all threads."""
        self._loops.stop.set()
        self._watches.interrupt()
        self._pool.close()
        self._loops.join(10)

    # ── items ──

    def mark(self, body: Json, item_id: str, *, is_service: bool = False) -> Json:
        """The object with the labels that a plan gives it, in the namespace."""
        labels = {INSTALLATION_LABEL: self.installation, ITEM_LABEL: names.item_label(item_id)}
        if is_service:
            labels = {**labels, "wandb.ai/auxiliary-resource": f"aux-{item_id}"}
        metadata = {"namespace": self.namespace, **body["metadata"]}
        metadata["labels"] = {**metadata.get("labels", {}), **labels}
        metadata["annotations"] = {**metadata.get("annotations", {}), ITEM_ANNOTATION: item_id}
        return {**body, "metadata": metadata}

    def launch(self, item_id: str, workload: Json, *services: Json, **plan: Any) -> None:
        """Let the agent take an item with this plan."""
        made = Plan(
            self.mark(workload, item_id),
            services=tuple(self.mark(body, item_id, is_service=True) for body in services),
            **plan,
        )
        record = self._record(item_id, made)
        self._inbox.put(Polled((Claim(record, plan=made),)))

    def _record(self, item_id: str, plan: Plan) -> Record:
        return make_record(
            item_id,
            run_id=f"run-{item_id}",
            claimed_at=time.time(),
            release_after=plan.release_after,
            max_runtime=plan.own_deadline,
            is_endless=plan.is_endless,
        )

    def stop(self, item_id: str) -> None:
        """Somebody asks the run to stop."""
        self._inbox.put(Happened(item_id, StopSeen()))

    def told(self, item_id: str) -> Told:
        """What W&B was told of it."""
        return self.wandb.items.setdefault(item_id, Told())

    def tracked(self, item_id: str) -> Tracked | None:
        """The item as the tracker knows it; None when it is written off."""
        return self.tracker._items.get(item_id)

    def state(self, item_id: str) -> str:
        """The state of its workload, ``gone`` when it is written off."""
        tracked = self.tracked(item_id)
        if tracked is None:
            return "gone"
        return tracked.observation.state.value if tracked.observation else "nothing seen"

    def wait_for_state(self, item_id: str, state: str, timeout: float = 20.0) -> None:
        """Wait until its workload is in this state."""
        wait_until(lambda: self.state(item_id), timeout, f"{item_id} to be {state}", until=lambda seen: seen == state)

    def wait_for_failure(self, item_id: str, timeout: float = 20.0) -> str:
        """Wait until it has failed and is written off; what W&B was told."""
        text = wait_until(lambda: self.told(item_id).failure, timeout, f"{item_id} to fail")
        self.wait_for_state(item_id, "gone")
        return text

    def wait_for_warning(self, item_id: str, words: str, timeout: float = 20.0) -> str:
        """Wait until W&B was told of something with these words in it."""
        return wait_until(
            lambda: next((text for text in self.told(item_id).warnings if words in text), ""),
            timeout,
            f"a warning with {words!r} among {self.told(item_id).warnings}",
        )


def _refuse(_record: Record, **_: bool) -> NoReturn:
    raise RefusedError("plans are not kept on this bench")
