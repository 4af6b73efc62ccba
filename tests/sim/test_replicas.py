"""Several pods of one release at work on one queue: shards, their Leases, and the slots that they share.

How long things took is in the log: `pytest -o log_cli=true --log-cli-level=INFO`.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support.agents import Agent
from tests.support.audit_log import read_audit_log
from tests.support.cluster import Json
from tests.support.place import Place, item_of
from tests.support.processes import BIN, clean_environment
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

log = logging.getLogger(__name__)

LEASE = "launch-agent-rel"
SHARD = "launch-agent/shard"
AUDIT_LOG = "LAUNCH_AGENT_CLUSTER_AUDIT_LOG"


def _start(place: Place, pod: str, replicas: int, *, ready: bool = True, max_jobs: int = -1) -> Agent:
    variables = {"LAUNCH_AGENT_LEASE": LEASE, "POD_NAME": pod, "LAUNCH_AGENT_REPLICAS": str(replicas)}
    return place.start(ready=ready, environ=variables, records=str(place.folder / "records"), max_jobs=max_jobs)


def _leases(place: Place) -> list[Json]:
    """The Leases of all shards, the release's first."""
    return sorted(place.cluster.find("Lease", place.name, ""), key=lambda one: str(one["metadata"]["name"]))


def _holders(place: Place) -> list[str]:
    """The pods that hold the shards."""
    return [str(one["spec"].get("holderIdentity") or "").rpartition("_")[0] for one in _leases(place)]


def _posted(place: Place) -> list[Json]:
    texts = [(one["metadata"].get("annotations") or {}).get("launch-agent/share", "{}") for one in _leases(place)]
    return [json.loads(text) for text in texts]


def _wait_until_shared(place: Place, holders: set[str], replicas: int, timeout: float = 60) -> float:
    """Wait until each shard is held, all of these pods hold one, and all have posted; the seconds that it took."""
    began = time.monotonic()
    wait_until(
        lambda: (_holders(place), _posted(place)),
        timeout,
        f"{replicas} shards to be held by {sorted(holders)}",
        until=lambda seen: (
            len(seen[0]) == replicas and set(seen[0]) == holders and all(one.get("used") is not None for one in seen[1])
        ),
    )
    return time.monotonic() - began


def _each_launched_once(place: Place, items: list[str]) -> None:
    jobs = place.wait_for_jobs(len(items), 60)
    assert sorted(map(item_of, jobs)) == sorted(items)
    for job in jobs:
        place.play(job)
    for item_id in items:
        place.wait_for_item(item_id, "FINISHED", 60)
    place.wait_until_no_record()


def test_two_pods_share_one_queue_and_both_launch(place: Place) -> None:
    agents = [_start(place, pod, 2, max_jobs=25) for pod in ("pod-a", "pod-b")]
    _wait_until_shared(place, {"pod-a", "pod-b"}, 2)
    items = [place.push() for _ in range(25)]
    jobs = place.wait_for_jobs(25, 60)
    shards = Counter(job["metadata"]["labels"].get(SHARD, "0") for job in jobs)
    assert shards == {"0": 13, "1": 12}
    pods = wait_until(lambda: place.cluster.pods(place.name), 30, "25 pods", until=lambda found: len(found) == 25)
    assert Counter(pod["metadata"]["labels"].get(SHARD, "0") for pod in pods) == shards
    _each_launched_once(place, items)
    assert "Traceback" not in "".join(agent.log for agent in agents)


def _uses_slot(job: Json) -> bool:
    """Whether it is not sure yet how the Job ends: what the agent counts, by the Job's own conditions."""
    conditions = (job.get("status") or {}).get("conditions") or []
    sure = {"Complete", "SuccessCriteriaMet", "Failed", "FailureTarget"}
    return not any(one["type"] in sure and one["status"] == "True" for one in conditions)


class Work:
    """Ends the Jobs of a place one after the other, and counts how many ever lived at once."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.done: set[str] = set()
        self.most = 0
        self.by_shard: Counter[str] = Counter()

    def step(self) -> int:
        """End one Job, if there is one; how many are over."""
        jobs = self.place.cluster.jobs(self.place.name)
        live = [job for job in jobs if _uses_slot(job)]
        self.most = max(self.most, len(live))
        fresh = [job for job in live if item_of(job) not in self.done]
        if fresh:
            self.place.play(fresh[0])
            self.done.add(item_of(fresh[0]))
            self.by_shard[fresh[0]["metadata"]["labels"].get(SHARD, "0")] += 1
        return len(self.done)

    def end(self, items: list[str], timeout: float = 150) -> None:
        """Until all of these are over and written off; each was launched once, by the API server's own log."""
        wait_until(self.step, timeout, f"{len(items)} items to be over", until=lambda done: done == len(items))
        for item_id in items:
            self.place.wait_for_item(item_id, "FINISHED", 60)
        self.place.wait_until_no_record(60)
        events = read_audit_log(Path(os.environ[AUDIT_LOG]), self.place.name)
        created = Counter(event.name for event in events if event.verb == "create")
        assert len(created) == len(items)
        assert set(created.values()) == {1}


def _ready(place: Place, max_jobs: int, *pods: str) -> list[Agent]:
    """As many pods as replicas, each with a shard."""
    agents = [_start(place, pod, len(pods), max_jobs=max_jobs) for pod in pods]
    _wait_until_shared(place, set(pods), len(pods))
    return agents


@pytest.mark.timeout(300)
@pytest.mark.parametrize("replicas", [2, 3])
def test_sixty_items_are_launched_once_each_and_never_more_than_max_jobs(place: Place, replicas: int) -> None:
    agents = _ready(place, 7, *(f"pod-{number}" for number in range(replicas)))
    work = Work(place)
    work.end([place.push() for _ in range(60)], 240)
    assert work.most == 7
    assert set(work.by_shard) == {str(shard) for shard in range(replicas)}
    assert "Traceback" not in "".join(agent.log for agent in agents)


@pytest.mark.timeout(200)
def test_what_a_killed_pod_ran_is_followed_by_the_other_and_its_places_come_back(place: Place) -> None:
    agents = _ready(place, 6, "pod-a", "pod-b")
    items = [place.push() for _ in range(6)]
    jobs = place.wait_for_jobs(6)
    for job in jobs:
        place.wait_for_pod(job)
    (failing, *_) = [job for job in jobs if _holders(place)[int(job["metadata"]["labels"].get(SHARD, "0"))] == "pod-a"]
    agents[0].program.kill()
    began = time.monotonic()
    place.play(failing, exit_code=3, with_run=False)
    _wait_until_shared(place, {"pod-b"}, 2)
    taken = time.monotonic() - began
    place.wait_for_item(item_of(failing), "FAILED", 30)
    log.info("taken over after %.1f s, reported after %.1f s", taken, time.monotonic() - began)
    assert 10 < taken < 27
    more = [place.push() for _ in range(6)]
    work = Work(place)
    work.done = {item_of(failing)}
    wait_until(work.step, 100, "all items to be over", until=lambda done: done == 12)
    for item_id in [*items, *more]:
        place.wait_for_item(item_id, "FAILED" if item_id == item_of(failing) else "FINISHED", 30)
    place.wait_until_no_record()
    assert work.most <= 6
    assert set(work.by_shard) == {"0", "1"}


@pytest.mark.timeout(200)
def test_sigterm_hands_a_shard_over_and_a_new_pod_gets_one_back(place: Place) -> None:
    first, second = _ready(place, 6, "pod-a", "pod-b")
    items = [place.push() for _ in range(6)]
    for job in place.wait_for_jobs(6):
        place.wait_for_pod(job)
    first.program.terminate()
    began = time.monotonic()
    assert first.program.wait(30) == 0
    _wait_until_shared(place, {"pod-b"}, 2, 15)
    log.info("handed over after %.1f s", time.monotonic() - began)
    third = _start(place, "pod-c", 2, max_jobs=6)
    log.info("one given back after %.1f s", _wait_until_shared(place, {"pod-b", "pod-c"}, 2))
    assert "has none and asks for shard" in second.log
    work = Work(place)
    work.end([*items, *(place.push() for _ in range(6))])
    assert work.most <= 6
    assert set(work.by_shard) == {"0", "1"}
    assert "Traceback" not in first.log + second.log + third.log


@pytest.mark.long
@pytest.mark.timeout(300)
def test_from_one_to_three_and_back_no_item_is_lost_and_max_jobs_holds(place: Place) -> None:
    work = Work(place)
    alone = _start(place, "pod-a", 1, max_jobs=7)
    items = [place.push() for _ in range(30)]
    place.wait_for_jobs(7)
    three = [_start(place, pod, 3, max_jobs=7) for pod in ("pod-b", "pod-c", "pod-d")]
    alone.program.terminate()
    assert alone.program.wait(30) == 0
    _wait_until_shared(place, {"pod-b", "pod-c", "pod-d"}, 3)
    wait_until(work.step, 100, "twelve items to be over", until=lambda done: done >= 12)
    wait_until(lambda: _count_live(place), 60, "seven Jobs", until=lambda live: live == 7)
    last = _start(place, "pod-e", 1, max_jobs=7)
    for agent in three:
        agent.program.terminate()
    assert [agent.program.wait(30) for agent in three] == [0, 0, 0]
    work.end(items, 200)
    assert work.most <= 7
    assert set(work.by_shard) == {"0", "1", "2"}
    wait_until(lambda: _holders(place)[1:], 30, "the other shards to be given up", until=lambda held: not any(held))
    assert _holders(place)[0] == "pod-e"
    assert last.get("/readyz").status_code == 200
    assert "Traceback" not in "".join(agent.log for agent in (alone, *three, last))


def _count_live(place: Place) -> int:
    return sum(_uses_slot(job) for job in place.cluster.jobs(place.name))


@pytest.mark.long
@pytest.mark.timeout(200)
def test_an_agent_that_knows_no_shards_at_the_release_s_lease_closes_the_gates_of_the_others(place: Place) -> None:
    pods = {"pod-a", "pod-b"}
    agents = dict(zip(sorted(pods), _ready(place, 6, *sorted(pods)), strict=True))
    holder, other = _holders(place)
    items = [place.push() for _ in range(4)]
    place.wait_for_jobs(4)
    spec = {"holderIdentity": "older_1", "leaseDurationSeconds": 15, "leaseTransitions": 90}
    place.cluster.patch("Lease", place.name, LEASE, {"spec": spec})
    began = time.monotonic()
    wait_until(lambda: _holders(place)[1], 15, "shard 1 to be given up", until=lambda held: not held)
    assert time.monotonic() - began < 10
    assert agents[holder].program.wait(20) == 5
    waiting = [place.push() for _ in range(2)]
    agents[holder].restart()
    agents[holder].wait_until_ready()
    assert agents[other].get("/readyz").status_code == 200
    assert [place.item(one)["state"] for one in waiting] == ["PENDING", "PENDING"]
    _wait_until_shared(place, pods, 2)  # when the older one's Lease has lapsed
    work = Work(place)
    work.end([*items, *waiting])


def _call(agent: Agent, *words: str) -> subprocess.CompletedProcess[str]:
    """`launch-agent …` beside the agent: what `kubectl exec` in its pod would run."""
    command = [str(BIN / "launch-agent"), *words, "-c", str(agent.folder / "launch-config.yaml")]
    environ = clean_environment(agent.folder / "home", agent.environ)
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.long
@pytest.mark.timeout(200)
def test_a_drain_is_over_when_all_shards_are_and_items_shows_them(place: Place) -> None:
    first, second = _ready(place, 6, "pod-a", "pod-b")
    running = [place.push() for _ in range(6)]
    jobs = place.wait_for_jobs(6)
    listed = _call(first, "items").stdout.splitlines()
    assert listed[0].split()[-1] == "SHARD"
    assert sorted(line.split()[-1] for line in listed[1:]) == list("000111")
    assert _call(first, "drain", "--no-wait").returncode == 0
    wait_until(
        lambda: [one.get("/readyz").text for one in (first, second)],
        20,
        "both to drain",
        until=lambda texts: all("3 items left" in text for text in texts),
    )
    waiting = place.push()
    for job in jobs[:5]:
        place.play(job)
    some = _call(second, "drain", "--timeout", "10", "--output", "json")
    assert (some.returncode, json.loads(some.stdout)["left"]) == (8, 1)
    place.play(jobs[5])
    done = _call(second, "drain", "--timeout", "30")
    assert (done.returncode, done.stdout) == (0, "drained\n"), done.stderr
    assert place.item(waiting)["state"] == "PENDING"
    assert _call(second, "drain", "--undo").returncode == 0
    work = Work(place)
    work.done = set(running)
    wait_until(work.step, 60, "the last item to be over", until=lambda done: done == 7)


def test_one_replica_writes_and_reads_what_it_did_before(place: Place) -> None:
    """Its Lease, records and Jobs say nothing of shards; the other Leases are asked for once."""
    _start(place, "pod-a", 1)
    job = place.wait_for_job_of(place.push())
    place.wait_for_pod(job)
    (lease,) = _leases(place)
    (record,) = place.records()
    assert "launch-agent/" not in str(lease["metadata"])
    assert SHARD not in str(record) + str(job)
    assert "shard" not in record["data"]["record.json"]
    place.play(job)
    place.wait_until_no_record()
    lines = Path(os.environ[AUDIT_LOG]).read_text().splitlines()
    entries = [json.loads(line) for line in lines if f"/{place.name}/leases" in line]
    ours = [one["requestURI"] for one in entries if one["userAgent"].startswith("launch-agent/")]
    beside = Counter(uri for uri in ours if LEASE + "-" in uri)
    assert set(beside.values()) == {1}
    assert len(beside) == 7
