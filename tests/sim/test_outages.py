"""Peers that are away or refuse: nothing is lost, and what waits says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.place import Place
from tests.support.servers import start_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim


def test_what_ended_while_wandb_was_away_is_reported_when_it_is_back(cluster: Cluster, tmp_path: Path) -> None:
    server = start_server(tmp_path / "server")
    place = Place(server, cluster, tmp_path)
    agent = place.start()
    item_id = place.push()
    job = place.wait_for_job()
    place.wait_for_pod(job)
    place.wait_for_item(item_id, "CLAIMED")
    server.stop()
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
