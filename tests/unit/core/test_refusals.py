"""What is refused before an item is claimed, by name and place."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import refusals
from launch_agent.core import spec as specs
from launch_agent.errors import ItemError, RefusedError
from tests.support.specs import PATH, make_pod, make_spec

POD = f"{PATH}.spec.template.spec"


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


def test_a_local_process_with_an_image_is_refused() -> None:
    assert "without a container" in refuse(make_spec(resource="local-process"))


@pytest.mark.parametrize(
    ("run_spec", "path"),
    [
        (make_spec(make_pod(hostPID=False)), f"{POD}.hostPID"),
        (make_spec(make_pod(initContainers=[{"image": "a"}])), f"{POD}.initContainers"),
        (make_spec(make_pod(containers=[{}, {"command": ["sh"]}])), f"{POD}.containers[1].command"),
        (
            make_spec(
                {
                    "apiVersion": "kubeflow.org/v1",
                    "kind": "MPIJob",
                    "spec": {"a": [{"containers": [{"command": ["x"]}]}]},
                }
            ),
            f"{PATH}.spec.a[0].containers[0].command",
        ),
        (
            make_spec(
                {
                    "apiVersion": "argoproj.io/v1alpha1",
                    "kind": "Workflow",
                    "spec": {"templates": [{"script": {"command": ["x"]}}]},
                }
            ),
            f"{PATH}.spec.templates[0].script.command",
        ),
        (
            make_spec(
                {
                    "apiVersion": "ray.io/v1",
                    "kind": "RayJob",
                    "spec": {"submitterPodTemplate": {"spec": {"hostIPC": False}}},
                }
            ),
            f"{PATH}.spec.submitterPodTemplate.spec.hostIPC",
        ),
        (
            make_spec(
                additional_services=[
                    {"name": "s", "config": {"kind": "Pod", "spec": {"containers": [{"command": ["x"]}]}}}
                ]
            ),
            "additional_services[0].config.spec.containers[0].command",
        ),
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


@pytest.mark.parametrize(
    "manifest",
    [
        make_pod(containers=[{"livenessProbe": {"exec": {"command": ["true"]}}}]),
        make_pod(containers=[{"env": [{"name": "command", "value": "x"}], "command": []}]),
        {"metadata": {"labels": {"command": "x"}}},
    ],
)
def test_secure_mode_lets_pass_what_is_no_container_s_command(manifest: dict[str, Any]) -> None:
    check(make_spec(manifest), secure_mode=True)


def test_a_refusal_is_of_its_own_class() -> None:
    with pytest.raises(RefusedError):
        check(make_spec(resource="sagemaker"))
