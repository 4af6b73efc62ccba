"""The world misbehaves around an agent that works: nothing is lost, nothing is done twice, and what waits says why."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from launch_agent.core.permissions import Feature, list_permissions
from tests.support import accounts
from tests.support.agents import CLOCK_SPEED
from tests.support.cluster import Cluster, Json
from tests.support.faults import Proxy, faulty_proxy
from tests.support.place import RELEASE, Place, item_of
from tests.support.servers import start_server
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.sim, pytest.mark.timeout(240)]

QUICK = {CLOCK_SPEED: "12"}
"""The agent's own waits pass so many times as fast: what it does after a minute is seen after 5 s."""


ACCOUNT = "agent"


def give_rights(place: Place) -> list[Json]:
    """An account with what the agent needs; the rules of its Role."""
    rules = accounts.make_rules(
        list_permissions({Feature.RECORDS, Feature.LEASE, Feature.JOBS}, key_secret=f"wandb-api-key-{RELEASE}")
    )
    accounts.apply(accounts.describe_account(place.name, ACCOUNT, {place.name: rules}))
    return rules


def admin() -> Path:
    return Path(os.environ["KUBECONFIG"].split(os.pathsep)[0])


@contextmanager
def proxied(tmp_path: Path, rules: list[dict[str, Any]]) -> Iterator[Proxy]:
    with faulty_proxy(tmp_path / "proxy", {"rules": rules}, kubeconfig=admin()) as proxy:
        yield proxy


def finish_all(place: Place, items: list[str], jobs: list[Json]) -> None:
    """Each item has one Job, and comes to its end."""
    assert sorted(map(item_of, jobs)) == sorted(items)
    for job in jobs:
        place.play(job)
    for item_id in items:
        place.wait_for_item(item_id, "FINISHED", 40)
    place.wait_until_no_record()
    assert len(place.cluster.jobs(place.name)) == len(items)


# ── W&B ──


def test_an_agent_that_is_deleted_on_the_server_registers_anew_and_goes_on(cluster: Cluster, tmp_path: Path) -> None:
    server = start_server(tmp_path / "server")
    place = Place(server, cluster, tmp_path)
    try:
        agent = place.start(environ=QUICK)
        first = place.push()
        place.wait_for_item(first, "CLAIMED")
        place.wait_for_job_of(first)
        (old,) = server.backend.agents()
        with sqlite3.connect(tmp_path / "server" / "queue.db", timeout=20) as database:
            # nobody has the old id any more, and no new agent will get it
            assert database.execute("UPDATE agents SET id = id + 1000, name = 'another'").rowcount == 1
        database.close()
        assert old["id"] not in [one["id"] for one in server.backend.agents()]
        wait_until(server.backend.agents, 30, "the agent to register anew", until=lambda seen: len(seen) == 2)
        second = place.push()
        place.wait_for_item(second, "CLAIMED")
        finish_all(place, [first, second], place.wait_for_jobs(2))
        assert "registers again" in agent.log
        assert "Traceback" not in agent.log
    finally:
        place.close()
        server.stop()


def test_a_job_that_somebody_deletes_while_no_agent_runs_is_told_and_never_made_again(place: Place) -> None:
    agent = place.start(max_jobs=1, environ=QUICK)
    item_id = place.push()
    job = place.wait_for_job()
    place.wait_for_pod(job)
    place.wait_for_item(item_id, "CLAIMED")
    agent.program.kill()
    place.cluster.delete("Job", place.name, job["metadata"]["name"])
    place.wait_until_job(job["metadata"]["name"], "the Job to be gone", lambda seen: seen is None)
    agent.restart()
    item = place.wait_for_item(item_id, "FAILED")
    assert "deleted" in item["error"]["message"]
    place.wait_until_no_record()
    assert place.cluster.jobs(place.name) == []
    place.push()
    assert place.wait_for_job()["metadata"]["uid"] != job["metadata"]["uid"]


def test_an_agent_that_is_asked_to_stop_while_items_wait_leaves_them_in_the_queue(place: Place) -> None:
    agent = place.start(max_jobs=1, environ=QUICK)
    first = place.push()
    place.wait_for_item(first, "CLAIMED")
    second = place.push()
    registered = place.backend.agents()[0]
    place.backend.stop_agent(registered["id"])
    assert agent.program.wait(30) == 0
    assert place.item(second)["state"] == "PENDING"
    agent.restart()  # as an owner does who wants it back: it is another agent to W&B
    agent.wait_until_ready()
    place.play(place.wait_for_job_of(first))
    place.play(place.wait_for_job_of(second))
    for item_id in (first, second):
        place.wait_for_item(item_id, "FINISHED", 40)


# ── the API server ──


def test_an_api_server_that_is_away_makes_the_agent_unready_and_never_unhealthy(place: Place, tmp_path: Path) -> None:
    with proxied(tmp_path, []) as proxy:
        quick = {CLOCK_SPEED: "30", "KUBECONFIG": str(proxy.kubeconfig)}  # a watch is stale after 15 minutes
        agent = place.start(environ=quick, poll_interval=6)
        first = place.push()
        place.wait_for_item(first, "CLAIMED")
        place.wait_for_pod(place.wait_for_job_of(first))
        proxy.faults.replace({"rules": [{"name": "away", "match": {"path": "*"}, "for": "1h", "fault": "refuse"}]})
        health: set[int] = set()

        def look() -> httpx.Response:
            health.add(agent.get("/healthz").status_code)
            return agent.get("/readyz")

        unready = wait_until(look, 60, "readiness to fail", until=lambda seen: seen.status_code == 503)
        assert "the watch of" in unready.text
        second = place.push()
        wait_until(
            lambda: (look(), agent.log)[1], 30, "the launch to be put off", until=lambda log: "is repeated in" in log
        )
        proxy.faults.replace({"rules": []})
        wait_until(look, 90, "readiness to be back", until=lambda seen: seen.status_code == 200)
        assert health == {200}
        place.wait_for_item(second, "CLAIMED", 40)
        finish_all(place, [first, second], place.wait_for_jobs(2))


@pytest.mark.long
def test_an_api_server_that_is_slower_than_the_agents_patience_at_its_start_is_waited_for(
    place: Place, tmp_path: Path
) -> None:
    slow = {"name": "slow lists", "match": {"verb": "list"}, "fault": {"latency": {"seconds": "45s"}}}
    with proxied(tmp_path, [slow]) as proxy:
        item_id = place.push()
        agent = place.start(environ={"KUBECONFIG": str(proxy.kubeconfig)}, ready=False)
        wait_until(lambda: "the records can not be read yet" in agent.log, 90, "the agent to say what it waits for")
        assert agent.get("/healthz").status_code == 200
        assert place.item(item_id)["state"] == "PENDING"  # nothing is taken before the records are read
        proxy.faults.replace({"rules": []})
        place.wait_for_item(item_id, "CLAIMED", 90)
        finish_all(place, [item_id], place.wait_for_jobs(1))
        assert "Traceback" not in agent.log


def test_rights_that_are_taken_away_for_a_while_cost_no_item_that_was_claimed(place: Place, tmp_path: Path) -> None:
    rules = give_rights(place)
    kubeconfig = accounts.write_kubeconfig(tmp_path / "kubeconfig", place.name, ACCOUNT)
    agent = place.start(environ={"KUBECONFIG": str(kubeconfig)})
    first = place.push()
    place.wait_for_item(first, "CLAIMED")
    place.wait_for_pod(place.wait_for_job_of(first))
    left = [rule for rule in rules if not {"jobs", "pods"} & set(rule["resources"])]
    accounts.apply(accounts.describe_account(place.name, ACCOUNT, {place.name: left}))
    second = place.push()
    place.wait_for_item(second, "CLAIMED")
    wait_until(lambda: agent.log, 30, "the launch to be refused and put off", until=lambda log: "is repeated in" in log)
    assert len(place.cluster.jobs(place.name)) == 1
    accounts.apply(accounts.describe_account(place.name, ACCOUNT, {place.name: rules}))
    finish_all(place, [first, second], place.wait_for_jobs(2, 60))
    assert agent.get("/healthz").status_code == 200
    assert "Traceback" not in agent.log


def make_token(place: Place, secret: str) -> str:
    """A token of the account that is good as long as a Secret is there."""
    place.cluster.create("Secret", place.name, {"metadata": {"name": secret}})
    bound = ["--bound-object-kind", "Secret", "--bound-object-name", secret]
    return accounts.kubectl("create", "token", ACCOUNT, "--namespace", place.name, *bound).strip()


def test_a_token_that_expires_is_read_again_and_nothing_is_lost(place: Place, tmp_path: Path) -> None:
    give_rights(place)
    token = tmp_path / "token"
    token.write_text(old := make_token(place, "old"))
    config = yaml.safe_load(admin().read_text())
    config["users"] = [{"name": "account", "user": {"tokenFile": str(token)}}]
    for context in config["contexts"]:
        context["context"]["user"] = "account"
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    agent = place.start(environ={"KUBECONFIG": str(tmp_path / "kubeconfig")})
    first = place.push()
    place.wait_for_item(first, "CLAIMED")
    place.wait_for_pod(place.wait_for_job_of(first))
    token.write_text(make_token(place, "new"))  # as the kubelet does, long before the old one ends
    place.cluster.delete("Secret", place.name, "old")
    wait_until(
        lambda: accounts.try_token(admin(), old), 40, "the API server to refuse the old token", interval=0.5,
        until=lambda code: code == 401,
    )  # fmt: skip
    second = place.push()
    place.wait_for_item(second, "CLAIMED")
    finish_all(place, [first, second], place.wait_for_jobs(2))
    assert agent.get("/readyz").status_code == 200
    assert old not in agent.log
