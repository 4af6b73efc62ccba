"""Which of the pods of one release takes items: what to do about their Lease, from what is seen of it.

The holder renews the Lease; who stands by waits until it is given up, or until it has not changed for as long as it is
good. That time is measured by the waiting process's own clock from when it saw the last change, so the clocks of two
nodes need not agree; the times in the Lease are for people.

    0 s   the holder asks for the renewal                    (each `RENEW` seconds)
    10 s  without an answer it takes no more items           (`DEADLINE`)
    15 s  at the earliest another one takes the Lease over   (`DURATION`)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from launch_agent.core.models import Manifest

API_VERSION = "coordination.k8s.io/v1"
KIND = "Lease"

DURATION = 15.0
"""Seconds that the Lease is good after a renewal."""

DEADLINE = 10.0
"""Seconds after the last renewal within which the holder may begin something."""

RENEW = 3.0
"""Seconds between two renewals, a fifth more or less."""

POLL = 2.0
"""Seconds between two looks of who stands by, a quarter more or less."""

RETRY = 1.0
"""Seconds until the next attempt after an error, or half of that."""


class Move(StrEnum):
    """What to do next about the Lease."""

    CREATE = "create"  # there is none
    TAKE = "take"  # it is free: write our name into it
    RENEW = "renew"  # it is ours
    WAIT = "wait"  # it is another's, and good
    YIELD = "yield"  # it was ours and is another's now


@dataclass(frozen=True, slots=True)
class Candidate:
    """One process that may hold the Lease: the name of its pod, or of its host, and a mark of its own.

    Two processes of one pod are one container and the one before it, which is dead: the kubelet sees to that.
    """

    name: str
    mark: str
    is_pod: bool = True

    @property
    def identity(self) -> str:
        """What stands in the Lease. An underscore is in no pod's name."""
        return f"{self.name}_{self.mark}"

    def succeeds(self, holder: str) -> bool:
        """Whether the holder was an earlier container of this pod."""
        return self.is_pod and holder.rpartition("_")[0] == self.name


@dataclass(frozen=True, slots=True)
class View:
    """The Lease's spec as it was seen last, and since when by our own clock it is so."""

    spec: Mapping[str, Any]
    since: float

    @property
    def lapses_at(self) -> float:
        """When it is good no more, unless it changes. A holder that promised more than we do is believed."""
        written = self.spec.get("leaseDurationSeconds")
        return self.since + (max(DURATION, float(written)) if isinstance(written, int) else DURATION)


def read_holder(spec: Mapping[str, Any]) -> str:
    """Who holds it; empty for nobody."""
    return str(spec.get("holderIdentity") or "")


def observe(before: View | None, lease: Manifest | None, now: float) -> View:
    """What is known after another look.

    One that was deleted, or replaced by an empty one as `helm upgrade --force` does, is as good as it was: its holder
    does not know yet. One that was given up still has the time when that was.
    """
    spec: Mapping[str, Any] = (lease or {}).get("spec") or {}
    if before is not None and "renewTime" not in spec:
        return before
    return before if before is not None and before.spec == spec else View(dict(spec), now)


def decide(lease: Manifest | None, view: View, me: Candidate, now: float, *, has_held: bool = False) -> Move:
    """What to do about ``lease``, just read (None: there is none), of which ``view`` is the memory.

    ``has_held`` says that this process obtained it before: then another's name in it means that it is lost for good.
    """
    holder = read_holder(view.spec)
    if holder == me.identity:
        return Move.CREATE if lease is None else Move.RENEW
    if holder and has_held:
        return Move.YIELD
    if holder and not me.succeeds(holder) and now < view.lapses_at:
        return Move.WAIT
    return Move.CREATE if lease is None else Move.TAKE


def write(lease: Manifest | None, me: Candidate, wall: float, *, namespace: str, name: str) -> dict[str, Any]:
    """The Lease with our name in it, to create, or to update if nobody did since ``lease`` was read.

    ``wall`` is the time of day in seconds since 1970.
    """
    now = format_time(wall)
    spec = dict((lease or {}).get("spec") or {})
    if read_holder(spec) != me.identity:
        spec["acquireTime"] = now
        spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + (lease is not None)
    spec.update(holderIdentity=me.identity, leaseDurationSeconds=int(DURATION), renewTime=now)
    return _wrap({"name": name, "namespace": namespace} if lease is None else lease["metadata"], spec)


def release(lease: Manifest, wall: float) -> dict[str, Any]:
    """The Lease without a holder: the next one to look takes it at once."""
    spec = {key: value for key, value in lease["spec"].items() if key != "holderIdentity"}
    return _wrap(lease["metadata"], {**spec, "renewTime": format_time(wall)})


def _wrap(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    """The resource version stays in: an update of what somebody else changed meanwhile is a conflict."""
    kept = {key: value for key, value in metadata.items() if key != "managedFields"}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": kept, "spec": dict(spec)}


def format_time(wall: float) -> str:
    """Seconds since 1970 as Kubernetes' MicroTime."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pause(base: float, spread: float, jitter: float) -> float:
    """``base`` seconds, ``spread`` (a share of it) more or less, by ``jitter`` in [0, 1)."""
    return base * (1.0 - spread + 2.0 * spread * jitter)
