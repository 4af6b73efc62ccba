"""What a probe and a scraper see."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.place import Place
from tests.support.servers import start_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim


def _figures(place: Place) -> dict[str, float]:
    text = place.agents[0].get("/metrics").text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_a_working_agent_is_alive_and_ready_and_counts_its_items(place: Place) -> None:
    agent = place.start(max_jobs=3)
    item_id = place.push()
    place.wait_for_item(item_id, "CLAIMED")
    assert (agent.get("/healthz").status_code, agent.get("/healthz").text) == (200, "ok\n")
    assert (agent.get("/readyz").status_code, agent.get("/readyz").text) == (200, "ok\n")
    assert agent.get("/nothing").status_code == 404
    wait_until(lambda: _figures(place).get("launch_agent_items_launched_total{resource=kubernetes}"), 10, "a launch")
    figures = _figures(place)
    assert figures["launch_agent_slots{}"] == 3
    assert figures[f"launch_agent_items_popped_total{{queue={place.name}}}"] == 1
    assert any(re.match(r"launch_agent_watch_last_contact_seconds\{cluster=,kind=Job", name) for name in figures)


def test_an_agent_without_its_queue_server_says_so_and_goes_on_when_it_comes(place: Place, tmp_path: Path) -> None:
    early = start_server(tmp_path / "server", key=place.server.key)
    early.backend.create_queue(place.name)
    early.stop()
    agent = place.start(ready=False, environ={"WANDB_BASE_URL": early.url})
    wait_until(lambda: "W&B does not answer" in agent.program.log, 15, "the log to tell of it")
    assert agent.get("/healthz").status_code == 200
    assert (agent.get("/readyz").status_code, agent.get("/readyz").text) == (503, "not registered with W&B yet\n")
    late = start_server(tmp_path / "server", port=early.port, key=place.server.key)
    try:
        agent.wait_until_ready(30)
    finally:
        late.stop()
    assert "Traceback" not in agent.program.log


def test_a_wrong_key_ends_the_agent_with_what_to_do(place: Place) -> None:
    agent = place.start(ready=False, environ={"WANDB_API_KEY": "f" * 40})
    assert agent.program.wait(30) != 0
    assert "WANDB_API_KEY" in agent.program.log
    assert "Traceback" not in agent.program.log


def test_a_queue_that_does_not_exist_ends_the_agent_with_the_names_of_those_that_do(place: Place) -> None:
    agent = place.start("no-such-queue", ready=False)
    assert agent.program.wait(30) != 0
    assert "no-such-queue" in agent.program.log
    assert place.name in agent.program.log
    assert "Traceback" not in agent.program.log
