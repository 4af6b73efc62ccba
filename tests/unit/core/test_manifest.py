"""From an item to the Job that is created for it."""

from __future__ import annotations

import base64
import copy
import re
from dataclasses import replace
from typing import Any

import kubernetes_validate
import pytest

from launch_agent.core import manifest, names
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.marks import RECEIPT_ANNOTATION
from launch_agent.core.models import KeySecret, QueueItem
from launch_agent.core.transforms.facts import Facts
from launch_agent.errors import RefusedError, SpecError
from tests.support.specs import CONTEXT, KEY, PATH, RELEASED, env_of, make_plan, make_pod, make_spec, pod_of

RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
SEED = {
    "spec": {
        "template": {
            "spec": {
                "containers": [
                    {
                        "env": [{"name": "MY_ENV_VAR", "value": "some-value"}],
                        "resources": {"requests": {"cpu": "1000m", "memory": "1Gi"}},
                    }
                ]
            }
        }
    },
    "metadata": {"labels": {"queue": "k8s-test"}},
    "namespace": "wandb",
}


def validate(body: Any) -> None:
    kubernetes_validate.validate(body, "1.34", strict=True)


def test_an_empty_config_becomes_a_whole_job() -> None:
    plan = make_plan(make_spec(), context=RELEASED)
    labels = {
        "wandb.ai/run-id": "run12345",
        "wandb.ai/monitor": "true",
        "wandb.ai/agent": "agent-7",
        "launch-agent/installation": "launch-agent.wandb",
        "launch-agent/item": "item-1",
    }
    job = plan.workload
    environment = job["spec"]["template"]["spec"]["containers"][0].pop("env")
    assert len(plan.objects) == 1
    assert job == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"launch-team-vision-{names.short_hash('item-1')}",
            "namespace": "jobs",
            "labels": labels,
            "annotations": {
                "launch-agent/ttl-seconds-after-finished": "60",
                "launch-agent/item-id": "item-1",
                "launch-agent/queue": "gpu",
                "launch-agent/run": "team/vision/run12345",
                RECEIPT_ANNOTATION: plan.workload["metadata"]["annotations"][
                    RECEIPT_ANNOTATION
                ],  # has tests of its own
            },
        },
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "launch0", "image": "registry/train:1", "securityContext": RESTRICTED}],
                },
            },
        },
    }
    assert [entry["name"] for entry in environment][:4] == [
        "WANDB_BASE_URL",
        "WANDB_API_KEY",
        "WANDB_PROJECT",
        "WANDB_ENTITY",
    ]


def test_the_seed_s_job_spec_is_launched_as_documented() -> None:
    plan = make_plan(make_spec(SEED))
    validate(plan.workload)
    assert plan.warnings == ()
    assert plan.workload["metadata"]["namespace"] == "wandb"
    assert plan.workload["metadata"]["labels"]["queue"] == "k8s-test"
    assert "namespace" not in plan.workload
    assert env_of(plan)["MY_ENV_VAR"] == "some-value"
    assert pod_of(plan)["containers"][0]["resources"] == {"requests": {"cpu": "1000m", "memory": "1Gi"}}


def test_the_agent_s_own_keys_do_not_reach_the_job() -> None:
    own = {"namespace": "a", "wait_for_ready": True, "wait_timeout": 5, "name": "x", "runner": "y", "builder": {}}
    plan = make_plan(make_spec(own))
    assert set(plan.workload) == {"apiVersion", "kind", "metadata", "spec"}
    assert plan.warnings == ()


def test_an_unknown_key_is_left_out_and_named() -> None:
    plan = make_plan(make_spec({"specs": {}}))
    assert "specs" not in plan.workload
    assert plan.warnings == (f"{PATH}.specs is no field of a Job and was left out.",)


def test_the_documentation_s_misplaced_defaults_are_named_and_left_out() -> None:
    template = {"backOffLimit": 0, "ttlSecondsAfterFinished": 60, "securityContext": RESTRICTED}
    plan = make_plan(make_spec({"spec": {"template": template}}))
    validate(plan.workload)
    assert len(plan.warnings) == 3
    assert all("stands at the wrong level" in text for text in plan.warnings)
    assert "spec.backoffLimit" in plan.warnings[0]


def test_null_defaults_count_as_unspecified() -> None:
    values = {"backoffLimit": None, "ttlSecondsAfterFinished": None, "template": {"spec": {"restartPolicy": None}}}
    plan = make_plan(make_spec({"metadata": None, "spec": values}))
    assert plan.workload["spec"]["backoffLimit"] == 0
    assert pod_of(plan)["restartPolicy"] == "Never"
    assert plan.release_after == 60


def test_the_user_s_values_win_over_the_defaults() -> None:
    plan = make_plan(make_spec({"spec": {"backoffLimit": 3, "template": {"spec": {"restartPolicy": "OnFailure"}}}}))
    assert plan.workload["spec"]["backoffLimit"] == 3
    assert pod_of(plan)["restartPolicy"] == "OnFailure"


@pytest.mark.parametrize(("given_ttl", "held"), [(None, 60), (0, 0), (7200, 7200)])
def test_the_time_to_live_is_held_back(given_ttl: int | None, held: int) -> None:
    plan = make_plan(make_spec({"spec": {"ttlSecondsAfterFinished": given_ttl}}))
    assert "ttlSecondsAfterFinished" not in plan.workload["spec"]
    assert plan.release_after == held


# ── names and places ──


def test_the_user_s_name_is_kept() -> None:
    plan = make_plan(make_spec({"metadata": {"name": "train-${run_id}", "generateName": "x-"}}))
    assert plan.workload["metadata"]["name"] == "train-run12345"
    assert "generateName" not in plan.workload["metadata"]


def test_an_invalid_name_is_refused_with_its_key() -> None:
    with pytest.raises(SpecError) as caught:
        make_plan(make_spec({"metadata": {"name": "Train_${run_id}"}}))
    assert caught.value.path == f"{PATH}.metadata.name"


def test_the_user_s_generate_name_begins_the_name() -> None:
    metadata = make_plan(make_spec({"metadata": {"generateName": "train-"}})).workload["metadata"]
    assert metadata["name"] == f"train-{names.short_hash('item-1')}"
    assert "generateName" not in metadata


@pytest.mark.parametrize(
    ("config", "namespace"),
    [
        ({}, "jobs"),
        ({"namespace": "a"}, "a"),
        ({"metadata": {"namespace": "b"}}, "b"),
        ({"namespace": "a", "metadata": {"namespace": "b"}}, "b"),
        ({"namespace": ""}, "jobs"),
    ],
)
def test_the_namespace_is_the_metadata_s_then_the_key_s_then_the_agent_s(
    config: dict[str, Any], namespace: str
) -> None:
    plan = make_plan(make_spec(config))
    assert {body["metadata"]["namespace"] for body in plan.objects} == {namespace}


def test_an_invalid_namespace_is_refused_with_its_key() -> None:
    with pytest.raises(SpecError) as caught:
        make_plan(make_spec({"namespace": "My Space"}))
    assert caught.value.path == f"{PATH}.namespace"


def test_labels_of_user_and_agent_stand_together_on_job_and_pods() -> None:
    plan = make_plan(
        make_spec(
            {
                "metadata": {"labels": {"queue": "q", "wandb.ai/agent": "forged"}},
                "spec": {"template": {"metadata": {"labels": {"team": "t"}, "annotations": {"note": "n"}}}},
            }
        ),
        run_id="Run_1!",
    )
    job, template = plan.workload, plan.workload["spec"]["template"]
    assert job["metadata"]["labels"]["queue"] == "q"
    assert job["metadata"]["labels"]["wandb.ai/agent"] == "agent-7"
    assert template["metadata"]["labels"]["team"] == "t"
    assert template["metadata"]["annotations"] == {"note": "n"}
    assert template["metadata"]["labels"]["wandb.ai/run-id"] == names.label_value("Run_1!")
    validate(job)


def test_an_item_id_that_is_no_label_is_whole_in_the_annotation() -> None:
    metadata = make_plan(make_spec(), item_id="UnVuOjE=").workload["metadata"]
    assert metadata["annotations"]["launch-agent/item-id"] == "UnVuOjE="
    assert metadata["labels"]["launch-agent/item"] == names.item_label("UnVuOjE=")


def test_batch_v1beta1_is_sent_as_batch_v1_with_a_word() -> None:
    plan = make_plan(make_spec({"apiVersion": "batch/v1beta1", "kind": "Job"}))
    assert plan.workload["apiVersion"] == "batch/v1"
    assert len(plan.warnings) == 1


# ── containers ──


def test_the_item_s_image_goes_to_the_first_container_only() -> None:
    plan = make_plan(make_spec(make_pod(containers=[{"image": "old"}, {"image": "helper", "name": "h"}])))
    assert [one["image"] for one in pod_of(plan)["containers"]] == ["registry/train:1", "helper"]
    assert "names the image old" in plan.warnings[0]


def test_the_image_macro_needs_no_note() -> None:
    assert make_plan(make_spec(make_pod(containers=[{"image": "${image_uri}"}]))).warnings == ()


@pytest.mark.parametrize(
    ("pod", "place"),
    [
        (make_pod(containers=[{}, {"name": "h"}]), "containers[1].image"),
        (make_pod(initContainers=[{"name": "i"}]), "initContainers[0].image"),
        (make_pod(containers=[{}, {"image": "${author}"}]), "containers[1].image"),
    ],
)
def test_a_container_without_an_image_is_refused_before_anything_is_created(pod: dict[str, Any], place: str) -> None:
    with pytest.raises(SpecError) as caught:
        make_plan(make_spec(pod))
    assert caught.value.path == f"{PATH}.spec.template.spec.{place}"


def test_containers_without_a_name_get_their_number() -> None:
    pod = make_pod(containers=[{}, {"image": "a", "name": "mine"}, {"image": "b"}])
    assert [one["name"] for one in pod_of(make_plan(make_spec(pod)))["containers"]] == ["launch0", "mine", "launch2"]


def test_a_given_number_is_not_given_twice() -> None:
    pod = make_pod(containers=[{}, {"image": "a", "name": "launch0"}, {"image": "b"}])
    assert [one["name"] for one in pod_of(make_plan(make_spec(pod)))["containers"]] == ["launch1", "launch0", "launch2"]


def test_entry_point_and_arguments_go_to_the_job_s_container_only() -> None:
    helper = {"name": "h", "image": "helper", "command": ["serve"], "args": ["--port", "1"]}
    pod = make_pod(containers=[{"command": ["old"], "args": ["old"]}, helper])
    overrides = {"entry_point": ["python", "t.py"], "args": ["--lr", 1]}
    first, second = pod_of(make_plan(make_spec(pod, overrides=overrides)))["containers"]
    assert (first["command"], first["args"]) == (["python", "t.py"], ["--lr", "1"])
    assert (second["command"], second["args"]) == (["serve"], ["--port", "1"])


def test_without_overrides_the_queue_s_command_stays() -> None:
    first = pod_of(make_plan(make_spec(make_pod(containers=[{"command": ["a"], "args": ["b"]}]))))["containers"][0]
    assert (first["command"], first["args"]) == (["a"], ["b"])


def test_helpers_get_neither_run_id_nor_key() -> None:
    plan = make_plan(make_spec(make_pod(containers=[{}, {"image": "h"}], initContainers=[{"name": "i", "image": "i"}])))
    assert "WANDB_RUN_ID" in env_of(plan)
    assert env_of(plan, 1) == {}
    assert "env" not in pod_of(plan)["initContainers"][0]


def test_a_variable_the_user_set_too_stands_once_with_the_agent_s_value() -> None:
    env = [
        {"name": "WANDB_RUN_ID", "value": "forged"},
        {"name": "WANDB_API_KEY", "value": "mine"},
        {"name": "A", "value": "1"},
        {"name": "A", "value": "2"},
        {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    found = env_of(make_plan(make_spec(make_pod(containers=[{"env": env}]))))
    assert found["WANDB_RUN_ID"] == "run12345"
    assert found["A"] == "2"
    assert found["B"]["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert found["WANDB_API_KEY"]["valueFrom"]["secretKeyRef"]["key"] == "password"


def test_dollars_in_a_config_reach_the_run_as_they_are() -> None:
    config = {"shell": "$(HOME) $$ $X"}
    value = env_of(make_plan(make_spec(overrides={"run_config": config})))["WANDB_CONFIG"]
    assert value == '{"shell": "$$(HOME) $$$$ $$X"}'  # Kubernetes reads $$ as one dollar
    assert env_of(make_plan(make_spec(overrides={"run_config": {"a": "$X"}})))["WANDB_CONFIG"] == '{"a": "$X"}'


# ── keys ──


def test_without_a_release_the_run_has_a_secret_of_its_own_before_the_job() -> None:
    plan = make_plan(make_spec())
    secret, job = plan.objects
    assert secret["type"] == "kubernetes.io/basic-auth"
    assert secret["metadata"]["name"] == "wandb-api-key-run12345"
    assert secret["metadata"]["labels"]["wandb.ai/created-by"] == "launch-agent"
    assert secret["metadata"]["labels"]["launch-agent/installation"] == "launch-agent.wandb"
    assert base64.b64decode(secret["data"]["password"]).decode() == KEY
    assert KEY not in repr(job)
    validate(secret)


def test_with_a_release_its_secret_is_used_and_never_written() -> None:
    plan = make_plan(make_spec(), context=RELEASED)
    assert [body["kind"] for body in plan.objects] == ["Job"]
    assert env_of(plan)["WANDB_API_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "wandb-api-key-launch-agent"


def test_another_secret_and_another_key_in_it_can_hold_the_api_key() -> None:
    plan = make_plan(make_spec(), context=replace(RELEASED, key_secret=KeySecret("ours", "wandb")))
    assert [body["kind"] for body in plan.objects] == ["Job"]
    assert env_of(plan)["WANDB_API_KEY"]["valueFrom"] == {"secretKeyRef": {"name": "ours", "key": "wandb"}}


def test_a_key_of_the_item_s_own_has_its_own_secret_even_under_a_release() -> None:
    plan = make_plan(make_spec(_wandb_api_key="items-own"), context=RELEASED, run_id="Run_ID")
    secret = plan.objects[0]
    assert base64.b64decode(secret["data"]["password"]) == b"items-own"
    assert re.fullmatch(r"wandb-api-key-run-id-[0-9a-f]{10}", secret["metadata"]["name"])
    assert env_of(plan)["WANDB_API_KEY"]["valueFrom"]["secretKeyRef"]["name"] == secret["metadata"]["name"]


def test_without_any_key_the_variable_is_left_to_the_user() -> None:
    pod = make_pod(containers=[{"env": [{"name": "WANDB_API_KEY", "value": "users"}]}])
    assert "WANDB_API_KEY" not in env_of(make_plan(make_spec(), api_key=None))
    assert env_of(make_plan(make_spec(pod), api_key=None))["WANDB_API_KEY"] == "users"


# ── security ──


def test_every_container_gets_the_restricted_context() -> None:
    pod = make_pod(containers=[{}, {"image": "h"}], initContainers=[{"name": "i", "image": "i"}])
    spec = pod_of(make_plan(make_spec(pod)))
    assert [one["securityContext"] for one in [*spec["containers"], *spec["initContainers"]]] == [RESTRICTED] * 3


@pytest.mark.parametrize(
    ("given_context", "context"),
    [
        ({}, RESTRICTED),
        ({"runAsUser": 1000}, {**RESTRICTED, "runAsUser": 1000}),
        ({"capabilities": {}}, RESTRICTED),
        ({"capabilities": None}, RESTRICTED),
        ({"capabilities": {"drop": ["ALL", "X"]}}, {**RESTRICTED, "capabilities": {"drop": ["ALL", "X"]}}),
    ],
)
def test_a_given_context_is_kept_and_filled_up(given_context: dict[str, Any], context: dict[str, Any]) -> None:
    plan = make_plan(make_spec(make_pod(containers=[{"securityContext": given_context}])))
    assert pod_of(plan)["containers"][0]["securityContext"] == context


# ── the whole ──


def test_the_same_item_is_planned_the_same_again() -> None:
    assert make_plan(make_spec(SEED)) == make_plan(make_spec(copy.deepcopy(SEED)))


def test_the_run_spec_is_never_changed() -> None:
    run_spec = make_spec(SEED, overrides={"args": [1]})
    before = copy.deepcopy(run_spec)
    make_plan(run_spec)
    assert run_spec == before


def test_each_transform_leaves_its_argument_alone() -> None:
    run_spec = make_spec(SEED, overrides={"args": ["x"], "entry_point": ["y"]})
    spec = specs.parse(run_spec)
    kind = CONTEXT.kinds.find("batch/v1", "Job")
    facts = Facts(QueueItem("i", "q", run_spec), spec, "r", CONTEXT, {"WANDB_X": "1"}, KeySecret("secret"), kind)
    body: dict[str, Any] = dict(spec.resource_args)
    for transform in manifest.TRANSFORMS:
        before = copy.deepcopy(body)
        result = transform(body, facts)
        assert body == before, transform.__name__
        body = result
    validate(body)


def test_the_context_s_own_macros_fill_the_manifest() -> None:
    context = LaunchContext("u", "team", "a", "i", macros={"REGISTRY": "reg.local"})
    plan = make_plan(make_spec(make_pod(containers=[{}, {"image": "${REGISTRY}/h:${HOME}"}])), context=context)
    assert pod_of(plan)["containers"][1]["image"] == "reg.local/h:${HOME}"


def test_a_kind_under_another_group_is_refused_with_the_group_it_has() -> None:
    with pytest.raises(RefusedError, match=r"a PyTorchJob of v1 .* A PyTorchJob is of the group kubeflow\.org"):
        make_plan(make_spec({"apiVersion": "v1", "kind": "PyTorchJob", "spec": {}}))
    with pytest.raises(RefusedError, match=r"a Job of x .* A Job is of the group batch: correct apiVersion"):
        make_plan(make_spec({"apiVersion": "x", "kind": "Job", "spec": {}}))
