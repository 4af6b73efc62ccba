"""``launch-agent render``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from launch_agent.cli import item_file, main

KEY = "0123456789" * 4
OWN_KEY = "abcdefghij" * 4
SPEC: dict[str, Any] = {
    "entity": "team",
    "project": "p",
    "resource": "kubernetes",
    "docker": {"docker_image": "img:1"},
    "resource_args": {
        "kubernetes": {
            "metadata": {"namespace": "jobs"},
            "spec": {"template": {"spec": {"containers": [{"env": [{"name": "ZONE", "value": "${ZONE} ${HOME}"}]}]}}},
        }
    },
}


class Outcome:
    """What one call of render printed."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def objects(self) -> list[dict[str, Any]]:
        return list(yaml.safe_load_all(self.out))


class Renderer:
    """Calls render with files of its own."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(
        self, spec: Any, *flags: str, config: str = "queues: [gpu]\n", environ: dict[str, str] | None = None
    ) -> Outcome:
        (self._folder / "c.yaml").write_text(config)
        (self._folder / "i.json").write_text(
            json.dumps({"runQueueItemId": "item-1", "queue": "gpu", "runSpec": spec}), encoding="utf-8"
        )
        paths = ["--config", str(self._folder / "c.yaml"), "--item", str(self._folder / "i.json")]
        code = main(["render", *paths, *flags], environ or {}, self._folder)
        captured = self._capsys.readouterr()
        return Outcome(code, captured.out, captured.err)


@pytest.fixture
def render(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Renderer:
    return Renderer(tmp_path, capsys)


def test_the_objects_come_in_the_order_of_their_creation_the_job_last(render: Renderer) -> None:
    found = render(SPEC)
    assert (found.code, found.err) == (0, "")
    assert [one["kind"] for one in found.objects] == ["Secret", "Job"]
    assert found.out.startswith("---\napiVersion: v1\nkind: Secret\nmetadata:\n")
    assert {one["metadata"]["namespace"] for one in found.objects} == {"jobs"}


def test_json_says_the_same_as_yaml(render: Renderer) -> None:
    assert json.loads(render(SPEC, "--output", "json").out) == render(SPEC).objects


def test_a_run_spec_may_be_a_text(render: Renderer) -> None:
    assert render(json.dumps(SPEC)).out == render(SPEC).out


def test_keys_are_masked_wherever_they_stand(render: Renderer) -> None:
    spec = {**SPEC, "_wandb_api_key": OWN_KEY, "overrides": {"args": ["--key", KEY, OWN_KEY]}}
    found = render(spec, environ={"WANDB_API_KEY": KEY})
    assert found.code == 0
    assert KEY not in found.out + found.err
    assert OWN_KEY not in found.out + found.err
    assert "********" in found.out


def test_only_allowed_variables_are_filled_in(render: Renderer) -> None:
    environ = {"ZONE": "eu-1", "HOME": "/home/ada"}
    found = render(SPEC, config="queues: [gpu]\nmacro_environment: [ZONE]\n", environ=environ)
    [variable] = [
        one for one in found.objects[-1]["spec"]["template"]["spec"]["containers"][0]["env"] if one["name"] == "ZONE"
    ]
    assert variable["value"] == "eu-1 ${HOME}"


def test_the_run_id_is_the_spec_s_or_made_of_the_item_s_id(render: Renderer) -> None:
    assert render({**SPEC, "run_id": "mine1234"}).objects[-1]["metadata"]["labels"]["wandb.ai/run-id"] == "mine1234"
    made = item_file.stable_run_id("item-1")
    assert render(SPEC).objects[-1]["metadata"]["labels"]["wandb.ai/run-id"] == made
    assert len(made) == 8
    assert made != item_file.stable_run_id("item-2")


def test_a_local_process_is_shown_as_its_command(render: Renderer) -> None:
    spec = {
        "entity": "e",
        "project": "p",
        "resource": "local-process",
        "overrides": {"entry_point": ["python", "t.py"]},
    }
    [process] = render(spec).objects
    assert (process["kind"], process["spec"]["command"]) == ("Process", ["python", "t.py"])
    assert process["spec"]["env"]["WANDB_API_KEY"] == "********"


def test_a_broken_configuration_is_told_before_the_item_is_read(render: Renderer) -> None:
    found = render("nonsense", config="max_jobs: x\n")
    assert found.code == 2
    assert "c.yaml:1:11: max_jobs: found `x`" in found.err
    assert "i.json" not in found.err


def test_text_that_no_terminal_shows_does_not_break_the_output(render: Renderer) -> None:
    found = render({**SPEC, "overrides": {"args": ["größe", "\ud800", "\x1b[31m"]}})
    assert found.code == 0
    assert "größe" in found.out
    assert "\x1b" not in found.out


def test_without_a_configuration_file_the_defaults_hold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "i.json"
    path.write_text(json.dumps({"runQueueItemId": "item-1", "runSpec": SPEC}))
    assert main(["render", "--item", str(path)], {}, tmp_path) == 0
    assert "kind: Job" in capsys.readouterr().out


def test_what_differs_from_the_queues_own_config_is_judged_as_the_submitters(render: Renderer, tmp_path: Path) -> None:
    manifest = {"spec": {"template": {"spec": {"serviceAccountName": "trainer", "containers": [{"name": "a"}]}}}}
    spec = {**SPEC, "resource_args": {"kubernetes": manifest}}
    assert render(spec).code == 0
    same = tmp_path / "same.yaml"
    same.write_text(yaml.safe_dump({"kubernetes": manifest}), encoding="utf-8")
    assert render(spec, "--queue-config", str(same)).code == 0
    for text in ("{}", json.dumps({"resource_args": {"kubernetes": {"spec": {}}}})):
        other = tmp_path / "other.yaml"
        other.write_text(text, encoding="utf-8")
        found = render(spec, "--queue-config", str(other))
        assert found.code == 2
        assert "spec.template.spec.serviceAccountName is not allowed" in found.err
        assert "submitter" in found.err


@pytest.mark.parametrize(
    ("text", "words"),
    [("- a\n", "allowed is a map"), ("a: &a [*a]\n", "queue.yaml:1"), ("a: [\n", "queue.yaml:")],
)
def test_a_queue_config_that_is_none_is_refused_with_its_place(
    render: Renderer, tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "queue.yaml"
    path.write_text(text, encoding="utf-8")
    found = render(SPEC, "--queue-config", str(path))
    assert found.code == 2
    assert words in found.err


def test_another_cluster_is_named(render: Renderer) -> None:
    spec = {**SPEC, "resource_args": {"kubernetes": {"configFile": "/etc/clusters/east.yaml", "context": "gpu"}}}
    policy = "policy: {clusters: {allow: ['*']}}\nqueues: [gpu]\n"
    found = render(spec, config=policy)
    assert (found.code, found.err) == (0, "note: launched in context gpu of /etc/clusters/east.yaml\n")
