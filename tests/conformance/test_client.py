"""The command line and the SDK's queue functions: create queues, push, look, delete."""

import json

import pytest

from tests.conformance.conftest import Wandb
from tests.conformance.test_sdk import unknown_operations
from tests.support.backend import PROJECT
from tests.support.servers import Server

pytestmark = pytest.mark.conformance

_SPEC = """query($entity: String!, $project: String!, $queue: String!) {
  project(entityName: $entity, name: $project) { runQueue(name: $queue) {
    runQueueItems(first: 10) { edges { node { id state priority runSpec } } } } } }"""

CREATE = """
import json, wandb
api = wandb.Api()
config = {"spec": {"backoffLimit": 0, "template": {"spec": {"nodeSelector": {"pool": "{{pool}}"}}}}}
variables = {"pool": {"schema": {"type": "string", "default": "gpu", "enum": ["gpu", "cpu"]}}}
queue = api.create_run_queue("made", type="kubernetes", entity="local", prioritization_mode="V0", config=config,
    template_variables=variables)
found = api.run_queue("local", "made")
print("READ", json.dumps({"id": queue.id, "type": found.type, "access": found.access, "mode": found.prioritization_mode,
    "config": found.default_resource_config, "variables": [each["name"] for each in found.template_variables]}))
changed = api.upsert_run_queue("made", {"spec": {"backoffLimit": 2}}, "kubernetes", entity="local")
print("CHANGED", json.dumps(api.run_queue("local", "made").default_resource_config))
other = api.create_run_queue("other", type="local-process", entity="local")
other.delete()
"""


def _said(text: str, mark: str) -> object:
    return json.loads(text.split(f"{mark} ", 1)[1].splitlines()[0])


def test_the_sdk_creates_changes_reads_and_deletes_queues(server: Server, wandb: Wandb) -> None:
    done = wandb.script(CREATE)
    assert done.returncode == 0, done.stdout
    read = _said(done.stdout, "READ")
    assert isinstance(read, dict)
    assert (read["type"], read["access"], read["mode"]) == ("kubernetes", "PROJECT", "V0")
    stored = read["config"]["resource_args"]["kubernetes"]
    assert stored["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "{{pool}}"}
    assert read["variables"] == ["pool"]
    assert _said(done.stdout, "CHANGED") == {"resource_args": {"kubernetes": {"spec": {"backoffLimit": 2}}}}
    data = server.backend.execute(
        "query($e: String!, $p: String!) { project(entityName: $e, name: $p) { runQueues { name } } }",
        e="local",
        p=PROJECT,
    )
    assert [queue["name"] for queue in data["project"]["runQueues"]] == ["made"]
    assert unknown_operations(server) == []


def test_wandb_launch_pushes_with_priority_and_template_variables(server: Server, wandb: Wandb) -> None:
    assert wandb.script(CREATE.split("changed =")[0]).returncode == 0
    launch = ["wandb", "launch", "--queue", "made", "--docker-image", "busybox:1", "--resource", "kubernetes"]
    launch += ["--project", "Demo", "--entity", "local", "--priority", "high"]
    done = wandb.run(*launch, "--set-var", "pool=cpu")
    assert done.returncode == 0, done.stdout
    assert "Added run to queue made" in done.stdout
    data = server.backend.execute(_SPEC, entity="local", project=PROJECT, queue="made")
    (item,) = [edge["node"] for edge in data["project"]["runQueue"]["runQueueItems"]["edges"]]
    spec = json.loads(item["runSpec"])
    assert (item["state"], item["priority"]) == ("PENDING", 1)
    assert spec["docker"] == {"docker_image": "busybox:1"}
    assert spec["resource"] == "kubernetes"
    assert spec["resource_args"]["kubernetes"]["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "cpu"}
    refused = wandb.run(*launch, "--set-var", "pool=tpu")
    assert refused.returncode != 0
    assert len(server.backend.items("made")) == 1
    assert unknown_operations(server) == []


def test_wandb_launch_names_a_queue_that_is_missing(server: Server, wandb: Wandb) -> None:
    done = wandb.run("wandb", "launch", "--queue", "nope", "--docker-image", "busybox:1", "--project", "demo")
    assert done.returncode != 0
    assert "Unable to push to run queue nope. Queue not found." in done.stdout
    assert unknown_operations(server) == []


def test_the_first_push_to_the_default_queue_makes_it(server: Server, wandb: Wandb) -> None:
    done = wandb.run("wandb", "launch", "--queue", "default", "--docker-image", "busybox:1", "--project", "demo")
    assert done.returncode == 0, done.stdout
    assert len(server.backend.items("default")) == 1
    assert unknown_operations(server) == []


def test_a_queued_run_is_followed_and_deleted_by_the_sdk(server: Server, wandb: Wandb) -> None:
    server.backend.create_queue("q")
    item = server.backend.push("q", {"entity": "local", "project": "demo", "docker": {"docker_image": "busybox"}})
    text = (
        "import wandb\n"
        f'queued = wandb.Api().queued_run("local", "demo", "q", {item!r}, project_queue="model-registry")\n'
        'print("STATE", queued.state)\n'
        "queued.delete()\n"
    )
    done = wandb.script(text)
    assert done.returncode == 0, done.stdout
    assert "STATE pending" in done.stdout
    assert server.backend.items("q") == []
    assert unknown_operations(server) == []
