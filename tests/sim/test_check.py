"""`launch-agent check` on a real API server: nothing is changed, and each thing that is missing is told in words."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from launch_agent.core.permissions import Feature, Permission, list_permissions
from tests.support import accounts
from tests.support.agents import free_port
from tests.support.cluster import Json
from tests.support.place import RELEASE, Place
from tests.support.processes import BIN, clean_environment
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

LEASE = "launch-agent-rel"
SECRET = f"wandb-api-key-{RELEASE}"
KINDS = ("Job", "Pod", "ConfigMap", "Secret", "Lease", "Event")


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of `check` said."""

    code: int
    checks: list[Json]

    def of(self, status: str) -> dict[str, str]:
        """Name → detail of the checks with this status."""
        return {one["name"]: one["detail"] for one in self.checks if one["status"] == status}


def rights() -> tuple[Permission, ...]:
    return list_permissions({Feature.RECORDS, Feature.LEASE, Feature.JOBS}, lease=LEASE, key_secret=SECRET)


def check(place: Place, kubeconfig: Path | None = None, environ: Mapping[str, str] | None = None) -> Report:
    """Run it as the chart's pod would, with the account of ``kubeconfig`` (None: the administrator)."""
    variables = {
        "WANDB_BASE_URL": place.server.url,
        "WANDB_API_KEY": place.server.key,
        "WANDB_RELEASE_NAME": RELEASE,
        "POD_NAMESPACE": place.name,
        "LAUNCH_AGENT_LEASE": LEASE,
        "LAUNCH_AGENT_TARGET_NAMESPACES": place.name,
        **({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}),
        **(environ or {}),
    }
    command = [str(BIN / "launch-agent"), "check", "-e", place.backend.entity, "-q", place.name, "--output", "json"]
    done = subprocess.run(
        command,
        env=clean_environment(place.folder / "home", variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert place.server.key not in done.stdout
    return Report(done.returncode, json.loads(done.stdout)["checks"])


def take_account(place: Place, rules: list[Json], name: str = "agent") -> Path:
    """A kubeconfig for a new account with these rights in the place's namespace."""
    accounts.apply(accounts.describe_account(place.name, name, {place.name: rules}))
    return accounts.write_kubeconfig(place.folder / f"{name}.kubeconfig", place.name, name)


@pytest.fixture
def ready(place: Place) -> Place:
    """A place with the chart's Lease."""
    place.cluster.create("Lease", place.name, {"metadata": {"name": LEASE}})
    return place


def look(place: Place) -> dict[str, list[tuple[str, str]]]:
    """Every object in the namespace, with its version."""
    return {
        kind: sorted(
            (one["metadata"]["name"], one["metadata"]["resourceVersion"])
            for one in place.cluster.find(kind, place.name)
        )
        for kind in KINDS
    }


def test_an_account_with_the_rights_of_the_table_passes_and_nothing_is_changed(ready: Place) -> None:
    kubeconfig = take_account(ready, accounts.make_rules(rights()))
    before = look(ready)
    report = wait_until(lambda: check(ready, kubeconfig), 20, "the rights to hold", until=lambda seen: seen.code == 0)
    assert report.of("fail") == report.of("warn") == {}
    assert set(report.of("skip")) == {"registry, bucket, builder"}
    assert report.of("ok")[f"sample Job of queue {ready.name}"] == f"would be created in namespace {ready.name}"
    assert look(ready) == before
    assert ready.backend.items(ready.name) == []
    assert ready.name not in json.dumps([agent["runQueues"] for agent in ready.backend.agents()])


def test_each_right_that_is_taken_away_is_missed_by_its_name(ready: Place) -> None:
    rows = rights()
    verbs = [(row.resource, verb) for row in rows for verb in row.verbs]
    objects: list[Json] = []
    names = {one: f"without-{number}" for number, one in enumerate(verbs)}
    for one, name in names.items():
        objects += accounts.describe_account(ready.name, name, {ready.name: accounts.make_rules(rows, one)})
    accounts.apply(objects)
    for (resource, verb), name in names.items():
        kubeconfig = accounts.write_kubeconfig(ready.folder / f"{name}.kubeconfig", ready.name, name)
        report = wait_until(
            lambda kubeconfig=kubeconfig: check(ready, kubeconfig),  # type: ignore[misc] # a lambda has no types
            20,
            "all rights but one to hold",
            until=lambda seen: len(seen.of("fail")) == 1,
        )
        assert report.code == 6
        found = report.of("fail")[f"{resource} in {ready.name}"]
        assert re.fullmatch(rf"the account may not {verb}( \S+)?", found), found


def test_an_account_without_any_right_is_told_each_of_them(ready: Place) -> None:
    kubeconfig = take_account(ready, [])
    report = check(ready, kubeconfig)
    assert report.code == 6
    wanted = {f"{row.resource} in {ready.name}" for row in rights()}
    assert set(report.of("fail")) == wanted


def test_a_quota_that_refuses_the_job_is_quoted(ready: Place) -> None:
    ready.cluster.enforce_quota(ready.name, {"count/jobs.batch": "0"})
    report = check(ready)
    assert report.code == 7
    (detail,) = report.of("fail").values()
    assert "exceeded quota: none" in detail


def test_the_restricted_profile_is_a_warning_for_the_agent_and_a_refusal_for_who_may_make_pods(
    ready: Place,
) -> None:
    accounts.kubectl("label", "namespace", ready.name, "pod-security.kubernetes.io/enforce=restricted")
    kubeconfig = take_account(ready, accounts.make_rules(rights()))
    report = wait_until(
        lambda: check(ready, kubeconfig), 20, "the rights to hold", until=lambda seen: not seen.of("fail")
    )
    assert report.code == 0
    assert "runAsNonRoot != true" in report.of("warn")[f"sample Job of queue {ready.name}"]
    assert "pod-security" not in json.dumps(report.of("fail"))
    whole = check(ready)
    assert whole.code == 7
    assert "its pods are refused" in whole.of("fail")[f"sample Job of queue {ready.name}"]


def test_a_namespace_that_does_not_exist_is_named_as_far_as_it_can_be_told(ready: Place) -> None:
    environ = {"LAUNCH_AGENT_TARGET_NAMESPACES": f"{ready.name},no-such-namespace"}
    whole = check(ready, environ=environ)
    assert whole.code == 4
    assert whole.of("fail")["namespace no-such-namespace"] == "the namespace no-such-namespace does not exist"
    narrow = check(ready, take_account(ready, accounts.make_rules(rights())), environ)
    assert narrow.code == 6
    assert "jobs in no-such-namespace" in narrow.of("fail")
    assert "whether the namespace exists" in narrow.of("skip")["namespace no-such-namespace"]


@pytest.mark.parametrize(("data", "words"), [(None, "is not there"), ({"wandb": "eA=="}, "its keys: wandb")])
def test_a_secret_that_jobs_can_not_use_is_told(ready: Place, data: Json | None, words: str) -> None:
    ready.cluster.delete("Secret", ready.name, SECRET)
    if data is not None:
        ready.cluster.create("Secret", ready.name, {"metadata": {"name": SECRET}, "data": data})
    report = check(ready)
    assert report.code == 7
    assert words in report.of("fail")[f"Secret {SECRET} in {ready.name}"]
    if data is not None:
        assert check(ready, environ={"LAUNCH_AGENT_API_KEY_SECRET": f"{SECRET}/wandb"}).code == 0


def test_no_lease_is_told(place: Place) -> None:
    report = check(place)
    assert (report.code, list(report.of("fail"))) == (4, [f"Lease {LEASE}"])


def test_a_wandb_that_is_away_does_not_keep_kubernetes_from_being_tried(ready: Place) -> None:
    report = check(ready, environ={"WANDB_BASE_URL": f"http://127.0.0.1:{free_port()}"})
    assert report.code == 3
    assert f"jobs in {ready.name}" in report.of("ok")


def test_an_api_server_that_is_away_does_not_keep_wandb_from_being_tried(ready: Place) -> None:
    path = ready.folder / "dead.kubeconfig"
    kubeconfig = take_account(ready, [])
    dead = f"https://127.0.0.1:{free_port()}"
    path.write_text(re.sub(r"server: \S+", f"server: {dead}", kubeconfig.read_text()))
    report = check(ready, path)
    assert report.code == 4
    assert "Connection refused" in report.of("fail")["API server"]
    assert f"queue {ready.name}" in report.of("ok")


def test_a_key_that_wandb_does_not_know_is_told(ready: Place) -> None:
    report = check(ready, environ={"WANDB_API_KEY": "0" * 40})
    assert (report.code, list(report.of("fail"))) == (3, ["API key"])
