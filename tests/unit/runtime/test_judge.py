"""An item is judged by its queue's config as it is now."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import QueueItem
from launch_agent.errors import RefusedError
from launch_agent.runtime.judge import Judge
from launch_agent.runtime.queue_configs import AGAIN, FRESH, QueueConfigs
from tests.support.judging import config
from tests.support.specs import CONTEXT, make_pod, make_spec
from tests.unit.runtime.test_queue_configs import Clock, Known, Wandb

ACCOUNT = make_pod(serviceAccountName="trainer")


class Scene:
    """A judge, the W&B behind it, and its clock."""

    def __init__(self, queue: dict[str, Any]) -> None:
        self.wandb, self.clock = Wandb({"gpu": config(queue), "cpu": {}}), Clock()
        self.contexts: list[str] = []
        self.judge = Judge(QueueConfigs(self.wandb, Known(), self.clock), self._find, self._outline)

    def _find(self, spec: specs.RunSpec) -> LaunchContext:
        self.contexts.append("whole")
        return CONTEXT

    def _outline(self) -> LaunchContext:
        self.contexts.append("outline")
        return replace(CONTEXT, default_namespace="")

    def check(self, manifest: dict[str, Any], **changes: Any) -> None:
        run_spec = make_spec(manifest, **changes)
        self.judge.check(QueueItem("1", "gpu", run_spec), specs.parse(run_spec), "run12345")


def test_what_the_queue_s_config_has_passes() -> None:
    Scene(ACCOUNT).check(ACCOUNT)


def test_what_it_has_not_is_refused() -> None:
    with pytest.raises(RefusedError, match="serviceAccountName is not allowed"):
        Scene({}).check(ACCOUNT)


def test_a_queue_that_was_changed_just_now_refuses_no_item_of_its_own() -> None:
    scene = Scene({})
    scene.judge.rest()
    scene.wandb.configs["gpu"] = config(ACCOUNT)
    scene.clock.now += AGAIN
    scene.check(ACCOUNT)


def test_a_privilege_that_was_taken_out_of_the_queue_is_gone_after_a_minute() -> None:
    scene = Scene(ACCOUNT)
    scene.check(ACCOUNT)
    scene.wandb.configs["gpu"] = config({})
    scene.clock.now += FRESH
    with pytest.raises(RefusedError):
        scene.check(ACCOUNT)


def test_no_file_is_read_for_a_cluster_that_the_policy_refuses() -> None:
    scene = Scene({})
    with pytest.raises(RefusedError, match="configFile is not allowed"):
        scene.check({"configFile": "/etc/shadow"})
    assert scene.contexts == ["outline"]
