"""What the chart renders keeps checkov's Kubernetes policies, but for policy-exceptions.yaml."""

import json
import subprocess
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.charts import ROOT, SCENARIOS, find_helm, render_text

CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"
EXCEPTIONS = Path(__file__).with_name("policy-exceptions.yaml")
# A values file that must not pass: the proof that the rules look at the agent's pod.
CARELESS: dict[str, Any] = {
    "agent": {
        "apiKey": "0" * 40,
        "securityContext": {"privileged": True, "readOnlyRootFilesystem": False},
        "podSecurityContext": {"runAsNonRoot": False, "runAsUser": 0},
    },
    "launchConfig": {"queues": ["default"]},
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that an object breaks; `where` is <file>:<kind>.<namespace>.<name>."""

    rule: str
    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What checkov said of all renders in one run."""

    passed: int
    unread: int
    findings: list[Finding]

    def of(self, *, careless: bool) -> list[Finding]:
        return [finding for finding in self.findings if finding.where.startswith("careless.yaml:") == careless]


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    assert CHECKOV.exists(), f"{CHECKOV} is missing: run make venv-checkov"
    rendered = tmp_path_factory.mktemp("rendered")
    careless = tmp_path_factory.mktemp("careless") / "careless.yaml"
    careless.write_text(json.dumps(CARELESS), encoding="utf-8")
    for values in [*SCENARIOS, careless]:
        (rendered / values.name).write_text(render_text(find_helm("helm4"), values), encoding="utf-8")
    flags = ["--framework", "kubernetes", "--output", "json", "--compact", "--quiet", "--skip-download", "--soft-fail"]
    command = [str(CHECKOV), "--directory", str(rendered), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    findings = [
        Finding(each["check_id"], f"{each['file_path'].lstrip('/')}:{each['resource']}", each["check_name"])
        for each in said["results"]["failed_checks"]
    ]
    return Report(said["summary"]["passed"], said["summary"]["parsing_errors"], findings)


@pytest.fixture(scope="session")
def exceptions() -> list[dict[str, str]]:
    return list(yaml.safe_load(EXCEPTIONS.read_text(encoding="utf-8")))


def covers(exception: dict[str, str], finding: Finding) -> bool:
    return exception["rule"] == finding.rule and fnmatchcase(finding.where, exception["where"])


def test_every_render_keeps_every_policy_but_the_exceptions(report: Report, exceptions: list[dict[str, str]]) -> None:
    assert (report.unread, report.passed > 100 * len(SCENARIOS)) == (0, True)
    assert not [
        f"{finding.rule} ({finding.what}): {finding.where}"
        for finding in report.of(careless=False)
        if not any(covers(exception, finding) for exception in exceptions)
    ]


def test_every_exception_has_a_reason_and_is_still_needed(report: Report, exceptions: list[dict[str, str]]) -> None:
    assert not [exception for exception in exceptions if len(exception["reason"]) < 20]
    idle = [
        exception
        for exception in exceptions
        if not any(covers(exception, finding) for finding in report.of(careless=False))
    ]
    assert not idle


def test_a_careless_pod_breaks_the_policies(report: Report) -> None:
    broken = {
        finding.rule for finding in report.of(careless=True) if "Deployment.wandb.launch-agent-rel" in finding.where
    }
    # privileged, root user, writable root
    assert {"CKV_K8S_16", "CKV_K8S_23", "CKV_K8S_22"} <= broken
