"""Peers that are away or refuse: nothing is lost, and what waits says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.agents import Agent
from tests.support.cluster import Cluster, Json
from tests.support.place import Place
from tests.support.servers import Server, start_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim


def _cut_off(cluster: Cluster, folder: Path) -> tuple[Server, Place, Agent, str, Json]:
    """A queue server that was stopped while a Job of its one item ran, with the agent; the item's id, the Job."""
    server = start_server(folder / "server")
    place = Place(server, cluster, folder)
    agent = place.start()
    item_id = place.push()
    job = place.wait_for_job()
    place.wait_for_pod(job)
    place.wait_for_item(item_id, "CLAIMED")
    server.stop()
    return server, place, agent, item_id, job


def _wait_until_recorded(place: Place) -> None:
    """Wait until the one record says that the Job failed."""
    wait_until(place.records, 30, "the record to say how the Job ended",
               until=lambda found: '"outcome":{"state":"failed"' in found[0]["data"]["record.json"])  # fmt: skip


def test_what_ended_while_wandb_was_away_is_reported_when_it_is_back(cluster: Cluster, tmp_path: Path) -> None:
    server, place, agent, item_id, job = _cut_off(cluster, tmp_path)
    place.play(job, exit_code=3, with_run=False)
    wait_until(lambda: "is repeated in" in agent.program.log, 30, "the agent to put its question off")
    assert agent.get("/healthz").status_code == 200
    back = start_server(tmp_path / "server", port=server.port, key=server.key)
    try:
        item = back.backend.wait_for_state(place.name, item_id, "FAILED", 60)
        assert "exit code 3" in item["error"]["message"]
        place.wait_until_no_record(30)
        assert len(cluster.jobs(place.name)) <= 1
        assert "Traceback" not in agent.program.log
    finally:
        place.close()
        back.stop()


def test_a_job_whose_pods_can_never_be_made_fails_its_item_with_the_reason(place: Place, cluster: Cluster) -> None:
    cluster.enforce_quota(place.name, {"pods": "0"})
    place.start()
    item_id = place.push()
    item = place.wait_for_item(item_id, "FAILED")
    assert "exceeded quota" in item["error"]["message"]


def test_how_a_job_ended_is_not_forgotten_by_a_kill_while_wandb_is_away(cluster: Cluster, tmp_path: Path) -> None:
    server, place, agent, item_id, job = _cut_off(cluster, tmp_path)
    name = job["metadata"]["name"]
    place.play(job, exit_code=3, with_run=False)
    _wait_until_recorded(place)
    agent.program.kill()
    cluster.delete("Job", place.name, name)
    place.wait_until_job(name, "the Job to be gone", lambda seen: seen is None)
    agent.restart()
    wait_until(lambda: "W&B does not answer" in agent.program.log, 30, "the agent to wait for W&B")
    back = start_server(tmp_path / "server", port=server.port, key=server.key)
    try:
        item = back.backend.wait_for_state(place.name, item_id, "FAILED", 90)
        assert "exit code 3" in item["error"]["message"]
        place.wait_until_no_record(30)
        assert cluster.jobs(place.name) == []
        assert "Traceback" not in agent.program.log
    finally:
        place.close()
        back.stop()


def test_an_agent_that_starts_while_wandb_is_away_follows_what_runs(cluster: Cluster, tmp_path: Path) -> None:
    server, place, agent, item_id, job = _cut_off(cluster, tmp_path)
    agent.program.kill()
    agent.restart()
    wait_until(lambda: "W&B does not answer" in agent.program.log, 30, "the agent to wait for W&B")
    place.play(job, exit_code=3, with_run=False)
    _wait_until_recorded(place)
    assert "not registered with W&B yet" in agent.get("/readyz").text
    back = start_server(tmp_path / "server", port=server.port, key=server.key)
    try:
        item = back.backend.wait_for_state(place.name, item_id, "FAILED", 90)
        assert "exit code 3" in item["error"]["message"]
        agent.wait_until_ready()
        place.wait_until_no_record(30)
        assert "Traceback" not in agent.program.log
    finally:
        place.close()
        back.stop()
