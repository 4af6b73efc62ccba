"""How the replicas of one installation share its slots: what each says on its Lease, and what follows from it.

An installation with N replicas has N **shards**, 0 to N-1, each with a Lease, records and slots of its own.
``max_jobs`` (M) holds for all of them together, and no two are ever asked in one transaction. What makes the sum right:

* Each holder writes on its Lease, with its renewals, the terms it goes by (N and M) and how many slots it uses.
* A holder takes an item only if every other Lease shows the same terms in a copy that was read after its own first
  posting. Of two holders with different terms the later one to post sees the other's, and takes nothing.
* Shards from N on are what a larger N left: they take nothing, so their use only falls. D is the sum of what they
  posted. The others have the targets T(D), the equal parts of M - D.
* A holder above its target takes nothing, too. So its excess over T(D), with the D of any moment before, only falls,
  and what it posted is an upper bound of it. Shard i takes only up to T_i(D) less the excess of all others; then the
  sum of what is used is at most T_i - excess + sum over the others of (T_j + excess_j) + D <= M, however old the
  copies are.

Who takes a shard over leaves its predecessor's posting until the records are read. A Lease whose holder posted nothing
is held by an agent that knows no shards (or by an installation of one replica): then all others take nothing.
tests/unit/core/test_shares.py tries the argument with deaths, old copies and changed terms.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core.leadership import read_holder
from launch_agent.core.marks import SHARE_ANNOTATION, WANTED_ANNOTATION
from launch_agent.core.models import Manifest

MOST = 8
"""The most replicas; so many Leases are looked at when the number changes."""

UNLIMITED = 1_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """What all holders have to agree on. ``max_jobs`` -1 is unlimited."""

    replicas: int
    max_jobs: int


@dataclass(frozen=True, slots=True)
class Posting:
    """What the holder ``by`` says; ``used`` None until its records are read.

    ``turn`` is the Lease's count of holders: once somebody took it who posts nothing, what stands there is void.
    """

    terms: Terms
    used: int | None
    by: str
    turn: int = 0


@dataclass(frozen=True, slots=True)
class Sight:
    """A copy of a Lease: whether it is there, who holds it (empty: nobody), and what is posted on it."""

    is_there: bool = False
    holder: str = ""
    posting: Posting | None = None
    wanted: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether nobody is at work here and nothing was left."""
        return not self.holder and (self.posting is None or self.posting.used == 0)

    @property
    def is_strange(self) -> bool:
        """Whether its holder knows nothing of shards."""
        return bool(self.holder) and (self.posting is None or self.posting.by != self.holder)


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many more items may be taken; why none, where that is not because the slots are in use."""

    count: int
    reason: str = ""


def name_lease(release: str, shard: int) -> str:
    """The Lease of a shard; ``release`` is the release's own."""
    return f"{release}-{shard}" if shard else release


def share(max_jobs: int, replicas: int, shard: int) -> int:
    """The part of one shard; -1 of what is unlimited."""
    if max_jobs < 0:
        return max_jobs
    if shard >= replicas:
        return 0
    return max_jobs // replicas + (shard < max_jobs % replicas)


def write(posting: Posting) -> str:
    """The posting as text."""
    values = {
        "replicas": posting.terms.replicas,
        "max_jobs": posting.terms.max_jobs,
        "used": posting.used,
        "by": posting.by,
        "turn": posting.turn,
    }
    return json.dumps(values, separators=(",", ":"))


def read(text: str) -> Posting | None:
    """The posting of a text; None for no text and for what is none."""
    try:
        values = json.loads(text)
        used = values["used"]
        return Posting(
            Terms(int(values["replicas"]), int(values["max_jobs"])),
            None if used is None else int(used),
            str(values["by"]),
            int(values["turn"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def look(lease: Manifest | None) -> Sight:
    """What a Lease says; None for one that is not there."""
    if lease is None:
        return Sight()
    found = (lease.get("metadata") or {}).get("annotations") or {}
    spec = lease.get("spec") or {}
    posting = read(str(found.get(SHARE_ANNOTATION) or ""))
    if posting is not None and posting.turn != count_turns(spec):
        posting = None
    return Sight(True, read_holder(spec), posting, str(found.get(WANTED_ANNOTATION) or ""))


def count_turns(spec: Mapping[str, Any]) -> int:
    """How often the Lease changed hands."""
    return int(spec.get("leaseTransitions") or 0)


def renew(lease: Manifest | None, terms: Terms, used: int | None, me: str) -> Posting:
    """What to post with the next write of ``lease`` (None: it is made).

    A predecessor's use stands until one's own is known, if it went by the same terms.
    """
    before, spec = look(lease), (lease or {}).get("spec") or {}
    if used is None and before.posting is not None and before.posting.terms == terms:
        used = before.posting.used
    is_new = lease is not None and before.holder != me
    return Posting(terms, used, me, count_turns(spec) + is_new)


def allow(shard: int, used: int, terms: Terms, seen: Mapping[int, Sight]) -> Allowance:
    """How many more items the holder of ``shard`` may take beside its ``used`` slots.

    ``seen`` are copies of the other Leases, read after its own first posting; one that is missing was not read yet.
    """
    left = 0
    for other in range(MOST):
        if other == shard:
            continue
        sight = seen.get(other)
        if sight is None:
            return Allowance(0, f"the Lease of shard {other} was not read yet")
        if other >= terms.replicas and sight.is_clean:
            continue
        if reason := _judge(other, sight, terms):
            return Allowance(0, reason)
        left += _used(sight) if other >= terms.replicas else 0
    if terms.max_jobs < 0:
        return Allowance(UNLIMITED)
    rest = max(0, terms.max_jobs - left)
    room = share(rest, terms.replicas, shard) - used
    for other in range(terms.replicas):
        if other != shard:
            room -= max(0, _used(seen[other]) - share(rest, terms.replicas, other))
    return Allowance(max(0, room))


def _used(sight: Sight) -> int:
    return (sight.posting.used if sight.posting is not None else 0) or 0


def _judge(other: int, sight: Sight, terms: Terms) -> str:
    """Why another shard's Lease forbids to take items; empty if it does not."""
    if sight.is_strange:
        return f"shard {other} is held by {sight.holder}, an agent that shares nothing"
    if sight.posting is None:
        return f"nobody has taken shard {other} yet"
    if sight.posting.terms != terms:
        theirs = sight.posting.terms
        return f"shard {other} goes by replicas {theirs.replicas} and max_jobs {theirs.max_jobs}, not by ours"
    if sight.posting.used is None:
        return f"the records of shard {other} are not read yet"
    return ""
