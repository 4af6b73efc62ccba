"""A Kubernetes client for tests: plain HTTP with a kubeconfig's certificates, no code of the agent's."""

from __future__ import annotations

import base64
import os
import ssl
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support import custom_kinds
from tests.support.waiting import wait_until

Json = dict[str, Any]

PATHS = {
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps",
    "ResourceQuota": "/api/v1/namespaces/{namespace}/resourcequotas",
    "Secret": "/api/v1/namespaces/{namespace}/secrets",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "Event": "/api/v1/namespaces/{namespace}/events",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments",
    "Lease": "/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases",
    "Service": "/api/v1/namespaces/{namespace}/services",
    "Namespace": "/api/v1/namespaces",
    "ValidatingAdmissionPolicy": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    **custom_kinds.PATHS,
}
NAMESPACES = "/api/v1/namespaces"


class Cluster:
    """Reads and changes objects as the administrator of the cluster that ``KUBECONFIG`` names."""

    def __init__(self, scratch: Path, kubeconfig: Path | None = None) -> None:
        path = kubeconfig or Path(os.environ["KUBECONFIG"].split(os.pathsep)[0])
        server, context = _read_access(path, scratch)
        self._http = httpx.Client(base_url=server, verify=context, timeout=30.0, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def post(self, path: str, body: Json) -> None:
        """Make an object at a path."""
        answer = self._http.post(path, json=body)
        assert answer.is_success, answer.text

    def delete_path(self, path: str) -> None:
        """Delete what is at a path; none there is no error."""
        answer = self._http.delete(path)
        assert answer.is_success or answer.status_code == 404, answer.text

    def is_ready(self) -> bool:
        """Whether the API server answers that it is."""
        try:
            return self._http.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def create_namespace(self, name: str, labels: dict[str, str] | None = None) -> None:
        """Make a namespace."""
        body = {"metadata": {"name": name, "labels": labels or {}}}
        self._http.post(NAMESPACES, json=body).raise_for_status()

    def delete_namespace(self, name: str) -> None:
        """Start the end of a namespace and of all in it; none there is no error."""
        self._http.delete(f"{NAMESPACES}/{name}")

    def create(self, kind: str, namespace: str, body: Json) -> Json:
        """Make an object."""
        answer = self._http.post(PATHS[kind].format(namespace=namespace), json=body)
        assert answer.is_success, answer.text
        made: Json = answer.json()
        return made

    def ensure(self, kind: str, namespace: str, body: Json) -> None:
        """Make an object; one that is there, made by another test at the same time perhaps, stays."""
        answer = self._http.post(PATHS[kind].format(namespace=namespace), json=body)
        assert answer.is_success or answer.status_code == 409, answer.text

    def serves(self, kind: str) -> bool:
        """Whether the API server knows the kind by now."""
        return self._http.get(PATHS[kind].format(namespace="default")).is_success

    def try_create(self, kind: str, namespace: str, body: Json) -> httpx.Response:
        """What the API server says to an object; nothing is made."""
        return self._http.post(PATHS[kind].format(namespace=namespace), params={"dryRun": "All"}, json=body)

    def find(self, kind: str, namespace: str, selector: str = "") -> list[Json]:
        """All objects of a kind in a namespace."""
        answer = self._http.get(PATHS[kind].format(namespace=namespace), params={"labelSelector": selector})
        assert answer.is_success, answer.text
        items: list[Json] = answer.json()["items"]
        return items

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        """One object, None where there is none."""
        answer = self._http.get(f"{PATHS[kind].format(namespace=namespace)}/{name}")
        if answer.status_code == 404:
            return None
        assert answer.is_success, answer.text
        found: Json = answer.json()
        return found

    def patch(self, kind: str, namespace: str, name: str, body: Json, *, subresource: str = "") -> None:
        """Merge ``body`` into the object (an RFC 7386 merge patch)."""
        path = f"{PATHS[kind].format(namespace=namespace)}/{name}"
        answer = self._http.patch(
            f"{path}/{subresource}" if subresource else path,
            json=body,
            headers={"Content-Type": "application/merge-patch+json"},
        )
        assert answer.is_success, answer.text

    def enforce_quota(self, namespace: str, hard: dict[str, str]) -> None:
        """Make a quota called ``none``, and wait until it holds: before it is counted, the API server lets all pass."""
        self.create("ResourceQuota", namespace, {"metadata": {"name": "none"}, "spec": {"hard": hard}})

        def is_counted() -> bool:
            quota = self.get("ResourceQuota", namespace, "none") or {}
            return (quota.get("status") or {}).get("hard") == hard

        wait_until(is_counted, 30, "the quota to be counted")

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete one object; what it owns goes after it."""
        answer = self._http.delete(f"{PATHS[kind].format(namespace=namespace)}/{name}")
        assert answer.is_success, answer.text

    def logs(self, namespace: str, pod: str) -> str:
        """What the pod has written."""
        answer = self._http.get(f"{PATHS['Pod'].format(namespace=namespace)}/{pod}/log")
        assert answer.is_success, answer.text
        return answer.text

    # ── what tests ask again and again ──

    def jobs(self, namespace: str) -> list[Json]:
        """The Jobs of a namespace, those being deleted left out."""
        return [job for job in self.find("Job", namespace) if not job["metadata"].get("deletionTimestamp")]

    def pods(self, namespace: str, job: str = "") -> list[Json]:
        """The pods of a namespace, or of one Job in it."""
        return self.find("Pod", namespace, f"job-name={job}" if job else "")

    def end_pod(self, namespace: str, pod: str, exit_code: int) -> None:
        """Let a simulated pod end (ci/manifests/kwok-stages.yaml)."""
        annotations = {"sim.launch-agent/exit-code": str(exit_code)}
        self.patch("Pod", namespace, pod, {"metadata": {"annotations": annotations}})

    def end_evicted(self, namespace: str, pod: str) -> None:
        """Tell that a simulated pod that was evicted has ended, as a kubelet does.

        Without that a Job with a podFailurePolicy waits for ever.
        """
        if self.get("Pod", namespace, pod) is not None:
            self.patch("Pod", namespace, pod, {"status": {"phase": "Failed"}}, subresource="status")


def is_over(job: Json) -> bool:
    """Whether a Job is complete or failed, by its conditions."""
    conditions = (job.get("status") or {}).get("conditions") or []
    return any(one["type"] in {"Complete", "Failed"} and one["status"] == "True" for one in conditions)


def environment_of(job: Json, container: int = 0) -> dict[str, Any]:
    """The environment of a Job's container: values, or ``valueFrom`` where there is none."""
    entries = job["spec"]["template"]["spec"]["containers"][container]["env"]
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}


def _read_access(path: Path, scratch: Path) -> tuple[str, ssl.SSLContext]:
    """The server's address and a TLS context; the certificates go through files, as `ssl` wants them."""
    config = yaml.safe_load(path.read_text())
    current = _named(config["contexts"], config["current-context"])["context"]
    cluster = _named(config["clusters"], current["cluster"])["cluster"]
    user = _named(config["users"], current["user"])["user"]
    context = ssl.create_default_context(cadata=_decode(cluster, "certificate-authority").decode())
    pair = scratch / "kubernetes-client.pem"
    pair.touch(mode=0o600)
    pair.write_bytes(_decode(user, "client-certificate") + b"\n" + _decode(user, "client-key"))
    context.load_cert_chain(pair)
    return cluster["server"], context


def _named(entries: list[Json], name: str) -> Json:
    return next(entry for entry in entries if entry["name"] == name)


def _decode(entry: Json, key: str) -> bytes:
    inline = entry.get(f"{key}-data")
    return base64.b64decode(inline) if inline else Path(entry[key]).read_bytes()
