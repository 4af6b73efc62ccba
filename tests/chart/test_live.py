"""The chart on a real API server, by Helm 3 and Helm 4: what Kubernetes accepts, keeps and allows."""

import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.apiserver

Manifest = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "launch-agent"
SEEDS = CHART / "ci" / "seeds-values.yaml"


@dataclass(frozen=True, slots=True)
class Site:
    """A release name and two namespaces of its own; the API server of a test session is shared."""

    helm: Path
    release: str
    home: str
    agent: str

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the cluster's network: directly when the tests run there themselves."""
        prefix = [] if "LAUNCH_AGENT_CLUSTER_SIZE" in os.environ else [str(ROOT / "ci" / "inside")]
        return subprocess.run([*prefix, *words], capture_output=True, text=True, timeout=90, check=False)

    def run(self, *words: str) -> str:
        done = self.command(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def chart(self, verb: str, *arguments: str, helm: Path | None = None) -> str:
        """`install` or `upgrade` with the seeds' values, the agent in a namespace of its own."""
        given = [
            "--values",
            str(SEEDS),
            "--set",
            f"namespace={self.agent}",
            "--set",
            f"additionalTargetNamespaces={{default,{self.agent}}}",
        ]
        words = [str(helm or self.helm), verb, self.release, str(CHART), "--namespace", self.home, *given, *arguments]
        return self.run(*words)

    def get(self, kind: str, name: str, namespace: str = "") -> Manifest:
        scope = ["--namespace", namespace] if namespace else []
        return dict(json.loads(self.run("kubectl", "get", kind, name, *scope, "--output", "json")))

    def exists(self, kind: str, name: str, namespace: str = "") -> bool:
        scope = ["--namespace", namespace] if namespace else []
        return self.run("kubectl", "get", kind, name, *scope, "--ignore-not-found", "--output", "name") != ""


@pytest.fixture
def site(helm: Path) -> Iterator[Site]:
    mark = uuid.uuid4().hex[:8]
    made = Site(helm, f"rel-{mark}", f"home-{mark}", f"agent-{mark}")
    made.run("kubectl", "create", "namespace", made.home)
    yield made
    made.command(str(helm), "uninstall", made.release, "--namespace", made.home)


def generation(site: Site) -> tuple[int, str]:
    deployment = site.get("deployment", f"launch-agent-{site.release}", site.agent)
    return deployment["metadata"]["generation"], json.dumps(deployment["spec"]["template"], sort_keys=True)


def test_the_documented_values_install_into_an_empty_cluster_and_upgrade_cleanly(site: Site) -> None:
    assert not site.exists("namespace", site.agent)
    notes = site.chart("install")
    assert f"deployment/launch-agent-{site.release}" in notes
    assert site.get("namespace", site.agent)["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    for namespace in ("default", site.agent):
        assert site.exists("secret", f"wandb-api-key-{site.release}", namespace)
        assert site.exists("rolebinding", f"wandb-launch-job-creator-binding-{site.release}", namespace)
    before = generation(site)
    site.chart("upgrade")
    assert generation(site) == before
    assert site.exists("namespace", site.agent)


def test_a_release_rolls_back_and_its_namespace_outlives_it_and_takes_it_again(site: Site) -> None:
    site.chart("install")
    site.chart("upgrade", "--set", "baseUrl=http://other.example.com")
    site.run(str(site.helm), "rollback", site.release, "1", "--namespace", site.home)
    config = site.get("configmap", f"wandb-launch-configmap-{site.release}", site.agent)
    assert config["data"]["wandb-base-url"] == "http://10.200.0.1:8081"
    site.run(str(site.helm), "uninstall", site.release, "--namespace", site.home)
    assert site.get("namespace", site.agent)["status"]["phase"] == "Active"
    assert not site.exists("secret", f"wandb-api-key-{site.release}", "default")
    site.chart("install")
    assert site.exists("deployment", f"launch-agent-{site.release}", site.agent)


def test_a_namespace_that_exists_is_neither_owned_nor_deleted(site: Site) -> None:
    site.run("kubectl", "create", "namespace", site.agent)
    untouched = site.get("namespace", site.agent)["metadata"]["resourceVersion"]
    site.chart("install")
    site.chart("upgrade")
    site.run(str(site.helm), "uninstall", site.release, "--namespace", site.home)
    assert site.get("namespace", site.agent)["metadata"]["resourceVersion"] == untouched


def test_without_the_right_to_make_it_a_missing_namespace_is_named(site: Site) -> None:
    words = ["install", site.release, str(CHART), "--namespace", site.home, "--values", str(SEEDS)]
    done = site.command(str(site.helm), *words, "--set", f"namespace={site.agent}", "--set", "createNamespaces=never")
    assert done.returncode != 0
    assert f'namespaces "{site.agent}" not found' in done.stderr


def test_a_release_of_the_other_helm_upgrades(site: Site) -> None:
    other = site.helm.with_name({"helm3": "helm4", "helm4": "helm3"}[site.helm.name])
    site.chart("install", helm=other)
    before = generation(site)
    site.chart("upgrade")
    assert generation(site) == before


def test_every_value_at_once_is_accepted_by_the_server(site: Site) -> None:
    words = [
        "--namespace",
        site.home,
        "--values",
        str(CHART / "ci" / "all-values.yaml"),
        "--set",
        f"namespace={site.agent}",
    ]
    more = ["--set", "podMonitor.enabled=false", "--set", f"additionalTargetNamespaces={{{site.home}}}"]
    site.run(str(site.helm), "install", site.release, str(CHART), *words, *more)
    before = generation(site)
    site.run(str(site.helm), "upgrade", site.release, str(CHART), *words, *more)
    assert generation(site) == before


def test_a_user_with_rights_in_one_namespace_only_can_install(site: Site) -> None:
    user = f"user-{site.release}"
    site.run(
        "kubectl",
        "create",
        "rolebinding",
        "owner",
        "--clusterrole",
        "cluster-admin",
        "--user",
        user,
        "--namespace",
        site.home,
    )
    least = ["--set", "agent.apiKey=0123456789abcdef", "--set", "launchConfig.queues={default}", "--set", "namespace="]
    words = ["--namespace", site.home, "--kube-as-user", user, *least, "--set", "additionalTargetNamespaces=null"]
    for verb in ("install", "upgrade"):
        site.run(str(site.helm), verb, site.release, str(CHART), *words)
    assert site.exists("deployment", f"launch-agent-{site.release}", site.home)


def test_the_pod_is_admitted_where_the_restricted_profile_is_enforced(
    site: Site, render: Callable[..., list[Manifest]]
) -> None:
    site.run("kubectl", "label", "namespace", site.home, "pod-security.kubernetes.io/enforce=restricted")
    (deployment,) = [item for item in render(CHART / "ci" / "all-values.yaml") if item["kind"] == "Deployment"]
    spec = {**deployment["spec"]["template"]["spec"], "serviceAccountName": "probe"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent", "namespace": site.home}, "spec": spec}
    site.run("kubectl", "create", "serviceaccount", "probe", "--namespace", site.home)
    done = subprocess.run(
        [
            *([] if "LAUNCH_AGENT_CLUSTER_SIZE" in os.environ else [str(ROOT / "ci" / "inside")]),
            "kubectl",
            "create",
            "--dry-run=server",
            "-f",
            "-",
        ],
        input=json.dumps(pod),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


ALLOWED = [
    "create jobs.batch",
    "delete jobs.batch",
    "watch pods",
    "get pods/log",
    "list events",
    "create secrets",
    "get secrets",
]
FORBIDDEN = [
    "list secrets",
    "watch secrets",
    "create pods",
    "delete pods",
    "create pods/exec",
    "update jobs.batch/status",
    "get nodes",
]
OWN = [
    "create configmaps",
    "patch configmaps",
    "create leases.coordination.k8s.io",
    "update leases.coordination.k8s.io",
]


def test_the_agents_account_may_do_what_it_needs_and_no_more(site: Site) -> None:
    site.chart("install")
    account = f"system:serviceaccount:{site.agent}:wandb-launch-serviceaccount-{site.release}"

    def may(what: str, namespace: str) -> bool:
        done = site.command("kubectl", "auth", "can-i", *what.split(), "--as", account, "--namespace", namespace)
        assert done.stdout.strip() in {"yes", "no"}, done.stderr
        return done.stdout.strip() == "yes"

    for namespace in ("default", site.agent):
        assert [what for what in ALLOWED if not may(what, namespace)] == []
        assert [what for what in FORBIDDEN if may(what, namespace)] == []
    assert [what for what in OWN if not may(what, site.agent)] == []
    assert [what for what in OWN if may(what, "default")] == []
    assert [what for what in [*ALLOWED, *OWN] if may(what, site.home)] == []


UPGRADES = [("helm3", "helm3"), ("helm3", "helm4"), ("helm4", "helm4")]
FLAGS = [[], ["--reuse-values"], ["--reset-then-reuse-values"]]


@pytest.mark.parametrize("flags", FLAGS, ids=lambda flags: " ".join(flags) or "values file")
def test_a_release_of_wandbs_shape_is_upgraded_in_place(site: Site, flags: list[str]) -> None:
    installers = [first for first, second in UPGRADES if second == site.helm.name]
    for installer in installers:
        release, agent = f"{site.release}-{installer}", f"{site.agent}-{installer}"
        old = Site(site.helm, release, site.home, agent)
        old.run("kubectl", "create", "namespace", agent)
        given = [
            "--values",
            str(SEEDS),
            "--set",
            f"namespace={agent}",
            "--set",
            f"additionalTargetNamespaces={{{site.home}}}",
        ]
        where = ["--namespace", site.home]
        shape = str(ROOT / "tests" / "chart" / "upstream-shape")
        old.run(str(site.helm.with_name(installer)), "install", release, shape, *where, *given)
        kept = {kind: old.get(kind, name, agent)["metadata"]["uid"] for kind, name in in_place(release).items()}
        old.run(str(site.helm), "upgrade", release, str(CHART), *where, *(flags or given))
        assert {kind: old.get(kind, name, agent)["metadata"]["uid"] for kind, name in in_place(release).items()} == kept
        assert old.exists("rolebinding", f"wandb-launch-job-creator-binding-{release}", site.home)
        assert not old.exists("clusterrole", f"wandb-job-creator-{release}")
        assert not old.exists("poddisruptionbudget", f"launch-agent-{release}", site.home)
        names = [one["name"] for one in containers(old)[0]["env"]]
        assert {"WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_RELEASE_NAME", "POD_NAME"} <= set(names)
        old.run(str(site.helm), "uninstall", release, *where)


def in_place(release: str) -> dict[str, str]:
    """What an upgrade must keep, by kind: another uid is another object."""
    return {
        "deployment": f"launch-agent-{release}",
        "secret": f"wandb-api-key-{release}",
        "configmap": f"wandb-launch-configmap-{release}",
        "serviceaccount": f"wandb-launch-serviceaccount-{release}",
        "role": f"wandb-launch-agent-{release}",
        "rolebinding": f"wandb-launch-role-binding-{release}",
    }


def containers(site: Site) -> list[Manifest]:
    deployment = site.get("deployment", f"launch-agent-{site.release}", site.agent)
    return list(deployment["spec"]["template"]["spec"]["containers"])
