"""Each transform by a table: what is injected, what stays, and what is refused with its path."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from launch_agent.core import places, receipt
from launch_agent.core.kinds import Kinds, find_containers, find_templates
from launch_agent.core.manifest import TRANSFORMS
from launch_agent.core.marks import RECEIPT_ANNOTATION, TTL_ANNOTATION
from launch_agent.core.models import KeySecret, Plan, QueueItem
from launch_agent.core.pull_secrets import PullCredential
from launch_agent.core.spec import parse
from launch_agent.core.transforms.code import INIT_CONTAINER, MOUNT, VOLUME, mount_code
from launch_agent.core.transforms.facts import Code, Facts
from launch_agent.errors import ItemError, SpecError
from tests.support.kind_manifests import MANIFESTS, mains_of, manifest_of, template
from tests.support.specs import CONTEXT, make_plan, make_pod, make_spec, pod_of

KINDS = Kinds()
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
EVERY = [pytest.param(*key, id="-".join(key).replace("/", "-")) for key in MANIFESTS]
TEMPLATED = [pytest.param(*key, id="-".join(key).replace("/", "-")) for key in MANIFESTS if KINDS.find(*key).templates]


def plan(body: dict[str, Any], **changes: Any) -> Plan:
    if KINDS.find(body.get("apiVersion", "batch/v1"), body.get("kind", "Job")).is_endless:
        body = {**body, "max_runtime": 60}
    return make_plan(make_spec(body, **changes))


def job_container(**container: Any) -> dict[str, Any]:
    """The only container of a planned Job."""
    found: dict[str, Any] = pod_of(plan(make_pod(containers=[container])))["containers"][0]
    return found


# ── security contexts ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("api_version", "kind"), TEMPLATED)
def test_every_container_of_every_template_is_restricted_where_nothing_is_said(api_version: str, kind: str) -> None:
    made = plan(manifest_of(api_version, kind)).workload
    for path, _ in find_templates(KINDS.find(api_version, kind), made):
        for container in places.get(made, (*path, "spec", "containers")):
            assert container["securityContext"] == RESTRICTED


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, RESTRICTED),
        ({}, RESTRICTED),
        ({"runAsNonRoot": True}, {**RESTRICTED, "runAsNonRoot": True}),
        ({"runAsUser": 1000, "runAsGroup": 1000}, {**RESTRICTED, "runAsUser": 1000, "runAsGroup": 1000}),
        ({"readOnlyRootFilesystem": True}, {**RESTRICTED, "readOnlyRootFilesystem": True}),
        ({"capabilities": {"drop": ["ALL", "NET_RAW"]}}, {**RESTRICTED, "capabilities": {"drop": ["ALL", "NET_RAW"]}}),
        ({"capabilities": {}}, RESTRICTED),
        ({"privileged": False}, {**RESTRICTED, "privileged": False}),
        ({"seccompProfile": None}, RESTRICTED),
        # weaker than what is injected: only a policy lets them pass, and then they stay as they are
        ({"privileged": True}, {"privileged": True}),
        ({"allowPrivilegeEscalation": True}, {"allowPrivilegeEscalation": True}),
        ({"capabilities": {"add": ["SYS_ADMIN"]}}, {"capabilities": {"add": ["SYS_ADMIN"]}}),
        ({"capabilities": {"drop": ["NET_RAW"]}}, {"capabilities": {"drop": ["NET_RAW"]}}),
        ({"seccompProfile": {"type": "Unconfined"}}, {"seccompProfile": {"type": "Unconfined"}}),
        ({"runAsUser": 0}, {"runAsUser": 0}),
        ({"seLinuxOptions": {"level": "s0"}}, {"seLinuxOptions": {"level": "s0"}}),
    ],
)
@pytest.mark.parametrize("place", ["containers", "initContainers"])
def test_a_given_context_is_filled_up_or_left_as_it_is(given: Any, expected: Any, place: str) -> None:
    pod = {"containers": [{"name": "a"}], "initContainers": [{"name": "b", "image": "i"}]}
    pod[place][0]["securityContext"] = given
    body = {"spec": {"template": {"spec": pod}}}
    found = _restricted(body)["spec"]["template"]["spec"][place][0]["securityContext"]
    assert {key: value for key, value in found.items() if value is not None} == expected


def _restricted(body: dict[str, Any]) -> dict[str, Any]:
    from launch_agent.core.transforms.security import restrict

    return restrict(body, make_facts("batch/v1", "Job"))


def test_a_profile_of_the_pod_s_holds_for_its_containers() -> None:
    pod = {"containers": [{"name": "a"}], "securityContext": {"seccompProfile": {"type": "Localhost"}}}
    (container,) = _restricted({"spec": {"template": {"spec": pod}}})["spec"]["template"]["spec"]["containers"]
    assert "seccompProfile" not in container["securityContext"]


def make_facts(api_version: str, kind: str, **changes: Any) -> Facts:
    run_spec = make_spec(manifest_of(api_version, kind))
    facts = Facts(
        QueueItem("item-1", "gpu", run_spec),
        parse(run_spec),
        "run12345",
        CONTEXT,
        {"WANDB_BASE_URL": "https://api.example.org", "WANDB_RUN_ID": "run12345"},
        KeySecret("the-key"),
        KINDS.find(api_version, kind),
    )
    return replace(facts, **changes)


# ── pull secrets ────────────────────────────────────────────────────────────────────────────────────────────────────

PULLING = replace(CONTEXT, pull_credential=PullCredential("reg.example.com", "user", "word"))


@pytest.mark.parametrize(("api_version", "kind"), TEMPLATED)
def test_the_pull_secret_is_appended_in_every_template(api_version: str, kind: str) -> None:
    body = manifest_of(api_version, kind)
    found = KINDS.find(api_version, kind)
    for path, _ in find_templates(found, body):
        body = places.put(body, (*path, "spec", "imagePullSecrets"), [{"name": "mine"}])
    if found.is_endless:
        body["max_runtime"] = 60
    made = make_plan(make_spec(body), context=PULLING)
    for path, _ in find_templates(found, made.workload):
        given = places.get(made.workload, (*path, "spec", "imagePullSecrets"))
        assert given == [{"name": "mine"}, {"name": "regcred-run12345"}]
    assert [one["metadata"]["name"] for one in made.secrets] == ["wandb-api-key-run12345", "regcred-run12345"]
    assert made.pull_registry == "reg.example.com"


def test_an_argo_workflow_s_pull_secret_is_that_of_all_its_pods() -> None:
    made = make_plan(make_spec(manifest_of("argoproj.io/v1alpha1", "Workflow")), context=PULLING)
    assert made.workload["spec"]["imagePullSecrets"] == [{"name": "regcred-run12345"}]


@pytest.mark.parametrize("place", [("trainer.kubeflow.org/v1alpha1", "TrainJob")])
def test_a_pull_secret_without_a_place_is_told_on_the_item(place: tuple[str, str]) -> None:
    made = make_plan(make_spec(manifest_of(*place)), context=PULLING)
    assert any(one.startswith("A TrainJob has no place for the Secret regcred-run12345") for one in made.warnings)
    assert not any("no place for the Secret" in one for one in make_plan(make_spec(manifest_of(*place))).warnings)


def test_a_pull_secret_is_named_once() -> None:
    body = make_pod(containers=[{}], imagePullSecrets=[{"name": "regcred-run12345"}])
    assert pod_of(make_plan(make_spec(body), context=PULLING))["imagePullSecrets"] == [{"name": "regcred-run12345"}]


def test_without_a_credential_there_is_no_pull_secret() -> None:
    made = plan(make_pod(containers=[{}]))
    assert "imagePullSecrets" not in pod_of(made)
    assert made.pull_registry == ""


# ── how long ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("api_version", "kind"), [key for key in MANIFESTS if KINDS.find(*key).ttl])
def test_a_time_to_live_is_held_back_where_the_kind_has_it(api_version: str, kind: str) -> None:
    path = places.path_of(KINDS.find(api_version, kind).ttl)
    made = plan(places.put(manifest_of(api_version, kind), path, 300)).workload
    assert places.get(made, path) is None
    assert made["metadata"]["annotations"][TTL_ANNOTATION] == "300"


@pytest.mark.parametrize(("api_version", "kind"), EVERY)
def test_only_a_job_has_a_time_to_live_by_default(api_version: str, kind: str) -> None:
    made = plan(manifest_of(api_version, kind))
    assert made.release_after == (60 if api_version == "batch/v1" else None)


def test_a_rayjob_s_time_to_live_is_its_cluster_s_and_stays() -> None:
    body = manifest_of("ray.io/v1", "RayJob", shutdownAfterJobFinishes=True, ttlSecondsAfterFinished=10)
    made = plan(body)
    assert (made.workload["spec"]["ttlSecondsAfterFinished"], made.release_after) == (10, None)


@pytest.mark.parametrize("wanted", ["300", 1.5, -1, True, [], {}])
def test_a_time_to_live_that_is_no_number_is_refused_with_its_path(wanted: Any) -> None:
    with pytest.raises(ItemError, match=r"spec\.ttlSecondsAfterFinished"):
        plan(manifest_of("jobset.x-k8s.io/v1alpha2", "JobSet", ttlSecondsAfterFinished=wanted))


@pytest.mark.parametrize(
    ("wanted", "seconds"),
    [(90, 90), (90.5, 91), ("90", 90), ("90s", 90), ("30m", 1800), ("2h", 7200), ("1d", 86400)],
)
def test_a_limit_becomes_a_job_s_and_a_pod_s_own_deadline(wanted: Any, seconds: int) -> None:
    for key in (("batch/v1", "Job"), ("v1", "Pod")):
        made = plan({**manifest_of(*key), "max_runtime": wanted})
        assert made.workload["spec"]["activeDeadlineSeconds"] == seconds
        assert made.max_runtime is not None
        assert made.max_runtime <= seconds


def test_a_deadline_of_the_user_s_stays() -> None:
    made = plan({**manifest_of("batch/v1", "Job", activeDeadlineSeconds=5), "max_runtime": "1h"})
    assert made.workload["spec"]["activeDeadlineSeconds"] == 5


@pytest.mark.parametrize(("api_version", "kind"), [key for key in MANIFESTS if key[0] not in {"batch/v1", "v1"}])
def test_other_kinds_are_ended_by_the_agent(api_version: str, kind: str) -> None:
    made = make_plan(make_spec({**manifest_of(api_version, kind), "max_runtime": "1h"}))
    assert "activeDeadlineSeconds" not in made.workload["spec"]
    assert (made.max_runtime, made.is_endless) == (3600.0, KINDS.find(api_version, kind).is_endless)


@pytest.mark.parametrize("wanted", [0, -1, "0", "soon", "1w", True, [], "1h30m"])
def test_a_limit_that_is_none_is_refused_with_its_path(wanted: Any) -> None:
    with pytest.raises(SpecError, match="max_runtime"):
        plan({**manifest_of("batch/v1", "Job"), "max_runtime": wanted})


# ── the main container ──────────────────────────────────────────────────────────────────────────────────────────────

MAIN = "launch-agent/main-container"


@pytest.mark.parametrize("place", [("metadata",), ("spec", "template", "metadata")])
def test_an_annotation_names_the_job_s_container(place: places.Path) -> None:
    body = manifest_of("batch/v1", "Job", template=template())
    body = places.put(body, (*place, "annotations"), {MAIN: "helper"})
    body = places.put(body, ("spec", "template", "spec", "containers", 0, "image"), "front:1")
    made = plan(body, overrides={"args": ["--x"]})
    first, helper = pod_of(made)["containers"]
    assert (first["image"], first.get("env"), first.get("args")) == ("front:1", None, None)
    assert (helper["image"], helper["args"]) == ("registry/train:1", ["--x"])
    assert any(entry["name"] == "WANDB_RUN_ID" for entry in helper["env"])
    assert made.workload["spec"]["template"]["metadata"]["annotations"][MAIN] == "helper"


def test_an_operator_s_container_is_the_job_s_wherever_it_stands() -> None:
    spec = {"containers": [{"name": "proxy", "image": "p:1"}, {"name": "pytorch"}]}
    body = manifest_of("kubeflow.org/v1", "PyTorchJob", pytorchReplicaSpecs={"Master": {"template": {"spec": spec}}})
    proxy, main = plan(body).workload["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"]
    assert (proxy.get("env"), main["image"]) == (None, "registry/train:1")


def test_a_container_without_a_name_gets_the_operator_s() -> None:
    body = manifest_of(
        "kubeflow.org/v1", "PyTorchJob", pytorchReplicaSpecs={"Master": {"template": {"spec": {"containers": [{}]}}}}
    )
    (main,) = plan(body).workload["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"]
    assert main["name"] == "pytorch"


def test_an_annotation_that_names_nobody_is_refused_with_its_path() -> None:
    body = {**manifest_of("batch/v1", "Job"), "metadata": {"annotations": {MAIN: "nobody"}}}
    with pytest.raises(SpecError, match="'nobody'"):
        plan(body)


# ── images ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_image_of_a_custom_resource_s_own_stays_with_a_note() -> None:
    body = manifest_of("jobset.x-k8s.io/v1alpha2", "JobSet")
    place = ("spec", "replicatedJobs", 1, "template", "spec", "template", "spec", "containers", 0, "image")
    made = plan(places.put(body, place, "own:1"))
    assert [container["image"] for container in mains_of(dict(made.workload)).values()] == ["registry/train:1", "own:1"]
    assert [one for one in made.warnings if "own:1" in one]


def test_where_the_macro_places_the_image_nothing_else_gets_it() -> None:
    body = manifest_of("argoproj.io/v1alpha1", "Workflow")
    made = plan(places.put(body, ("spec", "templates", 0, "container", "image"), "${image_uri}"))
    found = [
        places.get(made.workload, path)
        for path in find_containers(KINDS.find(made.workload["apiVersion"], "Workflow"), made.workload)
    ]
    assert [container["image"] for container in found] == ["registry/train:1", "b:1"]
    assert made.warnings == ()


@pytest.mark.parametrize(("api_version", "kind"), TEMPLATED)
def test_a_helper_without_an_image_is_refused_with_its_path(api_version: str, kind: str) -> None:
    body = manifest_of(api_version, kind)
    (path, _), *_others = find_templates(KINDS.find(api_version, kind), body)
    broken = places.put(body, (*path, "spec", "containers", 1), {"name": "helper"})
    with pytest.raises(SpecError) as caught:
        plan(broken)
    assert f"{places.text((*path, 'spec', 'containers', 1))}.image" in str(caught.value)


# ── commands as one text ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({}, "python run.py"),
        ({"args": ["--lr", "0.1"]}, "python run.py --lr 0.1"),
        ({"args": ["a b", "$HOME", "it's"]}, "python run.py 'a b' '$HOME' 'it'\"'\"'s'"),
        ({"entry_point": ["python", "-m", "x"]}, "python -m x"),
        ({"entry_point": ["sh", "-c", "a; b"], "args": ["c"]}, "sh -c 'a; b' c"),
    ],
)
def test_a_rayjob_s_text_takes_the_command_quoted_for_its_shell(overrides: Any, expected: str) -> None:
    made = plan(manifest_of("ray.io/v1", "RayJob"), overrides=overrides)
    assert made.workload["spec"]["entrypoint"] == expected


def test_arguments_with_nothing_to_follow_are_refused_with_the_path() -> None:
    with pytest.raises(SpecError, match=r"spec\.entrypoint"):
        plan(manifest_of("ray.io/v1", "RayJob", entrypoint=" "), overrides={"args": ["x"]})


# ── base images (protocol 7.3.6) ────────────────────────────────────────────────────────────────────────────────────

FETCHED = Code(image="agent:1", command=("fetch", "it"), working_dir="src")
CLAIMED = Code(claim="code", sub_path="job-v3")


def coded(code: Code | None, **container: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pod after the code was mounted, and its job's container."""
    body = {"spec": {"template": template(**container)}}
    pod = mount_code(body, make_facts("batch/v1", "Job", code=code))["spec"]["template"]["spec"]
    return pod, pod["containers"][0]


def test_without_code_nothing_is_mounted() -> None:
    pod, main = coded(None)
    assert (pod.get("volumes"), main.get("volumeMounts"), main.get("workingDir")) == (None, None, None)


def test_code_is_fetched_by_an_init_container_that_has_the_key_by_reference() -> None:
    pod, main = coded(FETCHED)
    (fetcher,) = pod["initContainers"]
    assert (fetcher["name"], fetcher["image"], fetcher["command"]) == (INIT_CONTAINER, "agent:1", ["fetch", "it"])
    assert [entry["name"] for entry in fetcher["env"]] == ["WANDB_BASE_URL", "WANDB_API_KEY"]
    assert fetcher["env"][1]["valueFrom"]["secretKeyRef"]["name"] == "the-key"
    assert pod["volumes"] == [{"name": VOLUME, "emptyDir": {}}]
    assert main["volumeMounts"] == fetcher["volumeMounts"] == [{"name": VOLUME, "mountPath": MOUNT}]
    assert main["workingDir"] == f"{MOUNT}/src"


def test_code_on_a_claim_needs_no_fetcher() -> None:
    pod, main = coded(CLAIMED)
    assert "initContainers" not in pod
    assert pod["volumes"] == [{"name": VOLUME, "persistentVolumeClaim": {"claimName": "code"}}]
    assert main["volumeMounts"] == [{"name": VOLUME, "mountPath": MOUNT, "subPath": "job-v3"}]


@pytest.mark.parametrize("code", [FETCHED, CLAIMED, replace(FETCHED, installs=True)])
def test_no_helper_gets_the_code_nor_its_folder(code: Code) -> None:
    pod, _ = coded(code, command=["python", "train.py"])
    assert pod["containers"][1] == {"name": "helper", "image": "helper:1"}


def test_requirements_are_installed_before_the_command_and_a_failure_is_one() -> None:
    _, main = coded(replace(CLAIMED, installs=True), command=["python", "train.py"], args=["a b"])
    assert main["command"][:2] == ["sh", "-c"]
    assert main["command"][2].startswith("set -e; ")
    assert main["command"][2].endswith("exec python train.py 'a b'")
    for file in ("requirements.txt", "pyproject.toml", ".job/requirements.frozen.txt"):
        assert file in main["command"][2]
    assert "args" not in main


def test_the_user_s_volumes_and_mounts_stay() -> None:
    body = {"spec": {"template": template(volumeMounts=[{"name": "data", "mountPath": "/data"}])}}
    body["spec"]["template"]["spec"]["volumes"] = [{"name": "data", "emptyDir": {}}]
    body["spec"]["template"]["spec"]["initContainers"] = [{"name": "mine", "image": "i"}]
    pod = mount_code(body, make_facts("batch/v1", "Job", code=FETCHED))["spec"]["template"]["spec"]
    assert [one["name"] for one in pod["volumes"]] == ["data", VOLUME]
    assert [one["name"] for one in pod["containers"][0]["volumeMounts"]] == ["data", VOLUME]
    assert [one["name"] for one in pod["initContainers"]] == [INIT_CONTAINER, "mine"]


@pytest.mark.parametrize(("api_version", "kind"), TEMPLATED)
def test_code_is_there_in_every_template(api_version: str, kind: str) -> None:
    made = mount_code(manifest_of(api_version, kind), make_facts(api_version, kind, code=FETCHED))
    for container in mains_of(made).values():
        assert container["workingDir"] == f"{MOUNT}/src"


# ── the receipt ─────────────────────────────────────────────────────────────────────────────────────────────────────


def read_receipt(made: Plan) -> dict[str, Any]:
    text = made.workload["metadata"]["annotations"][RECEIPT_ANNOTATION]
    assert len(text) <= receipt.LIMIT
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize(("api_version", "kind"), EVERY)
def test_each_object_carries_a_receipt_of_what_was_injected(api_version: str, kind: str) -> None:
    found = read_receipt(plan({**manifest_of(api_version, kind), "metadata": {"labels": {"a": "b"}}}))
    assert found["version"] == 1
    assert found["policy"] == {"queue": "baseline", "submitter": "restricted"}
    assert {"set_name", "mark", "add_environment"} <= set(found["transforms"])
    assert set(found["transforms"]) <= {one.__name__ for one in TRANSFORMS}
    assert "metadata.name" in found["injected"]
    assert any(path.endswith(".env") for path in found["injected"])


def test_what_the_user_wrote_is_not_called_injected() -> None:
    body = manifest_of("batch/v1", "Job", backoffLimit=3)
    found = read_receipt(plan({**body, "metadata": {"name": "mine", "labels": {"a": "b"}}}))
    assert not {"metadata.name", "metadata.labels", "metadata.labels.a", "spec.backoffLimit"} & set(found["injected"])
    assert 'metadata.labels["wandb.ai/run-id"]' in found["injected"]


def test_a_receipt_of_very_many_fields_is_cut_and_says_so() -> None:
    tasks = [{"name": f"t{number}", "template": template()} for number in range(60)]
    found = read_receipt(plan(manifest_of("batch.volcano.sh/v1alpha1", "Job", tasks=tasks)))
    assert found["truncated"] is True


def test_the_command_of_a_container_is_the_user_s_where_nothing_overrides_it() -> None:
    found = job_container(name="a", command=["x"], args=["y"])
    assert (found["command"], found["args"]) == (["x"], ["y"])
