"""Chart first, agent second: W&B's own agent by our chart, then ours in its place, and back; nothing else moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import CHART, IMAGE, NAMESPACE, PROJECT, SEEDS, Stage, run_helm
from tests.support.backend import Json
from tests.support.inventory import Inventory, changed, measure_memory, take_inventory
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(420)]

Tell = Callable[[str, object], None]

THEIRS = "reg.local:5000/wandb/launch-agent:0.31.0"
RELEASE = "moving"
HOME = "moving-agent"
TARGET = "moving-jobs"
QUEUE = "moving"
EXPECTED_CHANGES = {
    ("Deployment", HOME, f"launch-agent-{RELEASE}"),
    ("Role", HOME, f"wandb-launch-agent-{RELEASE}"),
    ("Role", HOME, f"wandb-job-creator-{RELEASE}"),
    ("Role", TARGET, f"wandb-job-creator-{RELEASE}"),
}
NODE = ["--set", "agent.resources.requests.cpu=50m"]
"""The test's node has two processors; a limit alone would ask for a whole one."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Which agent comes next, and what the one before leaves to it."""

    image: str
    helm: str
    values: Path
    under_way: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """One agent's turn: what Helm said, what was there when the agent polled, and what became of its items."""

    said: str
    pod: Json
    inventory: Inventory
    job: Json
    across: Json | None
    """The Job that the agent before this one had started."""
    long_item: str
    """Its Job still runs when the turn ends."""
    megabytes: float
    """Of all its processes, after it launched its items."""


@dataclass(frozen=True, slots=True)
class Acts:
    """W&B's agent, ours, W&B's again; then the release is uninstalled."""

    first: Act
    ours: Act
    back: Act


@pytest.fixture(scope="module")
def acts(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Acts]:
    """The whole play, once; the tests look at it."""
    values = _write_values(tmp_path_factory.mktemp("moving"), stage)
    stage.client.create_queue(QUEUE, "kubernetes", {"metadata": {"namespace": TARGET}})
    for namespace in (HOME, TARGET):
        stage.cluster.create_namespace(namespace)
    try:
        first = _play(stage, Turn(THEIRS, "helm3", values))
        ours = _play(stage, Turn(IMAGE, "helm4", values, first.long_item))
        back = _play(stage, Turn(THEIRS, "helm4", values, ours.long_item))
        run_helm("helm4", "uninstall", RELEASE, "--wait")
        yield Acts(first, ours, back)
    finally:
        run_helm("helm4", "uninstall", RELEASE, "--ignore-not-found")
        for namespace in (HOME, TARGET):
            stage.cluster.delete_namespace(namespace)


def _write_values(folder: Path, stage: Stage) -> Path:
    """Values that both agents understand. W&B's agent ignores SIGTERM, so a short grace makes the tests faster."""
    values: dict[str, Any] = {
        "agent": {"apiKey": stage.server.key, "terminationGracePeriodSeconds": 5},
        "namespace": HOME,
        "additionalTargetNamespaces": [TARGET],
        "baseUrl": stage.server.url,
        "launchConfig": yaml.safe_dump({"queues": [QUEUE], "max_jobs": 4}),
        "gitCreds": "https://user:token@git.example.com",
        "additionalSecretEnvVars": [{"name": "TOKEN", "value": "t"}],
    }
    path = folder / "values.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(values))
    return path


def _play(stage: Stage, turn: Turn) -> Act:
    """Install or upgrade; then two items, of which the long one goes on when the next agent comes."""
    if turn.under_way:
        assert stage.backend.item(QUEUE, turn.under_way)["state"] == "CLAIMED"
    words = ["upgrade", "--install", RELEASE, str(CHART), "-f", str(turn.values), *NODE]
    said = run_helm(turn.helm, *words, "--set", f"agent.image={turn.image}")
    pod = _wait_until_polling(stage, turn.image, HOME, RELEASE, QUEUE)
    inventory = take_inventory((HOME, TARGET))
    across = _finish(stage, turn.under_way) if turn.under_way else None
    short_item, long_item = (
        stage.push(f"reg.local:5000/{job}:e2e", queue=QUEUE) for job in ("job-trains", "job-trains-slowly")
    )
    job = _finish(stage, short_item)
    wait_until(lambda: _run_state(stage, long_item), 30, "the long run", until=lambda state: state == "running")
    megabytes = measure_memory(HOME, pod["metadata"]["name"])
    return Act(said, pod, inventory, job, across, long_item, megabytes)


def _wait_until_polling(stage: Stage, image: str, namespace: str, release: str, queue: str) -> Json:
    """Wait until one pod with ``image`` is all there is and its log says that it polls; the pod."""
    line = f"polling on queues {queue}" if image == THEIRS else "registered as agent"

    def look() -> tuple[Json | None, str]:
        pods = stage.cluster.find("Pod", namespace, f"app=launch-agent-{release}")
        running = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Running"]
        if len(pods) != 1 or not running or pods[0]["spec"]["containers"][0]["image"] != image:
            return None, repr([(pod["metadata"]["name"], pod.get("status")) for pod in pods])
        log = stage.cluster.logs(namespace, pods[0]["metadata"]["name"])
        return (pods[0] if line in log else None), log

    pod, _ = wait_until(look, 90, f"{image} to poll", until=lambda seen: seen[0], interval=0.3)
    assert pod is not None
    return pod


def _run_state(stage: Stage, item_id: str) -> str | None:
    run_id = stage.backend.item(QUEUE, item_id)["associatedRunId"]
    run = stage.backend.run(PROJECT, run_id) if run_id else None
    return run["state"] if run else None


def _finish(stage: Stage, item_id: str) -> Json:
    """Wait for the item's and its run's good end; the one Job that ran it."""
    item = stage.backend.wait_for_state(QUEUE, item_id, "FINISHED", 120)
    assert _run_state(stage, item_id) == "finished", item
    (job,) = _job_of(stage, item_id)
    return job


def _job_of(stage: Stage, item_id: str) -> list[Json]:
    run_id = stage.backend.item(QUEUE, item_id)["associatedRunId"]
    jobs = stage.cluster.jobs(TARGET)
    return [job for job in jobs if job["metadata"]["labels"].get("wandb.ai/run-id") == run_id]


def _chart_objects(inventory: Inventory) -> set[tuple[str, str, str]]:
    return {
        key for key, item in inventory.items() if (item["labels"] or {}).get("app.kubernetes.io/managed-by") == "Helm"
    }


def _was_made_by_ours(job: Json | None) -> bool:
    assert job is not None
    return "launch-agent/item" in job["metadata"]["labels"]


def test_the_chart_recognises_w_and_bs_image_and_adds_nothing_that_it_does_not_understand(acts: Acts) -> None:
    assert "W&B's own agent runs" in acts.first.said
    spec = acts.first.pod["spec"]
    (container,) = spec["containers"]
    assert not {"args", "command", "livenessProbe", "readinessProbe"} & container.keys()
    assert not spec.get("initContainers")
    assert not [entry["name"] for entry in container["env"] if entry["name"].startswith(("LAUNCH_AGENT_", "POD_"))]


def test_w_and_bs_agent_takes_an_item_and_its_run_ends_well(acts: Acts, tell: Tell) -> None:
    assert not _was_made_by_ours(acts.first.job)
    tell("W&B's agent", f"{acts.first.megabytes:.0f} MB (proportional set)")


def test_an_upgrade_by_helm_4_puts_our_agent_in_its_place(acts: Acts, tell: Tell) -> None:
    assert acts.ours.pod["spec"]["initContainers"][0]["args"] == ["validate"]
    assert _was_made_by_ours(acts.ours.job)
    tell("launch-agent", f"{acts.ours.megabytes:.0f} MB (proportional set)")
    assert acts.ours.megabytes < acts.first.megabytes


def test_only_the_deployment_and_the_roles_change_with_the_agent(acts: Acts) -> None:
    chart_objects = _chart_objects(acts.first.inventory)
    assert len(chart_objects) > 10
    assert changed(acts.first.inventory, acts.ours.inventory) == EXPECTED_CHANGES
    assert _chart_objects(acts.ours.inventory) == chart_objects


def test_the_way_back_to_w_and_bs_image_leads_to_where_it_began(acts: Acts) -> None:
    assert changed(acts.first.inventory, acts.back.inventory) == set()
    assert _chart_objects(acts.back.inventory) == _chart_objects(acts.first.inventory)
    assert not _was_made_by_ours(acts.back.job)


def test_a_job_lives_through_both_changes_and_ends_well(acts: Acts) -> None:
    assert _was_made_by_ours(acts.ours.across) is False
    assert _was_made_by_ours(acts.back.across) is True


def test_uninstall_leaves_nothing_but_the_running_job_which_ends_well(stage: Stage, acts: Acts) -> None:
    assert acts.back.inventory
    wait_until(lambda: take_inventory((HOME, TARGET)), 30, "nothing to be left", until=lambda found: not found)
    _finish(stage, acts.back.long_item)


def test_the_seeds_file_with_w_and_bs_image_installs_and_its_agent_polls(stage: Stage) -> None:
    filled = ["--set-string", f"agent.image={THEIRS},agent.apiKey={stage.server.key},baseUrl={stage.server.url}"]
    try:
        run_helm("helm3", "install", "seeds", str(CHART), "-f", str(SEEDS), *filled, *NODE)
        pod = _wait_until_polling(stage, THEIRS, NAMESPACE, "seeds", "gpu")
        assert pod["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "1", "memory": "1Gi"}
    finally:
        run_helm("helm3", "uninstall", "seeds", "--ignore-not-found")
