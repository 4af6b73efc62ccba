"""Puts an agent together from its settings, runs its loops, and ends them on a signal."""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Callable

from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.adapters.kubernetes.client import Client as KubernetesClient
from launch_agent.adapters.kubernetes.clusters import Clusters
from launch_agent.adapters.wandb import operations
from launch_agent.core import retry
from launch_agent.core.kinds import Kinds
from launch_agent.core.lifecycle import Limits
from launch_agent.core.models import Resource
from launch_agent.errors import KubernetesUnavailable, WandbError, WandbUnavailable
from launch_agent.runtime.attendant import Attendant
from launch_agent.runtime.batcher import Batcher
from launch_agent.runtime.cluster import Watches
from launch_agent.runtime.connections import connect_lease, connect_wandb, find_cluster
from launch_agent.runtime.guard import Guard, GuardedRunner
from launch_agent.runtime.health import HealthServer
from launch_agent.runtime.inbox import Found, Inbox, OwnerReplaced, Stopping
from launch_agent.runtime.intake import Intake
from launch_agent.runtime.judge import Judge
from launch_agent.runtime.lease import LOST
from launch_agent.runtime.ledger import ConfigMapLedger, DirectoryLedger, Ledger
from launch_agent.runtime.loops import Loops
from launch_agent.runtime.metrics import Metrics
from launch_agent.runtime.performer import Performer
from launch_agent.runtime.planning import Planner
from launch_agent.runtime.pool import Pool
from launch_agent.runtime.pull_secrets import PullSecrets, find_credentials
from launch_agent.runtime.queue_configs import QueueConfigs
from launch_agent.runtime.registration import Identity, Registration
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


class Agent:
    """One agent: its loops and what they share."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._metrics = Metrics()
        self._metrics.slots.set(settings.max_jobs)
        self._loops = Loops(self._metrics)
        self._inbox = Inbox()
        self._is_leaving = threading.Event()
        self._is_awake = threading.Event()
        cluster = find_cluster(settings)
        self._kubernetes = KubernetesClient(cluster, pool_size=settings.launch_concurrency + 2) if cluster else None
        self._clusters = self._find_clusters()
        self._credentials = find_credentials(settings) if self._clusters else None
        self._guard = self._find_guard(cluster)
        self._metrics.is_leader.set_function(lambda: float(self._guard.is_held))
        self._wandb = connect_wandb(settings)
        guarded_wandb = GuardedRunner(self._wandb, self._guard)
        self._registration = Registration(self._wandb, _identity(settings))
        self._pool = Pool(settings.launch_concurrency)
        self._batcher = Batcher(guarded_wandb, self._metrics)
        self._planner = Planner(settings, self._registration, self._clusters, self._credentials)
        self._watches: Watches | None = None
        self._targets = self._make_targets()
        self._ledger = self._make_ledger()
        self._reason = ""
        self._exit_code = 0
        self._is_checked = False
        self._intake = self._make_intake(guarded_wandb)
        self._tracker = Tracker(
            inbox=self._inbox,
            hands=self._make_hands(),
            poll=self._intake.poll,
            targets=self._targets,
            limits=Limits(settings.stopped_run_timeout, settings.start_timeout),
            pace=Pace(settings.max_jobs, settings.poll_interval),
            metrics=self._metrics,
            clock=time.time,
            jitter=random.random,
        )
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
                selector=f"launch-agent/installation={settings.installation}",
                post=self._inbox.put,
                loops=self._loops,
                metrics=self._metrics,
            )
            targets[Resource.KUBERNETES] = KubernetesTarget(
                self._clusters,
                kinds=Kinds(settings.custom_resources),
                watch=self._watches.ensure,
                image_pull_grace=settings.image_pull_grace,
            )
        return targets

    def _make_intake(self, client: GuardedRunner) -> Intake:
        return Intake(
            client=client,
            registration=self._registration,
            inbox=self._inbox,
            planners=dict.fromkeys(self._targets, self._planner.plan),
            secure_mode=self._settings.secure_mode,
            clock=time.time,
            judge=Judge(
                QueueConfigs(client, self._registration, time.monotonic),
                self._planner.context,
                self._planner.outline,
            ),
            may_take=lambda: self._guard.is_held,
        )

    def _make_hands(self) -> Performer:
        return Performer(
            inbox=self._inbox,
            pool=self._pool,
            batcher=self._batcher,
            ledger=self._ledger,
            targets=self._targets,
            replan=self._planner.replan,
            check_lease=self._guard.check,
            secrets=(self._settings.api_key.reveal(),),
        )

    def _find_guard(self, cluster: ClusterAccess | None) -> Guard:
        return connect_lease(
            self._settings,
            cluster,
            self._metrics,
            on_held=self._is_awake.set,
            on_lost=self._lose,
            on_replaced=lambda: self._inbox.put(OwnerReplaced()),
        )

    def _make_ledger(self) -> Ledger:
        settings = self._settings
        if self._kubernetes is not None and settings.pod_namespace:
            return ConfigMapLedger(
                self._kubernetes, settings.pod_namespace, settings.installation, lambda: self._guard.reference
            )
        return DirectoryLedger(settings.records / "items")

    # ── running ──

    def run(self) -> int:
        """Run until told to stop; the exit code."""
        self._start_health()
        is_quiet = True
        try:
            if self._guard.begin(self._is_leaving) or self._stand_by():
                self._insist(self._register)
            if not self._is_leaving.is_set():
                self._start_loops()
                self._is_leaving.wait()
            is_quiet = self._leave()
        finally:
            self._guard.leave(is_quiet=is_quiet)
        self._say_goodbye()
        return self._exit_code

    def _stand_by(self) -> bool:
        """Check what can be checked, then wait for the Lease; whether it is ours. Nothing is changed anywhere."""
        self._insist(self._check)
        self._is_awake.wait()
        return not self._is_leaving.is_set()

    def _check(self) -> None:
        self._registration.check()
        self._is_checked = True
        log.info("W&B knows the key and the queues; this agent is ready to take over")

    def _register(self) -> None:
        _ = self._registration.agent

    def _start_loops(self) -> None:
        self._loops.start("tracker", self._tracker.run)
        self._loops.start("wandb", self._batcher.run)
        self._loops.start("intake", self._intake.run)
        self._loops.start("attendant", self._attendant.run)
        self._loops.start("processes", self._processes.run)
        self._loops.start("recovery", self._recover, is_judged=False)
        self._loops.start("status", self._tell_status, is_judged=False)
        if self._credentials is not None and self._clusters is not None:
            refresher = PullSecrets(self._credentials, self._clusters, lambda: self._tracker.active)
            self._loops.start("pull secrets", refresher.run, is_judged=False)

    def _insist(self, call: Callable[[], None]) -> None:
        """W&B may be away at start: the agent waits for it. A wrong key or queue ends it, with the reason."""
        attempt = 0
        while not self._is_leaving.is_set():
            try:
                call()
            except WandbUnavailable as error:
                wait = retry.delay(attempt, random.random(), first=1.0)
                log.warning("W&B does not answer; next attempt in %.0f s: %s", wait, error)
                attempt += 1
                self._is_leaving.wait(wait)
            else:
                return

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
            for text in self._ledger.unreadable:
                log.error("a record is left where it is: %s", text)
            self._inbox.put(Found(tuple(records)))
            stop.wait()

    def _tell_status(self, stop: threading.Event, _beat: Callable[[], None]) -> None:
        """One line on how things are, each five minutes, or each 20 s for those who ask for more (protocol 2.10)."""
        while not stop.wait(VERBOSE_STATUS_INTERVAL if self._settings.verbosity else STATUS_INTERVAL):
            log.info("%s", self._tracker.summary)

    def _start_health(self) -> None:
        address = self._settings.health_address
        if address is None:
            return
        server = HealthServer(
            address, live=self._stuck, ready=self._troubles, note=self._note, registry=self._metrics.registry
        )
        self._loops.start("health", server.run)

    def _stuck(self) -> list[str]:
        return [*self._loops.stuck(), *self._guard.stuck()]

    def _note(self) -> str:
        return self._guard.note

    def _troubles(self) -> list[str]:
        troubles = [*self._stuck(), *self._guard.troubles()]
        if not self._guard.has_held:
            if not self._is_checked:
                troubles.append("W&B has not confirmed the key and the queues yet")
        elif not self._registration.is_done:
            troubles.append("not registered with W&B yet")
        elif time.time() - self._intake.last_success > SILENT_WANDB and self._tracker.wants_items:
            troubles.append("W&B has not answered a poll for two minutes")
        if self._watches is not None:
            troubles += self._watches.stale()
        return troubles

    # ── leaving ──

    def stop(self, reason: str) -> None:
        """Take no more items and leave."""
        self._reason = self._reason or reason
        self._inbox.put(Stopping())
        self._is_leaving.set()
        self._is_awake.set()

    def _lose(self, holder: str) -> None:
        """Another agent took the Lease: start anew, as one that stands by."""
        self._exit_code = LOST
        self.stop(f"{holder} holds the Lease")

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


def run(settings: Settings) -> int:
    """Run an agent until SIGTERM, SIGINT or W&B's wish; the exit code.

    Raises WandbError or KubernetesError where the agent can not start.
    """
    agent = Agent(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda got, _frame: agent.stop(f"got {signal.Signals(got).name}"))
    return agent.run()


def _identity(settings: Settings) -> Identity:
    return Identity(settings.entity, settings.queues, socket.gethostname(), settings.agent_config, settings.version)
