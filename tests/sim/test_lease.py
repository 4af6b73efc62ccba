"""Two pods of one release: the Lease decides which one takes items, and no item is lost or launched twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.agents import Agent
from tests.support.cluster import Cluster, Json
from tests.support.place import Place, item_of, run_id_of
from tests.support.processes import ROOT
from tests.support.servers import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

LEASE = "launch-agent-rel"
DURATION = 15.0
AUDIT_LOG = "LAUNCH_AGENT_CLUSTER_AUDIT_LOG"


@pytest.fixture
def other_place(server: Server, cluster: Cluster, tmp_path: Path) -> Iterator[Place]:
    """A second namespace and queue."""
    own = Place(server, cluster, tmp_path / "other")
    yield own
    own.close()


def _start(place: Place, pod: str, *, ready: bool = True, environ: dict[str, str] | None = None) -> Agent:
    """One pod of the release: all of them share the Lease, and the installation by the folder named here."""
    variables = {"LAUNCH_AGENT_LEASE": LEASE, "POD_NAME": pod, **(environ or {})}
    return place.start(ready=ready, environ=variables, records=str(place.folder / "records"))


def _leads(agent: Agent) -> bool:
    return "launch_agent_is_leader 1.0" in agent.get("/metrics").text


def _wait_until_leader(agent: Agent, timeout: float) -> float:
    """The seconds that it took."""
    began = time.monotonic()
    wait_until(lambda: _leads(agent), timeout, "the agent to hold the Lease")
    return time.monotonic() - began


def _lease(place: Place) -> Json:
    found = place.cluster.get("Lease", place.name, LEASE)
    assert found is not None
    return found


def _holder(place: Place) -> str:
    return str(_lease(place)["spec"].get("holderIdentity") or "").rpartition("_")[0]


def _take(place: Place, holder: str, seconds: int) -> None:
    """Write another holder into the Lease, as one would that found it lapsed."""
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds}
    place.cluster.patch("Lease", place.name, LEASE, {"spec": spec})


def _each_has_one_job(place: Place, items: list[str], timeout: float = 60) -> list[Json]:
    """Every item has one Job, with the run that the queue has for it; the Jobs."""
    jobs = place.wait_for_jobs(len(items), timeout)
    for item_id in items:
        claimed = place.wait_for_item(item_id, "CLAIMED")
        assert [run_id_of(job) for job in jobs if item_of(job) == item_id] == [claimed["associatedRunId"]]
    assert len(jobs) == len(items)
    return jobs


def _each_launched_once(place: Place, items: list[str]) -> None:
    """Every item has one Job and comes to its end; no other Job was made meanwhile."""
    for job in _each_has_one_job(place, items):
        place.play(job)
    for item_id in items:
        place.wait_for_item(item_id, "FINISHED", 30)
    place.wait_until_no_record()
    assert len(place.cluster.jobs(place.name)) == len(items)


def test_of_two_pods_one_takes_items_and_the_other_stands_by_and_is_ready(place: Place) -> None:
    first = _start(place, "pod-a")
    known = len(place.backend.agents())
    second = _start(place, "pod-b")
    told = second.get("/readyz")
    assert told.status_code == 200
    assert re.fullmatch(
        rf"ok\nstands by: the Lease {place.name}/{LEASE} is held by pod-a_[0-9a-f]{{8}}\n", told.text
    ), told.text
    items = [place.push() for _ in range(4)]
    place.wait_for_jobs(4)
    assert (_leads(first), _leads(second)) == (True, False)
    assert "launch_agent_items_popped_total{" not in second.get("/metrics").text
    assert len(place.backend.agents()) == known
    assert "this agent stands by" in second.log
    assert "registered as agent" not in second.log
    _each_launched_once(place, items)


def test_who_stands_by_only_looks_at_the_lease(place: Place) -> None:
    spec = {"holderIdentity": "somebody_else", "leaseDurationSeconds": 3600}
    place.cluster.create("Lease", place.name, {"metadata": {"name": LEASE}, "spec": spec})
    items = [place.push()]
    agent = _start(place, "pod-a")
    audit = Path(os.environ[AUDIT_LOG])

    def calls() -> list[str]:
        entries = [json.loads(line) for line in audit.read_text().splitlines() if f"/{place.name}/" in line]
        ours = [entry for entry in entries if entry["userAgent"].startswith("launch-agent/")]
        return [f"{entry['verb']} {entry['requestURI'].partition(place.name)[2]}" for entry in ours]

    wait_until(lambda: len(calls()) > 4, 30, "some looks")
    assert set(calls()) == {f"get /leases/{LEASE}"}
    assert place.item(items[0])["state"] == "PENDING"
    agent.program.terminate()
    assert agent.program.wait(30) == 0
    assert _lease(place)["spec"]["holderIdentity"] == "somebody_else"


def test_sigterm_hands_over_within_seconds_and_the_running_job_is_reported_once(place: Place) -> None:
    first = _start(place, "pod-a")
    failing = place.push()
    job = place.wait_for_job_of(failing)
    place.wait_for_pod(job)
    place.wait_for_item(failing, "CLAIMED")
    second = _start(place, "pod-b")
    items = [place.push() for _ in range(10)]
    first.program.terminate()
    items += [place.push() for _ in range(20)]
    assert first.program.wait(30) == 0
    assert _wait_until_leader(second, 10) < 5
    assert _holder(place) == "pod-b"
    place.play(job, exit_code=3, with_run=False)
    item = place.wait_for_item(failing, "FAILED")
    assert "exit code 3" in item["error"]["message"]
    reported = f"item {failing} (run {run_id_of(job)}) failed"
    assert [agent.log.count(reported) for agent in (first, second)] == [0, 1]
    jobs = [one for one in place.wait_for_jobs(len(items) + 1) if item_of(one) != failing]
    assert sorted(map(item_of, jobs)) == sorted(items)
    for one in jobs:
        place.play(one)
    for item_id in items:
        place.wait_for_item(item_id, "FINISHED")
    place.wait_until_no_record()
    assert len(place.cluster.jobs(place.name)) <= len(items) + 1
    assert "Traceback" not in first.log + second.log


def test_items_on_their_way_when_the_pod_is_told_to_go_are_launched_by_it(place: Place) -> None:
    agent = _start(place, "pod-a")
    items = [place.push() for _ in range(8)]
    wait_until(place.records, 20, "a record", interval=0.001)
    agent.program.terminate()
    assert agent.program.wait(30) == 0
    assert _holder(place) == ""
    states = [place.item(one)["state"] for one in items]
    launched = sorted(item_of(job) for job in place.cluster.jobs(place.name))
    assert launched == sorted(one for one, state in zip(items, states, strict=True) if state == "CLAIMED")
    assert launched
    assert set(states) <= {"CLAIMED", "PENDING"}  # none is leased to an agent that is gone
    agent.restart()
    agent.wait_until_ready()
    _each_launched_once(place, items)


def test_after_sigkill_the_other_pod_takes_over_when_the_lease_has_lapsed(place: Place) -> None:
    first = _start(place, "pod-a")
    running = place.push()
    place.wait_for_pod(place.wait_for_job_of(running))
    second = _start(place, "pod-b")
    first.program.kill()
    waiting = place.push()
    waited = _wait_until_leader(second, 30)
    assert DURATION - 5 < waited < DURATION + 8
    _each_launched_once(place, [running, waiting])


def test_a_container_that_starts_again_in_its_pod_goes_on_at_once(place: Place) -> None:
    agent = _start(place, "pod-a")
    agent.program.kill()
    began = time.monotonic()
    agent.restart()
    agent.wait_until_ready()
    assert time.monotonic() - began < 5
    assert _leads(agent)
    assert _lease(place)["spec"]["leaseTransitions"] == 1


def test_a_pod_that_lost_the_lease_ends_with_5_and_stands_by_when_started_again(place: Place) -> None:
    agent = _start(place, "pod-a")
    _take(place, "somebody_else", 15)
    assert agent.program.wait(20) == 5
    assert re.search(rf"Lease {place.name}/{LEASE} was taken by somebody_else", agent.log)
    assert _lease(place)["spec"]["holderIdentity"] == "somebody_else"
    agent.restart()
    agent.wait_until_ready()
    assert "stands by" in agent.get("/readyz").text
    _wait_until_leader(agent, 30)
    _each_launched_once(place, [place.push()])


def test_the_chart_s_empty_lease_is_taken_and_one_that_is_emptied_again_stays_with_its_holder(place: Place) -> None:
    place.cluster.create("Lease", place.name, {"metadata": {"name": LEASE}})
    first = _start(place, "pod-a")
    second = _start(place, "pod-b")
    place.cluster.patch("Lease", place.name, LEASE, {"spec": None})
    wait_until(lambda: _holder(place), 10, "a holder")
    assert (_holder(place), _leads(first), _leads(second)) == ("pod-a", True, False)
    _each_launched_once(place, [place.push()])


@pytest.mark.long
def test_a_pod_that_is_frozen_beyond_its_lease_takes_nothing_when_it_thaws(place: Place) -> None:
    first = _start(place, "pod-a")
    second = _start(place, "pod-b")
    items = [place.push() for _ in range(3)]
    place.wait_for_jobs(3)
    os.kill(first.program.pid, signal.SIGSTOP)
    try:
        _wait_until_leader(second, 30)
        items += [place.push() for _ in range(3)]
    finally:
        os.kill(first.program.pid, signal.SIGCONT)
    items += [place.push() for _ in range(3)]
    assert first.program.wait(20) == 5
    _each_launched_once(place, items)
    assert "Traceback" not in first.log + second.log


def test_a_rollout_to_a_wrong_key_or_queue_never_becomes_ready_and_the_old_pod_goes_on(place: Place) -> None:
    first = _start(place, "pod-a")
    wrong = _start(place, "pod-b", ready=False, environ={"WANDB_API_KEY": "f" * 40})
    assert wrong.program.wait(30) == 3
    lost = place.start("no-such-queue", ready=False, environ={"LAUNCH_AGENT_LEASE": LEASE, "POD_NAME": "pod-c"})
    assert lost.program.wait(30) == 3
    assert _leads(first)
    _each_launched_once(place, [place.push()])


def _cluster(command: str, daemon: str) -> None:
    name = os.environ["LAUNCH_AGENT_CLUSTER"]
    subprocess.run([str(ROOT / "ci/cluster"), command, daemon, "--name", name], check=True, capture_output=True)


def _running(place: Place) -> int:
    return sum((pod.get("status") or {}).get("phase") == "Running" for pod in place.cluster.pods(place.name))


def _begin(place: Place, pods: int) -> tuple[list[Agent], str]:
    """Agents with one running job; the item of it."""
    agents = [_start(place, f"pod-{number}") for number in range(pods)]
    item_id = place.push()
    place.wait_for_pod(place.wait_for_job_of(item_id))
    place.wait_for_item(item_id, "CLAIMED")
    return agents, item_id


@pytest.mark.alone
@pytest.mark.timeout(240)
def test_an_api_server_that_is_away_for_longer_than_the_lease_costs_no_item(place: Place, other_place: Place) -> None:
    (alone,), running = _begin(place, 1)
    pair, running_too = _begin(other_place, 2)
    _cluster("stop", "kube-apiserver")
    try:
        wait_until(
            lambda: _leads(alone) or _leads(pair[0]), DURATION, "both holders to stop", until=lambda any_: not any_
        )
        began = time.monotonic()
        waiting, waiting_too = place.push(), other_place.push()
        troubles = alone.get("/readyz")
        assert (troubles.status_code, "can not be renewed" in troubles.text) == (503, True)
        assert alone.get("/healthz").status_code == 200
        wait_until(lambda: time.monotonic() - began, 30, "the Lease to lapse", until=lambda passed: passed > DURATION)
        assert (place.item(waiting)["state"], other_place.item(waiting_too)["state"]) == ("PENDING", "PENDING")
    finally:
        _cluster("start", "kube-apiserver")
        for daemon in ("kube-controller-manager", "kube-scheduler", "kwok"):  # else each pauses for up to a minute
            _cluster("stop", daemon)
            _cluster("start", daemon)
    _wait_until_leader(alone, 30)
    assert "renewed again and was nobody else's meanwhile; going on" in alone.log
    wait_until(lambda: [one for one in pair if one.program.exit_code is None and _leads(one)], 30, "one of two")
    _each_has_one_job(other_place, [running_too, waiting_too])
    wait_until(lambda: _running(place) + _running(other_place), 90, "all four pods", until=lambda found: found == 4)
    _each_launched_once(place, [running, waiting])
    assert {agent.program.exit_code for agent in pair} <= {None, 5}
    assert "Traceback" not in "".join(agent.log for agent in (alone, *pair))


def test_the_records_go_with_the_lease_and_so_with_the_release_while_jobs_run_on(place: Place) -> None:
    agent = _start(place, "pod-a")
    job = place.wait_for_job_of(place.push())
    place.wait_for_pod(job)
    (record,) = place.cluster.find("ConfigMap", place.name, "launch-agent/record=item")
    (owner,) = record["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("Lease", LEASE)
    agent.program.kill()
    place.cluster.delete("Lease", place.name, LEASE)
    place.wait_until_no_record()
    (left,) = place.cluster.jobs(place.name)
    assert left["metadata"]["uid"] == job["metadata"]["uid"]


def test_a_lease_that_was_deleted_under_its_holder_takes_no_record_of_a_running_item_with_it(place: Place) -> None:
    agent = _start(place, "pod-a")
    item = place.push()
    job = place.wait_for_job_of(item)
    place.wait_for_pod(job)
    before = _lease(place)["metadata"]["uid"]
    place.cluster.delete("Lease", place.name, LEASE)

    def owners() -> list[str]:
        records = place.cluster.find("ConfigMap", place.name, "launch-agent/record=item")
        return [one["uid"] for record in records for one in record["metadata"]["ownerReferences"]]

    wait_until(lambda: owners() not in ([], [before]), 30, "the record to have a new owner")
    assert owners() == [_lease(place)["metadata"]["uid"]]
    agent.program.kill()
    agent.restart()
    agent.wait_until_ready()
    wait_until(lambda: "adopted 1 items" in agent.log, 20, "the record to be found")
    place.play(job)
    place.wait_for_item(item, "FINISHED")
    place.wait_until_no_record()
