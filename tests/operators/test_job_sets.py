"""JobSets under the real JobSet controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.operators.conftest import Works, container, template
from tests.support.backend import Json, texts
from tests.support.place import PROJECT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.operators, pytest.mark.timeout(240)]


def replicated(name: str, one: Json, **spec: Any) -> Json:
    return {"name": name, "replicas": 1, "template": {"spec": {"backoffLimit": 0, "template": template(one), **spec}}}


def job_set(*parts: Json) -> Json:
    return {"apiVersion": "jobset.x-k8s.io/v1alpha2", "kind": "JobSet", "spec": {"replicatedJobs": list(parts)}}


def test_a_job_set_is_finished_when_all_its_jobs_are(works: Works) -> None:
    workers = replicated("workers", container(ROLE="worker"), completions=2, parallelism=2)
    item_id = works.launch(job_set(replicated("leader", container(ROLE="leader")), workers))
    item = works.wait_for(item_id, "FINISHED")
    pods = works.wait_for_pods(item_id, 3, {"Succeeded"})
    told = list(map(works.told_by, pods))
    assert [one.get("WANDB_RUN_ID") for one in told if one["role"] == "leader"] == [item["associatedRunId"]]
    assert [one.get("WANDB_RUN_ID") for one in told if one["role"] == "worker"] == [None, None]
    assert [one["key"] for one in told] == [40, 40, 40]
    assert not texts(item)


def test_a_job_set_whose_worker_fails_tells_the_workers_code_and_last_line(
    works: Works, tell: Callable[[str, object], None]
) -> None:
    bad = replicated("workers", container(ACT="fail", ROLE="worker"))
    item_id = works.launch(job_set(replicated("leader", container(ACT="wait", ROLE="leader")), bad))
    works.wait_for(item_id, "FAILED")
    told = wait_until(
        lambda: texts(works.item(item_id)), 30, "the worker's words", until=lambda text: "no shard" in text
    )
    assert "exit code 7" in told
    assert "no shard for worker" in told
    tell("JobSet", told)


def test_a_stopped_job_set_leaves_no_pod_and_no_job(works: Works) -> None:
    parts = (replicated("leader", container(ACT="wait")), replicated("workers", container(ACT="wait")))
    item_id = works.launch(job_set(*parts))
    works.wait_for_pods(item_id, 2, {"Running"})
    name = works.find("JobSet", item_id)["metadata"]["name"]
    works.place.backend.stop_run(works.place.backend.start_run(PROJECT, works.run_of(item_id)))
    wait_until(lambda: works.pods(item_id), 90, "its pods to go", until=lambda pods: not pods)
    wait_until(
        lambda: works.place.cluster.find("Job", works.namespace, f"jobset.sigs.k8s.io/jobset-name={name}"), 30,
        "its Jobs to go", until=lambda jobs: not jobs,
    )  # fmt: skip
    wait_until(
        lambda: works.place.cluster.get("JobSet", works.namespace, name), 30, "the JobSet to go",
        until=lambda one: one is None,
    )  # fmt: skip
    works.wait_for_stop(item_id)


def test_a_suspended_job_set_waits_and_says_so_then_runs(works: Works) -> None:
    manifest = job_set(replicated("leader", container()))
    manifest["spec"]["suspend"] = True
    item_id = works.launch(manifest)
    name = works.find("JobSet", item_id)["metadata"]["name"]
    wait_until(
        lambda: texts(works.item(item_id)), 60, "the suspension on the item", until=lambda text: "suspended" in text
    )
    assert works.item(item_id)["state"] == "CLAIMED"
    works.place.cluster.patch("JobSet", works.namespace, name, {"spec": {"suspend": False}})
    works.wait_for(item_id, "FINISHED")


def test_a_job_set_that_its_webhook_refuses_fails_the_item_with_the_webhooks_words(works: Works) -> None:
    manifest = job_set(replicated("leader", container()), replicated("leader", container()))
    item = works.wait_for(works.launch(manifest), "FAILED", 30)
    assert "leader" in item["error"]["message"]
    assert not item["associatedRunId"]
