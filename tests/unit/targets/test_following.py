"""What the watches say, and which items hear of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from launch_agent.core import names
from launch_agent.core.events import Event, Observed, Troubled
from launch_agent.core.kinds import Kind, Kinds
from launch_agent.core.marks import AUXILIARY_LABEL, ITEM_LABEL
from launch_agent.core.models import JobState, ObjectRef, Resource
from launch_agent.targets.base import Notice
from launch_agent.targets.kubernetes.following import Following
from launch_agent.targets.kubernetes.notices import NoticeSink

Json = dict[str, Any]
ITEM = "item-1"
JOB = ("batch/v1", "Job")
VOLCANO = ("batch.volcano.sh/v1alpha1", "Job")
POD = ("v1", "Pod")


class Scene:
    """Followed items, and what was asked to be watched."""

    def __init__(self, *kinds: Kind) -> None:
        self.watched: list[tuple[str, ...]] = []
        self.following = Following(Kinds(kinds), lambda *scope: self.watched.append(scope), 60.0)

    def follow(
        self, kind: tuple[str, str] = JOB, item_id: str = ITEM, *, name: str = "launch-1", cluster: str = ""
    ) -> list[tuple[str, Event]]:
        return list(self.following.follow(item_id, ObjectRef(*kind, "team", name, f"uid-{name}", cluster)))

    def say(self, kind: tuple[str, str], change: str, *bodies: Json, **more: Any) -> list[tuple[str, str]]:
        notice = Notice(Resource.KUBERNETES, kind[1], "team", change, bodies, api_version=kind[0], **more)
        return show(self.following.absorb(notice))


def show(told: Iterable[tuple[str, Event]]) -> list[tuple[str, str]]:
    """Events as words: a state, or the event's name."""
    return [
        (item, event.observation.state.value if isinstance(event, Observed) else type(event).__name__)
        for item, event in told
    ]


def body(name: str, item_id: str = ITEM, *, uid: str = "", **status: Any) -> Json:
    labels = {ITEM_LABEL: names.item_label(item_id)}
    metadata = {"name": name, "namespace": "team", "uid": uid or f"uid-{name}", "labels": labels}
    return {"metadata": metadata, "spec": {"containers": [{"name": "launch0"}]}, "status": status}


def condition(kind: str) -> list[Json]:
    return [{"type": kind, "status": "True"}]


RUNNING_POD = body("pod-1", phase="Running")
FAILED_POD = body("pod-1", phase="Failed")


def test_the_workload_and_the_pods_of_its_namespace_are_watched() -> None:
    scene = Scene()
    scene.follow(VOLCANO, cluster="other")
    assert scene.watched == [("other", *VOLCANO, "team"), ("other", *POD, "team")]


def test_a_pod_as_a_workload_needs_one_watch() -> None:
    scene = Scene()
    scene.follow(POD, name="pod-1")
    assert scene.watched == [("", *POD, "team")]
    assert scene.say(POD, "ADDED", RUNNING_POD) == [(ITEM, "running")]
    assert scene.say(POD, "DELETED", RUNNING_POD) == [(ITEM, "missing")]


def test_an_object_that_was_heard_of_before_it_was_followed_is_told_at_once() -> None:
    scene = Scene()
    assert scene.say(JOB, "ADDED", body("launch-1", active=1, ready=1)) == []
    assert show(scene.follow()) == [(ITEM, "running")]


def test_jobs_of_two_groups_are_told_apart() -> None:
    scene = Scene()
    scene.follow(VOLCANO)
    assert scene.say(JOB, "ADDED", body("launch-1", conditions=condition("Complete"))) == []
    assert scene.say(VOLCANO, "ADDED", body("launch-1", state={"phase": "Running"})) == [(ITEM, "running")]


def test_clusters_are_told_apart() -> None:
    scene = Scene()
    scene.follow(cluster="other")
    assert scene.say(JOB, "ADDED", body("launch-1", conditions=condition("Complete"))) == []
    assert scene.say(JOB, "SYNCED") == []
    assert scene.say(JOB, "ADDED", body("launch-1", ready=1), cluster="other") == [(ITEM, "running")]


def test_a_child_that_carries_the_items_label_is_not_taken_for_the_workload() -> None:
    scene = Scene()
    scene.follow(("jobset.x-k8s.io/v1alpha2", "JobSet"))
    scene.follow(JOB, "item-2", name="launch-2")
    assert scene.say(JOB, "ADDED", body("launch-1-workers-0", conditions=condition("Failed"))) == []


def test_a_service_pod_is_none_of_the_workloads() -> None:
    scene = Scene()
    scene.follow()
    scene.say(JOB, "ADDED", body("launch-1"))
    helper = body("redis", phase="Running")
    helper["metadata"]["labels"][AUXILIARY_LABEL] = "aux"
    assert scene.say(POD, "ADDED", helper) == []
    assert scene.say(POD, "ADDED", RUNNING_POD) == [(ITEM, "running")]


def test_what_did_not_change_is_not_told_again() -> None:
    scene = Scene()
    scene.follow()
    assert scene.say(JOB, "ADDED", body("launch-1")) == [(ITEM, "unknown")]
    assert scene.say(JOB, "MODIFIED", body("launch-1")) == []
    assert scene.say(POD, "ADDED", RUNNING_POD) == [(ITEM, "running")]
    assert scene.say(POD, "MODIFIED", RUNNING_POD) == []
    assert scene.say(POD, "SYNCED", RUNNING_POD) == []


def test_a_complete_list_without_the_workload_asks_for_a_look_and_one_without_its_pods_judges_anew() -> None:
    scene = Scene()
    scene.follow()
    scene.follow(JOB, "item-2", name="launch-2")
    scene.say(JOB, "ADDED", body("launch-1"))
    scene.say(POD, "ADDED", RUNNING_POD)
    assert scene.say(JOB, "SYNCED", body("launch-1")) == [("item-2", "Vanished")]
    assert scene.say(POD, "SYNCED") == [(ITEM, "unknown")]


def test_an_object_of_the_same_name_that_is_not_ours_is_looked_at() -> None:
    scene = Scene()
    scene.follow()
    assert scene.say(JOB, "ADDED", body("launch-1", uid="new", conditions=condition("Complete"))) == [
        (ITEM, "Vanished")
    ]
    assert scene.say(JOB, "DELETED", body("launch-1", uid="new")) == []


@pytest.mark.parametrize(
    ("pods", "expected"),
    [([], "Vanished"), ([RUNNING_POD], "Vanished"), ([FAILED_POD], "failed")],
)
def test_a_failure_is_believed_when_a_pod_can_say_why(pods: list[Json], expected: str) -> None:
    scene = Scene()
    scene.follow()
    for pod in pods:
        scene.say(POD, "ADDED", pod)
    assert scene.say(JOB, "ADDED", body("launch-1", conditions=condition("Failed"))) == [(ITEM, expected)]


def test_a_forgotten_item_is_not_told_of() -> None:
    scene = Scene()
    scene.follow()
    scene.say(JOB, "ADDED", body("launch-1"))
    scene.following.forget(ITEM)
    assert scene.say(JOB, "MODIFIED", body("launch-1", ready=1)) == []
    assert scene.say(POD, "ADDED", RUNNING_POD) == []


@pytest.mark.parametrize("scope", [VOLCANO, POD])
def test_a_refused_watch_is_told_to_those_who_depend_on_it_now_and_later(scope: tuple[str, str]) -> None:
    scene = Scene()
    scene.follow(VOLCANO)
    assert scene.say(scope, "REFUSED", trouble="The API server forbids: list.") == [(ITEM, "Troubled")]
    assert scene.say(JOB, "REFUSED", trouble="no") == []
    [(item_id, event)] = scene.follow(VOLCANO, "item-2", name="launch-2")
    assert item_id == "item-2"
    assert isinstance(event, Troubled)
    assert "The API server forbids: list." in event.diagnosis.text
    assert scope[1] in event.diagnosis.summary


def test_a_watch_that_works_again_troubles_nobody() -> None:
    scene = Scene()
    scene.say(JOB, "REFUSED", trouble="no")
    scene.say(JOB, "SYNCED")
    assert scene.follow() == []


OWN = Kind(group="a.b", kind="Thing", pod_selector="of={name}")


def test_a_kind_whose_pods_no_watch_shows_is_to_be_polled_and_looked_at_where_its_state_says_nothing() -> None:
    scene = Scene(OWN)
    thing = ("a.b/v1", "Thing")
    scene.follow(thing)
    assert scene.say(thing, "ADDED", body("launch-1")) == [(ITEM, "Vanished")]
    assert scene.say(thing, "MODIFIED", body("launch-1")) == []
    [(_, event)] = scene.following.absorb(
        Notice(
            Resource.KUBERNETES, "Thing", "team", "MODIFIED", (body("launch-1", phase="Running"),), api_version="a.b/v1"
        )
    )
    assert isinstance(event, Observed)
    assert event.observation.is_polled
    assert event.observation.state is JobState.RUNNING


def test_an_unknown_kind_whose_pods_carry_our_label_needs_no_polling() -> None:
    scene = Scene()
    thing = ("a.b/v1", "Thing")
    scene.follow(thing)
    scene.say(POD, "ADDED", RUNNING_POD)
    [(_, event)] = scene.following.absorb(
        Notice(Resource.KUBERNETES, "Thing", "team", "ADDED", (body("launch-1"),), api_version="a.b/v1")
    )
    assert isinstance(event, Observed)
    assert not event.observation.is_polled


def test_a_sink_tells_where_its_notices_come_from() -> None:
    posted: list[Notice] = []
    sink = NoticeSink("other", *VOLCANO, "team", posted.append)
    sink.synced(None, [body("launch-1")])
    sink.changed(None, "DELETED", body("launch-1"))
    sink.refused(None, "why")
    assert [(one.cluster, one.api_version, one.kind, one.namespace) for one in posted] == [
        ("other", *VOLCANO, "team")
    ] * 3
    assert [(one.change, len(one.objects), one.trouble) for one in posted] == [
        ("SYNCED", 1, ""), ("DELETED", 1, ""), ("REFUSED", 0, "why"),
    ]  # fmt: skip


def test_an_item_awaits_the_first_list_of_its_kind_and_is_looked_at_if_that_lacks_it() -> None:
    scene = Scene()
    scene.follow()
    assert scene.following.awaits(ITEM)
    scene.say(POD, "SYNCED")
    assert scene.following.awaits(ITEM)
    assert scene.say(JOB, "SYNCED") == [(ITEM, "Vanished")]
    assert not scene.following.awaits(ITEM)


def test_a_live_workload_is_judged_with_the_first_list_of_its_pods_and_one_that_is_over_at_once() -> None:
    scene = Scene()
    scene.follow()
    scene.follow(item_id="item-2", name="launch-2")
    over = body("launch-2", "item-2", conditions=condition("Complete"))
    assert scene.say(JOB, "SYNCED", body("launch-1"), over) == [("item-2", "finished")]
    assert scene.say(POD, "SYNCED", RUNNING_POD) == [(ITEM, "running")]


def test_a_live_workload_is_judged_without_its_pods_where_these_may_not_be_listed() -> None:
    scene = Scene()
    scene.follow()
    scene.say(JOB, "SYNCED", body("launch-1", ready=1))
    assert scene.say(POD, "REFUSED", trouble="no") == [(ITEM, "Troubled"), (ITEM, "running")]


def test_pods_that_can_not_be_listed_hold_a_live_workload_back_until_the_next_list_only() -> None:
    scene = Scene()
    scene.follow()
    assert scene.say(JOB, "SYNCED", body("launch-1", ready=1)) == []
    assert scene.say(JOB, "SYNCED", body("launch-1", ready=1)) == [(ITEM, "running")]


def test_a_change_of_a_workload_is_heard_before_the_first_list_of_its_pods() -> None:
    scene = Scene()
    scene.follow()
    assert scene.say(JOB, "SYNCED", body("launch-1")) == []
    assert scene.say(JOB, "MODIFIED", body("launch-1", ready=1)) == [(ITEM, "running")]


def test_nothing_is_awaited_of_a_watch_that_is_refused() -> None:
    scene = Scene()
    scene.follow()
    scene.say(JOB, "REFUSED", trouble="no")
    assert not scene.following.awaits(ITEM)
