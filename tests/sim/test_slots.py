"""How many items are in work, and from which queue the next one comes."""

from __future__ import annotations

import re

import pytest

from tests.support.agents import Agent
from tests.support.cluster import Json, is_over
from tests.support.place import Place
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim


def _unfinished(place: Place) -> list[Json]:
    return [job for job in place.cluster.jobs(place.name) if not is_over(job)]


def _wait_for_unfinished(place: Place, count: int) -> list[Json]:
    return wait_until(lambda: _unfinished(place), 20, f"{count} running Jobs", until=lambda jobs: len(jobs) >= count)


def _last_beat(agent: Agent) -> float:
    found = re.search(r'launch_agent_loop_last_beat_seconds\{loop="tracker"\} (\S+)', agent.get("/metrics").text)
    assert found, "the tracker's beat is not among the metrics"
    return float(found[1])


def _stays_at(place: Place, agent: Agent, count: int, seconds: float) -> None:
    """While the agent's tracker goes on for ``seconds`` of its own clock, there are never more unfinished Jobs."""
    end = _last_beat(agent) + seconds

    def look() -> float:
        assert len(_unfinished(place)) <= count
        return _last_beat(agent)

    wait_until(look, seconds + 10, "the tracker to go on", until=lambda beat: beat >= end)


def test_never_more_items_than_max_jobs_are_in_work_and_all_are_done_at_the_end(place: Place) -> None:
    agent = place.start(max_jobs=2)
    items = [place.push() for _ in range(5)]
    for done in range(len(items)):
        expected = min(2, len(items) - done)
        running = _wait_for_unfinished(place, expected)
        assert len(running) == expected
        if done == 0:
            _stays_at(place, agent, 2, 1.5)
            states = [place.item(item)["state"] for item in items]
            assert sorted(states) == ["CLAIMED", "CLAIMED", "PENDING", "PENDING", "PENDING"]
        oldest = min(running, key=lambda job: job["metadata"]["creationTimestamp"])
        place.play(oldest)
        place.wait_until_job(oldest["metadata"]["name"], "the Job's end", lambda job: job and is_over(job))
    for item in items:
        place.wait_for_item(item, "FINISHED")
    place.wait_until_no_record()
    assert len(place.cluster.jobs(place.name)) == len(items)


def test_without_a_limit_all_items_are_in_work_at_once(place: Place) -> None:
    place.start(max_jobs=-1)
    for _ in range(12):
        place.push()
    place.wait_for_jobs(12)
    assert len(_unfinished(place)) == 12


def test_two_queues_are_served_in_turn(place: Place) -> None:
    first, second = f"{place.name}-a", f"{place.name}-b"
    place.create_queue(first)
    place.create_queue(second)
    pushed: dict[str, list[str]] = {first: [], second: []}
    for queue in (first, first, first, second, second, second):
        pushed[queue].append(place.push(queue))
    place.start(first, second, max_jobs=2)
    running = place.wait_for_jobs(2)
    states = {queue: [place.item(item, queue)["state"] for item in items] for queue, items in pushed.items()}
    assert states == {first: ["CLAIMED", "PENDING", "PENDING"], second: ["CLAIMED", "PENDING", "PENDING"]}
    assert len(running) == 2
