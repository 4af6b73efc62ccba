"""On a real API server the agent's account may do what the table says, and nothing that others may not."""

import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launch_agent.core.permissions import CustomResource, Feature, Permission, Scope, list_permissions

pytestmark = pytest.mark.apiserver

ROOT = Path(__file__).resolve().parents[2]
KEY = "0123456789abcdef0123456789abcdef01234567"
VOLCANO = CustomResource("batch.volcano.sh", "jobs")
Grant = tuple[str, str, str]
"""(resource.group, verb, name)"""


@dataclass(frozen=True, slots=True)
class Install:
    """A release of its own, in namespaces of its own."""

    helm: Path
    mark: str

    @property
    def release(self) -> str:
        return f"rel-{self.mark}"

    @property
    def home(self) -> str:
        return f"agent-{self.mark}"

    @property
    def target(self) -> str:
        return f"jobs-{self.mark}"

    def run(self, *words: str, given: str = "") -> str:
        prefix = [] if "LAUNCH_AGENT_CLUSTER_SIZE" in os.environ else [str(ROOT / "ci" / "inside")]
        done = subprocess.run([*prefix, *words], input=given, capture_output=True, text=True, timeout=90, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def install(self, **values: Any) -> None:
        values = {
            "agent": {"apiKey": KEY},
            "namespace": self.home,
            "additionalTargetNamespaces": [self.target],
            "launchConfig": "queues: [gpu]\n",
            **values,
        }
        words = ["install", self.release, str(ROOT / "charts" / "launch-agent"), "--namespace", self.home]
        self.run(str(self.helm), *words, "--create-namespace", "--values", "-", given=json.dumps(values))

    def grants(self, namespace: str, account: str) -> set[Grant]:
        """What `kubectl auth can-i --list` says of an account in the agent's namespace."""
        user = f"--as=system:serviceaccount:{self.home}:{account}"
        return read_table(self.run("kubectl", "auth", "can-i", "--list", user, "--namespace", namespace))

    def own(self, namespace: str) -> set[Grant]:
        """The same without what every account has."""
        account = f"wandb-launch-serviceaccount-{self.release}"
        return self.grants(namespace, account) - self.grants(namespace, "nobody-in-particular")


def read_table(text: str) -> set[Grant]:
    """The lines on resources: `jobs.batch   []   []   [create get]`."""
    found = set()
    for line in text.splitlines()[1:]:
        cells = re.fullmatch(r"(\S*)\s+\[(.*?)\]\s+\[(.*?)\]\s+\[(.*?)\]", line.strip() if line[:1] != " " else line)
        assert cells, line
        if cells[1]:
            found |= {(cells[1], verb, name) for verb in cells[4].split() for name in cells[3].split() or [""]}
    return found


def table(release: str, scope: Scope, extra: set[Feature]) -> set[Grant]:
    features = {Feature.RECORDS, Feature.LEASE, Feature.SHARDS, Feature.JOBS, Feature.CUSTOM_RESOURCES} | extra
    key = f"wandb-api-key-{release}"
    rows = list_permissions(features, lease=f"launch-agent-{release}", key_secret=key, custom_resources=[VOLCANO])
    return {grant for row in rows if row.scope is scope for grant in spread(row)}


def spread(row: Permission) -> set[Grant]:
    plain, slash, subresource = row.resource.partition("/")
    resource = f"{plain}.{row.group}{slash}{subresource}" if row.group else row.resource
    return {(resource, verb, name) for verb in row.verbs for name in row.names or ("",)}


@pytest.fixture
def install(helm: Path) -> Iterator[Install]:
    made = Install(helm, uuid.uuid4().hex[:8])
    yield made
    made.run(str(helm), "uninstall", made.release, "--namespace", made.home)
    made.run("kubectl", "delete", "namespace", made.home, made.target, "--wait=false")


def test_the_account_may_do_all_that_the_agent_needs_and_nothing_else(install: Install) -> None:
    install.install()
    job_rights = table(install.release, Scope.TARGET, set())
    assert install.own(install.target) == job_rights
    assert install.own(install.home) == job_rights | table(install.release, Scope.AGENT, set())
    assert install.own("default") == set()


def test_each_feature_brings_its_own_rights_only(install: Install) -> None:
    install.install(rbac={"additionalServices": True})
    assert install.own(install.target) == table(install.release, Scope.TARGET, {Feature.ADDITIONAL_SERVICES})


def test_further_replicas_may_make_their_leases(install: Install) -> None:
    install.install(agent={"apiKey": KEY, "replicas": 3})
    wanted = table(install.release, Scope.TARGET, set()) | table(install.release, Scope.AGENT, {Feature.REPLICAS})
    assert install.own(install.home) == wanted


def test_cluster_wide_rights_are_those_of_a_target_everywhere(install: Install) -> None:
    install.install(rbac={"clusterWide": True})
    job_rights = table(install.release, Scope.TARGET, set())
    assert install.own("default") == job_rights
    assert install.own(install.home) == job_rights | table(install.release, Scope.AGENT, set())
