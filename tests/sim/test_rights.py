"""The table of rights is what the agent uses: with it an agent does all its work, and each line of it is used."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from launch_agent.core.permissions import Feature, Permission, list_permissions
from launch_agent.core.shares import MOST, name_lease
from tests.sim.test_check import LEASE, SECRET, check, take_account
from tests.support import accounts
from tests.support.agents import Agent
from tests.support.cluster import Json
from tests.support.place import PROJECT, Place, item_of, run_id_of
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.sim, pytest.mark.timeout(240)]

SHARDS = {name_lease(LEASE, shard) for shard in range(MOST)}
"""The release's Lease, and those that a larger number of replicas may have left: each is looked at once."""

ROWS = list_permissions({Feature.RECORDS, Feature.LEASE, Feature.SHARDS, Feature.JOBS}, lease=LEASE, key_secret=SECRET)
Use = tuple[str, str]
"""(resource, verb)"""


def read_uses(place: Place, account: str) -> list[tuple[Use, str, int]]:
    """What the account asked for: the use, the object's name, the HTTP status. Dry-runs and reviews are none."""
    log = Path(os.environ["LAUNCH_AGENT_CLUSTER_AUDIT_LOG"])
    user = f"system:serviceaccount:{place.name}:{account}"
    entries: list[Json] = [json.loads(line) for line in log.read_text().splitlines() if user in line]
    return [
        (_use(entry), entry["objectRef"].get("name", ""), entry.get("responseStatus", {}).get("code", 0))
        for entry in entries
        if entry["user"]["username"] == user
        and entry.get("objectRef", {}).get("namespace") == place.name
        and "dryRun" not in entry["requestURI"]
    ]


def _use(entry: Json) -> Use:
    target = entry["objectRef"]
    return "/".join(filter(None, [target["resource"], target.get("subresource")])), entry["verb"]


def spread(rows: tuple[Permission, ...]) -> set[Use]:
    return {(row.resource, verb) for row in rows for verb in row.verbs}


TAKEN = {
    "metadata": {"name": "taken"},
    "spec": {
        "suspend": True,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "train:1"}]}},
    },
}


def run_to_each_end(place: Place, agent: Agent) -> None:
    """An item that fails, one that finishes across a restart, one that is stopped, one with a key of its own, and one
    whose name is another Job's."""
    place.cluster.create("Job", place.name, TAKEN)
    failing, stopped, keyed = place.push(), place.push(), place.push(_wandb_api_key="0f" * 20)
    refused = place.push(_wandb_api_key="0e" * 20, resource_args={"kubernetes": {"metadata": {"name": "taken"}}})
    jobs = {item_of(job): job for job in place.wait_for_jobs(4) if job["metadata"]["name"] != "taken"}
    for job in jobs.values():
        place.wait_for_pod(job)
    place.wait_for_item(refused, "FAILED")
    place.play(jobs[failing], exit_code=3, with_run=False)
    place.wait_for_item(failing, "FAILED")
    place.backend.stop_run(place.backend.start_run(PROJECT, run_id_of(jobs[stopped])))
    place.wait_until_job(jobs[stopped]["metadata"]["name"], "the stopped Job to be deleted", lambda seen: seen is None)
    place.wait_for_item(keyed, "CLAIMED")
    # A Job that is gone when the agent starts has to be judged by its run, which takes a minute.
    wait_until(place.records, 60, "the records of the two that ended to go", until=lambda found: len(found) == 1)
    agent.program.kill()
    assert agent.program.wait(30) == -signal.SIGKILL
    agent.restart()
    agent.wait_until_ready(30)
    place.play(jobs[keyed])
    place.wait_for_item(keyed, "FINISHED")
    place.wait_until_no_record()


def refuse_pods(place: Place) -> None:
    """An item whose Job can make no pods: its events say why."""
    place.cluster.enforce_quota(place.name, {"pods": "0"})
    item_id = place.push()
    item = place.wait_for_item(item_id, "FAILED")
    assert "exceeded quota" in item["error"]["message"]


def test_an_agent_with_the_rights_of_the_table_does_all_its_work_and_uses_each_of_them(place: Place) -> None:
    place.cluster.create("Lease", place.name, {"metadata": {"name": LEASE}})
    kubeconfig = take_account(place, accounts.make_rules(ROWS))
    wait_until(lambda: check(place, kubeconfig).code, 20, "the rights to hold", until=lambda code: code == 0)
    environ = {"KUBECONFIG": str(kubeconfig), "LAUNCH_AGENT_LEASE": LEASE, "POD_NAME": "pod-a"}
    agent = place.start(environ=environ, stopped_run_timeout=1, records=str(place.folder / "records"))
    run_to_each_end(place, agent)
    refuse_pods(place)

    def unused() -> set[Use]:
        return spread(ROWS) - {use for use, _, _ in read_uses(place, "agent")}

    wait_until(unused, 20, "each right to be used", until=lambda left: not left)
    found = read_uses(place, "agent")
    assert {use for use, _, _ in found} == spread(ROWS)
    assert [entry for entry in found if entry[2] == 403] == []
    assert {name for (resource, _), name, _ in found if resource == "leases"} == SHARDS
    assert {name for use, name, _ in found if use == ("secrets", "get")} == {SECRET}
    assert "forbid" not in agent.log.lower()
