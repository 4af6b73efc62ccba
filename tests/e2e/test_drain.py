"""`launch-agent items` and `launch-agent drain` by `kubectl exec` in a release, also while it is upgraded."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import CHART, IMAGE, PROJECT, Stage, run_helm
from tests.e2e.test_upgrade import is_ready
from tests.support.backend import Json, image_spec
from tests.support.cluster import is_over
from tests.support.place import item_of
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

Tell = Callable[[str, object], None]

RELEASE = "drained"
WORKLOAD = f"launch-agent-{RELEASE}"
HOME = "drained-agent"
QUEUE = "drained"
PLACE = ["--namespace", HOME]
MARK, ANSWER = "launch-agent/drain", "launch-agent/drain-answer"
SCRIPT = "/opt/jobs/trains_slowly.py"
"""Where the slow job's image has its script."""
LEFT = 8
"""Exit code of a drain whose time is over."""
LONG = 60
"""Seconds that a job trains which is to outlive a rollout."""


@dataclass(frozen=True, slots=True)
class Release:
    """A release of its own on the stage: what is drained here takes no other test's items."""

    stage: Stage
    values: Path

    def command(self, *words: str) -> list[str]:
        """What users type, as the documents say it."""
        return ["kubectl", "-n", HOME, "exec", f"deploy/{WORKLOAD}", "--", "launch-agent", *words]

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call the agent's program in the agent's pod."""
        return subprocess.run(self.command(*words), capture_output=True, text=True, check=False, timeout=150)

    def pod(self) -> Json:
        """The one ready pod; those on their way out are gone."""
        pods = wait_until(
            lambda: self.stage.cluster.find("Pod", HOME, f"app={WORKLOAD}"), 120, "one ready pod", interval=0.2,
            until=lambda found: len(found) == 1 and is_ready(found[0]),
        )  # fmt: skip
        return pods[0]

    def lease(self) -> Json:
        """The release's Lease."""
        found = self.stage.cluster.get("Lease", HOME, WORKLOAD)
        assert found is not None
        return found

    def mark(self) -> str:
        """The drain's mark; empty where there is none."""
        return str((self.lease()["metadata"].get("annotations") or {}).get(MARK) or "")

    def answer(self) -> str:
        """What the agent answers to the mark; empty until it has seen it."""
        return str((self.lease()["metadata"].get("annotations") or {}).get(ANSWER) or "")

    def wait_for_holder(self, pod: Json) -> None:
        """Wait until this pod holds the Lease."""
        name = pod["metadata"]["name"]
        wait_until(
            lambda: str(self.lease()["spec"].get("holderIdentity") or ""), 60, f"{name} to hold the Lease",
            until=lambda holder: holder.startswith(name),
        )  # fmt: skip

    def push(self, job: str, *arguments: str) -> str:
        """Push a job of the tests; the new item's id."""
        backend = self.stage.backend
        return backend.push(QUEUE, image_spec(backend.entity, PROJECT, f"reg.local:5000/{job}:e2e", **extra(arguments)))

    def state(self, item_id: str) -> str:
        """Where the item is."""
        return str(self.stage.backend.item(QUEUE, item_id)["state"])

    def jobs(self, item_id: str) -> list[Json]:
        """The Jobs that were made for the item."""
        return [job for job in self.stage.cluster.find("Job", HOME) if item_of(job) == item_id]

    def wait_for_training(self, item_id: str) -> Json:
        """Wait until the item's run has told of a step; the item."""
        backend = self.stage.backend
        item = backend.wait_for_state(QUEUE, item_id, "CLAIMED", 60)

        def look() -> bool:
            assert self.state(item_id) == "CLAIMED", self.stage.backend.item(QUEUE, item_id)
            run = backend.run(PROJECT, item["associatedRunId"])
            return bool(run and run["historyLineCount"])

        wait_until(look, 90, "the job to train", interval=0.2)
        return item

    def finish(self, item_id: str) -> Json:
        """Wait for the item's good end; exactly one Job ran it. The item."""
        item = self.stage.backend.wait_for_state(QUEUE, item_id, "FINISHED", 150)
        assert len(self.jobs(item_id)) == 1
        return item


def extra(arguments: Sequence[str]) -> Json:
    """What makes the slow job train for as many seconds: the images of the jobs have a command and no entry point."""
    return {"overrides": {"args": ["python3", SCRIPT, *arguments]}} if arguments else {}


@pytest.fixture(scope="module")
def release(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """The chart with its defaults, but for what every user fills in."""
    path = tmp_path_factory.mktemp("drained") / "values.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(_values(stage)))
    stage.client.create_queue(QUEUE, "kubernetes", {"metadata": {"namespace": HOME}})
    release = Release(stage, path)
    try:
        run_helm("helm4", "install", RELEASE, str(CHART), *PLACE, "--create-namespace", "-f", str(path))
        release.wait_for_holder(release.pod())
        yield release
    finally:
        run_helm("helm4", "uninstall", RELEASE, *PLACE, "--ignore-not-found", "--wait")
        stage.cluster.delete_namespace(HOME)


@pytest.fixture(autouse=True)
def taking(release: Release) -> Iterator[None]:
    """The release takes items again after each test."""
    yield
    release.pod()
    undone = release.call("drain", "--undo")
    assert undone.returncode == 0, undone.stderr


def _values(stage: Stage) -> dict[str, Any]:
    """The node has two processors: a limit alone would ask for a whole one."""
    return {
        "agent": {"apiKey": stage.server.key, "image": IMAGE, "resources": {"requests": {"cpu": "50m"}}},
        "namespace": HOME,
        "additionalTargetNamespaces": [],
        "baseUrl": stage.server.url,
        "launchConfig": yaml.safe_dump({"queues": [QUEUE], "max_jobs": 4, "poll_interval": 1}),
    }


def test_items_in_the_agents_pod_lists_what_runs_and_shows_one_without_keys(release: Release, tell: Tell) -> None:
    item_id = release.push("job-trains-slowly", "30")
    item = release.wait_for_training(item_id)
    (job,) = release.jobs(item_id)
    table = release.call("items")
    assert table.returncode == 0, table.stderr
    head, row = table.stdout.splitlines()
    assert head.split() == ["ITEM", "QUEUE", "STEP", "RUN", "OBJECT", "AGE", "CREATED"]
    for shown in (item_id, QUEUE, "created", item["associatedRunId"], f"{HOME}/{job['metadata']['name']}"):
        assert shown in row
    listed = json.loads(release.call("items", "--output", "json").stdout)
    assert [one["item"] for one in listed["items"]] == [item_id]
    assert listed["unreadable"] == []
    detail = release.call("items", "show", item_id)
    assert "job-trains-slowly:e2e" in detail.stdout
    assert release.stage.server.key not in detail.stdout
    tell("launch-agent items", table.stdout.rstrip())
    release.finish(item_id)


def test_a_drain_waits_for_what_runs_and_leaves_what_is_queued_until_it_is_undone(release: Release, tell: Tell) -> None:
    running = release.push("job-trains-slowly", "30")
    release.wait_for_training(running)
    impatient = release.call("drain", "--timeout", "8s")
    assert impatient.returncode == LEFT, impatient.stderr
    assert "not drained: 1 item is not over" in impatient.stdout
    mark = release.mark()
    assert mark
    waiting = release.push("job-trains")
    patient = release.call("drain", "--timeout", "120s")
    assert patient.returncode == 0, patient.stderr
    assert patient.stdout == "drained\n"
    assert release.mark() == mark, "a drain that is called again keeps its mark"
    tell("launch-agent drain", patient.stderr.rstrip())
    assert release.state(running) == "FINISHED"
    release.finish(running)
    assert release.state(waiting) == "PENDING"
    assert not release.jobs(waiting)
    undone = release.call("drain", "--undo")
    assert undone.returncode == 0, undone.stderr
    assert not release.mark()
    release.finish(waiting)


def test_a_drain_survives_an_upgrade_and_the_item_that_runs_ends_well(release: Release, tell: Tell) -> None:
    running = release.push("job-trains-slowly", str(LONG))
    claimed = release.wait_for_training(running)
    old = release.pod()["metadata"]["uid"]
    with subprocess.Popen(
        release.command("drain", "--timeout", "2m"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as one:
        wait_until(release.answer, 30, "the agent to have seen the mark")
        mark = release.mark()
        waiting = release.push("job-trains")
        flags = ["-f", str(release.values), "--set-string", "agent.podAnnotations.upgraded=yes"]
        run_helm("helm4", "upgrade", RELEASE, str(CHART), *PLACE, *flags)
        said, _ = one.communicate(timeout=130)
    assert one.returncode not in {0, LEFT}, said
    new = release.pod()
    assert new["metadata"]["uid"] != old
    release.wait_for_holder(new)
    assert not is_over(release.jobs(running)[0]), "the job was over before the new pod had the Lease"
    assert release.mark() == mark
    again = release.call("drain", "--timeout", "140s")
    assert again.returncode == 0, again.stderr
    assert f"draining since {mark}" in again.stderr
    tell("drain again, after an upgrade", again.stderr.rstrip())
    assert release.finish(running)["associatedRunId"] == claimed["associatedRunId"]
    assert release.state(waiting) == "PENDING"
    assert not release.jobs(waiting)
    assert release.call("drain", "--undo").returncode == 0
    release.finish(waiting)
