"""Draining: nothing more is taken, what runs comes to its end and is reported, and a restart changes nothing."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from tests.sim.test_preemption import evict, wait_for_next
from tests.support.agents import Agent
from tests.support.cluster import Json
from tests.support.place import Place, item_of
from tests.support.processes import BIN, Program, clean_environment
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

LEASE = "launch-agent-rel"
MARK, ANSWER = "launch-agent/drain", "launch-agent/drain-answer"
PLAIN = {"POD_NAMESPACE": ""}
"""An agent outside of a pod: its records are files, and nobody starts it again."""


def _start(place: Place, pod: str = "pod-a", **config: Any) -> Agent:
    """One pod of a release."""
    variables = {"LAUNCH_AGENT_LEASE": LEASE, "POD_NAME": pod}
    return place.start(environ=variables, records=str(place.folder / "records"), **config)


def _environment(agent: Agent) -> dict[str, str]:
    return clean_environment(agent.folder / "home", agent.environ)


def _call(agent: Agent, *words: str) -> subprocess.CompletedProcess[str]:
    """`launch-agent …` beside the agent: what `kubectl exec` in its pod would run."""
    command = [str(BIN / "launch-agent"), *words, "-c", str(agent.folder / "launch-config.yaml")]
    return subprocess.run(command, env=_environment(agent), capture_output=True, text=True, timeout=60, check=False)


def _begin(agent: Agent, *words: str) -> Program:
    """The same, but it is not waited for."""
    command = [str(BIN / "launch-agent"), *words, "-c", str(agent.folder / "launch-config.yaml")]
    return Program(command, _environment(agent), agent.folder / "drain.log")


def _annotations(place: Place) -> dict[str, str]:
    lease = place.cluster.get("Lease", place.name, LEASE)
    assert lease is not None
    return dict(lease["metadata"].get("annotations") or {})


def _left(place: Place) -> object:
    text = _annotations(place).get(ANSWER)
    return json.loads(text)["left"] if text else None


def _wait_until_left(place: Place, count: int) -> None:
    wait_until(lambda: _left(place), 20, f"the agent to say that {count} items are left", until=lambda n: n == count)


def _launch(place: Place, count: int) -> tuple[list[str], list[Json]]:
    items = [place.push() for _ in range(count)]
    return items, place.wait_for_jobs(count)


def _takes_nothing(place: Place, agent: Agent, item: str) -> None:
    """The item stays in its queue while the agent goes on: its loop looked at the mark and served W&B since."""
    beat = _beats(agent)
    wait_until(lambda: _beats(agent), 20, "the agent to go on", until=lambda now: now >= beat + 3)
    assert place.item(item)["state"] == "PENDING"


def _beats(agent: Agent) -> float:
    lines = agent.get("/metrics").text.splitlines()
    return max(float(line.split()[-1]) for line in lines if line.startswith("launch_agent_loop_last_beat_seconds{"))


def test_a_drained_release_finishes_what_runs_and_leaves_the_rest_in_the_queue(place: Place) -> None:
    agent = _start(place, max_jobs=2)
    items, jobs = _launch(place, 2)
    waiting = place.push()
    drain = _begin(agent, "drain", "--output", "json")
    _wait_until_left(place, 2)
    told = agent.get("/readyz")
    assert told.status_code == 200
    assert "draining since 2" in told.text
    assert ", 2 items left: no items are taken until `launch-agent drain --undo`" in told.text
    place.play(jobs[0])
    place.wait_for_item(item_of(jobs[0]), "FINISHED")
    _takes_nothing(place, agent, waiting)
    assert drain.exit_code is None
    place.play(jobs[1])
    assert drain.wait(20) == 0
    result = json.loads(drain.log.splitlines()[-1])
    assert (result["drained"], result["left"], result["since"]) == (True, 0, _annotations(place)[MARK])
    assert "2 items are not over" in drain.log
    assert [place.item(item)["state"] for item in items] == ["FINISHED", "FINISHED"]
    assert place.records() == []
    assert len(place.cluster.jobs(place.name)) == 2
    assert place.item(waiting)["state"] == "PENDING"
    assert agent.program.exit_code is None  # its pod would only start it again
    assert "INFO drains: drained: no items are left" in agent.log


@pytest.mark.long
def test_a_pod_that_is_killed_half_way_stays_drained_and_undo_takes_items_again(place: Place) -> None:
    agent = _start(place)
    _, (job,) = _launch(place, 1)
    assert _call(agent, "drain", "--no-wait").returncode == 0
    _wait_until_left(place, 1)
    agent.program.kill()
    waiting = place.push()
    agent.restart()
    agent.wait_until_ready()
    _wait_until_left(place, 1)
    _takes_nothing(place, agent, waiting)
    place.play(job)
    done = _call(agent, "drain", "--timeout", "30s")
    assert (done.returncode, done.stdout) == (0, "drained\n")
    agent.program.terminate()
    assert agent.program.wait(30) == 0
    agent.restart()
    agent.wait_until_ready()
    _takes_nothing(place, agent, waiting)
    undone = _call(agent, "drain", "--undo")
    assert undone.returncode == 0, undone.stderr
    place.play(place.wait_for_job_of(waiting))
    place.wait_for_item(waiting, "FINISHED")
    wait_until(lambda: _annotations(place), 20, "no mark and no answer on the Lease", until=lambda found: found == {})
    assert "draining" not in agent.get("/readyz").text


@pytest.mark.long
def test_another_pod_of_the_release_takes_over_and_stays_drained(place: Place) -> None:
    first = _start(place)
    _, (job,) = _launch(place, 1)
    assert _call(first, "drain", "--no-wait").returncode == 0
    _wait_until_left(place, 1)
    second = _start(place, "pod-b")
    waiting = place.push()
    first.program.terminate()
    assert first.program.wait(30) == 0
    wait_until(lambda: "draining since" in second.get("/readyz").text, 20, "the second pod to take over, draining")
    _wait_until_left(place, 1)
    _takes_nothing(place, second, waiting)
    place.play(job)
    _wait_until_left(place, 0)
    assert place.item(waiting)["state"] == "PENDING"


def test_a_preempted_item_goes_back_into_its_queue_and_stays_there(place: Place) -> None:
    agent = _start(place)
    _, (job,) = _launch(place, 1)
    place.wait_for_pod(job)
    drain = _begin(agent, "drain")
    _wait_until_left(place, 1)
    evict(place, job)
    copy = wait_for_next(place, 2)
    assert drain.wait(30) == 0
    _takes_nothing(place, agent, copy["id"])
    assert len(place.cluster.jobs(place.name)) <= 1


def test_a_drain_whose_time_is_over_says_what_is_left_and_goes_on(place: Place) -> None:
    agent = _start(place)
    _launch(place, 1)
    done = _call(agent, "drain", "--timeout", "8s", "--output", "json")
    assert done.returncode == 8, done.stderr
    assert json.loads(done.stdout)["left"] == 1
    assert MARK in _annotations(place)
    waiting = place.push()
    _takes_nothing(place, agent, waiting)


@pytest.mark.long
def test_a_release_without_a_running_agent_is_drained_when_it_has_no_records(place: Place) -> None:
    agent = _start(place)
    agent.program.terminate()
    assert agent.program.wait(30) == 0
    done = _call(agent, "drain", "--timeout", "50s")
    assert (done.returncode, done.stdout) == (0, "drained\n"), done.stderr
    assert "no agent runs, and no items are left" in done.stderr


def test_outside_of_a_pod_the_agent_ends_when_it_is_drained_and_takes_nothing_when_started_again(place: Place) -> None:
    agent = place.start(environ=PLAIN, max_jobs=1)
    item, waiting = place.push(), place.push()
    job = place.wait_for_job()
    drain = _begin(agent, "drain")
    wait_until(lambda: "1 item is not over" in drain.log, 20, "the agent to answer")
    agent.program.kill()
    agent.restart()
    agent.wait_until_ready()
    place.play(job)
    assert drain.wait(30) == 0
    assert agent.program.wait(30) == 0
    launched = item if item_of(job) == item else waiting
    other = waiting if launched == item else item
    assert (place.item(launched)["state"], place.item(other)["state"]) == ("FINISHED", "PENDING")
    agent.restart()
    assert agent.program.wait(20) == 0
    assert place.item(other)["state"] == "PENDING"
    assert _call(agent, "drain", "--undo").returncode == 0
    agent.restart()
    place.wait_for_job_of(other)
