"""All that one process does for an installation with a Lease: a candidate for each shard, an agent for each it holds.

With one replica there is one shard and so one candidate: it holds the release's Lease, or stands by. With more, each
process stands by for all shards, takes what is free (first who has none), and gives one away to a process that asks
for one and has none. Who holds shard 0 also follows to their end what a larger number of replicas left (a **deputy**).
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

from launch_agent.core import draining, shares
from launch_agent.core.marks import WANTED_ANNOTATION
from launch_agent.core.models import Manifest
from launch_agent.core.shares import MOST, Terms
from launch_agent.errors import KubernetesDenied, KubernetesError
from launch_agent.runtime.agent import Agent, Part, insist, make_identity
from launch_agent.runtime.clock import read_clock
from launch_agent.runtime.connections import connect_leases, connect_wandb, make_candidate
from launch_agent.runtime.health import HealthServer
from launch_agent.runtime.lease import LOST, LeaseGuard, Store
from launch_agent.runtime.ledger import ConfigMapLedger
from launch_agent.runtime.loops import Loops
from launch_agent.runtime.metrics import Metrics, merge
from launch_agent.runtime.registration import Registration
from launch_agent.runtime.replicas import Board
from launch_agent.settings import Settings

log = logging.getLogger(__name__)

TURN = 1.0
"""Seconds between two looks at who has what."""

SEARCH = 300.0
"""Seconds between two searches for records that a larger number of replicas left."""


class Seat:
    """One shard's place in this process: its candidate, and its agent while the Lease is held."""

    def __init__(
        self,
        shard: int,
        board: Board,
        store: Store,
        *,
        metrics: Metrics,
        find_owner: Callable[[], Manifest | None],
        on_lost: Callable[[str], None],
        on_replaced: Callable[[], None],
    ) -> None:
        self.shard = shard
        self.agent: Agent | None = None
        self.is_given_up = False
        self.is_awake = threading.Event()
        self._board = board
        self._find_owner = find_owner
        self.guard = LeaseGuard(
            store,
            board.me,
            metrics=metrics,
            on_held=self.is_awake.set,
            on_lost=on_lost,
            on_replaced=on_replaced,
            crew=self,
        )
        metrics.is_leader.set_function(lambda: float(self.guard.is_held))

    # what its candidate asks (`lease.Crew`)

    def may_claim(self, holder: str, free_for: float) -> bool:
        """Whether to take the Lease now."""
        return self._board.may_claim(self.shard, holder, free_for)

    def post(self, lease: Manifest | None) -> Mapping[str, str]:
        """What to write on it."""
        return self._board.post(self.shard, lease, self.agent.used if self.agent else None)

    def note(self, lease: Manifest | None, asked_at: float, *, is_ours: bool = False) -> None:
        """How it is."""
        self._board.note(self.shard, lease, asked_at, is_ours=is_ours)

    @property
    def is_barred(self) -> bool:
        """Whether an agent that knows no shards is at work."""
        return self._board.is_barred(self.shard)

    @property
    def owner(self) -> Manifest | None:
        """A shard's Lease goes with the release's."""
        return self._find_owner() if self.shard else None

    def give_up(self, reason: str) -> None:
        """Let the shard go; the process goes on."""
        if self.agent is not None and not self.is_given_up:
            self.is_given_up = True
            self._board.keep_away(self.shard)
            self.agent.stop(reason)


class Crew:
    """The candidates and agents of this process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._replicas = settings.replicas
        self._leases = connect_leases(settings)
        self._board = Board(make_candidate(settings), Terms(settings.replicas, settings.max_jobs))
        self._wandb = connect_wandb(settings)
        self._metrics: dict[int, Metrics] = {}
        self._seats: dict[int, Seat] = {}
        self._executor = ThreadPoolExecutor(MOST, "shard")
        self._serving: dict[int, Future[None]] = {}
        self._is_leaving = threading.Event()
        self._checking = threading.Lock()
        self._is_checked = False
        self._reason = ""
        self._exit_code = 0
        self._next_search = 0.0
        for shard in range(self._replicas):
            self._open(shard)
        self._loops = Loops(self._metrics[0])

    # ── seats ──

    def _open(self, shard: int) -> None:
        """A seat whose candidate has not asked yet."""
        metrics = self._metrics.get(shard)
        if metrics is None:
            metrics = self._metrics[shard] = Metrics()
            metrics.slots.set(shares.share(self._settings.max_jobs, self._replicas, shard))
        metrics.forget()
        self._seats[shard] = Seat(
            shard,
            self._board,
            self._leases.find(shard),
            metrics=metrics,
            find_owner=lambda: self._seats[0].guard.reference,
            on_lost=self._lose,
            on_replaced=(lambda: None) if shard else self._keep_records,
        )

    def _start(self, shard: int) -> None:
        serving = self._serving[shard] = self._executor.submit(self._serve, shard)
        serving.add_done_callback(lambda done: self._note_end(shard, done))

    def _note_end(self, shard: int, done: Future[None]) -> None:
        """An error of an agent ends the process, which raises it; one of a deputy is for the log."""
        error = done.exception()
        if error is None:
            return
        if shard >= self._replicas and isinstance(error, KubernetesError):
            log.warning("what a larger number of replicas left of shard %d is not followed: %s", shard, error)
        else:
            self.stop(f"an error: {error}")

    def _serve(self, shard: int) -> None:
        while not self._is_leaving.is_set():
            seat = self._seats[shard]
            agent = self._obtain(seat)
            if agent is None:
                return
            code = agent.run()
            if seat.is_given_up and not agent.is_quiet:
                # What goes on must not meet another agent of this process; one of a new process is safe.
                self._exit_code = self._exit_code or LOST
                self.stop(f"shard {shard} has steps under way that do not end")
            elif not seat.is_given_up:
                self._exit_code = self._exit_code or code
                self.stop(f"shard {shard} ended" if self._replicas > 1 else "")
            elif shard < self._replicas:
                self._open(shard)
            else:
                del self._seats[shard]
                return

    def _obtain(self, seat: Seat) -> Agent | None:
        """The agent of a seat, once its Lease is held; None where the process leaves before."""
        guard = seat.guard
        try:
            if not guard.begin(self._is_leaving):
                self._check()
                seat.is_awake.wait()
            if self._is_leaving.is_set() or not guard.has_held:
                guard.leave(is_quiet=True)
                return None
            if seat.shard == 0:
                self._look_beyond()
            agent = Agent(self._settings, self._make_part(seat, guard))
        except BaseException:
            guard.leave(is_quiet=True)
            raise
        seat.agent = agent
        if self._is_leaving.is_set():
            agent.stop(self._reason)
        return agent

    def _make_part(self, seat: Seat, guard: LeaseGuard) -> Part:
        shard = seat.shard
        return Part(
            shard=shard,
            replicas=self._replicas,
            guard=guard,
            metrics=self._metrics[shard],
            allow=lambda used: self._board.allow(shard, used),
            find_mark=lambda: self._seats[0].guard.mark,
            find_owner=lambda: self._seats[0].guard.reference,
        )

    def _check(self) -> None:
        """Check what can be checked while standing by, once. Nothing is changed anywhere."""
        with self._checking:
            if self._is_checked:
                return
            insist(Registration(self._wandb, make_identity(self._settings)).check, self._is_leaving)
            self._is_checked = True
            if not self._is_leaving.is_set():
                log.info("W&B knows the key and the queues; this agent is ready to take over")

    # ── running ──

    def run(self) -> int:
        """Run until told to stop; the exit code. Raises what kept it from starting."""
        self._start_health()
        if 0 <= self._settings.max_jobs < self._replicas:
            text = "max_jobs %d is less than the %d replicas: some of them take no items"
            log.warning(text, self._settings.max_jobs, self._replicas)
        for shard in random.sample(range(self._replicas), self._replicas):
            self._start(shard)
        self._loops.start("crew", self._watch)
        self._is_leaving.wait()
        self._executor.shutdown()
        self._loops.stop.set()
        for shard, serving in self._serving.items():
            if shard < self._replicas:
                serving.result()
        return self._exit_code

    def stop(self, reason: str) -> None:
        """Take no more items and leave."""
        self._reason = self._reason or reason
        self._is_leaving.set()
        for seat in list(self._seats.values()):
            if seat.agent is not None:
                seat.agent.stop(self._reason)
            seat.is_awake.set()

    def _lose(self, holder: str) -> None:
        """One Lease was taken: the process ends, and starts anew as one that stands by."""
        self._exit_code = LOST
        self.stop(f"{holder} holds the Lease")

    def _keep_records(self) -> None:
        """The release's Lease, which owns all records, is another one now."""
        for seat in list(self._seats.values()):
            if seat.agent is not None:
                seat.agent.keep_records()

    # ── who has what ──

    def _watch(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        while not self._is_leaving.wait(TURN):
            beat()
            self._turn()
        stop.wait()

    def _turn(self) -> None:
        """Look beyond the replicas, give away what is asked for, ask for what is needed."""
        held = self._board.held
        if 0 in held:
            self._send_deputies()
        if self._board.lacking():
            self._look_beyond()
        seats = [seat for seat in list(self._seats.values()) if seat.shard in held]
        for seat in seats:
            if self._board.is_barred(seat.shard):
                seat.give_up("an agent that shares nothing holds the release's Lease")
            elif seat.shard >= self._replicas and seat.agent is not None and seat.agent.is_empty:
                seat.give_up(f"nothing is left of shard {seat.shard}")
        if self._replicas == 1:
            return
        asked = self._board.find_asked()
        if asked is not None and not any(seat.is_given_up for seat in seats):
            self._seats[asked].give_up(f"{self._board.sight(asked).wanted} has none and asks for shard {asked}")
        if self._is_checked and (rich := self._board.find_plenty()) is not None:
            self._ask_for(rich)

    def _look_beyond(self) -> None:
        """Read the Leases that a larger number of replicas had."""
        for shard in range(self._replicas, MOST):
            if shard in self._seats:
                continue
            asked_at = read_clock()
            try:
                lease = self._leases.find(shard).read()
            except KubernetesDenied:
                lease = None  # a chart that knows no replicas: nobody could have made it
            except KubernetesError as error:
                log.warning("the Lease of shard %d can not be read: %s", shard, error)
                return
            self._board.note(shard, lease, asked_at)

    def _send_deputies(self) -> None:
        """Follow what is left of shards from the replicas on."""
        left = {one for one in range(self._replicas, MOST) if not self._board.sight(one).is_clean}
        now = read_clock()
        if now >= self._next_search:
            self._next_search = now + SEARCH
            left |= self._search()
        for shard in sorted(left):
            serving = self._serving.get(shard)
            if serving is None or serving.done():
                log.info("shard %d is of a larger number of replicas; what is left of it is followed to its end", shard)
                self._open(shard)
                self._start(shard)

    def _search(self) -> set[int]:
        """Shards from the replicas on that have records."""
        settings, leases = self._settings, self._leases
        ledger = ConfigMapLedger(leases.client, leases.namespace, settings.installation, shard=None)
        try:
            return {one for one in ledger.find_shards(self._replicas) if one < MOST}
        except KubernetesError as error:
            log.warning("records of a larger number of replicas can not be looked for: %s", error)
            return set()

    def _ask_for(self, shard: int) -> None:
        """Write our name on a Lease of a process that holds several."""
        store = self._leases.find(shard)
        try:
            lease = store.read()
            if lease is not None:
                store.update(draining.annotate(lease, {WANTED_ANNOTATION: self._board.me.identity}))
                log.info("this agent has no shard and asks %s for shard %d", shares.look(lease).holder, shard)
        except KubernetesError as error:
            log.info("shard %d could not be asked for: %s", shard, error)

    # ── what others may see ──

    def _start_health(self) -> None:
        address = self._settings.health_address
        if address is None:
            return
        server = HealthServer(
            address, live=self._stuck, ready=self._troubles, note=self._note, registry=merge(self._find_metrics)
        )
        self._loops.start("health", server.run)

    def _find_metrics(self) -> Mapping[str, Metrics]:
        is_shared = self._replicas > 1
        return {str(shard) if shard or is_shared else "": one for shard, one in list(self._metrics.items())}

    def _agents(self) -> list[Agent]:
        return [seat.agent for seat in list(self._seats.values()) if seat.agent is not None]

    def _stuck(self) -> list[str]:
        found = self._loops.stuck()
        for seat in list(self._seats.values()):
            found += seat.guard.stuck() if seat.agent is None else seat.agent.stuck()
        return found

    def _troubles(self) -> list[str]:
        found = self._stuck()
        for seat in list(self._seats.values()):
            if seat.agent is None:
                found += seat.guard.troubles()
            elif not seat.is_given_up:
                found += seat.agent.troubles()
        if not self._is_checked and not self._agents():
            found.append("W&B has not confirmed the key and the queues yet")
        return found

    def _note(self) -> str:
        agents = self._agents()
        notes = [agent.note for agent in agents]
        if self._replicas == 1:
            return "\n".join(filter(None, notes or [self._seats[0].guard.note]))
        own = ", ".join(map(str, sorted(self._board.held)))
        notes.insert(0, f"holds shard {own} of {self._replicas}" if own else "stands by: all shards are held")
        return "\n".join(dict.fromkeys(filter(None, notes)))
