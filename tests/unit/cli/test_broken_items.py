"""Broken items and run specs, each with the whole message that ``render`` prints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launch_agent.cli import main


def item(**changes: Any) -> str:
    """An item that is fine but for the changes; None leaves a key out."""
    spec = {"entity": "team", "project": "p", "resource": "kubernetes", "docker": {"docker_image": "img:1"}, **changes}
    kept = {key: value for key, value in spec.items() if value is not None}
    return json.dumps({"runQueueItemId": "item-1", "queue": "gpu", "runSpec": kept})


def pod(**spec: Any) -> dict[str, Any]:
    return {"kubernetes": {"spec": {"template": {"spec": spec}}}}


@dataclass(frozen=True)
class Case:
    name: str
    item: str
    message: str


CASES = [
    Case(
        "not_json",
        "{'runSpec': {}}",
        (
            "item.json:1:2: not JSON from here on\n"
            "    → JSON wants double quotes, a comma between entries, and none after the last\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_comma_too_many",
        '{"runQueueItemId": "item-1",\n "runSpec": {},\n}',
        (
            "item.json:3:1: not JSON from here on\n"
            "    → JSON wants double quotes, a comma between entries, and none after the last\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "empty",
        "",
        (
            "item.json: is empty\n"
            '    → write `{"runQueueItemId": "…", "queue": "…", "runSpec": {…}}`\n'
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_list",
        "[]",
        (
            "item.json: found a list; allowed is a JSON object\n"
            '    → write `{"runQueueItemId": "…", "queue": "…", "runSpec": {…}}`\n'
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "no_spec",
        '{"runQueueItemId": "item-1"}',
        (
            "item.json: the key `runSpec` is missing\n"
            '    → write `{"runQueueItemId": "…", "queue": "…", "runSpec": {…}}`\n'
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "an_id_that_is_a_number",
        '{"runQueueItemId": 7, "runSpec": {}}',
        (
            "item.json: runQueueItemId: found `7`; allowed is a text\n"
            "    → copy it from the queue\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_key_twice",
        '{"runQueueItemId": "item-1", "runSpec": {"entity": "a", "entity": "b"}}',
        (
            "item.json: not JSON: the key `entity` is there twice\n"
            "    → correct it\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "nan",
        '{"runQueueItemId": "item-1", "runSpec": {"entity": NaN}}',
        (
            "item.json: not JSON: NaN is not a number of JSON\n"
            "    → correct it\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_text_that_holds_no_json",
        '{"runQueueItemId": "item-1", "runSpec": "entity: team"}',
        (
            "item.json: runSpec: not JSON from here on (line 1, column 1 of the text)\n"
            "    → JSON wants double quotes, a comma between entries, and none after the last\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_text_that_holds_a_list",
        '{"runQueueItemId": "item-1", "runSpec": "[]"}',
        (
            "item.json: runSpec: found a list; allowed is an object, or a text that holds one\n"
            '    → write `{"runQueueItemId": "…", "queue": "…", "runSpec": {…}}`\n'
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "nested_without_end",
        '{"runQueueItemId": "item-1", "runSpec": ' + "[" * 100000,
        ("item.json: nested too deeply\n    → make it flatter\nerror: 1 problem; nothing was contacted\n"),
    ),
    Case(
        "no_entity",
        item(entity=None),
        (
            "item.json: runSpec.entity: is missing\n"
            "    → Name the entity that the run belongs to\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_project_that_is_a_number",
        item(project=5),
        (
            "item.json: runSpec.project: expected a text, found a number\n"
            "    → Correct it in the queue's config or in the item\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "an_unknown_resource",
        item(resource="kubernets"),
        (
            "item.json: runSpec.resource: 'kubernets' is no kind of resource. Allowed are kubernetes, "
            "local-process, local-container, sagemaker, vertex, gcp-vertex\n"
            "    → Did you mean kubernetes?\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_resource_that_is_not_built",
        item(resource="sagemaker"),
        (
            "item.json: runSpec: This agent can not launch on sagemaker yet. It launches on: kubernetes, "
            "local-process\n"
            "    → Push to a queue of one of these resources, or leave this queue to W&B's own agent\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_job_that_must_be_fetched",
        item(job="team/p/train:v0", docker=None),
        (
            "item.json: runSpec: This agent can not fetch the job 'team/p/train:v0' yet\n"
            "    → Push the job's image with --docker-image\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "no_source",
        item(docker=None),
        (
            "item.json: runSpec.docker.docker_image: is missing, and so is `job`: there is nothing to run\n"
            "    → Name an image in docker.docker_image, or a job in `job`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "arguments_as_text",
        item(overrides={"args": "--lr 1"}),
        (
            "item.json: runSpec.overrides.args: expected a list of texts, found a text\n"
            "    → Write it as a list, one entry for each word\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "containers_as_a_map",
        item(resource_args=pod(containers={})),
        (
            "item.json: runSpec.resource_args.kubernetes.spec.template.spec.containers: expected a list of "
            "container objects, found an object\n"
            "    → Correct it in the queue's config or in the item\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_host_path",
        item(resource_args=pod(volumes=[{"name": "v", "hostPath": {"path": "/"}}])),
        (
            "item.json: runSpec: resource_args.kubernetes.spec.template.spec.volumes[0].hostPath.path is not "
            "allowed: it mounts a folder of the node. The queue's config has it, and for queues the profile "
            "baseline holds (rule hostPath); the profile unrestricted allows it\n"
            "    → Leave it out, or ask the agent's owner, who sets policy.queue.profile or "
            "policy.queue.hostPaths.allow in launch-config.yaml\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_privileged_container",
        item(resource_args=pod(containers=[{"securityContext": {"privileged": True}}])),
        (
            "item.json: runSpec: "
            "resource_args.kubernetes.spec.template.spec.containers[0].securityContext.privileged is not "
            "allowed: it takes all walls between container and node away. The queue's config has it, and for "
            "queues the profile baseline holds (rule privileged); the profile unrestricted allows it\n"
            "    → Leave it out, or ask the agent's owner, who sets policy.queue.profile in "
            "launch-config.yaml\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_cron_job",
        item(resource_args={"kubernetes": {"apiVersion": "batch/v1", "kind": "CronJob", "spec": {}}}),
        (
            "item.json: runSpec: resource_args.kubernetes.kind: a CronJob of batch/v1 is not launched. It "
            "makes Jobs by the clock, and an item is launched once. Launch a Job instead\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_kind_without_its_version",
        item(resource_args={"kubernetes": {"kind": "PyTorchJob"}}),
        (
            "item.json: runSpec.resource_args.kubernetes.apiVersion: is missing, and kind is 'PyTorchJob': "
            "that alone says no kind of object\n"
            "    → Add apiVersion; for a Job leave both out\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "what_never_ends",
        item(
            resource_args={
                "kubernetes": {
                    "apiVersion": "ray.io/v1",
                    "kind": "RayCluster",
                    "spec": {"headGroupSpec": {"template": {"spec": {"containers": [{"name": "head"}]}}}},
                }
            }
        ),
        (
            "item.json: runSpec: A RayCluster never ends by itself, and resource_args.kubernetes.max_runtime "
            "is missing\n"
            "    → Say how long it may run: max_runtime: 8h beside the manifest in the queue's config\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_macro_without_a_value",
        item(resource_args={"kubernetes": {"metadata": {"labels": {"who": "${author}"}}}}),
        (
            "item.json: runSpec.resource_args.kubernetes.metadata.labels.who: uses the macro ${author}, and "
            "this item has no author\n"
            "    → Push the item with W&B's client, which names the author, or leave the macro out\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "the_host_s_network",
        item(resource_args=pod(hostNetwork=True)),
        (
            "item.json: runSpec: resource_args.kubernetes.spec.template.spec.hostNetwork is not allowed: it "
            "lets the pod see its node's processes or network. The queue's config has it, and for queues the "
            "profile baseline holds (rule hostNamespaces); the profile unrestricted allows it\n"
            "    → Leave it out, or ask the agent's owner, who sets policy.queue.profile in "
            "launch-config.yaml\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_custom_resource",
        item(resource_args={"kubernetes": {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob"}}),
        (
            "item.json: runSpec.resource_args.kubernetes.spec.pytorchReplicaSpecs.Master.template: is "
            "missing: a PyTorchJob without it starts no container that could be the job's\n"
            "    → Add it to the queue's config\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_local_process_with_an_image",
        item(resource="local-process", overrides={"entry_point": ["python", "t.py"]}),
        (
            "item.json: runSpec: A local process runs without a container, and the run spec names an image\n"
            "    → Push to a kubernetes queue, or leave docker.docker_image out\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_local_process_without_a_command",
        item(resource="local-process", docker=None),
        (
            "item.json: runSpec.overrides.entry_point: is missing, and so is `job`: there is nothing to run\n"
            "    → Give the command as a list of words\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "resource_args_as_text",
        item(resource_args="gpu"),
        (
            "item.json: runSpec.resource_args: expected an object, found a text\n"
            "    → Correct it in the queue's config or in the item\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_item_is_refused_in_words(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("launch-config.yaml").write_text("queues: [gpu]\nentity: team\n")
    Path("item.json").write_text(case.item)
    code = main(["render", "--config", "launch-config.yaml", "--item", "item.json"], {}, tmp_path)
    captured = capsys.readouterr()
    assert captured.err == case.message
    assert (code, captured.out) == (2, "")


def test_secure_mode_refuses_a_command_of_the_submitter_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("launch-config.yaml").write_text("queues: [gpu]\nsecure_mode: true\n")
    Path("item.json").write_text(item(overrides={"entry_point": ["sh"]}))
    assert main(["render", "--config", "launch-config.yaml", "--item", "item.json"], {}, tmp_path) == 2
    assert "overrides.entry_point" in capsys.readouterr().err
    Path("launch-config.yaml").write_text("queues: [gpu]\n")
    assert main(["render", "--config", "launch-config.yaml", "--item", "item.json"], {}, tmp_path) == 0
