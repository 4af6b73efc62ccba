"""`launch-agent items` and `drain` from outside of the pod: a kubeconfig, and no more rights than the agent has."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from launch_agent.core.permissions import Feature, list_permissions
from tests.support import accounts
from tests.support.agents import Agent
from tests.support.cluster import Json
from tests.support.place import RELEASE, Place, run_id_of
from tests.support.processes import BIN, clean_environment
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

LEASE = f"launch-agent-{RELEASE}"
RIGHTS = list_permissions({Feature.RECORDS, Feature.LEASE}, lease=LEASE, key_secret="")
Done = subprocess.CompletedProcess[str]


def take_account(place: Place, rules: list[Json], name: str = "agent") -> Path:
    """A kubeconfig for an account with these rights in the place's namespace."""
    accounts.apply(accounts.describe_account(place.name, name, {place.name: rules}))
    return accounts.write_kubeconfig(place.folder / f"{name}.kubeconfig", place.name, name)


def call(place: Place, *words: str, kubeconfig: Path | None = None) -> Done:
    """The command with a home that knows nothing of the agent."""
    extra = ["--kubeconfig", str(kubeconfig)] if kubeconfig else []
    command = [str(BIN / "launch-agent"), *words, "--namespace", place.name, *extra]
    environ = clean_environment(place.folder / "person")
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def start(place: Place) -> Agent:
    """A pod of the release, whose records are labelled as in a cluster."""
    variables = {"LAUNCH_AGENT_LEASE": LEASE, "POD_NAME": "pod-a", "KUBERNETES_SERVICE_HOST": "127.0.0.1"}
    return place.start(environ=variables)


def test_the_items_of_a_release_are_listed_and_shown_with_the_agent_s_own_rights(place: Place) -> None:
    start(place)
    item = place.push(overrides={"run_config": {"lr": 0.1, "api_key": "hidden"}})
    job = place.wait_for_job()
    kubeconfig = take_account(place, accounts.make_rules(RIGHTS))

    def listed() -> Done:
        return call(place, "items", "--release", RELEASE, kubeconfig=kubeconfig)

    done = wait_until(listed, 20, "the item to be created", until=lambda seen: "created" in seen.stdout)
    head, line = done.stdout.splitlines()
    name = f"{place.name}/{job['metadata']['name']}"
    assert head.split() == ["ITEM", "QUEUE", "STEP", "RUN", "OBJECT", "AGE", "CREATED"]
    assert line.split()[:3] == [item, place.name, "created"]
    assert f"/{run_id_of(job)}  Job {name}  " in line
    for words in (("--queue", "other"), ("--step", "claimed"), ("--installation", "other")):
        assert call(place, "items", *words, kubeconfig=kubeconfig).stdout == ""
    everyone = json.loads(call(place, "items", "--output", "json").stdout)
    assert [one["object"] for one in everyone["items"]] == [f"Job {name}"]
    shown = yaml.safe_load(call(place, "items", "show", run_id_of(job), kubeconfig=kubeconfig).stdout)
    assert shown["runSpec"]["overrides"]["run_config"] == {"lr": 0.1, "api_key": "********"}
    assert shown["uid"] == job["metadata"]["uid"]


def test_a_release_is_drained_and_undone_with_the_agent_s_own_rights(place: Place) -> None:
    agent = start(place)
    kubeconfig = take_account(place, accounts.make_rules(RIGHTS))
    words = ("drain", "--release", RELEASE)
    done = wait_until(
        lambda: call(place, *words, "--timeout", "30s", kubeconfig=kubeconfig),
        60,
        "the rights to hold",
        until=lambda seen: seen.returncode != 6,
    )
    assert (done.returncode, done.stdout) == (0, "drained\n"), done.stderr
    assert "draining since" in agent.get("/readyz").text
    assert call(place, *words, "--undo", kubeconfig=kubeconfig).returncode == 0
    wait_until(lambda: agent.get("/readyz").text, 20, "the end of the drain", until=lambda text: text == "ok\n")


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("items",), 6, "configmaps"),
        (("drain", "--release", RELEASE), 6, "leases"),
        (("drain",), 2, "name it by --release NAME"),
    ],
)
def test_a_right_that_is_missing_and_a_release_that_is_not_named_have_codes_of_their_own(
    words: tuple[str, ...], code: int, text: str, place: Place
) -> None:
    done = call(place, *words, kubeconfig=take_account(place, []))
    assert done.returncode == code
    assert text in done.stderr


def test_a_lease_that_is_not_there_and_a_server_that_is_not_there_are_told_apart(place: Place) -> None:
    done = call(place, "drain", "--release", "other")
    assert (done.returncode, "There is no Lease" in done.stderr) == (4, True)
    path = take_account(place, accounts.make_rules(RIGHTS))
    config = yaml.safe_load(path.read_text())
    for cluster in config["clusters"]:
        cluster["cluster"]["server"] = "https://127.0.0.1:1"
    path.write_text(yaml.safe_dump(config))
    away = call(place, "items", kubeconfig=path)
    assert away.returncode == 4
    assert "Traceback" not in away.stderr
