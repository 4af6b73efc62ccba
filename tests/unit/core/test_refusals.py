"""What is refused before an item is claimed, by name and place."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import refusals
from launch_agent.core import spec as specs
from launch_agent.errors import ItemError, RefusedError, SpecError
from tests.support.specs import PATH, make_pod, make_spec

POD = f"{PATH}.spec.template.spec"
STRICT = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def check(run_spec: dict[str, Any], *, secure_mode: bool = False) -> None:
    refusals.check(specs.parse(run_spec), secure_mode)


def refuse(run_spec: dict[str, Any], *, secure_mode: bool = False) -> str:
    with pytest.raises(ItemError) as caught:
        check(run_spec, secure_mode=secure_mode)
    assert caught.value.resolution, "no cure"
    return str(caught.value)


@pytest.mark.parametrize("resource", ["local-container", "sagemaker", "vertex", "gcp-vertex"])
def test_a_resource_without_a_target_is_refused_by_name(resource: str) -> None:
    assert f"can not launch on {resource} yet" in refuse(make_spec(resource=resource))


def test_a_sweep_s_scheduler_is_refused_and_told_what_it_lacks() -> None:
    text = refuse(make_spec(docker=None, uri="placeholder-uri-scheduler"))
    assert "a sweep's scheduler" in text
    assert "needs an image or a job" in text


def test_a_job_that_needs_its_source_is_refused() -> None:
    assert "can not fetch the job 'team/vision/train:v0' yet" in refuse(
        make_spec(docker=None, job="team/vision/train:v0")
    )


def test_additional_services_are_refused() -> None:
    assert "additional services" in refuse(make_spec(additional_services=[{"name": "redis", "config": {}}]))


def test_a_local_process_with_an_image_is_refused() -> None:
    assert "without a container" in refuse(make_spec(resource="local-process"))


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("batch/v1", "CronJob"),
        ("apps/v1", "Deployment"),
        ("v1", "Pod"),
        ("kubeflow.org/v1", "PyTorchJob"),
        ("batch.volcano.sh/v1alpha1", "Job"),
        ("jobset.x-k8s.io/v1alpha2", "JobSet"),
        ("ray.io/v1", "RayJob"),
    ],
)
def test_a_kind_that_is_no_job_is_refused_by_name(version: str, kind: str) -> None:
    assert f"can not launch a {kind} of {version} yet" in refuse(make_spec({"apiVersion": version, "kind": kind}))


def test_a_kind_without_an_api_version_asks_for_one() -> None:
    assert f"{PATH}.apiVersion: is missing, and the kind PyTorchJob needs one" in refuse(
        make_spec({"kind": "PyTorchJob"})
    )


def test_an_api_version_without_a_kind_asks_for_one() -> None:
    assert f"{PATH}.kind: is missing" in refuse(make_spec({"apiVersion": "kubeflow.org/v1"}))


@pytest.mark.parametrize("key", ["configFile", "context"])
def test_another_cluster_is_refused(key: str) -> None:
    assert f"{PATH}.{key} names a cluster" in refuse(make_spec({key: "x"}))


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        (make_pod(volumes=[{"name": "a", "hostPath": {"path": "/"}}]), f"{POD}.volumes[0].hostPath"),
        (
            make_pod(volumes=[{"projected": {"sources": [{"serviceAccountToken": {}}]}}]),
            f"{POD}.volumes[0].projected.sources[0].serviceAccountToken",
        ),
        (make_pod(hostPID=True), f"{POD}.hostPID"),
        (make_pod(hostIPC=True), f"{POD}.hostIPC"),
        (make_pod(hostNetwork=True), f"{POD}.hostNetwork"),
        (make_pod(hostUsers=True), f"{POD}.hostUsers"),
        (make_pod(shareProcessNamespace=True), f"{POD}.shareProcessNamespace"),
        (make_pod(automountServiceAccountToken=True), f"{POD}.automountServiceAccountToken"),
        (make_pod(serviceAccountName="admin"), f"{POD}.serviceAccountName"),
        (make_pod(serviceAccount="admin"), f"{POD}.serviceAccount"),
        (make_pod(containers=[{"ports": [{"hostPort": 80}]}]), f"{POD}.containers[0].ports[0].hostPort"),
        (
            make_pod(containers=[{"volumeMounts": [{"mountPropagation": "Bidirectional"}]}]),
            f"{POD}.containers[0].volumeMounts[0].mountPropagation",
        ),
        (
            {"metadata": {"annotations": {"container.apparmor.security.beta.kubernetes.io/x": "unconfined"}}},
            f'{PATH}.metadata.annotations["container.apparmor.security.beta.kubernetes.io/x"]',
        ),
        ({"deeper": [{"hostNetwork": True}]}, f"{PATH}.deeper[0].hostNetwork"),
    ],
)
def test_what_reaches_beyond_the_container_is_refused_wherever_it_stands(manifest: dict[str, Any], path: str) -> None:
    assert refuse(make_spec(manifest)).startswith(f"{path} is not allowed.")


@pytest.mark.parametrize(
    "manifest",
    [
        make_pod(hostPID=False, serviceAccountName="", automountServiceAccountToken=False),
        make_pod(containers=[{"ports": [{"hostPort": 0, "containerPort": 80}]}]),
        make_pod(volumes=[{"name": "a", "emptyDir": {}}, {"name": "b", "hostPath": None}]),
        make_pod(containers=[{"env": [{"name": "hostPath", "value": "x"}]}]),
        make_pod(containers=[{"volumeMounts": [{"mountPropagation": "HostToContainer"}]}]),
    ],
)
def test_harmless_values_of_the_same_keys_pass(manifest: dict[str, Any]) -> None:
    check(make_spec(manifest))


def test_a_boolean_given_as_a_text_is_refused_wherever_it_stands() -> None:
    with pytest.raises(SpecError, match="expected true or false, found a text"):
        check(make_spec({"spec": {"other": {"hostPID": "no"}}}))


@pytest.mark.parametrize(
    "context",
    [
        STRICT,
        {},
        None,
        {"runAsNonRoot": True, "runAsUser": 1000, "runAsGroup": 1000},
        {**STRICT, "readOnlyRootFilesystem": True},
        {"capabilities": {"drop": ["ALL", "NET_RAW"]}},
        {"capabilities": {}},
        {"privileged": False},
        {"allowPrivilegeEscalation": None},
    ],
)
def test_a_security_context_that_weakens_nothing_is_accepted(context: Any) -> None:
    check(make_spec(make_pod(containers=[{"securityContext": context}])))


@pytest.mark.parametrize(
    ("context", "field"),
    [
        ({"privileged": True}, "privileged"),
        ({"allowPrivilegeEscalation": True}, "allowPrivilegeEscalation"),
        ({"allowPrivilegeEscalation": "False"}, "allowPrivilegeEscalation"),
        ({"capabilities": {"add": ["SYS_ADMIN"], "drop": ["ALL"]}}, "capabilities"),
        ({"capabilities": {"drop": ["NET_RAW"]}}, "capabilities"),
        ({"capabilities": "ALL"}, "capabilities"),
        ({"seccompProfile": {"type": "Unconfined"}}, "seccompProfile"),
        ({"seccompProfile": {"type": "Localhost"}}, "seccompProfile"),
        ({"runAsUser": 0}, "runAsUser"),
        ({"procMount": "Unmasked"}, "procMount"),
        ({"seLinuxOptions": {"type": "spc_t"}}, "seLinuxOptions"),
        ({"sysctls": [{"name": "kernel.msgmax"}]}, "sysctls"),
    ],
)
def test_a_security_context_that_weakens_is_refused_by_its_field(context: dict[str, Any], field: str) -> None:
    for manifest, place in (
        (make_pod(containers=[{"securityContext": context}]), f"{POD}.containers[0].securityContext.{field}"),
        (make_pod(securityContext=context), f"{POD}.securityContext.{field}"),
    ):
        assert refuse(make_spec(manifest)).startswith(f"{place} is not allowed")


def test_a_pod_s_security_context_may_set_groups() -> None:
    check(make_spec(make_pod(securityContext={"fsGroup": 100, "supplementalGroups": [5], "runAsNonRoot": True})))


def test_the_documentation_s_own_snippet_is_accepted() -> None:
    check(
        make_spec({"spec": {"template": {"backOffLimit": 0, "ttlSecondsAfterFinished": 60, "securityContext": STRICT}}})
    )


@pytest.mark.parametrize(
    ("run_spec", "path"),
    [
        (make_spec(make_pod(hostPID=False)), f"{POD}.hostPID"),
        (make_spec(make_pod(initContainers=[{"image": "a"}])), f"{POD}.initContainers"),
        (make_spec(make_pod(containers=[{}, {"command": ["sh"]}])), f"{POD}.containers[1].command"),
        (make_spec(overrides={"entry_point": ["sh"]}), "overrides.entry_point"),
        (
            make_spec(docker=None, resource="local-process", overrides={"entry_point": ["sh"]}),
            "overrides.entry_point",
        ),
    ],
)
def test_secure_mode_refuses_commands_and_host_keys(run_spec: dict[str, Any], path: str) -> None:
    check(run_spec)
    assert refuse(run_spec, secure_mode=True).startswith(f"{path} is not allowed in secure mode.")


def test_secure_mode_lets_a_plain_image_pass() -> None:
    check(make_spec(overrides={"args": ["--lr", "1"]}), secure_mode=True)


def test_a_refusal_is_of_its_own_class() -> None:
    with pytest.raises(RefusedError):
        check(make_spec(make_pod(hostPID=True)))
