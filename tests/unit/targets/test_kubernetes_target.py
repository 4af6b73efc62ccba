"""What the target asks of an API server, and what it makes of the answers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from launch_agent.core.kinds import Kind, Kinds
from launch_agent.core.marks import ITEM_ANNOTATION, ITEM_LABEL
from launch_agent.core.models import JobState, ObjectRef, Plan
from launch_agent.errors import ConfigError, KubernetesInvalid, KubernetesMissing, KubernetesUnavailable, RefusedError
from launch_agent.targets.kubernetes import KubernetesTarget, OwnCluster
from launch_agent.targets.kubernetes.happenings import TRUST, Happenings
from launch_agent.targets.kubernetes.ownership import find_own
from launch_agent.targets.kubernetes.pods import find_pods
from launch_agent.targets.kubernetes.services import Services
from tests.unit.targets.servers import Server

Json = dict[str, Any]
THING = Kind(group="a.b", kind="Thing", ttl="spec.cleanup.ttlSeconds")
NOBODYS = Kind(group="a.b", kind="Thing", is_known=False)


def make(kind: str = "Job", name: str = "launch-1", version: str = "batch/v1", **more: Any) -> Json:
    metadata = {
        "name": name,
        "namespace": "ml",
        "labels": {ITEM_LABEL: "item-1"},
        "annotations": {ITEM_ANNOTATION: "item-1"},
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **more}


def live(body: Json, uid: str = "", **metadata: Any) -> Json:
    """The object as the server holds it."""
    made = copy.deepcopy(body)
    made["metadata"].update({"uid": uid or f"uid-{body['metadata']['name']}", **metadata})
    return made


def somebody_elses(body: Json) -> Json:
    return live({**body, "metadata": {"name": body["metadata"]["name"], "namespace": "ml"}}, "foreign")


def target_on(server: Server, *kinds: Kind) -> KubernetesTarget:
    return KubernetesTarget(
        OwnCluster(server.client), watch=lambda *_scope: None, image_pull_grace=60.0, kinds=Kinds(kinds)
    )


SECRET = make("Secret", "wandb-api-key-abc", "v1", data={"password": "bmV3"})
SERVICE = make("Service", "redis", "v1")
CACHE = make("Pod", "cache", "v1")
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


# ── creation ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_job_costs_one_write_and_each_secret_two() -> None:
    server = Server()
    target = target_on(server)
    plan = Plan(make(), secrets=(SECRET,))
    assert target.prepare(plan) == ()
    ref = target.create(plan, "item-1")
    assert server.asked == ["try Job", "create Secret", "create Job", "patch Secret wandb-api-key-abc"]
    assert (ref.name, ref.uid) == ("launch-1", "uid-launch-1")
    [owner] = server.objects["Secret", "wandb-api-key-abc"]["metadata"]["ownerReferences"]
    assert owner == {"apiVersion": "batch/v1", "kind": "Job", "name": "launch-1", "uid": "uid-launch-1"}


def test_creating_twice_is_creating_once() -> None:
    server = Server()
    target = target_on(server)
    plan = Plan(make(), secrets=(SECRET,), services=(SERVICE,))
    for _ in range(2):
        target.prepare(plan)
        assert target.create(plan, "item-1").uid == "uid-launch-1"
    assert len(server.objects) == 3


def test_an_object_that_is_found_after_a_crash_gets_what_belongs_to_it() -> None:
    server = Server()
    target = target_on(server)
    plan = Plan(make(), secrets=(SECRET,), services=(SERVICE,), service_wait=None)
    target.prepare(plan)
    server.objects["Service", "redis"] = live(SERVICE)
    server.objects["Job", "launch-1"] = live(make())
    found = target.find(plan, "item-1")
    assert found is not None
    assert found.uid == "uid-launch-1"
    for key in (("Secret", "wandb-api-key-abc"), ("Service", "redis")):
        [owner] = server.objects[key]["metadata"]["ownerReferences"]
        assert owner["uid"] == "uid-launch-1"
    assert target.find(plan, "item-2") is None, "the name is another item's"


def test_a_secret_of_an_attempt_before_gets_the_new_content() -> None:
    server = Server(live({**SECRET, "data": {"password": "b2xk"}}))
    target_on(server).prepare(Plan(make(), secrets=(SECRET,)))
    assert server.objects["Secret", "wandb-api-key-abc"]["data"] == {"password": "bmV3"}
    assert not [asked for asked in server.asked if asked.startswith("get Secret")], "Secrets are never read"


def test_a_secret_of_somebody_else_is_neither_changed_nor_owned_nor_deleted() -> None:
    foreign = somebody_elses({**SECRET, "data": {"password": "b2xk"}})
    server = Server(copy.deepcopy(foreign))
    target = target_on(server)
    plan = Plan(make(), secrets=(SECRET,))
    with pytest.raises(RefusedError, match=r"The Secret ml/wandb-api-key-abc exists already and is not this item's."):
        target.prepare(plan)
    target.create(plan, "item-1")
    target.discard(plan)
    assert server.objects["Secret", "wandb-api-key-abc"] == foreign


def test_a_refused_item_takes_its_secrets_and_services_with_it() -> None:
    server = Server()
    target = target_on(server)
    plan = Plan(make(), secrets=(SECRET,), services=(SERVICE, CACHE), service_wait=None)
    target.prepare(plan)
    target.create(plan, "item-1")
    target.discard(plan)
    assert list(server.objects) == [("Job", "launch-1")]
    target.discard(plan)


def test_a_service_that_the_cluster_would_refuse_is_told_by_its_place_before_anything_is_made() -> None:
    server = Server()

    def judge(body: Mapping[str, Any]) -> tuple[str, ...]:
        if body["kind"] == "Pod":
            raise KubernetesInvalid("The API server does not take it.", detail="spec.containers: Required", status=422)
        return ("unknown field",) if body["kind"] == "Service" else ()

    server.on_try = judge
    target = target_on(server)
    with pytest.raises(RefusedError, match=r"^additional_services\[1\]\.config: the cluster .* Pod\. .*Required"):
        target.prepare(Plan(make(), secrets=(SECRET,), services=(SERVICE, CACHE)))
    assert server.objects == {}
    told = target.prepare(Plan(make(), secrets=(SECRET,), services=(SERVICE,)))
    assert told == ("additional_services[0].config: unknown field",)


def test_a_workload_of_that_name_which_is_another_items_is_refused_with_the_cure() -> None:
    server = Server(somebody_elses(make()))
    with pytest.raises(RefusedError, match=r"\$\{run_id\}"):
        target_on(server).create(Plan(make()), "item-1")


def test_another_cluster_is_refused_where_there_is_only_one() -> None:
    with pytest.raises(ConfigError, match="reaches no other cluster"):
        target_on(Server()).prepare(Plan(make(), cluster="/etc/other#"))


@pytest.mark.parametrize(
    ("labels", "is_own"),
    [({ITEM_LABEL: "item-1"}, True), ({ITEM_LABEL: "item-2"}, False), ({}, False), (None, False)],
)
def test_an_object_is_ours_by_its_label(labels: Json | None, is_own: bool) -> None:
    server = Server(live({**SERVICE, "metadata": {"name": "redis", "labels": labels}}))
    assert (find_own(server.client, SERVICE) == "uid-redis") is is_own


# ── services ────────────────────────────────────────────────────────────────────────────────────────────────────────


def wait_for(server: Server, now: list[float], body: Json, service_wait: float | None = 10.0) -> Services:
    services = Services(image_pull_grace=5.0, clock=lambda: now[0])
    services.ensure(server.client, Plan(make(), services=(body,), service_wait=service_wait), "item-1")
    return services


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(CACHE, READY, id="a ready pod"),
        pytest.param(CACHE, {"phase": "Succeeded"}, id="a pod that did its work"),
        pytest.param(
            make("Deployment", "redis", "apps/v1", spec={"replicas": 2}), {"readyReplicas": 2}, id="all replicas"
        ),
        pytest.param(make("Deployment", "redis", "apps/v1", spec={"replicas": 0}), {}, id="none wanted"),
        pytest.param(SERVICE, {}, id="a service is ready with its pods"),
    ],
)
def test_a_service_that_is_ready_is_not_waited_for(body: Json, status: Json) -> None:
    wait_for(Server(live({**body, "status": status})), [0.0], body)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param(CACHE, {}, "Pod cache: Pending", id="a pod that nobody saw"),
        pytest.param(CACHE, {"phase": "Running"}, "Pod cache: Running", id="a pod that runs and is not ready"),
        pytest.param(
            CACHE,
            {"phase": "Pending", "conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}]},
            "0/3 nodes",
            id="a pod that fits nowhere",
        ),
        pytest.param(
            make("Deployment", "redis", "apps/v1", spec={}), {"readyReplicas": 0}, "Deployment redis: 0 of 1", id="one"
        ),
        pytest.param(
            make("Deployment", "redis", "apps/v1", spec={"replicas": 2}),
            {"conditions": [{"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}]},
            "exceeded quota",
            id="pods that are refused",
        ),
    ],
)  # fmt: skip
def test_a_service_that_is_not_ready_is_named_and_waited_for_until_patience_ends(
    body: Json, status: Json, words: str
) -> None:
    server, now = Server(live({**body, "status": status})), [0.0]
    plan = Plan(make(), services=(body,), service_wait=10.0)
    services = Services(image_pull_grace=5.0, clock=lambda: now[0])
    for now[0] in (0.0, 9.9):
        with pytest.raises(KubernetesUnavailable, match=words) as caught:
            services.ensure(server.client, plan, "item-1")
        assert caught.value.retry_after == 1.0
    now[0] = 10.0
    with pytest.raises(RefusedError, match=words):
        services.ensure(server.client, plan, "item-1")
    assert server.asked.count(f"create {body['kind']}") == 1


def test_a_deployment_whose_change_the_controller_has_not_seen_is_not_ready() -> None:
    body = make("Deployment", "redis", "apps/v1", spec={"replicas": 1})
    server = Server(live({**body, "status": {"readyReplicas": 1, "observedGeneration": 1}}, generation=2))
    with pytest.raises(KubernetesUnavailable):
        wait_for(server, [0.0], body)


def test_a_service_that_failed_or_was_deleted_is_not_waited_for() -> None:
    server = Server(live({**CACHE, "status": {"phase": "Failed"}}))
    with pytest.raises(RefusedError, match=r"An additional service failed. Pod cache"):
        wait_for(server, [0.0], CACHE)
    now = [0.0]
    server = Server()
    with pytest.raises(KubernetesUnavailable):
        wait_for(server, now, CACHE)


def test_services_that_need_not_be_ready_are_only_made() -> None:
    server = Server()
    wait_for(server, [0.0], CACHE, service_wait=None)
    assert server.asked == ["create Pod"]


# ── looks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

REF = ObjectRef("batch/v1", "Job", "ml", "launch-1", "uid-launch-1")
REFUSED = {
    "reason": "FailedCreate",
    "type": "Warning",
    "message": 'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
    "involvedObject": {"kind": "Job", "name": "launch-1", "uid": "uid-launch-1"},
    "lastTimestamp": "2026-01-01T00:00:00Z",
}


def pod(name: str, *owners: Json, created: str = "2026-01-02", **labels: str) -> Json:
    references = [{"uid": one["metadata"]["uid"], "apiVersion": one["apiVersion"], "kind": one["kind"],
                   "name": one["metadata"]["name"]} for one in owners]  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name, "namespace": "ml", "uid": f"uid-{name}", "labels": labels, "ownerReferences": references,
            "creationTimestamp": created,
        },
        "spec": {"containers": [{"name": "main"}]},
        "status": {"phase": "Running"},
    }  # fmt: skip


def test_a_job_that_is_gone_or_another_one_is_missing() -> None:
    assert target_on(Server()).look(REF).state is JobState.MISSING
    assert target_on(Server(live(make(), "another"))).look(REF).state is JobState.MISSING


def test_a_kind_that_was_uninstalled_took_its_objects_with_it() -> None:
    class Bare(Server):
        def get(self, _version: str, kind: str, _namespace: str, name: str) -> Json | None:
            raise KubernetesMissing(f"The cluster has no kind {kind}.", status=404)

        def delete(self, *_place: str, propagation: str = "", uid: str = "") -> bool:
            raise KubernetesMissing("The cluster has no such kind.", status=404)

    target = target_on(Bare())
    assert target.look(REF).state is JobState.MISSING
    target.delete(REF)


def test_a_job_whose_pods_are_refused_says_so_in_the_clusters_words() -> None:
    server = Server(live(make()))
    server.events = [REFUSED]
    seen = target_on(server).look(REF)
    assert seen.diagnosis is not None
    assert "violates PodSecurity" in seen.diagnosis.text
    assert seen.diagnosis.fails_after == 0.0
    assert target_on(server).explain(REF) == seen.diagnosis


def test_a_job_without_pods_and_events_is_strange_only_when_it_is_late() -> None:
    server = Server(live(make()))
    assert target_on(server).look(REF).diagnosis is None
    late = target_on(server).look(REF, is_late=True)
    assert late.diagnosis is not None
    assert late.diagnosis.category == "NoPods"


@pytest.mark.parametrize(
    ("about", "is_ours"),
    [
        ({"kind": "Job", "name": "launch-1", "uid": "uid-launch-1"}, True),
        ({"kind": "Job", "name": "launch-1", "uid": "of one before"}, False),
        ({"kind": "Pod", "name": "launch-1-x7zq2"}, False),
        ({"kind": "Job", "name": "launch-1-2", "uid": "another's"}, False),
        ({}, False),
    ],
)
def test_events_about_a_job_are_those_of_the_very_object(about: Json, is_ours: bool) -> None:
    server = Server()
    server.events = [{**REFUSED, "involvedObject": about}]
    assert bool(Happenings().find(server.client, REF)) is is_ours


@pytest.mark.parametrize(
    ("about", "is_ours"),
    [
        ({"kind": "RayCluster", "name": "launch-1", "uid": "uid-launch-1"}, True),
        ({"kind": "StatefulSet", "name": "launch-1-0"}, True),
        ({"kind": "ReplicaSet", "name": "launch-1"}, True),
        ({"kind": "Job", "name": "launch-10"}, False),
        ({}, False),
    ],
)
def test_events_about_what_an_operator_made_of_an_object_are_its_own(about: Json, is_ours: bool) -> None:
    server = Server()
    server.events = [{**REFUSED, "involvedObject": about}]
    ray = ObjectRef("ray.io/v1", "RayCluster", "ml", "launch-1", "uid-launch-1")
    assert bool(Happenings().find(server.client, ray)) is is_ours


def test_one_list_of_events_serves_all_items_of_a_namespace_for_a_moment() -> None:
    now, server = [0.0], Server()
    happenings = Happenings(lambda: now[0])
    for _ in range(50):
        happenings.find(server.client, REF)
    assert server.asked == ["read /ml/Event"]
    now[0] = TRUST
    happenings.find(server.client, REF)
    happenings.find(server.client, ObjectRef("batch/v1", "Job", "other", "launch-1"))
    assert server.asked == ["read /ml/Event", "read /ml/Event", "read /other/Event"]


WORKLOAD = live(make("Thing", "t1", "a.b/v1"), creationTimestamp="2026-01-01")


def test_labelled_pods_are_enough_for_any_kind() -> None:
    server = Server(pod("p1", **{ITEM_LABEL: "item-1"}), pod("p2", **{ITEM_LABEL: "item-2"}))
    pods, is_polled = find_pods(server.client, NOBODYS, WORKLOAD)
    assert ([one["metadata"]["name"] for one in pods], is_polled) == (["p1"], False)
    assert server.asked == [f"list Pod {ITEM_LABEL}=item-1"]


def test_pods_of_a_kind_with_labels_of_its_own() -> None:
    kind = Kind(group="a.b", kind="Thing", pod_selector="a.b/thing={name}")
    server = Server(pod("p1", **{"a.b/thing": "t1"}), pod("p2", **{"a.b/thing": "t2"}))
    pods, is_polled = find_pods(server.client, kind, WORKLOAD)
    assert ([one["metadata"]["name"] for one in pods], is_polled) == (["p1"], True)


def test_pods_are_found_through_three_owners_and_no_further() -> None:
    def child(name: str, owner: Json) -> Json:
        body = pod(name, owner)
        return {**body, "kind": "Job", "apiVersion": "batch/v1"}

    first = child("first", WORKLOAD)
    second = child("second", first)
    third = child("third", second)
    stranger = live(make("Job", "stranger"))
    server = Server(
        WORKLOAD, first, second, third, stranger,
        pod("own", WORKLOAD), pod("of-first", first), pod("of-second", second), pod("of-third", third),
        pod("strange", stranger), pod("nobodys"), pod("older", WORKLOAD, created="2025-12-31"),
    )  # fmt: skip
    pods, is_polled = find_pods(server.client, NOBODYS, WORKLOAD)
    assert ([one["metadata"]["name"] for one in pods], is_polled) == (["own", "of-first", "of-second"], True)
    assert server.asked.count("get Job first") == 1


# ── letting go ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("ref", "after", "expected"),
    [
        (REF, 60, [{"spec": {"ttlSecondsAfterFinished": 60}}]),
        (REF, 0, [{"spec": {"ttlSecondsAfterFinished": 0}}]),
        (REF, None, None),
        (ObjectRef("a.b/v2", "Thing", "ml", "launch-1"), 60, [{"spec": {"cleanup": {"ttlSeconds": 60}}}]),
        (ObjectRef("v1", "Pod", "ml", "launch-1"), 60, None),
    ],
)
def test_the_time_to_live_goes_where_the_kind_has_it(ref: ObjectRef, after: int | None, expected: object) -> None:
    server = Server(live(make(ref.kind, version=ref.api_version)))
    target_on(server, THING).release(ref, after)
    assert server.objects[ref.kind, "launch-1"].get("patched") == expected


def test_an_object_that_is_gone_needs_no_time_to_live() -> None:
    target_on(Server()).release(REF, 60)


def test_a_workload_is_deleted_after_its_pods_and_only_if_it_is_the_same_one() -> None:
    server = Server(live(make()))
    target_on(server).delete(ObjectRef("batch/v1", "Job", "ml", "launch-1", "another"))
    assert server.objects
    target_on(server).delete(REF)
    assert not server.objects
    assert server.asked == ["delete Job launch-1 Foreground"] * 2
