"""One agent, two API servers: an item's own cluster is launched in, watched, and found again after a restart."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.apiserver import NAMESPACE, SecondServer
from tests.support.cluster import Json
from tests.support.place import PROJECT, Place, item_of, run_id_of
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

NOW = "2026-01-01T00:00:00Z"
COMPLETE = {
    "startTime": NOW,
    "completionTime": NOW,
    "succeeded": 1,
    "uncountedTerminatedPods": {},
    "conditions": [
        {"type": one, "status": "True", "lastTransitionTime": NOW, "lastProbeTime": NOW}
        for one in ("SuccessCriteriaMet", "Complete")
    ],
}


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondServer]:
    """The other API server. It has no controllers: tests write the status of Jobs themselves."""
    server = SecondServer(tmp_path_factory.mktemp("second"))
    server.cluster.create_namespace(NAMESPACE)
    yield server
    server.close()


def make_plugin(second: SecondServer, name: str) -> Path:
    """A kubeconfig of the second server whose user is an account there, by a plugin that has a token made for it."""
    kubectl = [shutil.which("kubectl") or "kubectl", f"--kubeconfig={second.kubeconfig}", f"--namespace={NAMESPACE}"]
    second.make_account(name)
    script = second.folder / f"{name}.py"
    script.write_text(
        "import json, pathlib, subprocess\n"
        f"count = pathlib.Path({str(script)!r} + '.count')\n"
        "count.write_text(count.read_text() + 'x' if count.exists() else 'x')\n"
        f"command = {[*kubectl, 'create', 'token', name, '--duration=10m', '--output=json']!r}\n"
        "made = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)['status']\n"
        "count.with_suffix('.token').write_text(made['token'])\n"
        "status = {'token': made['token'], 'expirationTimestamp': made['expirationTimestamp']}\n"
        "print(json.dumps({'apiVersion': 'client.authentication.k8s.io/v1', 'kind': 'ExecCredential',"
        " 'status': status}))\n"
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": [str(script)],
        "interactiveMode": "Never",
    }
    return second.write_kubeconfig(f"{name}.kubeconfig", {"exec": plugin}, context="by-plugin")


def add_queue(place: Place, suffix: str, **arguments: str) -> str:
    """A queue of this place whose config has these keys beside the manifest."""
    name = f"{place.name}-{suffix}"
    place.backend.create_queue(name, "kubernetes", {**arguments})
    return name


def find_job(second: SecondServer, item_id: str) -> Json:
    """The item's Job in the second cluster, once it is there."""
    found = wait_until(
        lambda: [job for job in second.cluster.jobs(NAMESPACE) if item_of(job) == item_id],
        20,
        f"a Job of {item_id} in the second cluster",
    )
    return found[0]


def end_job(place: Place, second: SecondServer, job: Json) -> None:
    """What a pod and the Job's controller would do."""
    run_id = run_id_of(job)
    place.backend.start_run(PROJECT, run_id)
    place.backend.end_run(PROJECT, run_id, 0)
    second.cluster.patch("Job", NAMESPACE, job["metadata"]["name"], {"status": COMPLETE}, subresource="status")


def test_one_agent_launches_and_follows_jobs_in_two_clusters(place: Place, second: SecondServer) -> None:
    other = add_queue(place, "second", configFile=str(second.kubeconfig))
    agent = place.start(place.name, other)
    here, there = place.push(), place.push(other)
    own = place.wait_for_job_of(here)
    far = find_job(second, there)
    assert [item_of(job) for job in place.cluster.jobs(place.name)] == [here]
    assert far["metadata"]["namespace"] == NAMESPACE, "the default is the context's namespace"
    place.play(own)
    place.wait_for_item(here, "FINISHED")
    assert place.item(there, other)["state"] == "CLAIMED"
    end_job(place, second, far)
    place.wait_for_item(there, "FINISHED", queue=other)
    place.wait_until_no_record()
    assert agent.get("/readyz").status_code == 200
    figures = agent.get("/metrics").text
    where = f'cluster="the current context of {second.kubeconfig}"'
    assert f'launch_agent_watch_last_contact_seconds{{{where},kind="Job",target_namespace="{NAMESPACE}"}}' in figures


@pytest.mark.parametrize("is_over", [False, True], ids=["while they run", "when they ended meanwhile"])
def test_after_a_kill_the_next_agent_finds_its_jobs_in_both_clusters(
    place: Place, second: SecondServer, is_over: bool
) -> None:
    other = add_queue(place, "second", configFile=str(second.kubeconfig), context="second")
    agent = place.start(place.name, other)
    here, there = place.push(), place.push(other)
    own, far = place.wait_for_job_of(here), find_job(second, there)
    place.wait_for_pod(own)
    wait_until(lambda: [place.item(here)["state"], place.item(there, other)["state"]], 10, "both to be claimed",
               until=lambda states: states == ["CLAIMED", "CLAIMED"])  # fmt: skip
    agent.program.kill()
    if is_over:
        end_job(place, second, far)
        place.play(own)
    agent.restart()
    agent.wait_until_ready()
    if not is_over:
        end_job(place, second, far)
        place.play(own)
    place.wait_for_item(here, "FINISHED")
    place.wait_for_item(there, "FINISHED", queue=other)
    place.wait_until_no_record()
    assert len([job for job in second.cluster.jobs(NAMESPACE) if item_of(job) == there]) == 1


def test_a_kubeconfig_that_is_away_at_a_restart_loses_nothing(place: Place, second: SecondServer) -> None:
    path = second.write_kubeconfig(f"{place.name}.kubeconfig", {})
    other = add_queue(place, "second", configFile=str(path))
    agent = place.start(place.name, other)
    there = place.push(other)
    far = find_job(second, there)
    place.wait_for_item(there, "CLAIMED", queue=other)
    agent.program.kill()
    away = path.rename(path.with_suffix(".away"))
    agent.restart()
    agent.wait_until_ready()
    place.play(place.wait_for_job_of(place.push()))
    wait_until(lambda: f"The kubeconfig {path} does not exist" in agent.log, 20, "the agent to miss the file")
    assert place.item(there, other)["state"] == "CLAIMED"
    away.rename(path)
    end_job(place, second, far)
    place.wait_for_item(there, "FINISHED", timeout=60, queue=other)
    place.wait_until_no_record()


def test_a_plugins_token_reaches_the_other_cluster_and_is_renewed_when_it_is_refused(
    place: Place, second: SecondServer
) -> None:
    account = place.name
    other = add_queue(place, "second", configFile=str(make_plugin(second, account)))
    place.start(other)
    first = place.push(other)
    job = find_job(second, first)
    asked = second.folder / f"{account}.py.count"
    assert asked.read_text() == "x"
    token = asked.with_suffix(".token").read_text()
    assert second.accepts(token)
    # the account is another one of the same name from now on: tokens of the old one are refused
    second.make_account(account)
    wait_until(lambda: not second.accepts(token), 60, "the old token to be refused")
    end_job(place, second, job)
    place.wait_for_item(first, "FINISHED", timeout=60, queue=other)
    again = place.push(other)
    end_job(place, second, find_job(second, again))
    place.wait_for_item(again, "FINISHED", timeout=60, queue=other)
    assert len(asked.read_text()) >= 2


def test_a_kubeconfig_list_of_the_agents_own_holds_further_contexts(place: Place, second: SecondServer) -> None:
    other = add_queue(place, "second", context="by-list")
    listed = second.write_kubeconfig("listed", {}, context="by-list")
    own = os.environ["KUBECONFIG"]
    place.start(place.name, other, environ={"KUBECONFIG": os.pathsep.join([own, str(listed)])})
    here, there = place.push(), place.push(other)
    place.play(place.wait_for_job_of(here))
    place.wait_for_item(here, "FINISHED")
    end_job(place, second, find_job(second, there))
    place.wait_for_item(there, "FINISHED", queue=other)


def test_what_names_no_cluster_fails_the_item_at_once_with_its_key_and_the_cure(
    place: Place, second: SecondServer
) -> None:
    missing = add_queue(place, "missing", configFile="/none/such")
    context = add_queue(place, "context", configFile=str(second.kubeconfig), context="secnd")
    place.start(missing, context)
    item = place.wait_for_item(place.push(missing), "FAILED", queue=missing)
    assert "resource_args.kubernetes.configFile: The kubeconfig /none/such does not exist." in item["error"]["message"]
    item = place.wait_for_item(place.push(context), "FAILED", queue=context)
    text = (
        f"resource_args.kubernetes.context: The kubeconfig {second.kubeconfig} has no context 'secnd'. It has: second."
    )
    assert text in item["error"]["message"]


def test_a_submitter_may_not_choose_the_cluster(place: Place, second: SecondServer) -> None:
    place.start()
    item_id = place.push(resource_args={"kubernetes": {"configFile": str(second.kubeconfig)}})
    item = place.wait_for_item(item_id, "FAILED")
    assert "configFile" in item["error"]["message"]
    assert not [job for job in second.cluster.jobs(NAMESPACE) if item_of(job) == item_id]
