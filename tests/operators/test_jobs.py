"""Jobs as real pods: one process, several, an index each."""

from __future__ import annotations

import pytest

from tests.operators.conftest import Works, container, job
from tests.support.backend import texts
from tests.support.place import PROJECT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.operators, pytest.mark.timeout(240)]

INDEXED = {"completionMode": "Indexed", "completions": 3, "parallelism": 3}


def test_an_indexed_job_is_finished_when_all_indexes_are(works: Works) -> None:
    item_id = works.launch(job(container(), **INDEXED))
    item = works.wait_for(item_id, "FINISHED")
    pods = works.wait_for_pods(item_id, 3, {"Succeeded"})
    told = {told["JOB_COMPLETION_INDEX"]: told for told in map(works.told_by, pods)}
    assert set(told) == {"0", "1", "2"}
    assert {one["WANDB_RUN_ID"] for one in told.values()} == {item["associatedRunId"]}
    assert {one["key"] for one in told.values()} == {40}
    job_name = works.find("Job", item_id)["metadata"]["name"]
    works.place.wait_until_job(
        job_name, "all its indexes to succeed", lambda seen: seen and seen["status"]["succeeded"] == 3
    )
    assert not texts(works.item(item_id))


def test_an_index_that_fails_fails_the_item_with_the_code_and_last_line_of_its_pod(works: Works) -> None:
    item_id = works.launch(job(container(FAIL_INDEX="2"), **INDEXED))
    works.wait_for(item_id, "FAILED")
    told = wait_until(
        lambda: texts(works.item(item_id)), 30, "the failed index's words", until=lambda text: "no shard" in text
    )
    assert "exit code 7" in told
    assert "no shard for index 2" in told


def test_a_jobs_failure_is_told_by_the_pod_that_failed_not_by_the_last_one(works: Works) -> None:
    item_id = works.launch(job(container(FAIL_INDEX="1"), **INDEXED, backoffLimitPerIndex=0))
    works.wait_for(item_id, "FAILED")
    told = wait_until(
        lambda: texts(works.item(item_id)), 30, "the failed index's words", until=lambda text: "no shard" in text
    )
    assert "no shard for index 1" in told


def test_the_script_of_a_job_reads_what_its_queue_and_its_item_say(works: Works) -> None:
    manifest = job(container(ROLE="trainer"), ttlSecondsAfterFinished=600)
    manifest["metadata"] = {"labels": {"queue": "k8s-test"}}
    manifest["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    item_id = works.launch(manifest)
    item = works.wait_for(item_id, "FINISHED")
    (pod,) = works.wait_for_pods(item_id, 1, {"Succeeded"})
    told = works.told_by(pod)
    assert (told["role"], told["key"], told["WANDB_PROJECT"]) == ("trainer", 40, PROJECT)
    assert told["WANDB_RUN_ID"] == item["associatedRunId"]
    assert works.find("Job", item_id)["metadata"]["labels"]["queue"] == "k8s-test"
    run = works.place.backend.run(PROJECT, item["associatedRunId"])
    assert run is not None
    assert (run["state"], run["exitCode"]) == ("finished", 0)


def test_a_stopped_indexed_job_leaves_no_pod(works: Works) -> None:
    item_id = works.launch(job(container(ACT="wait"), **INDEXED))
    works.wait_for_pods(item_id, 3, {"Running"})
    run_id = works.run_of(item_id)
    storage_id = works.place.backend.start_run(PROJECT, run_id)
    works.place.backend.stop_run(storage_id)
    wait_until(lambda: works.pods(item_id), 90, "its pods to go", until=lambda pods: not pods)
    works.wait_for_stop(item_id)
