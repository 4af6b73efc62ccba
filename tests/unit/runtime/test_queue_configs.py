"""A queue's own config is asked of W&B, kept a while, and never a reason to fail an item."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from launch_agent.adapters.wandb.operation import Operation, Result
from launch_agent.errors import WandbDenied, WandbError, WandbUnavailable
from launch_agent.runtime.queue_configs import AGAIN, AHEAD, FRESH, LAST_KNOWN, QueueConfigs
from launch_agent.runtime.registration import Agent

CONFIG = {"resource_args": {"kubernetes": {"spec": {"a": 1}}}}


class Known:
    """A registration that is done."""

    agent = Agent("agent-1", "calm-sea-1", "team", ("gpu", "cpu"))


class Lost:
    """A registration that fails."""

    @property
    def agent(self) -> Agent:
        raise WandbUnavailable("W&B does not answer.")


class Wandb:
    """W&B with the configs of some queues, and what goes wrong."""

    def __init__(self, configs: dict[str, Any]) -> None:
        self.configs = configs
        self.error: WandbError | None = None
        self.fault: WandbError | None = None
        self.documents: list[int] = []

    def run(self, batch: Sequence[Operation], /) -> list[Result]:
        if self.error is not None:
            raise self.error
        self.documents.append(len(batch))
        return [self._answer(one) for one in batch]

    def _answer(self, one: Operation) -> Result:
        values = {argument.name: argument.value for argument in (*one.arguments, *one.inner)}
        if self.fault is not None:
            return Result(error=self.fault)
        if "queue" in values:
            name = values["queue"]
            if name not in self.configs:
                return Result(value={"runQueue": None})
            config_id = f"id-{name}" if self.configs[name] is not None else None
            return Result(value={"runQueue": {"id": name, "defaultResourceConfigID": config_id}})
        return Result(value={"defaultResourceConfig": {"config": self.configs[values["config"][3:]]}})


class Clock:
    """A clock that is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def make(configs: dict[str, Any]) -> tuple[QueueConfigs, Wandb, Clock]:
    wandb, clock = Wandb(configs), Clock()
    return QueueConfigs(wandb, Known(), clock), wandb, clock


def test_a_config_is_asked_for_once_and_kept_until_it_is_old() -> None:
    configs, wandb, clock = make({"gpu": CONFIG})
    assert configs.get("gpu") == CONFIG
    wandb.configs["gpu"] = {"resource_args": {}}
    clock.now += FRESH - 1
    assert configs.get("gpu") == CONFIG
    assert wandb.documents == [1, 1]
    clock.now += 1
    assert configs.get("gpu") == {"resource_args": {}}


def test_a_config_as_text_is_read() -> None:
    configs, _, _ = make({"gpu": json.dumps(CONFIG)})
    assert configs.get("gpu") == CONFIG


def test_a_config_says_what_its_queue_is_for() -> None:
    class Telling(Wandb):
        def _answer(self, one: Operation) -> Result:
            answer = super()._answer(one)
            if "defaultResourceConfig" in answer.value:
                answer.value["defaultResourceConfig"]["resource"] = "local-process"
            return answer

    configs = QueueConfigs(Telling({"gpu": CONFIG}), Known(), Clock())
    assert configs.get("gpu") == {**CONFIG, "resource": "local-process"}


def test_a_queue_without_a_config_has_an_empty_one() -> None:
    configs, _, _ = make({"gpu": None})
    assert configs.get("gpu") == {}


def test_a_doubted_config_is_asked_for_anew_but_not_at_once_again() -> None:
    configs, wandb, clock = make({"gpu": CONFIG})
    configs.get("gpu")
    wandb.configs["gpu"] = {}
    assert configs.get("gpu", is_doubted=True) == CONFIG
    clock.now += AGAIN
    assert configs.get("gpu", is_doubted=True) == {}


def test_what_is_soon_too_old_is_asked_for_when_nothing_waits() -> None:
    configs, wandb, clock = make({"gpu": CONFIG, "cpu": {}})
    configs.keep_fresh()
    assert wandb.documents == [2, 2]
    configs.keep_fresh()
    assert wandb.documents == [2, 2]
    clock.now += FRESH - AHEAD
    configs.keep_fresh()
    assert wandb.documents == [2, 2, 2, 2]
    assert configs.get("cpu") == {}
    assert wandb.documents == [2, 2, 2, 2]


@pytest.mark.parametrize(
    "broken", [None, [], "text", 3, {"runQueue": None}, {"runQueue": {"defaultResourceConfigID": "x"}, "config": 1}]
)
def test_an_answer_that_is_none_gives_no_config_and_no_error(broken: Any) -> None:
    class Strange(Wandb):
        def run(self, batch: Sequence[Operation], /) -> list[Result]:
            return [Result(value=broken) for _ in batch]

    assert QueueConfigs(Strange({}), Known(), Clock()).get("gpu") is None


@pytest.mark.parametrize("text", ["{", "[1]", "null", "[" * 5000])
def test_a_config_that_is_no_object_is_none(text: str) -> None:
    configs, _, _ = make({"gpu": text})
    assert configs.get("gpu") is None


def test_a_queue_that_this_key_may_not_see_is_told_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    configs, wandb, clock = make({"gpu": CONFIG})
    wandb.fault = WandbDenied("no access.")
    assert configs.get("gpu") is None
    clock.now += AGAIN
    assert configs.get("gpu") is None
    assert [one.getMessage() for one in caplog.records] == [
        "the config of queue gpu can not be read, so all of its items counts as written by their submitters: no access."
    ]
    wandb.fault = None
    clock.now += AGAIN
    assert configs.get("gpu") == CONFIG


def test_what_is_known_is_used_while_w_and_b_is_away_but_not_for_ever() -> None:
    configs, wandb, clock = make({"gpu": CONFIG})
    configs.get("gpu")
    wandb.error = WandbUnavailable("no answer.")
    clock.now += FRESH
    assert configs.get("gpu") == CONFIG
    clock.now += LAST_KNOWN
    assert configs.get("gpu") is None


def test_what_was_known_is_not_used_once_w_and_b_says_no() -> None:
    configs, wandb, clock = make({"gpu": CONFIG})
    configs.get("gpu")
    wandb.fault = WandbDenied("no access.")
    clock.now += FRESH
    assert configs.get("gpu") is None


def test_an_agent_that_is_not_registered_has_no_configs_and_no_error() -> None:
    configs = QueueConfigs(Wandb({"gpu": CONFIG}), Lost(), Clock())
    configs.keep_fresh()
    assert configs.get("gpu") is None
