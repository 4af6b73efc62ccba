"""A target that does as told, or raises."""

from __future__ import annotations

from dataclasses import dataclass, field

from launch_agent.core.events import Event
from launch_agent.core.models import Diagnosis, JobState, ObjectRef, Observation, Plan, Resource
from launch_agent.targets.base import Notice

REF = ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid")


@dataclass
class Place:
    """A target and a ledger that do as told, or raise."""

    error: Exception | None = None
    resource: Resource = Resource.KUBERNETES
    error_of_discard: Exception | None = None
    found: ObjectRef | None = REF
    discarded: list[Plan] = field(default_factory=list)
    unreadable: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    has_list_to_come: bool = False
    known: tuple[tuple[str, Event], ...] = ()

    def _do(self) -> None:
        if self.error is not None:
            raise self.error

    def find(self, plan: Plan, item_id: str) -> ObjectRef | None:
        self._do()
        return self.found

    def prepare(self, plan: Plan) -> tuple[str, ...]:
        return self.warnings

    def discard(self, plan: Plan) -> None:
        if self.error_of_discard is not None:
            raise self.error_of_discard
        self.discarded.append(plan)

    def create(self, plan: Plan, item_id: str) -> ObjectRef:
        self._do()
        return REF

    def look(self, ref: ObjectRef, *, is_late: bool = False) -> Observation:
        self._do()
        return Observation(JobState.RUNNING)

    def explain(self, ref: ObjectRef) -> Diagnosis | None:
        self._do()
        return Diagnosis("PodsRefused", "The pods are refused.")

    def tail(self, ref: ObjectRef, _seen: Observation, /) -> str:
        self._do()
        return "last line"

    def release(self, ref: ObjectRef, after: int | None) -> None:
        self._do()

    def delete(self, ref: ObjectRef) -> None:
        self._do()

    def awaits(self, _item_id: str) -> bool:
        return self.has_list_to_come

    def follow(self, item_id: str, ref: ObjectRef) -> tuple[tuple[str, Event], ...]:
        return self.known

    def forget(self, item_id: str) -> None:
        return None

    def absorb(self, notice: Notice) -> tuple[tuple[str, Event], ...]:
        return ()
