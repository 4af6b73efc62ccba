"""What the watches say of followed items. Owned by the tracker's thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from launch_agent.core import observation, status
from launch_agent.core.categories import Category
from launch_agent.core.events import Event, Observed, Troubled, Vanished
from launch_agent.core.kinds import Kinds
from launch_agent.core.marks import ITEM_LABEL
from launch_agent.core.models import Diagnosis, JobState, Manifest, ObjectRef, Observation
from launch_agent.targets.base import Notice
from launch_agent.targets.kubernetes.picture import Followed, Picture, Scope, make_followed, scope_of
from launch_agent.targets.kubernetes.pods import is_polled

Watch = Callable[[str, str, str, str], None]
"""See to it that (cluster, apiVersion, kind, namespace) is watched; asking twice is asking once."""

REASON_IN_A_POD = frozenset({JobState.FAILED, JobState.PREEMPTED})
Told = tuple[str, Event]


class Following:
    """The followed items, and the picture of their objects."""

    def __init__(self, kinds: Kinds, watch: Watch, image_pull_grace: float) -> None:
        self._kinds = kinds
        self._watch = watch
        self._grace = image_pull_grace
        self._picture = Picture()
        self._items: dict[str, Followed] = {}
        self._by_name: dict[tuple[Scope, str], Followed] = {}
        self._by_label: dict[tuple[Scope, str], Followed] = {}
        self._refused: dict[Scope, str] = {}
        self._listed: set[Scope] = set()
        self._last: dict[str, Observation] = {}

    def follow(self, item_id: str, ref: ObjectRef) -> Iterable[Told]:
        """Watch the workload and the pods of its namespace, and tell what is known already."""
        one = make_followed(item_id, ref, self._kinds.find(ref.api_version, ref.kind))
        self._items[item_id] = one
        self._by_name[one.scope, ref.name] = one
        self._by_label[one.pod_scope, one.label] = one
        scopes = dict.fromkeys((one.scope, one.pod_scope))
        for scope in scopes:
            self._watch(scope.cluster, scope.api_version, scope.kind, scope.namespace)
        told = [(item_id, _trouble(scope, self._refused[scope])) for scope in scopes if scope in self._refused]
        return [*told, *self._judge(one)]

    def awaits(self, item_id: str) -> bool:
        """Whether the first complete list of the item's kind is still to come, and nothing speaks against it."""
        one = self._items.get(item_id)
        return one is not None and one.scope not in self._listed and one.scope not in self._refused

    def forget(self, item_id: str) -> None:
        """Drop what is known of the item."""
        self._last.pop(item_id, None)
        one = self._items.pop(item_id, None)
        if one is not None:
            self._by_name.pop((one.scope, one.ref.name), None)
            self._by_label.pop((one.pod_scope, one.label), None)
            self._picture.forget(one)

    def absorb(self, notice: Notice) -> Iterable[Told]:
        """What a notice means for which items."""
        scope = scope_of(notice)
        if notice.change == "REFUSED":
            return self._absorb_refusal(scope, notice.trouble)
        if notice.change == "SYNCED":
            return self._absorb_list(scope, notice.objects)
        body = notice.objects[0]
        if notice.change == "DELETED":
            self._picture.drop(scope, body)
        else:
            self._picture.put(scope, body)
        return self._absorb_change(scope, body, is_deleted=notice.change == "DELETED")

    def _absorb_change(self, scope: Scope, body: Manifest, *, is_deleted: bool) -> Iterable[Told]:
        metadata = body["metadata"]
        one = self._by_name.get((scope, metadata["name"]))
        if one is not None:
            is_same = not one.ref.uid or metadata.get("uid") == one.ref.uid
            if is_deleted:
                return ((one.item_id, Observed(Observation(JobState.MISSING))),) if is_same else ()
            return self._judge(one)
        if scope.is_pods:
            label = (metadata.get("labels") or {}).get(ITEM_LABEL, "")
            one = self._by_label.get((scope, label))
        return self._judge(one) if one is not None else ()

    def _absorb_list(self, scope: Scope, bodies: tuple[Manifest, ...]) -> list[Told]:
        is_first = scope not in self._listed
        self._refused.pop(scope, None)
        self._listed.add(scope)
        self._picture.replace(scope, bodies)
        told: list[Told] = []
        for one in self._items.values():
            if one.scope == scope and self._picture.workload(one) is None:
                told.append((one.item_id, Vanished()))
            elif scope in (one.scope, one.pod_scope) and not (is_first and self._waits_for_pods(one)):
                told.extend(self._judge(one))
        return told

    def _waits_for_pods(self, one: Followed) -> bool:
        """Whether the first list of its pods is still to come, and only that tells what a live workload does."""
        if one.pod_scope in self._listed or one.pod_scope in self._refused:
            return False
        body = self._picture.workload(one)
        return body is not None and not status.from_object(one.kind, body).is_over

    def _absorb_refusal(self, scope: Scope, why: str) -> list[Told]:
        self._refused[scope] = why
        told: list[Told] = []
        for one in self._items.values():
            if scope in (one.scope, one.pod_scope):
                told.append((one.item_id, _trouble(scope, why)))
                told.extend(self._judge(one))
        return told

    def _judge(self, one: Followed) -> Iterable[Told]:
        body = self._picture.workload(one)
        if body is None:
            return ()
        if one.ref.uid and body["metadata"].get("uid") != one.ref.uid:
            return ((one.item_id, Vanished()),)  # the name is another object's by now
        pods = () if one.kind.is_pod else self._picture.pods(one)
        seen = observation.observe(one.kind, body, pods, image_pull_grace=self._grace)
        seen = replace(seen, is_polled=not one.kind.is_pod and is_polled(one.kind, pods))
        if self._last.get(one.item_id) == seen:
            return ()
        if self._must_look(one, seen, pods):
            # The two watches are not in step: of a workload's end one can hear before that of its pods, which say why.
            return ((one.item_id, Vanished()),)
        self._last[one.item_id] = seen
        if seen.is_polled and seen.state is JobState.UNKNOWN:
            return ((one.item_id, Vanished()),)  # only its pods tell its state, and only a look shows them
        return ((one.item_id, Observed(seen)),)

    def _must_look(self, one: Followed, seen: Observation, pods: tuple[Manifest, ...]) -> bool:
        """Whether pods that are not in the picture may say more."""
        if seen.state in REASON_IN_A_POD:
            return not one.kind.is_pod and not any(status.phase_of(pod) == "Failed" for pod in pods)
        return False


def _trouble(scope: Scope, why: str) -> Event:
    return Troubled(
        Diagnosis(
            Category.WATCH_REFUSED,
            f"The agent can not watch {scope.kind} objects in namespace {scope.namespace}, so changes show late.",
            why,
        )
    )
