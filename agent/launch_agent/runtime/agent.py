"""One agent: put together from its settings; it runs its loops until it is told to leave.

A process has one, or one for each shard that it holds (`crew`).
"""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from launch_agent.adapters.kubernetes.client import Client as KubernetesClient
from launch_agent.adapters.kubernetes.clusters import Clusters
from launch_agent.adapters.wandb import operations
from launch_agent.core import marks, retry, shares
from launch_agent.core.kinds import Kinds
from launch_agent.core.lifecycle import Limits
from launch_agent.core.models import Manifest, Resource
from launch_agent.errors import KubernetesUnavailable, WandbError, WandbUnavailable
from launch_agent.runtime.attendant import Attendant
from launch_agent.runtime.batcher import Batcher
from launch_agent.runtime.clock import make_clock
from launch_agent.runtime.cluster import Watches
from launch_agent.runtime.connections import connect_wandb, find_cluster
from launch_agent.runtime.drains import Drainer, FileBoard, Marks
from launch_agent.runtime.foreigners import Foreigners
from launch_agent.runtime.guard import Alone, Guard, GuardedRunner
from launch_agent.runtime.inbox import Found, Inbox, OwnerReplaced, Stopping
from launch_agent.runtime.intake import Intake
from launch_agent.runtime.judge import Judge
from launch_agent.runtime.lease import LeaseGuard
from launch_agent.runtime.ledger import ConfigMapLedger, DirectoryLedger, Ledger, select_shard
from launch_agent.runtime.loops import Loops
from launch_agent.runtime.metrics import Metrics
from launch_agent.runtime.performer import Performer
from launch_agent.runtime.planning import Planner
from launch_agent.runtime.pool import Pool
from launch_agent.runtime.pull_secrets import PullSecrets, find_credentials
from launch_agent.runtime.queue_configs import QueueConfigs
from launch_agent.runtime.registration import Identity, Registration
from launch_agent.runtime.requeuer import Requeuer
from launch_agent.runtime.tracker import Pace, Tracker
from launch_agent.settings import Settings
from launch_agent.targets.base import Target
from launch_agent.targets.kubernetes import KubernetesTarget
from launch_agent.targets.local_process import LocalProcessTarget

log = logging.getLogger(__name__)

LEAVE_WITHIN = 4.0
"""Seconds for the steps under way when the agent is told to stop. What is not done then is done at the next start."""

SETTLE_WITHIN = 2.5
"""Seconds of these for items between their pop and their workload: else the next agent sees them only when W&B gives
them out again."""

STATUS_INTERVAL = 300.0
VERBOSE_STATUS_INTERVAL = 20.0
"""Seconds between two status lines."""

SILENT_WANDB = 120.0
"""Seconds without a successful poll after which the agent is not ready."""


@dataclass(frozen=True, slots=True)
class Part:
    """The part of an installation that an agent has: a shard (`core.shares`), whose Lease ``guard`` holds.

    ``allow`` says how many more items may be taken beside so many used slots. ``find_mark`` and ``find_owner`` speak of
    the release's Lease, which every shard reads.
    """

    shard: int
    replicas: int
    guard: LeaseGuard
    metrics: Metrics
    allow: Callable[[int], int]
    find_mark: Callable[[], str]
    find_owner: Callable[[], Manifest | None]


class Agent:
    """One agent: its loops and what they share."""

    def __init__(self, settings: Settings, part: Part | None = None) -> None:
        """Without a ``part`` there is no Lease, and nobody else."""
        self._settings = settings
        self._part = part
        self._shard = part.shard if part else 0
        self._clock = make_clock()
        self._metrics = part.metrics if part else Metrics()
        slots = shares.share(settings.max_jobs, part.replicas if part else 1, self._shard)
        self._metrics.slots.set(slots)
        self._loops = Loops(self._metrics)
        self._inbox = Inbox()
        self._is_leaving = threading.Event()
        self._is_following = False
        cluster = find_cluster(settings)
        self._kubernetes = KubernetesClient(cluster, pool_size=settings.launch_concurrency + 2) if cluster else None
        self._clusters = self._find_clusters()
        self._credentials = find_credentials(settings) if self._clusters else None
        self._guard: Guard = part.guard if part else Alone()
        self._metrics.is_leader.set_function(lambda: float(self._guard.is_held))
        self._wandb = connect_wandb(settings)
        self._registration = Registration(self._wandb, make_identity(settings))
        guarded_wandb = GuardedRunner(self._wandb, self._guard, lambda: self._registration.is_accepted)
        self._pool = Pool(settings.launch_concurrency)
        self._batcher = Batcher(guarded_wandb, self._metrics)
        self._planner = Planner(settings, self._registration, self._clusters, self._credentials, shard=self._shard)
        self._watches: Watches | None = None
        self._targets = self._make_targets()
        self._ledger = self._make_ledger()
        self._foreigners = self._find_foreigners()
        self._reason = ""
        self.is_quiet = True
        """Whether nothing was under way any more when it left."""
        self._intake = self._make_intake(guarded_wandb)
        self._tracker = Tracker(
            inbox=self._inbox,
            hands=self._make_hands(guarded_wandb),
            poll=self._poll,
            targets=self._targets,
            limits=Limits(settings.stopped_run_timeout, settings.start_timeout),
            pace=Pace(
                slots,
                settings.poll_interval * (part.replicas if part else 1),  # all together ask no more often than one
                part.allow if part else None,
            ),
            metrics=self._metrics,
            clock=self._clock,
            jitter=random.random,
        )
        self._drainer = self._make_drainer()
        self._attendant = Attendant(
            client=self._wandb,
            registration=self._registration,
            inbox=self._inbox,
            active=lambda: self._tracker.active,
            stop_agent=lambda: self.stop("W&B asked it to stop"),
        )

    # ── parts ──

    def _find_clusters(self) -> Clusters | None:
        if self._kubernetes is None:
            return None
        settings = self._settings
        files = settings.kubeconfig
        return Clusters(self._kubernetes, files=files, pool_size=settings.launch_concurrency + 2)

    def _make_targets(self) -> dict[Resource, Target]:
        settings = self._settings
        processes = LocalProcessTarget(settings.records / "processes", os.environ, self._inbox.put)
        targets: dict[Resource, Target] = {Resource.LOCAL_PROCESS: processes}
        self._processes = processes
        if self._clusters is not None:
            self._watches = Watches(
                self._clusters.client,
                selector=f"{marks.INSTALLATION_LABEL}={settings.installation},{select_shard(self._shard)}",
                post=self._inbox.put,
                loops=self._loops,
                metrics=self._metrics,
                clock=self._clock,
            )
            targets[Resource.KUBERNETES] = KubernetesTarget(
                self._clusters,
                kinds=Kinds(settings.custom_resources),
                watch=self._watches.ensure,
                image_pull_grace=settings.image_pull_grace,
            )
        return targets

    def _find_foreigners(self) -> Foreigners | None:
        """Who looks at the Jobs of W&B's own agent, in the namespaces that the agent is told to launch in."""
        settings = self._settings
        namespaces = settings.target_namespaces or tuple(filter(None, [settings.pod_namespace]))
        if self._kubernetes is None or not settings.adopt_foreign or not namespaces or self._shard:
            return None
        return Foreigners(self._kubernetes, namespaces, self._inbox.put)

    def _make_intake(self, client: GuardedRunner) -> Intake:
        return Intake(
            client=client,
            registration=self._registration,
            inbox=self._inbox,
            planners=dict.fromkeys(self._targets, self._planner.plan),
            secure_mode=self._settings.secure_mode,
            clock=self._clock,
            judge=Judge(
                QueueConfigs(client, self._registration, time.monotonic),
                self._planner.context,
                self._planner.outline,
            ),
            may_take=lambda: self._guard.is_held,
            installation=self._settings.installation,
        )

    def _make_hands(self, client: GuardedRunner) -> Performer:
        return Performer(
            inbox=self._inbox,
            pool=self._pool,
            batcher=self._batcher,
            ledger=self._ledger,
            targets=self._targets,
            replan=self._planner.replan,
            requeue=Requeuer(client, self._ledger.list_all).put_back,
            check_lease=self._guard.check,
            secrets=(self._settings.api_key.reveal(),),
        )

    def _make_ledger(self) -> Ledger:
        settings = self._settings
        if self._kubernetes is not None and settings.pod_namespace:
            owner = self._part.find_owner if self._part else lambda: None
            return ConfigMapLedger(
                self._kubernetes, settings.pod_namespace, settings.installation, owner, shard=self._shard
            )
        return DirectoryLedger(settings.records / "items")

    def _poll(self, slots: int, is_busy: bool) -> None:
        """Ask W&B for items; only say that the agent lives while no record could be written for them."""
        self._intake.poll(0 if self._find_record_trouble() else slots, is_busy)

    def _find_record_trouble(self) -> str:
        return self._ledger.trouble if isinstance(self._ledger, DirectoryLedger) else ""

    def _make_drainer(self) -> Drainer:
        """A pod's agent stays when it is drained: it would only be started again."""
        marks: Marks = ShardMarks(self._part) if self._part else FileBoard(self._settings.records)
        leave = None if self._settings.pod_name else (lambda: self.stop("drained"))
        return Drainer(marks, self._inbox, lambda: self._tracker.drained, leave)

    # ── running ──

    @property
    def metrics(self) -> Metrics:
        """Its figures."""
        return self._metrics

    @property
    def used(self) -> int | None:
        """Used slots; None until the records are read."""
        return self._tracker.used

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to do."""
        return self._tracker.is_empty

    def run(self) -> int:
        """Run until told to stop, then let the Lease go; the exit code. It is held by now.

        While W&B is away, what runs is followed; nothing is told or asked for before W&B knows this agent. Raises
        WandbError for a key or a queue that W&B refuses.
        """
        try:
            insist(self._register, self._is_leaving, away=self._follow)
            if not self._is_leaving.is_set():
                self._follow()
                self._loops.start("intake", self._intake.run)
                self._is_leaving.wait()
        finally:
            self.is_quiet = self._leave()
            self._guard.leave(is_quiet=self.is_quiet)
        self._say_goodbye()
        return 0

    def _register(self) -> None:
        _ = self._registration.agent

    def _follow(self) -> None:
        """Start all loops but the one that takes items, once."""
        if self._is_following:
            return
        self._is_following = True
        self._drainer.turn()  # before the tracker could ask for items
        self._loops.start("drain", self._drainer.run)
        self._loops.start("tracker", self._tracker.run)
        self._loops.start("wandb", self._batcher.run)
        self._loops.start("attendant", self._attendant.run)
        self._loops.start("processes", self._processes.run)
        if self._foreigners is not None:
            self._foreigners.start(self._loops)
        self._loops.start("recovery", self._recover, is_judged=False)
        if isinstance(self._ledger, DirectoryLedger):
            self._loops.start("records", self._ledger.run, is_judged=False)
        self._loops.start("status", self._tell_status, is_judged=False)
        if self._credentials is not None and self._clusters is not None:
            refresher = PullSecrets(self._credentials, self._clusters, lambda: self._tracker.active)
            self._loops.start("pull secrets", refresher.run, is_judged=False)

    def _recover(self, stop: threading.Event, _beat: Callable[[], None]) -> None:
        """Find the records of an earlier start; nothing is popped before that is done."""
        attempt = 0
        while not stop.is_set():
            try:
                records = self._ledger.list()
            except KubernetesUnavailable as error:
                log.warning("the records can not be read yet: %s", error)
                stop.wait(retry.delay(attempt, random.random(), first=1.0))
                attempt += 1
                continue
            if self._foreigners is not None:
                self._foreigners.await_lists(stop)
            unreadable = self._ledger.unreadable
            for text in unreadable:
                log.error("a record is left where it is, and counts as a used slot: %s", text)
            self._inbox.put(Found(tuple(records), len(unreadable)))
            stop.wait()

    def _tell_status(self, stop: threading.Event, _beat: Callable[[], None]) -> None:
        """One line on how things are, each five minutes, or each 20 s for those who ask for more (protocol 2.10)."""
        while not stop.wait(VERBOSE_STATUS_INTERVAL if self._settings.verbosity else STATUS_INTERVAL):
            log.info("%s", self._tracker.summary)

    def stuck(self) -> list[str]:
        """Loops that hang."""
        return [*self._loops.stuck(), *self._guard.stuck()]

    @property
    def note(self) -> str:
        """What a person should know; empty for nothing."""
        return "\n".join(filter(None, [self._guard.note, self._drainer.note, self._tracker.note]))

    def troubles(self) -> list[str]:
        """Why it is not ready."""
        troubles = [*self.stuck(), *self._guard.troubles()]
        if not self._registration.is_done:
            troubles.append("not registered with W&B yet")
        elif self._clock() - self._intake.last_success > SILENT_WANDB and self._tracker.wants_items:
            troubles.append("W&B has not answered a poll for two minutes")
        if trouble := self._find_record_trouble():
            troubles.append(f"no items are taken: {trouble}")
        count, age = self._batcher.kept
        if age > SILENT_WANDB:
            troubles.append(f"{count} reports wait for W&B, the oldest for {age:.0f} s")
        if self._watches is not None:
            troubles += self._watches.stale()
        return troubles

    # ── leaving ──

    def stop(self, reason: str) -> None:
        """Take no more items and leave."""
        self._reason = self._reason or reason
        self._inbox.put(Stopping())
        self._is_leaving.set()

    def keep_records(self) -> None:
        """What owns the records was made anew: write them again."""
        self._inbox.put(OwnerReplaced())

    def _leave(self) -> bool:
        """Finish the steps under way; whether nothing is under way any more.

        Workloads run on; the next start, or who takes over, adopts them.
        """
        log.info("leaving: %s; running workloads go on and are adopted at the next start", self._reason or "stopped")
        deadline = time.monotonic() + LEAVE_WITHIN
        if self._registration.is_done and self._guard.is_held:
            self._tracker.is_settled.wait(SETTLE_WITHIN)
        self._loops.stop.set()
        if self._watches is not None:
            self._watches.interrupt()
        if self._foreigners is not None:
            self._foreigners.interrupt()
        self._pool.close()
        is_quiet = self._loops.join(deadline - time.monotonic())
        return self._pool.join(deadline - time.monotonic()) and is_quiet

    def _say_goodbye(self) -> None:
        """Tell W&B, last of all: who takes over need not wait for a W&B that is slow."""
        if not self._registration.is_done:
            return
        try:
            self._wandb.ask(operations.update_agent(self._registration.agent.id, "KILLED"))
        except WandbError as error:
            log.warning("W&B could not be told: %s", error)


def make_identity(settings: Settings) -> Identity:
    """What this process tells W&B of itself."""
    return Identity(settings.entity, settings.queues, socket.gethostname(), settings.agent_config, settings.version)


class ShardMarks:
    """The mark of a drain is on the release's Lease, the answer on the shard's own."""

    def __init__(self, part: Part) -> None:
        self._part = part

    @property
    def mark(self) -> str:
        """The release's."""
        return self._part.find_mark()

    def answer(self, text: str) -> bool:
        """The shard's."""
        return self._part.guard.answer(text)


def insist(call: Callable[[], None], leaving: threading.Event, *, away: Callable[[], None] = lambda: None) -> None:
    """W&B may be away at start: it is waited for, and ``away`` is called each time that it does not answer.

    A wrong key or queue ends the agent, with the reason.
    """
    attempt = 0
    while not leaving.is_set():
        try:
            call()
        except WandbUnavailable as error:
            wait = retry.delay(attempt, random.random(), first=1.0)
            log.warning("W&B does not answer; next attempt in %.0f s: %s", wait, error)
            away()
            attempt += 1
            leaving.wait(wait)
        else:
            return
