"""The main job: W&B's own client pushes, the agent that Helm installed launches, real pods run, each end is told."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.conftest import PROJECT, QUEUE, Stage
from tests.support.backend import Json, texts
from tests.support.place import item_of
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Tell = Callable[[str, object], None]

IMAGES = {
    "trains": "reg.local:5000/job-trains:e2e",
    "fails": "reg.local:5000/job-fails:e2e",
    "silent": "reg.local:5000/job-silent:e2e",
    "dies early": "reg.local:5000/job-dies-early:e2e",
    "no image": "reg.local:5000/no-such-image:1",
}


@pytest.fixture(scope="session")
def items(stage: Stage) -> dict[str, str]:
    """One item of each kind, pushed at once: they run side by side."""
    return {name: stage.push(image) for name, image in IMAGES.items()}


def _ended(stage: Stage, item_id: str, state: str, timeout: float = 150) -> Json:
    return stage.backend.wait_for_state(QUEUE, item_id, state, timeout)


def test_a_script_that_trains_ends_finished_with_its_metrics(stage: Stage, items: dict[str, str], tell: Tell) -> None:
    item = _ended(stage, items["trains"], "FINISHED")
    run = stage.backend.run(PROJECT, item["associatedRunId"])
    assert run is not None
    assert (run["state"], run["exitCode"]) == ("finished", 0)
    steps = [json.loads(line) for line in run["history"]]
    assert [step["loss"] for step in steps] == [1.0, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    assert json.loads(run["summaryMetrics"])["best"] == 0.8
    assert json.loads(run["config"])["lr"]["value"] == 0.1
    assert not texts(item)
    tell("run", f"{run['state']}, {run['historyLineCount']} steps, summary {run['summaryMetrics']}")


def test_a_script_that_fails_after_init_fails_run_and_item_with_code_and_last_line(
    stage: Stage, items: dict[str, str], tell: Tell
) -> None:
    item = _ended(stage, items["fails"], "FAILED")
    run = stage.backend.run(PROJECT, item["associatedRunId"])
    assert run is not None
    assert (run["state"], run["exitCode"]) == ("failed", 1)
    assert "exit code 1" in item["error"]["message"]
    told = wait_until(
        lambda: texts(stage.backend.item(QUEUE, items["fails"])), 30, "the pod's last lines on the item",
        until=lambda text: "no training data in /data/train" in text,
    )  # fmt: skip
    tell("failed after wandb.init", told)


def test_an_image_that_does_not_exist_fails_the_item_after_the_grace_naming_it(
    stage: Stage, items: dict[str, str], tell: Tell
) -> None:
    item = _ended(stage, items["no image"], "FAILED")
    message = item["error"]["message"]
    assert IMAGES["no image"] in message
    assert "pull" in message
    assert "not found" in message
    tell("image that does not exist", message)
    wait_until(
        lambda: [job for job in stage.cluster.jobs("default") if item_of(job) == items["no image"]], 20,
        "its Job to be deleted", until=lambda jobs: not jobs,
    )  # fmt: skip


def test_a_script_that_breaks_before_init_fails_the_item_with_code_and_last_line(
    stage: Stage, items: dict[str, str], tell: Tell
) -> None:
    item = _ended(stage, items["dies early"], "FAILED")
    message = item["error"]["message"]
    assert "exit code 3" in message
    assert "wandb.init" in message
    assert "No module named 'torch'" in message
    tell("broke before wandb.init", message)


def test_a_script_that_never_calls_init_fails_the_item_and_says_what_to_do(
    stage: Stage, items: dict[str, str], tell: Tell
) -> None:
    item = _ended(stage, items["silent"], "FAILED")
    message = item["error"]["message"]
    assert item["error"]["stage"] == "run"
    assert "wandb.init() was not called" in message
    assert "WANDB_RUN_ID" in message
    assert "counted to three" in message
    tell("never called wandb.init", message)
