"""What every target can do. One file per implementation; the runtime knows this page only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core.events import Event
from launch_agent.core.models import Diagnosis, ObjectRef, Observation, Plan, Resource


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a watch saw, on its way to the one thread that may change the target's picture.

    ``change`` is ``SYNCED`` (``objects`` is the complete list of ``kind`` in ``namespace``), ``ADDED``, ``MODIFIED``
    or ``DELETED`` (one object), or ``REFUSED``: nothing can be watched, and ``trouble`` says why.
    """

    resource: Resource
    kind: str
    namespace: str
    change: str
    objects: tuple[dict[str, Any], ...]
    api_version: str = ""
    cluster: str = ""
    trouble: str = ""


Post = Callable[[Notice], None]


class Clusters(Protocol):
    """The clusters that an agent reaches."""

    def client(self, key: str) -> Client:
        """The API server of a cluster; the empty key is the agent's own. ConfigError if it can't be reached so."""


class Target(Protocol):
    """Where one kind of workload runs.

    All but `follow`, `forget` and `absorb` do input and output, may be called from several threads, and may be called
    twice. They raise KubernetesError (or OSError for processes) and ItemError for what the item itself got wrong.
    """

    @property
    def resource(self) -> Resource:
        """The protocol's name of the target."""

    def find(self, plan: Plan, item_id: str) -> ObjectRef | None:
        """The workload that was made for the item before; None where it is gone, or another's."""

    def prepare(self, plan: Plan) -> tuple[str, ...]:
        """See whether the workload would be taken, and create what it needs before its item is claimed: Secrets.

        What comes back is for the item's people: warnings of the target itself.
        """

    def discard(self, plan: Plan) -> None:
        """Remove what `prepare` made: the workload will never be."""

    def create(self, plan: Plan, item_id: str) -> ObjectRef:
        """Create the workload, or find the one made before for the same item. ItemError if the name is taken."""

    def look(self, ref: ObjectRef, *, is_late: bool = False) -> Observation:
        """What is there now, asked live; state MISSING if nothing is. ``is_late``: pods should have come by now."""

    def explain(self, ref: ObjectRef) -> Diagnosis | None:
        """Why the workload has no pods, if anything told so."""

    def tail(self, ref: ObjectRef, seen: Observation, /) -> str:
        """The last lines that the workload wrote; empty where none can be had."""

    def release(self, ref: ObjectRef, after: int | None) -> None:
        """The outcome is reported: let the object go ``after`` seconds; None keeps it."""

    def delete(self, ref: ObjectRef) -> None:
        """Remove the workload and what belongs to it now; nothing there is no error."""

    def follow(self, item_id: str, ref: ObjectRef) -> Iterable[tuple[str, Event]]:
        """See to it that changes of ``ref`` are noticed; what is known of it already. On the tracker's thread."""

    def awaits(self, item_id: str, /) -> bool:
        """Whether what is followed will be told of without a look: a list is to come. On the tracker's thread."""

    def forget(self, item_id: str) -> None:
        """Nothing more is wanted of this item. On the tracker's thread."""

    def absorb(self, notice: Notice) -> Iterable[tuple[str, Event]]:
        """Take a notice in, and tell what it means for which items. On the tracker's thread."""
