"""Each failure is told on the item in words, and the agent lives on."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.backend import image_spec, texts
from tests.support.place import IMAGE, PROJECT, Place
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

IMAGE_ARGS = {"entity": "local", "project": PROJECT, "docker": {"docker_image": IMAGE}, "resource": "kubernetes"}


def _annotated(**annotations: str) -> dict[str, Any]:
    return {"metadata": {"annotations": {f"sim.launch-agent/{key}": value for key, value in annotations.items()}}}


def test_a_pod_that_exits_with_3_before_its_run_fails_the_item_with_the_exit_code(place: Place) -> None:
    place.start()
    item_id = place.push()
    place.play(place.wait_for_job(), exit_code=3, with_run=False)
    item = place.wait_for_item(item_id, "FAILED")
    assert "exit code 3" in item["error"]["message"]
    assert "wandb.init" in item["error"]["message"]
    assert item["error"]["stage"] == "run"
    place.wait_until_no_record()


def test_a_run_that_failed_keeps_the_pods_reason_as_a_warning(place: Place) -> None:
    place.start()
    item_id = place.push()
    place.play(place.wait_for_job(), exit_code=3)
    item = place.wait_for_item(item_id, "FAILED")
    assert "exit code 3" in item["error"]["message"]
    place.wait_until_no_record()
    wait_until(lambda: place.item(item_id)["warnings"], 10, "the pod's reason on the item")
    assert "exit code 3" in place.item(item_id)["warnings"][0]["message"]


def test_an_image_that_can_not_be_pulled_fails_the_item_after_the_grace_and_removes_the_job(place: Place) -> None:
    place.start(image_pull_grace=2)
    item_id = place.push(pod=_annotated(waiting="ErrImagePull"))
    job = place.wait_for_job()
    item = place.wait_for_item(item_id, "FAILED")
    assert IMAGE in item["error"]["message"]
    place.wait_until_job(job["metadata"]["name"], "the Job to be deleted", lambda seen: seen is None)
    place.wait_until_no_record()


def test_a_pod_that_fits_nowhere_warns_on_the_item_and_waits(place: Place) -> None:
    place.start()
    item_id = place.push(pod={"spec": {"nodeSelector": {"gpu": "none-has-this"}}})
    warnings = wait_until(lambda: place.item(item_id)["warnings"], 20, "a warning on the item")
    assert warnings[0]["stage"] == "Kubernetes"
    assert "node" in warnings[0]["message"]
    assert place.item(item_id)["state"] == "CLAIMED"


@pytest.mark.parametrize("resource", ["sagemaker", "vertex", "mainframe"])
def test_a_resource_without_a_target_is_refused_by_name_before_the_ack(place: Place, resource: str) -> None:
    queue = f"{place.name}-any"
    place.backend.create_queue(queue, None)
    place.start(queue)
    item_id = place.backend.push(queue, {**IMAGE_ARGS, "resource": resource, "resource_args": {resource: {}}})
    item = place.wait_for_item(item_id, "FAILED", queue=queue)
    assert resource in item["error"]["message"]
    assert item["associatedRunId"] is None
    assert not place.records()


def _with(**kubernetes: Any) -> dict[str, Any]:
    return {**IMAGE_ARGS, "resource_args": {"kubernetes": kubernetes}}


def _pod(**spec: Any) -> dict[str, Any]:
    return _with(spec={"template": {"spec": spec}})


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "no image": ({"entity": "local", "project": PROJECT, "resource": "kubernetes"}, "docker_image"),
    "an image that is a number": ({**IMAGE_ARGS, "docker": {"docker_image": 7}}, "docker_image"),
    "arguments that are text": ({**IMAGE_ARGS, "overrides": {"args": "--lr 1"}}, "overrides.args"),
    "containers that are text": (_pod(containers="train"), "containers"),
    "a pod spec that is a list": (_with(spec={"template": {"spec": []}}), "spec.template.spec"),
    "a path of the host": (_pod(volumes=[{"name": "root", "hostPath": {"path": "/"}}]), "hostPath"),
    "the host's network": (_pod(hostNetwork=True), "hostNetwork"),
    "a security context": (_pod(securityContext={"runAsUser": 0}), "securityContext"),
    "a field that Kubernetes does not take": (_with(spec={"parallelism": "many"}), "parallelism"),
    "a name that Kubernetes does not take": (_with(metadata={"name": "Not_A_Name"}), "metadata.name"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_item_fails_with_the_place_of_its_mistake(shared_place: Place, case: str) -> None:
    spec, word = MALFORMED[case]
    item_id = shared_place.backend.push(shared_place.name, spec)
    item = shared_place.wait_for_item(item_id, "FAILED")
    assert word in item["error"]["message"]


def test_the_agent_launches_on_after_all_malformed_items_without_a_traceback(shared_place: Place) -> None:
    for spec, _ in MALFORMED.values():
        shared_place.backend.push(shared_place.name, spec)
    good = shared_place.backend.push(shared_place.name, image_spec("local", PROJECT, IMAGE))
    shared_place.wait_for_item(good, "CLAIMED")
    shared_place.play(shared_place.wait_for_job_of(good))
    item = shared_place.wait_for_item(good, "FINISHED")
    assert not texts(item)
    agent = shared_place.agents[0]
    assert agent.program.exit_code is None
    assert "Traceback" not in agent.program.log
    shared_place.wait_until_no_record()
