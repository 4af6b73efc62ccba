"""Which objects count as work of W&B's own agent, and how many are told of."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import foreign
from launch_agent.core.foreign import Foreign
from launch_agent.runtime.foreigners import Tally
from launch_agent.runtime.inbox import ForeignSeen

LABELS = {"wandb.ai/run-id": "abc", "wandb.ai/monitor": "true", "wandb.ai/agent": "old"}
KEY = ("batch/v1", "Job", "ml")


def job(name: str = "train", *, labels: dict[str, str] | None = None, condition: str = "") -> dict[str, Any]:
    conditions = [{"type": condition, "status": "True"}] if condition else []
    metadata = {"namespace": "ml", "name": name, "labels": LABELS if labels is None else labels}
    return {"metadata": metadata, "status": {"conditions": conditions}}


def test_a_job_with_the_labels_of_wandbs_agent_uses_a_slot() -> None:
    assert foreign.read(job()) == Foreign("ml", "train", "abc", "old")


@pytest.mark.parametrize("condition", ["Suspended", "FailureTarget", "SuccessCriteriaMet"])
def test_a_job_that_is_not_over_yet_uses_a_slot(condition: str) -> None:
    assert foreign.read(job(condition=condition)) is not None


@pytest.mark.parametrize(
    "body",
    [
        job(labels={}),
        job(labels={"wandb.ai/monitor": "true"}),
        job(labels={**LABELS, "wandb.ai/monitor": "false"}),
        job(labels={**LABELS, "launch-agent/item": "item-1"}),
        job(labels={**LABELS, "wandb.ai/auxiliary-resource": "abc"}),
        job(condition="Complete"),
        job(condition="Failed"),
        {},
        {"metadata": {"labels": None}, "status": None},
    ],
)
def test_all_else_uses_none(body: dict[str, Any]) -> None:
    assert foreign.read(body) is None


def test_each_new_count_is_told_once() -> None:
    told: list[ForeignSeen] = []
    tally = Tally([KEY], told.append)
    assert list(tally.waiting) == [KEY]
    tally.synced(KEY, [job("a"), job("b"), job("c", condition="Complete")])
    assert list(tally.waiting) == []
    tally.changed(KEY, "MODIFIED", job("a"))
    tally.changed(KEY, "ADDED", job("d"))
    tally.changed(KEY, "MODIFIED", job("a", condition="Failed"))
    tally.changed(KEY, "DELETED", job("b"))
    tally.synced(KEY, [])
    assert [one.count for one in told] == [2, 3, 2, 1, 0]


def test_where_nothing_may_be_seen_nothing_is_counted_nor_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    told: list[ForeignSeen] = []
    other = ("batch/v1", "Job", "other")
    tally = Tally([KEY, other], told.append)
    tally.synced(KEY, [job("a")])
    tally.refused(other, "forbidden: list jobs")
    assert list(tally.waiting) == []
    assert told == [ForeignSeen(1)]
    assert "forbidden: list jobs" in caplog.text
