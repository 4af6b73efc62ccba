"""Stopping is allowed to be abrupt: what runs goes on, and the next start takes it over."""

from __future__ import annotations

import time

import pytest

from tests.support.agents import Agent
from tests.support.place import PROJECT, Place, item_of, run_id_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim


def _end(agent: Agent, how: str) -> None:
    if how == "SIGKILL":
        agent.program.kill()
        return
    began = time.monotonic()
    agent.program.terminate()
    assert agent.program.wait(30) == 0
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_a_running_job_is_adopted_at_the_next_start(place: Place, how: str) -> None:
    agent = place.start()
    item_id = place.push()
    job = place.wait_for_job()
    place.wait_for_pod(job)
    _end(agent, how)
    assert place.cluster.jobs(place.name)[0]["metadata"]["uid"] == job["metadata"]["uid"]
    agent.restart()
    agent.wait_until_ready()
    place.play(job)
    place.wait_for_item(item_id, "FINISHED")
    place.wait_until_no_record()
    assert [one["metadata"]["uid"] for one in place.cluster.jobs(place.name)] == [job["metadata"]["uid"]]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_what_ended_while_no_agent_ran_is_reported_by_the_next_one(place: Place, how: str) -> None:
    agent = place.start()
    failing, finishing = place.push(), place.push()
    jobs = {item_of(job): job for job in place.wait_for_jobs(2)}
    for job in jobs.values():
        place.wait_for_pod(job)
    wait_until(lambda: [place.item(one)["state"] for one in (failing, finishing)], 10, "both items to be claimed",
               until=lambda states: states == ["CLAIMED", "CLAIMED"])  # fmt: skip
    _end(agent, how)
    place.play(jobs[failing], exit_code=3, with_run=False)
    place.play(jobs[finishing])
    agent.restart()
    item = place.wait_for_item(failing, "FAILED")
    assert "exit code 3" in item["error"]["message"]
    place.wait_for_item(finishing, "FINISHED")
    place.wait_until_no_record()
    assert len(place.cluster.jobs(place.name)) == 2


def test_killed_as_soon_as_the_record_is_there_the_item_is_launched_once(place: Place) -> None:
    agent = place.start()
    items = [place.push() for _ in range(3)]
    wait_until(place.records, 20, "a record", interval=0.001)
    agent.program.kill()
    agent.restart()
    agent.wait_until_ready()
    _launched_once(place, items)


def test_killed_as_soon_as_a_job_is_there_the_item_is_launched_once(place: Place) -> None:
    agent = place.start()
    items = [place.push() for _ in range(3)]
    wait_until(lambda: place.cluster.jobs(place.name), 20, "a Job", interval=0.001)
    agent.program.kill()
    agent.restart()
    agent.wait_until_ready()
    _launched_once(place, items)


def _launched_once(place: Place, items: list[str]) -> None:
    """Every item has one Job with the run that the queue has for it, and comes to its end."""
    # An item that was popped and not recorded comes back when its lease is over (15 s at this server).
    jobs = place.wait_for_jobs(len(items), timeout=60)
    for item_id in items:
        claimed = place.wait_for_item(item_id, "CLAIMED")
        mine = [job for job in jobs if item_of(job) == item_id]
        assert [run_id_of(job) for job in mine] == [claimed["associatedRunId"]]
    for job in jobs:
        place.play(job)
    for item_id in items:
        place.wait_for_item(item_id, "FINISHED")
    place.wait_until_no_record()
    assert len(place.cluster.jobs(place.name)) == len(items)


def test_a_run_that_is_asked_to_stop_and_does_not_loses_its_job_after_the_grace(place: Place) -> None:
    place.start(stopped_run_timeout=1)
    item_id = place.push()
    job = place.wait_for_job()
    place.wait_for_pod(job)
    place.wait_for_item(item_id, "CLAIMED")
    storage_id = place.backend.start_run(PROJECT, run_id_of(job))
    place.backend.stop_run(storage_id)
    place.wait_until_job(job["metadata"]["name"], "the stopped Job to be deleted", lambda seen: seen is None)
    place.wait_until_no_record()
    wait_until(lambda: place.cluster.pods(place.name), 10, "the pods to go too", until=lambda pods: not pods)


def test_an_agent_that_wandb_asks_to_stop_ends_well_and_leaves_its_jobs(place: Place) -> None:
    agent = place.start()
    place.push()
    place.wait_for_pod(place.wait_for_job())
    registered = place.backend.agents()[0]
    place.backend.stop_agent(registered["id"])
    assert agent.program.wait(25) == 0
    assert len(place.cluster.jobs(place.name)) == 1
    told = next(one for one in place.backend.agents() if one["id"] == registered["id"])
    assert told["agentStatus"] == "KILLED"
