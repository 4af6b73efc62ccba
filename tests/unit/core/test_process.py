"""From an item to the process that is started for it."""

from __future__ import annotations

import pytest

from launch_agent.core import manifest, names, refusals
from launch_agent.core import spec as specs
from launch_agent.core.models import QueueItem
from launch_agent.errors import RefusedError
from tests.support.specs import CONTEXT, KEY, make_plan, make_spec


def test_a_local_process_is_its_command_with_the_run_s_environment() -> None:
    plan = make_plan(
        make_spec(
            docker=None,
            resource="local-process",
            resource_args={
                "local-process": {"env": {"A": 1, "WANDB_RUN_ID": "forged"}, "working_dir": "/srv", "cpu": 1}
            },
            overrides={"entry_point": ["python", "t.py"], "args": ["--lr", 1]},
        )
    )
    [process] = plan.objects
    assert process["apiVersion"] == "launch-agent/v1"
    assert process["kind"] == "Process"
    assert process["metadata"]["name"] == f"launch-team-vision-{names.short_hash('item-1')}"
    assert process["spec"]["command"] == ["python", "t.py", "--lr", "1"]
    assert process["spec"]["workingDir"] == "/srv"
    assert process["spec"]["env"]["A"] == "1"
    assert process["spec"]["env"]["WANDB_RUN_ID"] == "run12345"
    assert process["spec"]["env"]["WANDB_API_KEY"] == KEY
    assert plan.warnings == (
        "resource_args.local-process.cpu was not used: a local process takes `env` and `working_dir` only.",
    )
    assert plan.release_after is None


def test_another_resource_can_not_be_planned() -> None:
    run_spec = make_spec(resource="sagemaker")
    spec = specs.parse(run_spec)
    with pytest.raises(RefusedError):
        refusals.check(spec)
    with pytest.raises(RefusedError):
        manifest.plan(QueueItem("i", "q", run_spec), spec, "r", CONTEXT, api_key=None)
