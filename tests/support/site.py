"""A release of the chart on a live cluster, with namespaces of its own: Helm acts, the cluster is read."""

from __future__ import annotations

import base64
import json
import subprocess
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pykube import HTTPClient
from pytest_helm_charts.clusters import Cluster
from requests import Response

from tests.support.charts import CHART, ROOT, find_helm
from tests.support.waiting import wait_until

Json = dict[str, Any]
Run = subprocess.CompletedProcess[str]

UNCHECKED = "--disable-openapi-validation"
"""Helm's look at the API's schema takes two thirds of its time; what the server accepts is what counts here."""
CHECKED = f"{UNCHECKED}=false"
SHAPE = ROOT / "tests" / "chart" / "upstream-shape"
KEY = "0123456789abcdef0123456789abcdef01234567"
GROUPS = {
    "deployments": "apps/v1", "replicasets": "apps/v1", "jobs": "batch/v1", "leases": "coordination.k8s.io/v1",
    "poddisruptionbudgets": "policy/v1", "roles": "rbac.authorization.k8s.io/v1",
    "rolebindings": "rbac.authorization.k8s.io/v1", "clusterroles": "rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "rbac.authorization.k8s.io/v1", "networkpolicies": "networking.k8s.io/v1",
}  # fmt: skip
"""The API of each resource that tests name; all others are in v1."""
NOT_OURS = {"events", "pods", "replicasets", "controllerrevisions", "endpointslices", "endpoints"}
"""What controllers make and remove behind an object, some time later."""
GONE, NOT_YET = 404, 429


@dataclass(frozen=True, slots=True)
class Site:
    """A release name; the release's namespace, the agent's, and one that jobs are launched in."""

    cluster: Cluster
    helm: Path
    release: str
    home: str
    agent: str
    target: str
    made: list[str] = field(default_factory=list)

    @property
    def values(self) -> Json:
        """The least that installs, the agent in a namespace of its own."""
        return {
            "agent": {"apiKey": KEY, "image": "registry.example.com/launch-agent:1"},
            "namespace": self.agent,
            "additionalTargetNamespaces": [self.target],
            "baseUrl": "https://wandb.example.com",
            "launchConfig": "queues: [gpu]\n",
        }

    # ── Helm ──

    def attempt(
        self, verb: str, values: Json | None = None, *flags: str, chart: Path = CHART, helm: str | Path = ""
    ) -> Run:
        """Install, upgrade or template with exactly these values; with None without any."""
        binary = find_helm(helm) if helm and isinstance(helm, str) else helm or self.helm
        given = [] if values is None else ["--values", "-"]
        words = [str(binary), verb, self.release, str(chart), "--namespace", self.home, *given]
        words += [] if verb == "template" else [UNCHECKED]
        return run([*words, *flags], "" if values is None else json.dumps(values))

    def apply(
        self, verb: str, values: Json | None = None, *flags: str, chart: Path = CHART, helm: str | Path = ""
    ) -> str:
        """The same, and it must succeed; the notes."""
        done = self.attempt(verb, values, *flags, chart=chart, helm=helm)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refuse(self, verb: str, values: Json | None = None, *flags: str, helm: str | Path = "") -> str:
        """The same, and it must be refused; Helm's words."""
        done = self.attempt(verb, values, *flags, helm=helm)
        assert done.returncode != 0, done.stdout
        return done.stderr

    def manage(self, verb: str, *words: str, helm: str | Path = "") -> str:
        """`rollback`, `uninstall`, `test`, `status` …: verbs that take no chart."""
        binary = find_helm(helm) if helm and isinstance(helm, str) else helm or self.helm
        done = run([str(binary), verb, self.release, *words, "--namespace", self.home])
        assert done.returncode == 0, done.stderr
        return done.stdout

    # ── the cluster ──

    @property
    def api(self) -> HTTPClient:
        """The client of pytest-helm-charts, which does not take its certificates from the environment's variables."""
        client = self.cluster.kube_client
        client.session.trust_env = False
        return client

    def find(self, resource: str, name: str, namespace: str | None = None) -> Json | None:
        """One object; in the agent's namespace if no other is told, "" for those without namespace."""
        place = self.agent if namespace is None else namespace
        answer = self.api.get(version=GROUPS.get(resource, "v1"), namespace=place or None, url=f"{resource}/{name}")
        if answer.status_code == 404:
            return None
        answer.raise_for_status()
        return dict(answer.json())

    def get(self, resource: str, name: str, namespace: str | None = None) -> Json:
        """One object, which must exist."""
        found = self.find(resource, name, namespace)
        assert found is not None, f"no {resource} {name}"
        return found

    def list(self, resource: str, namespace: str | None = None, selector: str = "") -> list[Json]:
        """All objects of a resource in a namespace."""
        place = self.agent if namespace is None else namespace
        version = GROUPS.get(resource, "v1")
        answer = self.api.get(
            version=version, namespace=place or None, url=resource, params={"labelSelector": selector}
        )
        answer.raise_for_status()
        return list(answer.json()["items"])

    def create(self, resource: str, body: Json, namespace: str | None = None) -> Json:
        """Make an object as the cluster's administrator."""
        place = self.agent if namespace is None else namespace
        answer = self.api.post(
            version=GROUPS.get(resource, "v1"), namespace=place or None, url=resource, data=json.dumps(body)
        )
        assert answer.ok, answer.text
        return dict(answer.json())

    def remove(self, resource: str, name: str, namespace: str | None = None) -> None:
        """Start the end of an object; none there is no error."""
        place = self.agent if namespace is None else namespace
        self.api.delete(version=GROUPS.get(resource, "v1"), namespace=place or None, url=f"{resource}/{name}")

    def patch(self, resource: str, name: str, body: Json, namespace: str | None = None) -> None:
        """Merge into an object (RFC 7386) as the cluster's administrator."""
        place = self.agent if namespace is None else namespace
        answer = self.api.patch(
            version=GROUPS.get(resource, "v1"), namespace=place or None, url=f"{resource}/{name}",
            data=json.dumps(body), headers={"Content-Type": "application/merge-patch+json"},
        )  # fmt: skip
        assert answer.ok, answer.text

    def create_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """Make a namespace; the fixture ends it."""
        self.made.append(name)
        self.create("namespaces", {"metadata": {"name": name, "labels": labels or {}}}, "")

    def ensure_namespace(self, name: str) -> None:
        """Make a namespace that sites share, and leave it."""
        if self.find("namespaces", name, "") is None:
            self.create("namespaces", {"metadata": {"name": name}}, "")

    # ── what tests ask again and again ──

    @property
    def workload(self) -> str:
        """The Deployment's name, when the release's is short."""
        return f"launch-agent-{self.release}"

    def deployment(self) -> Json:
        """The agent's Deployment."""
        return self.get("deployments", self.workload)

    def template(self) -> Json:
        """The pod template: a change in it restarts the agent."""
        return dict(self.deployment()["spec"]["template"])

    def container(self) -> Json:
        """The agent's container."""
        (one,) = self.template()["spec"]["containers"]
        return dict(one)

    def variables(self) -> dict[str, object]:
        """What the agent's process gets: a value, or a reference; of several the last, and what envFrom adds."""
        container = self.container()
        found: dict[str, object] = {}
        for source in container.get("envFrom", []):
            found |= self.secret(source["secretRef"]["name"])
        return found | {one["name"]: one.get("value", one.get("valueFrom", "")) for one in container["env"]}

    def secret(self, name: str, namespace: str | None = None) -> dict[str, str]:
        """A Secret's data, decoded."""
        data = self.get("secrets", name, namespace).get("data") or {}
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def start_job(self) -> Json:
        """A job as an agent launches it: a Job in the target whose pod reads the release's key Secret."""
        key = {"secretKeyRef": {"name": f"wandb-api-key-{self.release}", "key": "password"}}
        container = {
            "name": "main",
            "image": "example.com/job:1",
            "env": [{"name": "WANDB_API_KEY", "valueFrom": key}],
        }
        spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}}
        return self.create("jobs", {"metadata": {"generateName": "launch-"}, "spec": spec}, self.target)

    def wait_for_pod(self) -> Json:
        """The agent's pod, once the controllers have made it; what hinders them fails the test."""

        def look() -> tuple[list[Json], list[str]]:
            faults = [event["message"] for event in self.list("events") if event["reason"] == "FailedCreate"]
            return self.list("pods", selector=f"app={self.workload}"), faults

        pods, faults = wait_until(look, 30, "the agent's pod", until=any)
        assert not faults
        return pods[0]

    def leftovers(self) -> set[str]:
        """Everything in the cluster, of every kind, that bears the release's name or Helm's mark of it."""
        names = set()
        for version, resource in _listable(self.api):
            items = _list_all(self.api, version, resource)
            names |= {f"{resource}/{one['metadata']['name']}" for one in items if self._is_of(one)}
        return names

    def _is_of(self, item: Json) -> bool:
        metadata = item["metadata"]
        marks = metadata.get("annotations", {})
        named = metadata.get("labels", {}).get("app.kubernetes.io/instance") == self.release
        helms = (marks.get("meta.helm.sh/release-name"), marks.get("meta.helm.sh/release-namespace"))
        return named or self.release in metadata["name"] or helms == (self.release, self.home)


def make_site(cluster: Cluster, helm: Path, release: str = "") -> Site:
    """A site with names that no other has; its release's and its target namespace exist, the agent's does not.

    ``{mark}`` in the release's name stands for eight characters that no other site has.
    """
    mark = uuid.uuid4().hex[:8]
    site = Site(
        cluster, helm, (release or "rel-{mark}").format(mark=mark), f"home-{mark}", f"agent-{mark}", f"target-{mark}"
    )
    site.create_namespace(site.home)
    site.create_namespace(site.target)
    return site


def close_site(site: Site) -> None:
    """Start the end of the site's namespaces, and remove what lies in none."""
    for name in {*site.made, site.agent}:
        site.remove("namespaces", name, "")
    for resource in ("clusterroles", "clusterrolebindings"):
        for one in site.list(resource, ""):
            if site.release in one["metadata"]["name"]:
                site.remove(resource, one["metadata"]["name"], "")


def _listable(api: HTTPClient) -> list[tuple[str, str]]:
    """API version and resource of everything that can be listed."""
    groups = api.get(base="/apis", version="").json()["groups"]
    versions = ["v1", *(group["preferredVersion"]["groupVersion"] for group in groups)]
    found = []
    for version in versions:
        for resource in _resources(api, version):
            if "list" in resource["verbs"] and resource["name"] not in NOT_OURS:
                found.append((version, resource["name"]))
    return found


def _resources(api: HTTPClient, version: str) -> list[Json]:
    """What an API version has; nothing, once another test has taken its kinds away."""
    answer = api.get(version=version)
    return [] if answer.status_code == GONE else _checked(answer).json()["resources"]


def _list_all(api: HTTPClient, version: str, resource: str) -> list[Json]:
    """The objects of a kind. A kind that another test makes just now says 429 for a moment; one taken away says 404."""
    answer = wait_until(
        lambda: api.get(version=version, url=resource),
        30,
        f"{resource} of {version} to be listed",
        until=lambda got: got.status_code != NOT_YET,
    )
    return [] if answer.status_code == GONE else _checked(answer).json()["items"]


def _checked(answer: Response) -> Response:
    answer.raise_for_status()
    return answer


def run(words: list[str], text: str = "") -> Run:
    """Run a command with `text` as its input."""
    return subprocess.run(words, input=text, capture_output=True, text=True, timeout=90, check=False)


SiteFactory = Callable[..., Site]
