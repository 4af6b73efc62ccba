"""An item whose image lies in Amazon's registry (moto's): its pods can pull, and nothing of it stays behind."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from tests.support import amazon
from tests.support.amazon import Amazon
from tests.support.cluster import Json
from tests.support.place import PROJECT, Place, run_id_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

IMAGE = f"{amazon.HOST}/team/train:1"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Amazon]:
    """AWS, as moto has it."""
    server = Amazon(tmp_path_factory.mktemp("amazon"))
    yield server
    server.close()


def push(place: Place, image: str, queue: str = "") -> str:
    spec = {"entity": place.backend.entity, "project": PROJECT, "resource": "kubernetes", "resource_args": {}}
    return place.backend.push(queue or place.name, {**spec, "docker": {"docker_image": image}})


def names_of(job: Json) -> list[str]:
    return [one["name"] for one in job["spec"]["template"]["spec"].get("imagePullSecrets") or ()]


@pytest.mark.parametrize("block", ["registry", "destination"])
def test_an_image_of_the_configured_registry_is_pulled_with_a_fresh_credential(
    place: Place, aws: Amazon, block: str
) -> None:
    address = f"{amazon.HOST}/team"
    config: Json = {
        "registry": {"registry": {"type": "ecr", "uri": address}},
        "destination": {"builder": {"type": "noop", "destination": address}},
    }[block]
    queue = f"{place.name}-pull"
    pod = {"spec": {"imagePullSecrets": [{"name": "users-own"}]}}
    place.backend.create_queue(queue, "kubernetes", {"metadata": {"namespace": place.name}, "spec": {"template": pod}})
    agent = place.start(queue, environ=aws.environ, **config)
    item_id = push(place, IMAGE, queue)
    job = place.wait_for_job_of(item_id)
    name = f"regcred-{run_id_of(job)}"
    assert names_of(job) == ["users-own", name], "the user's own stay"
    secret = place.cluster.get("Secret", place.name, name)
    assert secret is not None
    assert secret["type"] == "kubernetes.io/dockerconfigjson"
    content = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert list(content["auths"]) == [amazon.HOST], "filed under the host: it fits all repositories"
    entry = content["auths"][amazon.HOST]
    assert base64.b64decode(entry["auth"]).decode() == f"AWS:{amazon.PASSWORD}"
    assert amazon.PASSWORD not in agent.log
    place.play(job)
    place.wait_for_item(item_id, "FINISHED", queue=queue)
    jobs = f"/apis/batch/v1/namespaces/{place.name}/jobs"
    place.cluster.delete_path(f"{jobs}/{job['metadata']['name']}?propagationPolicy=Background")
    wait_until(lambda: place.cluster.get("Secret", place.name, name), 30, "the Secret to go with its job",
               until=lambda found: found is None)  # fmt: skip


def test_an_image_from_elsewhere_needs_none(place: Place, aws: Amazon) -> None:
    place.start(environ=aws.environ, registry={"type": "ecr", "uri": f"{amazon.HOST}/team"})
    job = place.wait_for_job_of(push(place, "registry.example/team/train:1"))
    assert names_of(job) == []
    assert not [
        one for one in place.cluster.find("Secret", place.name) if one["metadata"]["name"].startswith("regcred")
    ]


def test_a_registry_that_gives_no_credential_fails_the_item_that_needs_it_with_the_cure(place: Place) -> None:
    dead = {"AWS_ENDPOINT_URL_ECR": "http://127.0.0.1:9", "AWS_EC2_METADATA_DISABLED": "true"}
    place.start(environ=dead, registry={"uri": f"{amazon.HOST}/team"})
    other = place.wait_for_job_of(push(place, "registry.example/team/train:1"))
    item = place.wait_for_item(push(place, IMAGE), "FAILED", timeout=40)
    assert (
        f"AWS gives no password for the registry {amazon.HOST}: Unable to locate credentials."
        in (item["error"]["message"])
    )
    assert "ecr:GetAuthorizationToken" in item["error"]["message"]
    place.play(other)


def test_a_registry_that_can_not_be_served_ends_the_agent_at_its_start(place: Place) -> None:
    agent = place.start(ready=False, registry={"type": "gcr", "uri": f"{amazon.HOST}/team"})
    assert agent.program.wait(30) == 2
    assert f"registry.type is gcr, but the host {amazon.HOST} is Amazon's (ecr)." in agent.log
