"""Run specs: what is read, what is refused, and in which words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from launch_agent.core import spec as specs
from launch_agent.core.models import Resource
from launch_agent.errors import SpecError
from tests.support.specs import PATH, make_pod, make_spec

POD = f"{PATH}.spec.template.spec"


def test_a_spec_is_read_whole() -> None:
    spec = specs.parse(
        make_spec(
            project="Vision",
            name="nice run",
            run_id="abc",
            author="ada",
            sweep_id="s1",
            queue_entity="other",
            _resume_count=2,
            _wandb_api_key="secret",
            overrides={"args": ["--lr", 0.1], "entry_point": ["python", "t.py"], "run_config": {"a": 1}},
            unknown={"kept": True},
        )
    )
    assert (spec.project, spec.name, spec.run_id, spec.author) == ("vision", "nice run", "abc", "ada")
    assert (spec.sweep_id, spec.queue_entity, spec.resume_count, spec.api_key) == ("s1", "other", 2, "secret")
    assert spec.overrides.args == ("--lr", "0.1")
    assert spec.overrides.entry_point == ("python", "t.py")
    assert spec.overrides.run_config == {"a": 1}
    assert spec.raw["unknown"] == {"kept": True}


def test_a_key_is_never_in_a_spec_s_text() -> None:
    spec = specs.parse(
        make_spec(make_pod(containers=[{"env": [{"name": "T", "value": "hush"}]}]), _wandb_api_key="k3y")
    )
    assert "k3y" not in repr(spec)
    assert "hush" not in repr(spec)


def test_null_and_empty_count_as_absent() -> None:
    spec = specs.parse(
        make_spec(
            job=None,
            name="",
            overrides={"args": None, "run_config": None, "entry_point": None, "working_dir": ""},
            git=None,
            additional_services=None,
            resource_args={"kubernetes": {"metadata": None, "spec": {"template": {"metadata": {"labels": None}}}}},
        )
    )
    assert spec.name is None
    assert spec.overrides == specs.Overrides()
    assert spec.resource_args == {"spec": {"template": {"metadata": {}}}}


def test_without_a_resource_it_is_a_local_container() -> None:
    assert specs.parse(make_spec(resource=None)).resource is Resource.LOCAL_CONTAINER


@pytest.mark.parametrize(
    "changes",
    [{"docker": {"docker_image": "a:1"}}, {"docker": None, "image_uri": "a:1"}, {"image_uri": "a:1", "docker": {}}],
)
def test_both_spellings_of_an_image_are_read(changes: dict[str, Any]) -> None:
    assert specs.parse(make_spec(**changes)).image == "a:1"


def test_the_agent_s_own_keys_are_split_off() -> None:
    own: dict[str, Any] = {
        "builder": {"accelerator": {}},
        "namespace": "wandb",
        "configFile": "/k",
        "context": "c",
        "wait_for_ready": True,
        "wait_timeout": 300,
        "name": "x",
        "runner": "y",
    }
    spec = specs.parse(make_spec({**own, "kind": "Job"}))
    assert spec.agent_args == own
    assert spec.resource_args == {"kind": "Job"}


def test_an_outer_key_of_the_resource_s_own_name_is_unwrapped() -> None:
    spec = specs.parse(
        make_spec({"kubernetes": {"kind": "PyTorchJob", "apiVersion": "kubeflow.org/v1"}, "namespace": "n"})
    )
    assert spec.resource_args == {"kind": "PyTorchJob", "apiVersion": "kubeflow.org/v1"}
    assert spec.agent_args == {"namespace": "n"}


def test_what_the_submitter_put_beside_an_outer_key_goes_over_it() -> None:
    inner = make_pod(containers=[{"image": "a"}], restartPolicy="Never")
    spec = specs.parse(make_spec({"kubernetes": inner, **make_pod(restartPolicy="OnFailure")}))
    assert spec.resource_args == make_pod(containers=[{"image": "a"}], restartPolicy="OnFailure")


def test_plain_numbers_become_texts_where_kubernetes_wants_texts() -> None:
    container = {"args": [1, 0.5], "command": ["run", 2], "env": [{"name": "N", "value": 3}]}
    spec = specs.parse(make_spec({"metadata": {"labels": {"version": 2}}, **make_pod(containers=[container])}))
    assert spec.resource_args["metadata"]["labels"] == {"version": "2"}
    assert spec.resource_args["spec"]["template"]["spec"]["containers"] == [
        {"args": ["1", "0.5"], "command": ["run", "2"], "env": [{"name": "N", "value": "3"}]}
    ]


@pytest.mark.parametrize(
    ("changes", "path", "words"),
    [
        ({"entity": None}, "entity", "is missing"),
        ({"entity": " "}, "entity", "is missing"),
        ({"project": None}, "project", "is missing"),
        ({"project": 7}, "project", "expected a text, found a number"),
        ({"docker": "img"}, "docker", "expected an object, found a text"),
        ({"docker": {"docker_image": ["img"]}}, "docker.docker_image", "expected a text, found a list"),
        ({"docker": {"docker_image": "my image"}}, "docker.docker_image", "white space"),
        ({"docker": {"docker_image": "a", "user_id": "me"}}, "docker.user_id", "expected a whole number, found a text"),
        ({"image_uri": "other:1"}, "image_uri", "names another image"),
        ({"docker": None}, "docker.docker_image", "is missing, and so is `job`"),
        ({"job": "team/vision/train:v0"}, "job", "stands beside an image"),
        ({"job": "train", "docker": None}, "job", "is not the name of a job"),
        ({"run_id": 5}, "run_id", "expected a text, found a number"),
        ({"resource": "kubernets"}, "resource", "'kubernets' is no kind of resource"),
        ({"resource": ["kubernetes"]}, "resource", "expected a text, found a list"),
        ({"resource_args": []}, "resource_args", "expected an object, found a list"),
        ({"resource_args": {"kubernetes": "x"}}, PATH, "expected an object, found a text"),
        ({"overrides": {"args": "--lr 1"}}, "overrides.args", "expected a list of texts, found a text"),
        ({"overrides": {"args": ["a", True]}}, "overrides.args[1]", "expected a text, found a boolean"),
        ({"overrides": {"args": [None]}}, "overrides.args[0]", "found null"),
        ({"overrides": {"entry_point": "python t.py"}}, "overrides.entry_point", "expected a list of texts"),
        ({"overrides": {"run_config": [1]}}, "overrides.run_config", "expected an object, found a list"),
        ({"overrides": {"artifacts": "a"}}, "overrides.artifacts", "expected an object, found a text"),
        ({"overrides": {"files": 1}}, "overrides.files", "expected an object, found a number"),
        ({"_resume_count": "1"}, "_resume_count", "expected a whole number, found a text"),
        ({"_resume_count": -1}, "_resume_count", "from 0 on"),
        ({"_wandb_api_key": 12345}, "_wandb_api_key", "expected a text, found a number"),
        ({"additional_services": {}}, "additional_services", "expected a list of objects"),
        ({"additional_services": ["x"]}, "additional_services[0]", "expected an object, found a text"),
        (
            {"resource": "local-process", "docker": None},
            "overrides.entry_point",
            "is missing, and so is `job`: there is nothing to run",
        ),
    ],
)
def test_a_malformed_spec_is_refused_with_its_path(changes: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        specs.parse(make_spec(**changes))
    assert caught.value.path == path
    assert words in str(caught.value)
    assert caught.value.resolution


@pytest.mark.parametrize(
    ("manifest", "path", "words"),
    [
        ({"metadata": []}, f"{PATH}.metadata", "expected an object, found a list"),
        ({"metadata": {"labels": ["a"]}}, f"{PATH}.metadata.labels", "expected an object of texts, found a list"),
        ({"metadata": {"labels": {"a": True}}}, f"{PATH}.metadata.labels.a", "expected a text, found a boolean"),
        ({"metadata": {"annotations": {"a.b/c": {}}}}, f'{PATH}.metadata.annotations["a.b/c"]', "found an object"),
        ({"metadata": {"name": 5}}, f"{PATH}.metadata.name", "expected a text, found a number"),
        ({"kind": 5}, f"{PATH}.kind", "expected a text, found a number"),
        ({"namespace": 5}, f"{PATH}.namespace", "expected a text, found a number"),
        ({"spec": "x"}, f"{PATH}.spec", "expected an object, found a text"),
        ({"spec": {"backoffLimit": "0"}}, f"{PATH}.spec.backoffLimit", "expected a whole number, found a text"),
        ({"spec": {"suspend": "yes"}}, f"{PATH}.spec.suspend", "expected true or false, found a text"),
        ({"spec": {"template": []}}, f"{PATH}.spec.template", "expected an object, found a list"),
        (make_pod(containers={"a": 1}), f"{POD}.containers", "expected a list of container objects, found an object"),
        (make_pod(containers=["a"]), f"{POD}.containers[0]", "expected an object, found a text"),
        (make_pod(containers=[None]), f"{POD}.containers[0]", "found null"),
        (make_pod(initContainers="a"), f"{POD}.initContainers", "expected a list of container objects, found a text"),
        (make_pod(hostPID="no"), f"{POD}.hostPID", "expected true or false, found a text"),
        (make_pod(restartPolicy=False), f"{POD}.restartPolicy", "expected a text, found a boolean"),
        (make_pod(volumes={}), f"{POD}.volumes", "expected a list of objects, found an object"),
        (make_pod(containers=[{"image": 1}]), f"{POD}.containers[0].image", "expected a text, found a number"),
        (make_pod(containers=[{"args": "x"}]), f"{POD}.containers[0].args", "expected a list of texts, found a text"),
        (make_pod(containers=[{"command": {}}]), f"{POD}.containers[0].command", "found an object"),
        (make_pod(containers=[{"env": {"A": "1"}}]), f"{POD}.containers[0].env", "found an object"),
        (make_pod(containers=[{"env": ["A=1"]}]), f"{POD}.containers[0].env[0]", "expected an object, found a text"),
        (make_pod(containers=[{"env": [{"value": "1"}]}]), f"{POD}.containers[0].env[0].name", "is missing"),
        (
            make_pod(containers=[{}, {"env": [{"name": "A", "value": True}]}]),
            f"{POD}.containers[1].env[0].value",
            "expected a text, found a boolean. Put it in quotes.",
        ),
        (make_pod(containers=[{"resources": {"limits": 1}}]), f"{POD}.containers[0].resources.limits", "a number"),
    ],
)
def test_a_malformed_manifest_is_refused_with_its_path(manifest: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(SpecError) as caught:
        specs.parse(make_spec(manifest))
    assert caught.value.path == path
    assert words in str(caught.value)


def test_an_error_never_shows_the_value_it_found() -> None:
    with pytest.raises(SpecError) as caught:
        specs.parse(make_spec(_wandb_api_key=["hunter2"]))
    assert "hunter2" not in str(caught.value)


def test_a_spec_that_is_no_object_is_refused() -> None:
    with pytest.raises(SpecError, match="expected an object, found a list"):
        specs.parse([])  # type: ignore[arg-type]  # what a broken server may send


@pytest.mark.parametrize(
    ("changes", "is_scheduler"),
    [
        ({"resource": "kubernetes"}, True),
        ({"resource": "local-process", "job": "a/b/c:v0"}, True),
        ({"resource": "local-process", "overrides": {"entry_point": ["wandb", "scheduler", "x"]}}, True),
        ({"resource": "local-process", "overrides": {"entry_point": ["wandb", "scheduler"]}}, False),
        ({"resource": "kubernetes", "uri": None, "docker": {"docker_image": "a"}}, False),
    ],
)
def test_a_sweep_s_scheduler_is_known_by_its_uri(changes: dict[str, Any], is_scheduler: bool) -> None:
    values = {"docker": None, "uri": "placeholder-uri-scheduler", **changes}
    assert specs.parse(make_spec(**values)).is_scheduler is is_scheduler


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (90, 90.0),
        (0.5, 0.5),
        ("90", 90.0),
        ("90s", 90.0),
        ("30m", 1800.0),
        ("2h", 7200.0),
        ("1d", 86_400.0),
        ("999999999d", 2_147_483_647.0),
    ],
)
def test_a_length_of_time_is_seconds_or_a_number_with_its_unit(given: Any, seconds: float) -> None:
    assert specs.parse(make_spec({"max_runtime": given})).max_runtime == seconds
    assert specs.parse(make_spec(max_runtime=given)).max_runtime == seconds


def test_the_manifest_s_own_max_runtime_goes_before_the_run_spec_s_and_there_may_be_none() -> None:
    assert specs.parse(make_spec({"max_runtime": "1m"}, max_runtime="2h")).max_runtime == 60.0
    assert specs.parse(make_spec()).max_runtime is None


def test_the_agents_keys_are_read_and_taken_out_of_the_manifest() -> None:
    own = {"wait_for_ready": False, "wait_timeout": 5, "max_runtime": "1h", "plural": "jobs", "configFile": None}
    manifest, agent_args = specs.read_arguments({"kubernetes": {"kind": "Job", **own}}, Resource.KUBERNETES)
    assert manifest == {"kind": "Job"}
    assert agent_args == {"wait_for_ready": False, "wait_timeout": 5.0, "max_runtime": 3600.0, "plural": "jobs"}


@pytest.mark.parametrize(
    ("manifest", "path"),
    [
        ({"kind": "PyTorchJob"}, "apiVersion: is missing, and kind is 'PyTorchJob'"),
        ({"apiVersion": "kubeflow.org/v1"}, "kind: is missing, and apiVersion is 'kubeflow.org/v1'"),
        ({"kind": []}, "kind: expected a text, found a list"),
        ({"apiVersion": {}}, "apiVersion: expected a text, found an object"),
    ],
)
def test_a_manifest_of_no_kind_is_refused_with_the_key_that_is_missing(manifest: dict[str, Any], path: str) -> None:
    with pytest.raises(SpecError, match=re.escape(f"resource_args.kubernetes.{path}")):
        specs.parse(make_spec(manifest))
