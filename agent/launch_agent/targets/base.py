"""What every target can do. One file per implementation; the runtime knows this page only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from launch_agent.core.events import Event
from launch_agent.core.models import ObjectRef, Observation, Plan, Resource


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a watch saw, on its way to the one thread that may change the target's picture.

    ``change`` is ``SYNCED`` (``objects`` is the complete list of ``kind`` in ``namespace``), ``ADDED``, ``MODIFIED``
    or ``DELETED`` (one object).
    """

    resource: Resource
    kind: str
    namespace: str
    change: str
    objects: tuple[dict[str, Any], ...]


Post = Callable[[Notice], None]


class Target(Protocol):
    """Where one kind of workload runs.

    All but `follow`, `forget` and `absorb` do input and output, may be called from several threads, and may be called
    twice. They raise KubernetesError (or OSError for processes) and ItemError for what the item itself got wrong.
    """

    @property
    def resource(self) -> Resource:
        """The protocol's name of the target."""

    def locate(self, plan: Plan) -> ObjectRef:
        """Where the workload of ``plan`` will be; uid empty."""

    def prepare(self, plan: Plan) -> None:
        """Create what the workload needs before its item is claimed: Secrets."""

    def discard(self, plan: Plan) -> None:
        """Remove what `prepare` made: the workload will never be."""

    def create(self, plan: Plan, item_id: str) -> ObjectRef:
        """Create the workload, or find the one made before for the same item. ItemError if the name is taken."""

    def look(self, ref: ObjectRef) -> Observation:
        """What is there now, asked live; state MISSING if nothing is."""

    def tail(self, ref: ObjectRef, seen: Observation, /) -> str:
        """The last lines that the workload wrote; empty where none can be had."""

    def release(self, ref: ObjectRef, after: int | None) -> None:
        """The outcome is reported: let the object go ``after`` seconds; None keeps it."""

    def delete(self, ref: ObjectRef) -> None:
        """Remove the workload and what belongs to it now; nothing there is no error."""

    def follow(self, item_id: str, ref: ObjectRef) -> None:
        """See to it that changes of ``ref`` are noticed. On the tracker's thread."""

    def forget(self, item_id: str) -> None:
        """Nothing more is wanted of this item. On the tracker's thread."""

    def absorb(self, notice: Notice) -> Iterable[tuple[str, Event]]:
        """Take a notice in, and tell what it means for which items. On the tracker's thread."""
