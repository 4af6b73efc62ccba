"""Custom resources, pods and additional services: what the target does with a plan, on a real API server."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launch_agent.core.kinds import Kind, PodTemplate, States
from launch_agent.core.models import JobState
from launch_agent.core.permissions import CustomResource, Feature, list_permissions
from tests.support import accounts
from tests.support.accounts import kubectl
from tests.support.cluster import Cluster, Json
from tests.support.crds import ANY, TEXT, an_object, define
from tests.support.waiting import wait_until
from tests.support.workbench import Workbench

pytestmark = [pytest.mark.sim, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def group() -> Iterator[str]:
    """The group of this file's own kind, Training, made for it."""
    name = f"{secrets.token_hex(4)}.bench.example"
    crd = define(name, "v1", "Training", "trainings", an_object(ttl={"type": "integer"}, words=TEXT, pod=ANY))
    kubectl("apply", "-f", "-", given=json.dumps(crd))
    kubectl("wait", f"crd/trainings.{name}", "--for=condition=Established", "--timeout=30s")
    wait_until(lambda: "Training" in kubectl("api-resources", "--api-group", name, "-o", "wide"), 30, "discovery")
    yield name
    kubectl("delete", "crd", f"trainings.{name}", "--wait=false")


class Field:
    """A namespace, and the workbenches in it."""

    def __init__(self, cluster: Cluster, folder: Path, group: str) -> None:
        self.cluster = cluster
        self.folder = folder
        self.group = group
        self.name = f"bench-{secrets.token_hex(4)}"
        self.benches: list[Workbench] = []
        cluster.create_namespace(self.name)
        wait_until(self._is_usable, 20, "the namespace's account")

    def _is_usable(self) -> bool:
        return "default" in kubectl("get", "serviceaccounts", "-n", self.name, "-o", "name")

    def start(self, *kinds: Kind, **options: Any) -> Workbench:
        """A workbench that knows these kinds."""
        bench = Workbench(self.folder, self.name, kinds=kinds, **options)
        self.benches.append(bench)
        return bench

    def close(self) -> None:
        for bench in self.benches:
            bench.close()
        self.cluster.delete_namespace(self.name)

    def training(self, name: str = "t1", **spec: Any) -> Json:
        return {
            "apiVersion": f"{self.group}/v1",
            "kind": "Training",
            "metadata": {"name": name},
            "spec": {"words": "some", **spec},
        }

    def find(self, name: str = "t1") -> Json | None:
        """The custom resource, None where there is none."""
        text = kubectl("get", f"trainings.{self.group}", name, "-n", self.name, "-o", "json", "--ignore-not-found")
        found: Json | None = json.loads(text) if text.strip() else None
        return found

    def wait_for(self, name: str = "t1") -> Json:
        found = wait_until(lambda: self.find(name), 20, f"the Training {name}")
        assert found is not None
        return found

    def say(self, name: str = "t1", **status: Any) -> None:
        """Do what an operator does: write the status."""
        kubectl(
            "patch", f"trainings.{self.group}", name, "-n", self.name, "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": status}),
        )  # fmt: skip

    def say_condition(self, kind: str, name: str = "t1") -> None:
        self.say(name, conditions=[{"type": kind, "status": "True", "reason": "Test", "message": "as told"}])

    def wait_until_gone(self, *objects: tuple[str, str]) -> None:
        def left() -> list[tuple[str, str]]:
            return [one for one in objects if self.cluster.get(one[0], self.name, one[1]) is not None]

        wait_until(left, 30, f"{objects} to go", until=lambda found: not found)

    def make_pod(self, name: str, owner: Json, **metadata: Any) -> None:
        """A pod that an operator made: owned, with labels of its own."""
        self.cluster.create("Pod", self.name, {
            "metadata": {"name": name, "ownerReferences": [reference(owner)], **metadata},
            "spec": {"containers": [{"name": "main", "image": "train:1"}]},
        })  # fmt: skip


def reference(owner: Json) -> Json:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": True,
        "controller": True,
    }


@pytest.fixture
def field(cluster: Cluster, tmp_path: Path, group: str) -> Iterator[Field]:
    """A namespace of this test's own."""
    own = Field(cluster, tmp_path, group)
    yield own
    own.close()


# ── custom resources ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_custom_resource_is_followed_by_its_conditions_from_its_creation_to_its_end(field: Field) -> None:
    bench = field.start()
    bench.launch("one", field.training())
    field.wait_for()
    field.say_condition("Created")
    bench.wait_for_state("one", "starting")
    field.say_condition("Running")
    bench.wait_for_state("one", "running")
    field.say_condition("Succeeded")
    bench.wait_for_state("one", "gone")
    assert bench.told("one").is_acked
    assert not bench.told("one").failure
    assert field.find() is not None


def test_a_custom_resource_that_fails_fails_its_item_in_the_operators_words(field: Field) -> None:
    bench = field.start()
    bench.wandb.run_state = None
    bench.launch("one", field.training())
    field.wait_for()
    field.say_condition("Failed")
    assert "as told" in bench.wait_for_failure("one", 30)


ENDS = {"done": JobState.FINISHED, "busy": JobState.RUNNING}


def run_to_its_end(field: Field, *, ttl: str) -> Workbench:
    """An item of an own kind, with a time to live for that place, from its launch until the agent lets go of it."""
    bench = field.start(
        Kind(group=field.group, kind="Training", states=States(phases=(("status.phase", ENDS),)), ttl=ttl)
    )
    body = field.training()
    body["metadata"]["annotations"] = {"launch-agent/ttl-seconds-after-finished": "77"}
    bench.launch("one", body)
    field.wait_for()
    field.say(phase="Done")
    bench.wait_for_state("one", "gone")
    return bench


def test_an_own_kind_gets_its_time_to_live_when_its_outcome_is_known(field: Field) -> None:
    bench = run_to_its_end(field, ttl="spec.ttl")
    assert (field.find() or {})["spec"]["ttl"] == 77
    assert not bench.told("one").warnings


def test_a_time_to_live_that_the_kind_refuses_is_told_and_holds_nothing_up(field: Field) -> None:
    bench = run_to_its_end(field, ttl="spec.words")
    assert "spec.words" in bench.wait_for_warning("one", "stays as it is")


def test_a_custom_resource_is_adopted_after_a_restart(field: Field) -> None:
    first = field.start()
    first.launch("one", field.training())
    field.wait_for()
    field.say_condition("Running")
    first.wait_for_state("one", "running")
    first.close()
    second = field.start()
    second.wait_for_state("one", "running")
    field.say_condition("Succeeded")
    second.wait_for_state("one", "gone")
    assert not second.told("one").failure


def test_a_custom_resource_that_somebody_deletes_is_noticed(field: Field) -> None:
    bench = field.start()
    bench.launch("one", field.training())
    field.wait_for()
    field.say_condition("Running")
    bench.wait_for_state("one", "running")
    kubectl("delete", f"trainings.{field.group}", "t1", "-n", field.name)
    bench.wait_for_state("one", "gone")
    assert not bench.told("one").failure, "its run had finished"


def test_a_stopped_custom_resource_goes_after_its_pods(field: Field) -> None:
    bench = field.start()
    bench.launch("one", field.training())
    field.make_pod("t1-worker", field.wait_for())
    field.say_condition("Running")
    bench.wait_for_state("one", "running")
    bench.stop("one")
    bench.wait_for_state("one", "gone", 40)
    assert field.find() is None
    assert field.cluster.pods(field.name) == []
    assert not bench.told("one").failure


def test_a_kind_that_is_not_installed_fails_the_item_before_its_claim(field: Field) -> None:
    bench = field.start()
    bench.launch("one", {"apiVersion": "no.such/v1", "kind": "Thing", "metadata": {"name": "t1"}, "spec": {}})
    text = bench.wait_for_failure("one")
    assert "The cluster has no kind Thing in no.such/v1." in text
    assert "Install what defines it" in text
    assert not bench.told("one").is_acked


def test_a_name_that_is_another_objects_fails_the_item_with_the_cure(field: Field) -> None:
    kubectl("create", "-n", field.name, "-f", "-", given=json.dumps(field.training()))
    bench = field.start()
    bench.launch("one", field.training())
    text = bench.wait_for_failure("one")
    assert f"The Training {field.name}/t1 exists already and is not this item's." in text
    assert "${run_id}" in text
    assert field.find() is not None, "it belongs to somebody else"


# ── rights ──────────────────────────────────────────────────────────────────────────────────────────────────────────

PODS = {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}


def take_account(field: Field, *verbs: str) -> Path:
    """An account with these verbs on Trainings."""
    if not verbs:
        return take_rights(field, [PODS], "pods", "list")
    own = {"apiGroups": [field.group], "resources": ["trainings"], "verbs": list(verbs)}
    return take_rights(field, [PODS, own], f"trainings.{field.group}", verbs[0])


def take_rights(field: Field, rules: list[Json], resource: str, verb: str = "create") -> Path:
    """A kubeconfig for a new account with these rules, of which one is seen to hold."""
    accounts.apply(accounts.describe_account(field.name, "agent", {field.name: rules}))
    path = accounts.write_kubeconfig(field.folder / "agent.kubeconfig", field.name, "agent")

    def may() -> bool:
        account = f"system:serviceaccount:{field.name}:agent"
        return kubectl("auth", "can-i", verb, resource, "-n", field.name, "--as", account).strip() == "yes"

    wait_until(may, 30, "the rights to hold")
    return path


def test_a_missing_right_to_create_fails_the_item_with_verb_and_resource(field: Field) -> None:
    bench = field.start(kubeconfig_path=take_account(field))
    bench.launch("one", field.training())
    text = bench.wait_for_failure("one")
    assert f"create trainings in namespace {field.name}" in text
    assert "Give the agent's service account this right" in text
    assert not bench.told("one").is_acked


def test_a_missing_right_to_watch_is_told_and_the_item_is_followed_by_looks(field: Field) -> None:
    bench = field.start(kubeconfig_path=take_account(field, "create", "get", "patch", "delete"))
    bench.launch("one", field.training())
    field.wait_for()
    text = bench.wait_for_warning("one", "can not watch Training")
    assert f"list trainings in namespace {field.name}" in text
    field.say_condition("Running")
    bench.wait_for_state("one", "running")
    field.say_condition("Succeeded")
    bench.wait_for_state("one", "gone", 30)


def test_the_tables_rights_are_enough_for_a_custom_resource_with_services(field: Field) -> None:
    rows = list_permissions(
        {Feature.JOBS, Feature.CUSTOM_RESOURCES, Feature.ADDITIONAL_SERVICES},
        custom_resources=[CustomResource(field.group, "trainings")],
    )
    bench = field.start(kubeconfig_path=take_rights(field, accounts.make_rules(rows), f"trainings.{field.group}"))
    bench.launch("one", field.training(), deployment("redis"), SERVICE, pod("cache", restartPolicy="Always"))
    made = field.wait_for()
    field.say_condition("Running")
    bench.wait_for_state("one", "running")
    service = field.cluster.get("Service", field.name, "redis") or {}
    assert [one["uid"] for one in service["metadata"]["ownerReferences"]] == [made["metadata"]["uid"]]
    bench.stop("one")
    bench.wait_for_state("one", "gone", 40)
    bench.launch("two", field.training("t2"), {**SERVICE, "spec": {"ports": [{"port": 99999}]}}, deployment("redis"))
    bench.wait_for_failure("two")
    assert not [text for one in ("one", "two") for text in bench.told(one).warnings if "forbid" in text]


def test_a_missing_right_to_look_is_told_too(field: Field) -> None:
    bench = field.start(kubeconfig_path=take_account(field, "create"))
    bench.launch("one", field.training())
    field.wait_for()
    assert f"get trainings/t1 in namespace {field.name}" in bench.wait_for_warning("one", "may not look")


# ── pods that carry no label of ours ────────────────────────────────────────────────────────────────────────────────


def test_a_kind_whose_state_nobody_knows_is_followed_by_the_pods_that_it_owns_through_others(field: Field) -> None:
    bench = field.start()
    bench.launch("one", field.training())
    body = field.wait_for()
    job = field.cluster.create("Job", field.name, {
        "metadata": {"name": "t1-workers", "ownerReferences": [reference(body)]},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "a:1"}]}}},
    })  # fmt: skip
    wait_until(lambda: field.cluster.pods(field.name, job["metadata"]["name"]), 20, "a pod")
    bench.wait_for_state("one", "running", 25)
    [pod] = field.cluster.pods(field.name)
    field.cluster.end_pod(field.name, pod["metadata"]["name"], 0)
    bench.wait_for_state("one", "gone", 90)
    assert not bench.told("one").failure


def test_pods_are_found_by_the_kinds_own_labels(field: Field) -> None:
    kind = Kind(
        group=field.group, kind="Training", states=States(conditions={"failed": JobState.FAILED}),
        pod_selector="bench/of={name}",
    )  # fmt: skip
    bench = field.start(kind)
    bench.wandb.run_state = None
    bench.launch("one", field.training())
    field.make_pod("p1", field.wait_for(), labels={"bench/of": "t1"})
    wait_until(lambda: field.cluster.pods(field.name)[0]["status"]["phase"] == "Running", 20, "the pod to run")
    field.cluster.end_pod(field.name, "p1", 5)
    wait_until(lambda: field.cluster.pods(field.name)[0]["status"]["phase"] == "Failed", 20, "the pod to end")
    field.say_condition("Failed")
    assert "exit code 5" in bench.wait_for_failure("one", 30)


# ── an end in time ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_custom_resource_that_runs_for_too_long_is_deleted_and_fails(field: Field) -> None:
    bench = field.start()
    bench.launch("one", field.training(), max_runtime=2.0)
    field.wait_for()
    field.say_condition("Running")
    assert "max_runtime of 2 s" in bench.wait_for_failure("one")
    assert field.find() is None


def test_an_endless_one_ends_with_its_time_and_that_is_no_failure(field: Field) -> None:
    kind = Kind(group=field.group, kind="Training", templates=(PodTemplate("spec.pod"),), is_endless=True)
    bench = field.start(kind)
    bench.launch("one", field.training(), max_runtime=2.0, is_endless=True)
    field.wait_for()
    field.say_condition("Running")
    bench.wait_for_state("one", "gone")
    assert not bench.told("one").failure
    bench.wait_for_warning("one", "max_runtime of 2 s is over")
    wait_until(lambda: field.find() is None, 20, "it to be deleted")


def pod(name: str, **spec: Any) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "train:1"}], **spec},
    }


def test_a_pod_as_a_workload_is_followed_to_its_exit_code(field: Field) -> None:
    bench = field.start()
    bench.wandb.run_state = None
    bench.launch("one", pod("p1"))
    bench.wait_for_state("one", "running")
    field.cluster.end_pod(field.name, "p1", 3)
    assert "exit code 3" in bench.wait_for_failure("one", 30)


def test_a_pod_that_finishes_needs_nobody(field: Field) -> None:
    bench = field.start()
    bench.launch("one", pod("p1"))
    bench.wait_for_state("one", "running")
    field.cluster.end_pod(field.name, "p1", 0)
    bench.wait_for_state("one", "gone")
    assert not bench.told("one").failure


# ── additional services ─────────────────────────────────────────────────────────────────────────────────────────────


def job(name: str = "train") -> Json:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod("x")["spec"]}},
    }


def deployment(name: str, **annotations: str) -> Json:
    labels = {"app": name, "wandb.ai/auxiliary-resource": "aux"}
    template = {"metadata": {"labels": labels, "annotations": annotations}, "spec": {"containers": [
        {"name": "main", "image": "redis:7"}]}}  # fmt: skip
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


SERVICE: Json = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "redis"},
    "spec": {"selector": {"app": "redis"}, "ports": [{"port": 6379}]},
}


def test_services_come_before_the_job_belong_to_it_and_go_with_it(field: Field) -> None:
    bench = field.start()
    bench.launch("one", job(), deployment("redis"), SERVICE, pod("cache", restartPolicy="Always"))
    bench.wait_for_state("one", "running")
    made = wait_until(lambda: field.cluster.get("Job", field.name, "train"), 20, "the Job") or {}
    served = field.cluster.get("Deployment", field.name, "redis") or {}
    assert served["status"]["readyReplicas"] == 2
    assert served["metadata"]["creationTimestamp"] <= made["metadata"]["creationTimestamp"]
    for kind, name in (("Deployment", "redis"), ("Service", "redis"), ("Pod", "cache")):
        body = field.cluster.get(kind, field.name, name) or {}
        assert [one["uid"] for one in body["metadata"]["ownerReferences"]] == [made["metadata"]["uid"]]
    bench.stop("one")
    bench.wait_for_state("one", "gone", 40)
    field.wait_until_gone(("Deployment", "redis"), ("Service", "redis"), ("Pod", "cache"))


def test_a_job_waits_for_its_services(field: Field) -> None:
    bench = field.start()
    bench.launch("one", job(), pod("cache", nodeSelector={"none": "has-this"}), service_wait=60.0)
    bench.wait_for_warning("one", "Additional services are not ready yet: Pod cache")
    assert field.cluster.jobs(field.name) == []
    field.cluster.delete("Pod", field.name, "cache")
    text = bench.wait_for_failure("one")
    assert "The additional service Pod cache was deleted by somebody else." in text


def test_services_that_are_not_ready_in_time_fail_the_item_by_name_and_leave_nothing(field: Field) -> None:
    bench = field.start()
    bench.launch("one", job(), SERVICE, pod("cache", nodeSelector={"none": "has-this"}), service_wait=1.0)
    text = bench.wait_for_failure("one")
    assert "Additional services were not ready after 1 s: Pod cache" in text
    assert "wait_timeout" in text
    assert field.cluster.jobs(field.name) == []
    field.wait_until_gone(("Service", "redis"), ("Pod", "cache"))


SEEN: Json = {"image": "train:1", "imageID": "", "ready": False, "restartCount": 0}


def test_a_service_that_fails_fails_the_item_at_once(field: Field) -> None:
    bench = field.start()
    bench.launch("one", job(), pod("cache", nodeSelector={"none": "has-this"}), service_wait=60.0)
    wait_until(lambda: field.cluster.get("Pod", field.name, "cache"), 20, "the pod")
    state = {"name": "main", "state": {"terminated": {"exitCode": 4, "reason": "Error"}}}
    field.cluster.patch(
        "Pod", field.name, "cache", {"status": {"phase": "Failed", "containerStatuses": [{**state, **SEEN}]}},
        subresource="status",
    )  # fmt: skip
    text = bench.wait_for_failure("one")
    assert "An additional service failed. Pod cache" in text
    assert "exit code 4" in text


def test_services_need_not_be_waited_for(field: Field) -> None:
    bench = field.start()
    bench.launch("one", job(), pod("cache", nodeSelector={"none": "has-this"}), service_wait=None)
    bench.wait_for_state("one", "running")


def test_a_service_whose_name_is_taken_fails_the_item_and_the_other_one_stays(field: Field) -> None:
    field.cluster.create("Service", field.name, SERVICE)
    bench = field.start()
    bench.launch("one", job(), SERVICE)
    assert f"The Service {field.name}/redis exists already" in bench.wait_for_failure("one")
    assert field.cluster.get("Service", field.name, "redis") is not None
    assert field.cluster.jobs(field.name) == []


def test_a_service_that_the_api_server_refuses_is_named_by_its_place_before_the_ack(field: Field) -> None:
    bench = field.start()
    broken = {**SERVICE, "spec": {"ports": [{"port": 99999}]}}
    bench.launch("one", job(), broken)
    text = bench.wait_for_failure("one")
    assert text.startswith("additional_services[0].config: the cluster does not take this Service.")
    assert "spec.ports[0].port: Invalid value: 99999" in text
    assert field.cluster.find("Secret", field.name) == []
