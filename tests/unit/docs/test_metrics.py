"""docs/metrics.md and the code name the same metrics, labels and states."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase

from launch_agent.core.models import JobState
from launch_agent.runtime.metrics import Metrics
from launch_agent.runtime.tracker import STATES

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")

Row = tuple[str, str, tuple[str, ...]]
"""Name, type, labels."""


def documented() -> set[Row]:
    rows = re.findall(r"^\| `(launch_agent_\w+)` \| (\w+) \| ([^|]+) \|", PAGE, re.MULTILINE)
    return {(name, kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


def registered() -> set[Row]:
    found = set()
    for metric in vars(Metrics()).values():
        if isinstance(metric, MetricWrapperBase):
            family = next(iter(metric.describe()))
            name = f"{family.name}_total" if family.type == "counter" else family.name
            found.add((name, family.type, tuple(metric._labelnames)))  # there is no public way to its labels
    return found


def section(title: str) -> set[str]:
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, title
    return set(re.findall(r"^\| `(\w+)` \|", found[1], re.MULTILINE))


def test_every_metric_is_documented_with_its_type_and_labels_and_every_documented_one_exists() -> None:
    assert len(registered()) > 5
    assert documented() == registered()


def test_every_state_of_an_item_is_documented_and_every_documented_one_exists() -> None:
    assert section("Values of `state`") == set(STATES)


@pytest.mark.parametrize("outcome", sorted(section("Values of `outcome` of `launch_agent_items_ended_total`")))
def test_every_documented_outcome_is_a_state_that_a_workload_can_end_in(outcome: str) -> None:
    assert JobState(outcome).is_over


def test_every_state_that_a_workload_can_end_in_is_documented() -> None:
    over = {state.value for state in JobState if state.is_over}
    assert over == section("Values of `outcome` of `launch_agent_items_ended_total`")


def test_expressions_use_metrics_that_exist() -> None:
    used = set(re.findall(r"launch_agent_\w+", PAGE.partition("## Worth an alert")[2]))
    assert used
    assert used <= {name for name, _, _ in registered()}
