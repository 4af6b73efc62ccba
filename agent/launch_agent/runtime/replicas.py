"""What one process knows of the Leases of all shards, and what it may do by that (`core.shares`)."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from launch_agent.core import leadership, shares
from launch_agent.core.leadership import Candidate
from launch_agent.core.marks import SHARE_ANNOTATION, WANTED_ANNOTATION
from launch_agent.core.models import Manifest
from launch_agent.core.shares import MOST, Allowance, Sight, Terms
from launch_agent.runtime.clock import read_clock

log = logging.getLogger(__name__)

LEFT_TO_OTHERS = 1.5
"""Seconds that a process with a shard leaves a free one to those without; a second more for each that it has."""

REACH = 5.0
"""Seconds within which a claim either succeeds or is given up."""

KEEP_AWAY = 30.0
"""Seconds that a process keeps away from a shard that it handed over."""

SETTLED = 5.0
"""Seconds without a shard after which a process asks another one for one, and between two such requests."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A Lease as it was seen, and when it was asked for, by this process's clock."""

    sight: Sight
    asked_at: float


class Board:
    """The copies of the Leases, and the shards that this process holds. For all threads of the process."""

    def __init__(
        self,
        me: Candidate,
        terms: Terms,
        clock: Callable[[], float] = read_clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.me = me
        self.terms = terms
        self._clock = clock
        self._jitter = jitter
        self._lock = threading.Lock()
        self._copies: dict[int, Copy] = {}
        self._posted: dict[int, float] = {}
        self._is_own: dict[int, bool] = {}
        self._reaching: dict[int, float] = {}
        self._barred: dict[int, float] = {}
        self._told: dict[int, str] = {}
        self._alone_since = clock()

    # ── what is seen ──

    def note(self, shard: int, lease: Manifest | None, asked_at: float, *, is_ours: bool = False) -> None:
        """A copy of a Lease that was asked for at a time, or that we wrote by then."""
        sight = shares.look(lease)
        with self._lock:
            self._copies[shard] = Copy(sight, asked_at)
            if sight.holder:  # ours by now, or somebody else was first
                self._reaching.pop(shard, None)
            if sight.holder != self.me.identity:
                self._posted.pop(shard, None)
                return
            if is_ours and self._is_own.get(shard) and shard not in self._posted:
                self._posted[shard] = asked_at

    def sight(self, shard: int) -> Sight:
        """The last copy; an absent Lease where there is none."""
        with self._lock:
            return self._copies[shard].sight if shard in self._copies else Sight()

    @property
    def held(self) -> list[int]:
        """The shards that this process holds."""
        with self._lock:
            return self._held()

    def _held(self) -> list[int]:
        return [shard for shard, copy in self._copies.items() if copy.sight.holder == self.me.identity]

    # ── shares ──

    def post(self, shard: int, lease: Manifest | None, used: int | None) -> Mapping[str, str]:
        """The annotations for a Lease that this process writes: shard 0 of a single replica has none."""
        if shard == 0 and self.terms.replicas == 1:
            with self._lock:
                self._is_own[shard] = True
            return {}
        with self._lock:
            self._is_own[shard] = used is not None
        posting = shares.renew(lease, self.terms, used, self.me.identity)
        is_new = leadership.read_holder((lease or {}).get("spec") or {}) != self.me.identity
        return {SHARE_ANNOTATION: shares.write(posting)} | ({WANTED_ANNOTATION: ""} if is_new else {})

    def allow(self, shard: int, used: int) -> int:
        """How many more items the Agent of ``shard`` may take beside its ``used`` slots."""
        if shard >= self.terms.replicas:
            return 0
        with self._lock:
            since = self._posted.get(shard)
            fresh = (
                {}
                if since is None
                else {other: copy.sight for other, copy in self._copies.items() if copy.asked_at >= since}
            )
        found = shares.allow(shard, used, self.terms, fresh)
        self._tell(shard, found)
        return found.count

    def _tell(self, shard: int, found: Allowance) -> None:
        if found.reason != self._told.get(shard, ""):
            self._told[shard] = found.reason
            text = f"takes no items: {found.reason}" if found.reason else "takes its share of the items"
            log.info("shard %d %s", shard, text)

    def lacking(self) -> list[int]:
        """The Leases beyond the replicas that have to be read for a share: not seen to be clean since it was held."""
        with self._lock:
            if not self._posted:
                return []
            since = max(self._posted.values())
            return [
                shard
                for shard in range(self.terms.replicas, MOST)
                if not ((copy := self._copies.get(shard)) and copy.asked_at >= since and copy.sight.is_clean)
            ]

    def is_barred(self, shard: int) -> bool:
        """Whether an agent that knows no shards holds the release's Lease: it takes all records for its own."""
        if shard == 0:
            return False
        sight = self.sight(0)
        if self.terms.replicas == 1 and sight.holder == self.me.identity:
            return False
        return sight.is_strange

    # ── who takes which ──

    def may_claim(self, shard: int, holder: str, free_for: float) -> bool:
        """Whether this process takes a free Lease now; who has no shard takes one at once, the others wait a little."""
        with self._lock:
            now = self._clock()
            reaching = [one for one, at in self._reaching.items() if now - at < REACH and one != shard]
            count = len({*self._held(), *reaching} - {shard})
            if now < self._barred.get(shard, now) or (shard and 0 not in self._copies):
                return False
            is_heir = bool(holder) and self.me.succeeds(holder)
            if count and not is_heir and free_for < LEFT_TO_OTHERS + count + self._jitter():
                return False
            self._reaching[shard] = now
        if self.is_barred(shard) or (shard and not self.sight(0).is_there):
            self.give_up(shard)
            return False
        return True

    def give_up(self, shard: int) -> None:
        """The claim came to nothing."""
        with self._lock:
            self._reaching.pop(shard, None)

    def keep_away(self, shard: int) -> None:
        """Leave the shard to who asked for it."""
        with self._lock:
            self._barred[shard] = self._clock() + KEEP_AWAY

    def find_asked(self) -> int | None:
        """A shard of this process that one without any asks for; None where it has no more than one."""
        with self._lock:
            own = [shard for shard in self._held() if shard < self.terms.replicas]
            served = {"", *(copy.sight.holder for copy in self._copies.values())}
            wanted = [one for one in own if self._copies[one].sight.wanted not in served]
        return max(wanted) if wanted and len(own) > 1 else None

    def find_plenty(self) -> int | None:
        """A shard of a process that has several, to ask for, if this one has had none for a while."""
        with self._lock:
            now = self._clock()
            holders = [self._copies[one].sight.holder for one in range(self.terms.replicas) if one in self._copies]
            if self._held() or len(holders) < self.terms.replicas or not all(holders):
                self._alone_since = now
            if now - self._alone_since < SETTLED:
                return None
            self._alone_since = now
            return max((one for one, holder in enumerate(holders) if holders.count(holder) > 1), default=None)
