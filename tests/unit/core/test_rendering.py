"""What people get to see of a plan."""

from __future__ import annotations

import copy

from launch_agent.core import rendering
from tests.support.specs import KEY, make_plan, make_pod, make_spec


def test_a_rendered_plan_shows_no_key_and_leaves_the_plan_as_it_is() -> None:
    pod = make_pod(containers=[{}, {"image": "h", "env": [{"name": "WANDB_API_KEY", "value": "plain-key"}]}])
    plan = make_plan(make_spec(pod))
    before = copy.deepcopy(plan.objects)
    secret, job = rendering.mask(plan)
    assert secret["data"] == {"password": "********"}
    assert "plain-key" not in repr(job)
    assert job["spec"]["template"]["spec"]["containers"][1]["env"] == [{"name": "WANDB_API_KEY", "value": "********"}]
    assert plan.objects == before


def test_a_rendered_process_shows_no_key() -> None:
    plan = make_plan(make_spec(docker=None, resource="local-process", overrides={"entry_point": ["a"]}))
    [process] = rendering.mask(plan)
    assert process["spec"]["env"]["WANDB_API_KEY"] == "********"
    assert KEY not in repr(process)
