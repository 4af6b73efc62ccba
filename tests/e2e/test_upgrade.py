"""A release of W&B's shape becomes ours under a running job; then rollouts, bad and good, and `helm test`."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import CHART, IMAGE, Stage, run_helm
from tests.support.backend import Json
from tests.support.cluster import is_over
from tests.support.processes import ROOT
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Tell = Callable[[str, object], None]

SHAPE = ROOT / "tests" / "chart" / "upstream-shape"
RELEASE = "grown"
WORKLOAD = f"launch-agent-{RELEASE}"
HOME = "grown-agent"
TARGET = "grown-jobs"
QUEUE = "grown"
PLACE = ["--namespace", "default"]
"""The release's namespace is not the agent's."""
JOB = "started-by-the-agent-before"
SECONDS = 25
"""How long the job runs that the agent before ours is said to have started."""


@dataclass(frozen=True, slots=True)
class Release:
    """The release on its stage, from the moment on when our agent has taken over."""

    stage: Stage
    values: Path
    before: Json
    """The job that was running during the upgrade, as it was then."""
    secret: Json
    """The key's Secret in the target, as it was then."""

    def upgrade(self, *flags: str, helm: str = "helm4") -> str:
        """Upgrade, with the same values and these flags."""
        return run_helm(helm, "upgrade", RELEASE, str(CHART), *PLACE, "-f", str(self.values), *flags)

    def pods(self) -> list[Json]:
        """The agent's pods, those on their way out too."""
        return self.stage.cluster.find("Pod", HOME, f"app={WORKLOAD}")

    def wait_for_one_pod(self, *, other_than: str = "") -> Json:
        """Wait until one ready pod is all there is, and not the one with that uid."""

        def look() -> list[Json]:
            return self.pods()

        def is_settled(pods: list[Json]) -> bool:
            return len(pods) == 1 and is_ready(pods[0]) and pods[0]["metadata"]["uid"] != other_than

        return wait_until(look, 90, "one ready pod", until=is_settled, interval=0.2)[0]

    def push(self, job: str) -> str:
        """Push a job of the tests; the new item's id."""
        return self.stage.push(f"reg.local:5000/{job}:e2e", queue=QUEUE)

    def finish(self, item_id: str) -> None:
        """Wait for the item's good end; exactly one Job ran it."""
        item = self.stage.backend.wait_for_state(QUEUE, item_id, "FINISHED", 90)
        run_id = item["associatedRunId"]
        jobs = self.stage.cluster.find("Job", TARGET, f"wandb.ai/run-id={run_id}")
        assert len(jobs) == 1, [job["metadata"]["name"] for job in jobs]


def is_ready(pod: Json) -> bool:
    """Whether all of a pod's containers are ready, and it is not on its way out."""
    conditions = (pod.get("status") or {}).get("conditions") or []
    is_up = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
    return is_up and not pod["metadata"].get("deletionTimestamp")


@pytest.fixture(scope="module")
def release(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Release]:
    """W&B's shape by Helm 3 with a job under way, then our chart and agent by Helm 4."""
    values = _write_values(tmp_path_factory.mktemp("grown"), stage)
    stage.client.create_queue(QUEUE, "kubernetes", {"metadata": {"namespace": TARGET}})
    for namespace in (HOME, TARGET):
        stage.cluster.create_namespace(namespace)
    try:
        run_helm("helm3", "install", RELEASE, str(SHAPE), *PLACE, "-f", str(values), "-f", str(_write_command(values)))
        stage.cluster.create("Job", TARGET, _describe_job())
        found = wait_until(
            lambda: stage.cluster.pods(TARGET, JOB), 60, "the job to run",
            until=lambda pods: pods and (pods[0].get("status") or {}).get("phase") == "Running",
        )  # fmt: skip
        secret = stage.cluster.get("Secret", TARGET, f"wandb-api-key-{RELEASE}")
        assert secret is not None
        release = Release(stage, values, found[0], secret)
        release.wait_for_one_pod()
        release.upgrade()
        yield release
    finally:
        run_helm("helm4", "uninstall", RELEASE, *PLACE, "--ignore-not-found", "--wait")
        for namespace in (HOME, TARGET):
            stage.cluster.delete_namespace(namespace)


def _write_values(folder: Path, stage: Stage) -> Path:
    """Values that both charts understand. The node has two processors: a limit alone would ask for a whole one."""
    values: dict[str, Any] = {
        "agent": {"apiKey": stage.server.key, "image": IMAGE, "resources": {"requests": {"cpu": "50m"}}},
        "namespace": HOME,
        "additionalTargetNamespaces": [TARGET],
        "baseUrl": stage.server.url,
        "launchConfig": yaml.safe_dump({"queues": [QUEUE], "max_jobs": 8, "poll_interval": 1}),
    }
    path = folder / "values.yaml"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(values))
    return path


def _write_command(values: Path) -> Path:
    """What stands for the agent before ours: a process that waits to be told to end."""
    code = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [15]); signal.sigwait([15])"
    path = values.with_name("command.yaml")
    path.write_text(yaml.safe_dump({"agent": {"command": ["python3", "-c", code]}}))
    return path


def _describe_job() -> Json:
    key = {"secretKeyRef": {"name": f"wandb-api-key-{RELEASE}", "key": "password"}}
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["python3", "-c", f"import os, time; time.sleep({SECONDS}); print(len(os.environ['KEY']))"],
        "env": [{"name": "KEY", "valueFrom": key}],
    }
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return {"metadata": {"name": JOB}, "spec": {"backoffLimit": 0, "template": template}}


def test_an_upgrade_from_wandbs_shape_puts_our_agent_to_work(release: Release) -> None:
    pod = release.wait_for_one_pod()
    assert pod["spec"]["containers"][0]["args"] == ["run"]
    release.finish(release.push("job-trains"))


def test_the_job_that_was_running_keeps_its_pod_and_its_key_and_ends_well(release: Release) -> None:
    cluster = release.stage.cluster
    job = wait_until(
        lambda: cluster.get("Job", TARGET, JOB), 60, "the job's end", until=lambda one: one and is_over(one)
    )
    assert job is not None
    assert job["status"]["succeeded"] == 1
    (pod,) = cluster.pods(TARGET, JOB)
    assert pod["metadata"]["uid"] == release.before["metadata"]["uid"]
    secret = cluster.get("Secret", TARGET, f"wandb-api-key-{RELEASE}")
    assert secret is not None
    for kept in ("type", "data"):
        assert secret[kept] == release.secret[kept]
    assert secret["metadata"]["uid"] == release.secret["metadata"]["uid"]
    assert secret["metadata"]["labels"]["wandb.ai/created-by"] == "helm-chart"


def test_a_configuration_that_only_the_agent_can_judge_leaves_the_good_agent_at_work(
    release: Release, tell: Tell
) -> None:
    good = release.wait_for_one_pod()["metadata"]
    config = yaml.safe_dump({"queues": [QUEUE]}) + "max_jobs: 2\nmax_jobs: 3\n"
    release.upgrade("--set-string", f"launchConfig={config}")

    def look() -> str:
        new = [pod for pod in release.pods() if pod["metadata"]["uid"] != good["uid"]]
        states = [one for pod in new for one in (pod.get("status") or {}).get("initContainerStatuses") or []]
        ended = [one for one in states if {"terminated"} & {*one["state"], *one.get("lastState", {})}]
        return _read_log(new[0]["metadata"]["name"], "validate") if ended else ""

    said = wait_until(look, 60, "the new pod's init step to say why")
    assert "max_jobs" in said
    tell("init step", said)
    pods = release.pods()
    assert [pod["metadata"]["uid"] for pod in pods if is_ready(pod)] == [good["uid"]]
    release.finish(release.push("job-trains"))
    run_helm("helm4", "rollback", RELEASE, *PLACE)
    assert release.wait_for_one_pod()["metadata"]["uid"] == good["uid"]


def test_agents_hand_over_with_a_running_job_and_queued_items_and_launch_each_once(release: Release) -> None:
    running = release.push("job-trains-slowly")
    release.stage.backend.wait_for_state(QUEUE, running, "CLAIMED", 30)
    old = release.wait_for_one_pod()["metadata"]["uid"]
    queued = [release.push("job-trains")]
    release.upgrade("--set-string", "agent.podAnnotations.handed=over", helm="helm3")
    queued += [release.push("job-trains") for _ in range(2)]
    release.wait_for_one_pod(other_than=old)
    for item_id in [running, *queued]:
        release.finish(item_id)


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_helm_test_passes_says_what_it_tried_and_leaves_no_pod(release: Release, helm: str) -> None:
    release.wait_for_one_pod()
    passed, said = _test(helm)
    assert passed, said
    assert "0 fail" in said
    assert release.stage.cluster.get("Pod", HOME, f"{WORKLOAD}-check") is None


def test_helm_test_names_a_right_that_was_taken_away(release: Release, tell: Tell) -> None:
    binding = f"wandb-launch-job-creator-binding-{RELEASE}"
    subprocess.run(["kubectl", "delete", "rolebinding", binding, "-n", TARGET], check=True, capture_output=True)
    passed, said = _test("helm3")
    assert not passed
    faults = [line for line in said.splitlines() if line.split()[:1] == ["fail"]]
    assert [line for line in faults if f"jobs in {TARGET}" in line], said
    assert not [line for line in faults if HOME in line]
    tell("helm test", "\n".join(faults))
    release.upgrade()
    assert _test("helm4")[0]


def _test(helm: str) -> tuple[bool, str]:
    """Whether `helm test` passed, and what it said: the release's and the agent's namespace differ."""
    done = subprocess.run(
        [helm, "test", RELEASE, *PLACE], capture_output=True, text=True, check=False, timeout=90
    )  # fmt: skip
    return done.returncode == 0, done.stdout + done.stderr


def _read_log(pod: str, container: str) -> str:
    command = ["kubectl", "logs", pod, "-n", HOME, "-c", container]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stdout
