"""While the agent is away the world goes on; nothing that ended meanwhile is swept away unseen."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.support.cluster import Json, is_over
from tests.support.place import Place
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

TTL = 2
"""Seconds that the queue's items leave their finished Jobs."""


def _server_time(place: Place) -> datetime:
    """The API server's own time, by an object that it makes."""
    made = place.cluster.create("ConfigMap", place.name, {"metadata": {"generateName": "now-"}})
    return datetime.fromisoformat(made["metadata"]["creationTimestamp"])


def _ended_at(job: Json) -> datetime:
    return max(datetime.fromisoformat(one["lastTransitionTime"]) for one in job["status"]["conditions"])


def test_a_job_that_ended_longer_ago_than_its_ttl_is_reported_by_the_next_agent_and_then_swept(place: Place) -> None:
    agent = place.start()
    item_id = place.push(resource_args={"kubernetes": {"spec": {"ttlSecondsAfterFinished": TTL}}})
    job = place.wait_for_job()
    name = job["metadata"]["name"]
    place.wait_for_pod(job)
    place.wait_for_item(item_id, "CLAIMED")
    agent.program.kill()
    place.play(job, exit_code=7, with_run=False)
    over = place.wait_until_job(name, "the Job to be over", lambda seen: seen is not None and is_over(seen))
    assert over is not None
    assert "ttlSecondsAfterFinished" not in over["spec"]
    wait_until(lambda: (_server_time(place) - _ended_at(over)).total_seconds(), 20, "twice the TTL to pass",
               interval=0.5, until=lambda passed: passed > 2 * TTL)  # fmt: skip
    assert place.cluster.get("Job", place.name, name) is not None
    agent.restart()
    item = place.wait_for_item(item_id, "FAILED")
    assert "exit code 7" in item["error"]["message"]
    place.wait_until_no_record()
    place.wait_until_job(name, "the Job to be swept by its TTL", lambda seen: seen is None)
