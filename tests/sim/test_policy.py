"""The owner's policy in a cluster: what a queue's own config may have, a submitter may not add."""

from __future__ import annotations

import pytest

from tests.support.backend import texts
from tests.support.cluster import Json
from tests.support.filter import refuse_words
from tests.support.place import IMAGE, PROJECT, Place
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

ACCOUNT: Json = {"spec": {"serviceAccountName": "trainer"}}
LOGS: Json = {
    "spec": {
        "volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}],
        "containers": [{"image": "${image_uri}", "volumeMounts": [{"name": "logs", "mountPath": "/logs"}]}],
    }
}


def add_queue(place: Place, suffix: str, pod: Json) -> str:
    """A queue of this place's namespace whose pods have this template."""
    name = f"{place.name}-{suffix}"
    place.backend.create_queue(name, "kubernetes", manifest(place, pod))
    return name


def manifest(place: Place, pod: Json) -> Json:
    return {"metadata": {"namespace": place.name}, "spec": {"template": pod}}


def test_what_a_queue_s_own_config_has_is_launched_and_the_same_from_a_submitter_is_refused(place: Place) -> None:
    place.cluster.create("ServiceAccount", place.name, {"metadata": {"name": "trainer"}})
    queue = add_queue(place, "own", ACCOUNT)
    place.start(place.name, queue)
    own = place.push(queue)
    job = place.wait_for_job_of(own)
    assert job["spec"]["template"]["spec"]["serviceAccountName"] == "trainer"
    other = place.wait_for_item(place.push(pod=ACCOUNT), "FAILED")
    assert other["error"]["stage"] == "agent"
    assert other["error"]["message"] == (
        "resource_args.kubernetes.spec.template.spec.serviceAccountName is not allowed: it lets the pod act as that "
        "account in the cluster. The submitter wrote it, and for submitters the profile restricted holds (rule "
        "serviceAccount); the profile baseline allows it. Leave it out, or ask the agent's owner, who sets "
        "policy.submitter.profile or policy.submitter.serviceAccounts.allow in launch-config.yaml. In the queue's own "
        "config it is allowed."
    )


def test_a_host_path_needs_the_owner_s_leave_whoever_wrote_it(place: Place) -> None:
    queue = add_queue(place, "logs", LOGS)
    agent = place.start(place.name, queue)
    refused = place.wait_for_item(place.push(queue), "FAILED", queue=queue)
    assert "hostPath.path is not allowed" in refused["error"]["message"]
    assert "The queue's config has it, and for queues the profile baseline holds" in refused["error"]["message"]
    agent.stop()
    place.start(place.name, queue, policy={"queue": {"profile": "unrestricted"}})
    job = place.wait_for_job_of(place.push(queue))
    assert job["spec"]["template"]["spec"]["volumes"][0]["hostPath"]["path"] == "/var/log"
    item = place.wait_for_item(place.push(pod=LOGS), "FAILED")
    assert "volumes[0].hostPath.path is not allowed: it mounts a folder of the node. The submitter" in texts(item)


def test_an_allow_list_lets_a_submitter_do_just_that(place: Place) -> None:
    place.cluster.create("ServiceAccount", place.name, {"metadata": {"name": "trainer"}})
    place.start(policy={"submitter": {"serviceAccounts": {"allow": ["train*"]}, "images": {"deny": ["evil.example"]}}})
    place.wait_for_job_of(place.push(pod=ACCOUNT))
    item = place.wait_for_item(place.push(pod={"spec": {"serviceAccountName": "default"}}), "FAILED")
    assert "the service account `default` is not among those that the agent's owner allows" in texts(item)
    evil = {"spec": {"initContainers": [{"name": "a", "image": "evil.example/x"}]}}
    assert "denies the image `evil.example/x`" in texts(place.wait_for_item(place.push(pod=evil), "FAILED"))


def test_a_queue_whose_config_was_changed_launches_what_it_has_now(place: Place) -> None:
    place.cluster.create("ServiceAccount", place.name, {"metadata": {"name": "trainer"}})
    place.start()
    place.wait_for_item(place.push(pod=ACCOUNT), "FAILED")
    place.backend.change_queue(place.name, manifest(place, ACCOUNT))
    pushed: list[str] = []

    def push_and_look() -> str:
        """The end of a new item: what is known of a queue is doubted at most every two seconds."""
        pushed.append(place.push())
        ends = {"CLAIMED", "FAILED"}
        return str(wait_until(lambda: place.item(pushed[-1])["state"], 20, "an end", until=ends.__contains__))

    wait_until(push_and_look, 30, "an item of the changed queue to be launched", until="CLAIMED".__eq__)
    assert place.wait_for_job_of(pushed[-1])["spec"]["template"]["spec"]["serviceAccountName"] == "trainer"


def test_all_is_the_submitter_s_where_the_queue_s_config_can_not_be_read(place: Place) -> None:
    queue = add_queue(place, "own", ACCOUNT)
    with refuse_words(place.server.url, b"defaultResourceConfigID", b"defaultResourceConfig(") as url:
        agent = place.start(place.name, queue, environ={"WANDB_BASE_URL": url})
        item = place.wait_for_item(place.push(queue), "FAILED", queue=queue)
        assert "The queue's own config is not known to the agent, so all counts as the submitter's." in texts(item)
        place.wait_for_job_of(place.push())
        told = [line for line in agent.program.log.splitlines() if f"config of queue {queue} can not be read" in line]
        assert len(told) == 1, told


def test_the_agent_s_own_secrets_and_account_are_out_of_reach_for_everybody(place: Place) -> None:
    secret: Json = {"spec": {"containers": [{"envFrom": [{"secretRef": {"name": "wandb-api-key-rel"}}]}]}}
    queue = add_queue(place, "own", secret)
    free = {"queue": {"profile": "unrestricted"}, "submitter": {"profile": "unrestricted"}}
    environ = {"LAUNCH_AGENT_SERVICE_ACCOUNT": "the-agent", "LAUNCH_AGENT_OWN_SECRETS": "wandb-api-key-rel"}
    place.start(place.name, queue, environ=environ, policy=free)
    item = place.wait_for_item(place.push(queue), "FAILED", queue=queue)
    assert "the Secret `wandb-api-key-rel` is the agent's own. No profile and no owner of a queue" in texts(item)
    item = place.wait_for_item(place.push(pod={"spec": {"serviceAccountName": "the-agent"}}), "FAILED")
    assert "the service account `the-agent` is the agent's own" in texts(item)
    assert place.wait_for_job_of(place.push())["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE


def test_an_item_that_was_launched_is_not_judged_again_by_the_next_agent(place: Place) -> None:
    place.cluster.create("ServiceAccount", place.name, {"metadata": {"name": "trainer"}})
    agent = place.start(policy={"submitter": {"profile": "baseline"}})
    item_id = place.push(pod=ACCOUNT)
    job = place.wait_for_job_of(item_id)
    place.wait_for_item(item_id, "CLAIMED")
    agent.stop()
    place.start()
    place.play(job)
    place.wait_for_item(item_id, "FINISHED")
    assert place.backend.run(PROJECT, str(place.item(item_id)["associatedRunId"])) is not None
