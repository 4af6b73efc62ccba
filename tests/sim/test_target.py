"""What only a cluster can say of a Job: before it is claimed, while it waits, and when it is taken away."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.backend import texts
from tests.support.cluster import Cluster, Json
from tests.support.place import PROJECT, Place, run_id_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim


def kubernetes(**manifest: Any) -> dict[str, Any]:
    """A spec's part that is merged over the queue's config."""
    return {"resource_args": {"kubernetes": manifest}}


def fail(place: Place, item_id: str) -> str:
    """Wait until the item has failed, and see that it was never claimed and nothing is left; its message."""
    item = place.wait_for_item(item_id, "FAILED")
    assert item["associatedRunId"] is None, "it was acked before it was refused"
    place.wait_until_no_record()
    assert not place.cluster.find("Job", place.name)
    return str(item["error"]["message"])


# ── before the claim ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def tag_policy(place: Place) -> Iterator[str]:
    """A rule of the cluster: Jobs in this namespace need a label."""
    name = f"{place.name}-tags"
    place.cluster.create("ValidatingAdmissionPolicy", "", {
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [
                {"apiGroups": ["batch"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["jobs"]}
            ]},
            "validations": [{
                "expression": "has(object.metadata.labels) && 'cost-centre' in object.metadata.labels",
                "message": "Each Job needs a cost centre, ask finance.",
            }],
        },
    })  # fmt: skip
    place.cluster.create("ValidatingAdmissionPolicyBinding", "", {
        "metadata": {"name": name},
        "spec": {
            "policyName": name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.name}}},
        },
    })  # fmt: skip
    yield name
    place.cluster.delete("ValidatingAdmissionPolicyBinding", "", name)
    place.cluster.delete("ValidatingAdmissionPolicy", "", name)


def test_a_value_that_the_api_server_refuses_fails_the_item_before_its_claim_with_its_words(place: Place) -> None:
    place.start()
    text = fail(place, place.push(**kubernetes(spec={"completionMode": "Sometimes"}), _wandb_api_key="0c" * 20))
    assert "spec.completionMode" in text
    assert '"Sometimes"' in text
    assert [one["metadata"]["name"] for one in place.cluster.find("Secret", place.name)] == ["wandb-api-key-rel"]


def test_a_namespace_that_is_not_there_fails_the_item_before_its_claim(place: Place) -> None:
    place.start()
    text = fail(place, place.push(**kubernetes(metadata={"namespace": f"{place.name}-none"})))
    assert f'namespaces "{place.name}-none" not found' in text
    assert "Create the namespace" in text


def test_an_object_quota_fails_the_item_before_its_claim(place: Place) -> None:
    place.cluster.enforce_quota(place.name, {"count/jobs.batch": "0"})
    place.start()
    text = fail(place, place.push())
    assert "exceeded quota: none" in text
    assert "Raise the quota" in text


def test_a_rule_of_the_cluster_fails_the_item_before_its_claim_with_the_rules_words(
    place: Place, tag_policy: str
) -> None:
    probe = {"metadata": {"name": "probe"}, "spec": {"suspend": True, "template": {"spec": {
        "restartPolicy": "Never", "containers": [{"name": "a", "image": "b"}]}}}}  # fmt: skip
    wait_until(lambda: not _is_accepted(place.cluster, place.name, probe), 30, "the rule to hold")
    place.start()
    assert "Each Job needs a cost centre, ask finance." in fail(place, place.push())
    item_id = place.push(**kubernetes(metadata={"labels": {"cost-centre": "7"}}))
    place.wait_for_item(item_id, "CLAIMED")
    place.wait_for_job_of(item_id)


def _is_accepted(cluster: Cluster, namespace: str, job: Json) -> bool:
    answer = cluster.try_create("Job", namespace, job)
    return answer.is_success


def test_a_manifest_that_no_cluster_can_store_fails_the_item_before_its_claim(place: Place) -> None:
    place.start()
    variables = [{"name": f"BIG_{number}", "value": "x" * 100_000} for number in range(20)]
    text = fail(place, place.push(pod={"spec": {"containers": [{"name": "train", "env": variables}]}}))
    assert "The Job is too large" in text


def test_a_misspelt_field_is_told_on_the_item_in_the_api_servers_words(place: Place) -> None:
    place.start()
    item_id = place.push(pod={"spec": {"terminationGracePeriod": 5}})
    place.wait_for_job_of(item_id)
    warnings = wait_until(lambda: place.item(item_id)["warnings"], 20, "a warning")
    assert 'unknown field "spec.template.spec.terminationGracePeriod"' in warnings[0]["message"]


def test_equal_items_cost_one_dry_run_and_one_write_each(place: Place) -> None:
    place.start()
    for number in range(20):
        place.push(overrides={"args": ["--seed", str(number)], "run_config": {"seed": number}})
    place.wait_for_jobs(20)
    assert _count_creations(place.name, is_dry=True) == 1
    assert _count_creations(place.name, is_dry=False) == 20
    other = place.push(**kubernetes(spec={"backoffLimit": 2}))
    place.wait_for_job_of(other)
    assert _count_creations(place.name, is_dry=True) == 2


def _count_creations(namespace: str, *, is_dry: bool) -> int:
    log = Path(os.environ["LAUNCH_AGENT_CLUSTER_AUDIT_LOG"])
    entries = [json.loads(line) for line in log.read_text().splitlines() if namespace in line and '"jobs"' in line]
    return sum(
        1
        for entry in entries
        if entry["verb"] == "create"
        and entry["objectRef"]["resource"] == "jobs"
        and entry["objectRef"].get("namespace") == namespace
        and ("dryRun=All" in entry["requestURI"]) is is_dry
    )


# ── what only pods reveal ───────────────────────────────────────────────────────────────────────────────────────────


def test_pod_security_of_the_namespace_fails_the_item_within_seconds_in_its_words(place: Place) -> None:
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    place.cluster.patch("Namespace", "", place.name, {"metadata": {"labels": labels}})
    place.start()
    item_id = place.push()
    item = place.wait_for_item(item_id, "FAILED", timeout=15)
    assert 'violates PodSecurity "restricted:latest"' in item["error"]["message"]
    assert "runAsNonRoot" in item["error"]["message"]
    wait_until(lambda: not place.cluster.find("Job", place.name), 20, "the Job to go")
    place.wait_until_no_record()


def test_a_quota_that_one_pod_exceeds_fails_the_item_within_seconds(place: Place) -> None:
    place.cluster.enforce_quota(place.name, {"requests.cpu": "2"})
    place.start()
    item_id = place.push(pod={"spec": {"containers": [{"name": "train", "resources": {"requests": {"cpu": "4"}}}]}})
    item = place.wait_for_item(item_id, "FAILED", timeout=15)
    assert "exceeded quota: none, requested: requests.cpu=4" in item["error"]["message"]


def test_a_quota_that_is_only_full_lets_the_item_wait_with_its_words(place: Place) -> None:
    place.cluster.enforce_quota(place.name, {"pods": "1"})
    place.start()
    first = place.push()
    place.wait_for_pod(place.wait_for_job_of(first))
    second = place.push()
    warnings = wait_until(lambda: place.item(second)["warnings"], 20, "a warning on the item")
    assert "exceeded quota: none" in warnings[0]["message"]
    assert place.item(second)["state"] == "CLAIMED"


# ── additional services ─────────────────────────────────────────────────────────────────────────────────────────────

REDIS: list[Json] = [
    {"name": "redis", "config": {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "redis-${run_id}"},
        "spec": {"selector": {"matchLabels": {"app": "redis"}}, "template": {
            "metadata": {"labels": {"app": "redis"}}, "spec": {"containers": [{"name": "redis", "image": "redis:7"}]}}},
    }},
    {"name": "address", "config": {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "redis-${run_id}"},
        "spec": {"selector": {"app": "redis"}, "ports": [{"port": 6379}]},
    }},
]  # fmt: skip


def test_additional_services_of_an_item_live_as_long_as_its_job(place: Place) -> None:
    place.start(stopped_run_timeout=1)
    item_id = place.push(additional_services=REDIS)
    job = place.wait_for_job_of(item_id)
    run_id = run_id_of(job)
    served = place.cluster.get("Deployment", place.name, f"redis-{run_id}") or {}
    assert served["status"]["readyReplicas"] == 1
    for kind in ("Deployment", "Service"):
        owners = wait_until(partial(_owners, place, kind, f"redis-{run_id}"), 10, f"the {kind} to be owned")
        assert owners == [job["metadata"]["uid"]]
    place.backend.stop_run(place.backend.start_run(PROJECT, run_id))
    place.wait_until_job(job["metadata"]["name"], "the Job to be gone", lambda seen: seen is None)
    wait_until(lambda: not place.cluster.find("Deployment", place.name), 30, "the Deployment to go")
    wait_until(lambda: not place.cluster.pods(place.name), 30, "all pods to go")
    place.wait_until_no_record()


def _owners(place: Place, kind: str, name: str) -> list[str]:
    body = place.cluster.get(kind, place.name, name) or {}
    return [one["uid"] for one in body["metadata"].get("ownerReferences", ())]


def test_a_service_that_never_comes_is_named_on_the_item(place: Place) -> None:
    place.start()
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "cache"}, "spec": {
        "nodeSelector": {"none": "has-this"}, "containers": [{"name": "main", "image": "redis:7"}]}}  # fmt: skip
    item_id = place.push(additional_services=[{"config": pod}], **kubernetes(wait_timeout=1))
    message = place.wait_for_item(item_id, "FAILED")["error"]["message"]
    assert "Additional services were not ready after 1 s: Pod cache" in message
    wait_until(lambda: not place.cluster.pods(place.name), 30, "the pod to go")
    assert not place.cluster.jobs(place.name)


# ── waiting, and the end ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_suspended_job_waits_without_a_limit_and_runs_when_it_is_let(place: Place) -> None:
    agent = place.start(environ={"WANDB_LAUNCH_START_TIMEOUT": "1"})
    item_id = place.push(**kubernetes(spec={"suspend": True}))
    job = place.wait_for_job_of(item_id)
    warnings = wait_until(lambda: place.item(item_id)["warnings"], 20, "a warning on the item")
    assert "suspended" in warnings[0]["message"]
    wait_until(lambda: _figure(agent.get("/metrics").text, "unknown") == 1, 5, "the figures to be renewed")
    assert _figure(agent.get("/metrics").text, "starting") == 0
    place.cluster.patch("Job", place.name, job["metadata"]["name"], {"spec": {"suspend": False}})
    place.play(job)
    place.wait_for_item(item_id, "FINISHED")


def _figure(metrics: str, state: str) -> float:
    line = next(one for one in metrics.splitlines() if one.startswith(f'launch_agent_items{{state="{state}"}}'))
    return float(line.rpartition(" ")[2])


def test_a_stopped_run_leaves_no_pod(place: Place) -> None:
    place.start(stopped_run_timeout=1)
    job = place.wait_for_job_of(place.push(**kubernetes(spec={"parallelism": 3, "completions": 3})))
    name = job["metadata"]["name"]
    wait_until(lambda: place.cluster.pods(place.name, name), 20, "three pods", until=lambda found: len(found) == 3)
    place.backend.stop_run(place.backend.start_run(PROJECT, run_id_of(job)))
    place.wait_until_job(name, "the Job to be gone", lambda seen: seen is None)
    assert place.cluster.pods(place.name) == []
    place.wait_until_no_record()


def test_a_job_that_somebody_deletes_is_noticed_and_judged_by_its_run(place: Place) -> None:
    place.start()
    item_id = place.push()
    job = place.wait_for_job_of(item_id)
    place.wait_for_pod(job)
    run_id = run_id_of(job)
    place.backend.start_run(PROJECT, run_id)
    place.backend.end_run(PROJECT, run_id, 0)
    place.cluster.delete("Job", place.name, job["metadata"]["name"])
    place.wait_for_item(item_id, "FINISHED")
    place.wait_until_no_record()
    assert not texts(place.item(item_id))


def test_a_deadline_of_the_job_fails_the_item_in_kubernetes_words(place: Place) -> None:
    place.start()
    item_id = place.push(**kubernetes(spec={"activeDeadlineSeconds": 2}))
    item = place.wait_for_item(item_id, "FAILED", timeout=30)
    assert "activeDeadlineSeconds" in item["error"]["message"]
