"""What Helm installed: restricted, read-only, silent about keys, and replaced without losing a job."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from tests.e2e.conftest import CHART, NAMESPACE, QUEUE, RELEASE, SEEDS, Stage, run_helm, wait_until_available
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Tell = Callable[[str, object], None]


def _inside(stage: Stage, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the agent's container."""
    pod = stage.agent_pod()["metadata"]["name"]
    command = ["kubectl", "exec", "-n", NAMESPACE, pod, "--", "python3", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_the_agents_pod_fulfils_the_restricted_pod_security_standard(stage: Stage) -> None:
    label = "pod-security.kubernetes.io/enforce=restricted"
    done = subprocess.run(
        ["kubectl", "label", "--overwrite", "namespace", NAMESPACE, label],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr


def test_the_agents_root_file_system_can_not_be_written(stage: Stage) -> None:
    done = _inside(stage, "open('/opt/x', 'w')")
    assert done.returncode != 0
    assert "Read-only file system" in done.stderr


def test_the_agents_log_does_not_show_the_key(stage: Stage) -> None:
    log = stage.cluster.logs(NAMESPACE, stage.agent_pod()["metadata"]["name"])
    assert "registered as agent" in log
    assert stage.server.key not in log


def test_the_agents_memory_and_time_are_noted(stage: Stage, tell: Tell) -> None:
    done = _inside(stage, "print(open('/proc/1/status').read()); print('STAT', open('/proc/1/stat').read())")
    assert done.returncode == 0, done.stderr
    rss = next(line.split()[1] for line in done.stdout.splitlines() if line.startswith("VmRSS:"))
    fields = done.stdout.rpartition("STAT ")[2].rpartition(")")[2].split()
    seconds = (int(fields[11]) + int(fields[12])) / 100
    tell("agent's pod", f"RSS {int(rss) / 1024:.1f} MB, processor time since its start {seconds:.2f} s")
    assert int(rss) < 150_000


def test_an_upgrade_by_helm_4_replaces_the_agent_and_the_running_job_ends_well(stage: Stage) -> None:
    item_id = stage.push("reg.local:5000/job-trains-slowly:e2e")
    claimed = stage.backend.wait_for_state(QUEUE, item_id, "CLAIMED", 30)
    before = stage.agent_pod()["metadata"]["uid"]
    values = ["-f", str(SEEDS), "-f", str(stage.values), "--set-string", "agent.podAnnotations.upgraded=yes"]
    run_helm("helm4", "upgrade", RELEASE, str(CHART), *values)
    wait_until_available(stage.cluster)
    assert stage.agent_pod()["metadata"]["uid"] != before
    item = stage.backend.wait_for_state(QUEUE, item_id, "FINISHED", 60)
    assert item["associatedRunId"] == claimed["associatedRunId"]
    jobs = [job for job in stage.cluster.jobs("default")
            if job["metadata"]["labels"].get("wandb.ai/run-id") == claimed["associatedRunId"]]  # fmt: skip
    assert len(jobs) == 1
    wait_until(
        lambda: stage.cluster.find("ConfigMap", NAMESPACE, "launch-agent/record=item"), 90, "no record to be left",
        until=lambda records: not records,
    )  # fmt: skip


def test_no_operation_was_unknown_to_the_server(stage: Stage) -> None:
    counted = [line for line in stage.backend.metrics().splitlines()
               if line.startswith("launch_server_unknown_operations_total{")]  # fmt: skip
    assert not counted
