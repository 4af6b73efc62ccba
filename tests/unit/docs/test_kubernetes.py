"""The examples of docs/kubernetes.md do what the page says. tests/adapters asks a real API server about them, too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from launch_agent.cli import main
from launch_agent.core import marks, places
from launch_agent.core.kind_table import BUILT_IN
from launch_agent.core.kinds import Kinds
from launch_agent.settings import Flags, Need, load
from tests.support.pages import DOCS, read_examples

ROOT = DOCS.parent
PAGE = (DOCS / "kubernetes.md").read_text(encoding="utf-8")
EXAMPLES = read_examples("kubernetes.md", "example")
SERVICES = read_examples("kubernetes.md", "run-spec")["services"]
IMAGE = "registry.example.com/ml/train:7"
RUN = "run12345"


class Rendered:
    """What `launch-agent render` prints for a queue's config."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], run_spec: dict[str, Any]) -> None:
        item = {"runQueueItemId": "item-1", "queue": "gpu", "runSpec": run_spec}
        (folder / "item.json").write_text(json.dumps(item), encoding="utf-8")
        environ = {"WANDB_API_KEY": "0123456789" * 4, "WANDB_RELEASE_NAME": "rel"}
        code = main(["render", "--item", str(folder / "item.json")], environ, folder)
        captured = capsys.readouterr()
        assert code == 0, captured.err
        self.warnings = captured.err
        self.objects = list(yaml.safe_load_all(captured.out))
        self.body = self.objects[-1]

    def pods(self) -> list[dict[str, Any]]:
        """The pod templates, the leading one first."""
        kind = Kinds().find(self.body["apiVersion"], self.body["kind"], self.body)
        found: dict[places.Path, Any] = {}
        for template in kind.templates:
            for path, value in places.find(self.body, template.path):
                found.setdefault(path, value)
        return list(found.values())


@pytest.fixture
def render(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def call(config: dict[str, Any] | None = None, **spec: Any) -> Rendered:
        whole = {
            "entity": "ml-team",
            "project": "vision",
            "run_id": RUN,
            "docker": {"docker_image": IMAGE},
            "resource": "kubernetes",
            "resource_args": {"kubernetes": config or {}},
            **spec,
        }
        return Rendered(tmp_path, capsys, whole)

    return call


def environment(pod: dict[str, Any], container: int = 0) -> dict[str, Any]:
    entries = pod["spec"]["containers"][container].get("env") or []
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_becomes_an_object_in_a_namespace_under_a_name(render: Any, name: str) -> None:
    found = render(EXAMPLES[name])
    assert found.body["metadata"]["name"]
    assert found.body["metadata"]["namespace"]
    assert found.body.keys() <= {"apiVersion", "kind", "metadata", "spec"}
    key = {"secretKeyRef": {"name": "wandb-api-key-rel", "key": "password"}}
    main_ones = [environment(pod, 1 if name == "main-container" else 0) for pod in found.pods()]
    assert [one["WANDB_API_KEY"] for one in main_ones] == [key] * len(main_ones)
    assert ["WANDB_RUN_ID" in one for one in main_ones] == [True] + [False] * (len(main_ones) - 1)
    receipt = json.loads(found.body["metadata"]["annotations"]["launch-agent/receipt"])
    assert receipt.keys() >= {"version", "agent", "policy", "transforms", "injected"}


def test_the_job_keeps_its_variable_its_resources_and_its_label_and_goes_where_it_says(render: Any) -> None:
    found = render(EXAMPLES["job"])
    assert (found.body["apiVersion"], found.body["kind"]) == ("batch/v1", "Job")
    assert found.body["metadata"]["namespace"] == "wandb"
    assert found.body["metadata"]["labels"]["queue"] == "k8s-test"
    (pod,) = found.pods()
    (container,) = pod["spec"]["containers"]
    assert container["image"] == IMAGE
    assert container["resources"] == {"requests": {"cpu": "1000m", "memory": "1Gi"}}
    assert environment(pod)["MY_ENV_VAR"] == "some-value"
    assert environment(pod)["WANDB_RUN_ID"] == RUN
    assert found.body["spec"]["backoffLimit"] == 0
    assert pod["spec"]["restartPolicy"] == "Never"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_the_pytorchjob_is_unwrapped_and_its_macros_are_filled_in(render: Any) -> None:
    found = render(EXAMPLES["pytorchjob"])
    assert (found.body["apiVersion"], found.body["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    assert found.body["metadata"]["name"] == f"{RUN}-pytorch-job"
    assert found.body["metadata"]["labels"]["wandb.ai/run-id"] == RUN
    replicas = found.body["spec"]["pytorchReplicaSpecs"]
    assert [one["template"]["spec"]["containers"][0]["image"] for one in replicas.values()] == [IMAGE, IMAGE]
    assert (replicas["Worker"]["replicas"], replicas["Worker"]["restartPolicy"]) == (2, "Never")
    assert "WANDB_RUN_ID" in environment(replicas["Master"]["template"])
    assert found.body["spec"]["ttlSecondsAfterFinished"] == 600
    for pod in found.pods():
        assert pod["metadata"]["labels"]["wandb.ai/run-id"] == RUN


def test_the_annotation_makes_another_container_the_main_one(render: Any) -> None:
    (pod,) = render(EXAMPLES["main-container"], overrides={"args": ["--fast"]}).pods()
    proxy, train = pod["spec"]["containers"]
    assert (proxy["image"], train["image"]) == ("registry.example.com/proxy:3", IMAGE)
    assert (proxy.get("args"), train["args"]) == (None, ["--fast"])
    assert environment(pod, 0) == {}


def test_a_sidecar_gets_what_it_asks_for_and_nothing_else(render: Any) -> None:
    (pod,) = render(EXAMPLES["sidecar"]).pods()
    key = {"secretKeyRef": {"name": "wandb-for-uploads", "key": "password"}}
    assert environment(pod, 1) == {"RUN": RUN, "WANDB_API_KEY": key}


def test_services_come_before_the_workload(render: Any) -> None:
    found = render(**{key: value for key, value in SERVICES.items() if key != "entity"})
    assert [body["kind"] for body in found.objects] == ["Pod", "Service", "Job"]
    assert [body["metadata"]["name"] for body in found.objects[:2]] == [f"cache-{RUN}"] * 2
    assert "WANDB_CONFIG" in environment(found.objects[0])


def test_the_described_kind_is_read_from_the_configuration(tmp_path: Path) -> None:
    described = read_examples("kubernetes.md", "launch-config")["custom-resources"]
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"queues": ["gpu"], **described}), encoding="utf-8")
    settings = load(Flags(config=tmp_path / "config.yaml"), {}, home=tmp_path, need=Need.FILE)
    (kind,) = settings.custom_resources
    assert Kinds(settings.custom_resources).find("example.com/v9", "Training") is kind
    assert [template.main for template in kind.templates] == ["", "worker"]


def test_the_tables_of_kinds_are_written_from_the_code() -> None:
    done = subprocess.run([sys.executable, ROOT / "ci/kinds-table", "--check"], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    for kind in BUILT_IN:
        assert f"`{kind.kind}`" in PAGE


def test_the_annotations_that_the_page_names_are_the_code_s() -> None:
    assert marks.MAIN_ANNOTATION in PAGE

    assert marks.TTL_ANNOTATION in PAGE
