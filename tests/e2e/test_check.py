"""`helm test` runs `launch-agent check` in the cluster, as the agent's own account, in the agent's own environment."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable

import pytest

from tests.e2e.conftest import NAMESPACE, QUEUE, RELEASE, Stage
from tests.support.accounts import kubectl

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

Tell = Callable[[str, object], None]
JOB_ROLE = f"wandb-job-creator-{RELEASE}"


def run_test(helm: str) -> tuple[int, str]:
    """The exit code of `helm test`, and what both of its streams say: the check's lines are among it."""
    command = [helm, "test", RELEASE, "--timeout", "60s"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("helm", ["helm3", "helm4"])
def test_a_good_installation_passes(stage: Stage, helm: str) -> None:
    code, text = run_test(helm)
    assert code == 0, text
    assert re.search(r"Phase: +Succeeded", text)


def test_in_the_agents_own_pod_it_says_what_it_tried(stage: Stage, tell: Tell) -> None:
    began = time.monotonic()
    text = kubectl(
        "exec", f"deployment/launch-agent-{RELEASE}", "--namespace", NAMESPACE, "--", "launch-agent", "check"
    )
    tell("launch-agent check in the pod, seconds with kubectl exec", f"{time.monotonic() - began:.2f}")
    assert re.search(r"warn +\S+launch-config.yaml\S* ", text), "the seeds name a registry"
    assert re.search(rf"ok +queue {QUEUE} +launches on kubernetes", text)
    assert re.search(rf"ok +sample Job of queue {QUEUE} +would be created in namespace default", text)
    assert re.search(rf"ok +Lease launch-agent-{RELEASE} +is held by ", text)
    assert re.search(r"warn +registry \S+ +jobs get no Secret to pull with: .*botocore is not installed", text)
    assert re.search(r"\n\d+ ok, 2 warn, 0 fail, 1 skip\n", text), text
    assert stage.server.key not in text


def test_a_right_that_was_taken_away_fails_with_its_name_and_its_cure(stage: Stage) -> None:
    role = json.loads(kubectl("get", "role", JOB_ROLE, "--namespace", "default", "--output", "json"))
    rules = [rule for rule in role["rules"] if rule["resources"] != ["pods/log"]]
    kubectl("patch", "role", JOB_ROLE, "--namespace", "default", "--patch", json.dumps({"rules": rules}))
    command = [
        "kubectl",
        "exec",
        f"deployment/launch-agent-{RELEASE}",
        "--namespace",
        NAMESPACE,
        "--",
        "launch-agent",
        "check",
    ]
    try:
        code, text = run_test("helm4")
        inside = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    finally:
        kubectl("patch", "role", JOB_ROLE, "--namespace", "default", "--patch", json.dumps({"rules": role["rules"]}))
    assert code != 0
    assert inside.returncode == 6
    (line,) = re.findall(
        r"  fail +(pods/log in default .*)", text.replace('\\"', '"')
    )  # Helm 4 logs it as one quoted text
    assert "the account may not get" in line
    assert '{apiGroups: [""], resources: [pods/log], verbs: [get]}' in line
    assert run_test("helm4")[0] == 0
