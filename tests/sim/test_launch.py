"""One item becomes one Job; its end is reported; nothing is left."""

from __future__ import annotations

import json

import pytest

from tests.support.cluster import environment_of
from tests.support.place import IMAGE, PROJECT, RELEASE, Place
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim


def test_an_item_becomes_one_job_with_the_documented_labels_and_environment(place: Place) -> None:
    place.start()
    item_id = place.push(author="ada", name="first try", overrides={"args": ["--lr", "1"], "run_config": {"lr": 0.1}})
    job = place.wait_for_job()
    item = place.wait_for_item(item_id, "CLAIMED")
    run_id = item["associatedRunId"]
    assert len(run_id) == 8
    assert environment_of(job) == {
        "WANDB_BASE_URL": place.server.url,
        "WANDB_API_KEY": {"secretKeyRef": {"name": f"wandb-api-key-{RELEASE}", "key": "password"}},
        "WANDB_PROJECT": PROJECT,
        "WANDB_ENTITY": "local",
        "WANDB_LAUNCH": "True",
        "WANDB_RUN_ID": run_id,
        "WANDB_DOCKER": IMAGE,
        "WANDB_NAME": "first try",
        "WANDB_USERNAME": "ada",
        "WANDB_LAUNCH_QUEUE_NAME": place.name,
        "WANDB_LAUNCH_QUEUE_ENTITY": "local",
        "WANDB_LAUNCH_TRACE_ID": item_id,
        "WANDB_CONFIG": json.dumps({"lr": 0.1}),
        "WANDB_LAUNCH_FILE_OVERRIDES": "{}",
        "WANDB_ARTIFACTS": "{}",
    }
    agent = place.backend.agents()[0]
    labels = job["metadata"]["labels"]
    assert labels["wandb.ai/run-id"] == run_id
    assert labels["wandb.ai/monitor"] == "true"
    assert labels["wandb.ai/agent"] == agent["name"]
    pod_labels = job["spec"]["template"]["metadata"]["labels"]
    assert (pod_labels["wandb.ai/monitor"], pod_labels["wandb.ai/agent"]) == ("true", agent["name"])
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert (container["name"], container["image"], container["args"]) == ("launch0", IMAGE, ["--lr", "1"])
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_a_job_is_named_after_entity_and_project_and_its_item(place: Place) -> None:
    place.start()
    item_id = place.push()
    job = place.wait_for_job()
    assert job["metadata"]["name"].startswith(f"launch-local-{PROJECT}-")
    assert len(job["metadata"]["name"]) <= 63
    assert job["metadata"]["annotations"]["launch-agent/item-id"] == item_id


def test_a_finished_run_finishes_the_item_and_lets_the_job_go_by_its_time_to_live(place: Place) -> None:
    place.start()
    item_id = place.push()
    job = place.wait_for_job()
    name = job["metadata"]["name"]
    assert "ttlSecondsAfterFinished" not in job["spec"]
    assert len(place.records()) == 1
    place.play(job)
    place.wait_for_item(item_id, "FINISHED")
    place.wait_until_job(name, "the time to live", lambda seen: seen and "ttlSecondsAfterFinished" in seen["spec"])
    place.wait_until_no_record()
    done = place.cluster.get("Job", place.name, name)
    assert done is not None
    assert done["spec"]["ttlSecondsAfterFinished"] == 60
    assert len(place.cluster.jobs(place.name)) == 1


def test_the_releases_secret_is_used_and_never_copied(place: Place) -> None:
    before = {secret["metadata"]["name"] for secret in place.cluster.find("Secret", place.name)}
    place.start()
    item_id = place.push()
    place.play(place.wait_for_job())
    place.wait_for_item(item_id, "FINISHED")
    place.wait_until_no_record()
    assert {secret["metadata"]["name"] for secret in place.cluster.find("Secret", place.name)} == before


def test_the_api_key_is_in_no_log_no_job_and_no_record(place: Place) -> None:
    agent = place.start(verbosity=2)
    place.push()
    job = place.wait_for_job()
    place.wait_for_pod(job)
    records = place.records()
    assert len(records) == 1
    key = place.server.key
    assert key not in json.dumps([job, *records, *place.cluster.pods(place.name)])
    assert agent.program.log
    assert key not in agent.program.log
    assert key not in agent.get("/metrics").text
    assert key not in place.backend.agents()[0]["agentConfig"]


def test_a_key_that_an_item_brings_lies_in_a_secret_of_its_own_and_goes_with_the_job(place: Place) -> None:
    own_key = "0f" * 20
    agent = place.start(verbosity=2)
    place.push(_wandb_api_key=own_key)
    job = place.wait_for_job()
    reference = environment_of(job)["WANDB_API_KEY"]["secretKeyRef"]
    assert reference["name"] != f"wandb-api-key-{RELEASE}"
    owners = wait_until(
        lambda: _owners_of(place, reference["name"]), 20, "the Secret to belong to the Job, so that it goes with it"
    )
    assert [owner["uid"] for owner in owners] == [job["metadata"]["uid"]]
    assert own_key not in json.dumps([job, *place.records()])
    assert own_key not in agent.program.log


def _owners_of(place: Place, secret: str) -> list[dict[str, str]]:
    found = place.cluster.get("Secret", place.name, secret)
    assert found is not None
    owners: list[dict[str, str]] = found["metadata"].get("ownerReferences", [])
    return owners


def test_a_job_that_the_api_server_refuses_fails_its_item_and_leaves_no_secret(place: Place) -> None:
    place.start()
    before = {one["metadata"]["name"] for one in place.cluster.find("Secret", place.name)}
    bad = {"kubernetes": {"spec": {"completionMode": "Sometimes"}}}
    item_id = place.push(_wandb_api_key="0e" * 20, resource_args=bad)
    item = place.wait_for_item(item_id, "FAILED")
    assert "spec.completionMode" in item["error"]["message"]
    place.wait_until_no_record()
    assert {one["metadata"]["name"] for one in place.cluster.find("Secret", place.name)} == before
