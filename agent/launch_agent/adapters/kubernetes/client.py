"""The Kubernetes API: dictionaries in and out. No repeats and no meaning of objects here."""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import urllib3

from launch_agent import __version__
from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.core.models import Manifest
from launch_agent.errors import (
    KubernetesConflict,
    KubernetesDenied,
    KubernetesError,
    KubernetesGone,
    KubernetesInvalid,
    KubernetesMissing,
    KubernetesUnavailable,
)

PLURALS = {
    "ConfigMap": "configmaps",
    "Event": "events",
    "Job": "jobs",
    "Lease": "leases",
    "Namespace": "namespaces",
    "Pod": "pods",
    "Secret": "secrets",
    "Service": "services",
}
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"
"""What to accept where only name and uid are wanted: a tenth of the answer to read."""

MANAGER = "launch-agent"
VERBS = {"POST": "create", "GET": "get", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}


class Client:
    """One API server."""

    def __init__(self, access: ClusterAccess, *, timeout: float = 30.0, pool_size: int = 16) -> None:
        self._access = access
        self._headers = {"User-Agent": f"launch-agent/{__version__}", "Accept": "application/json"}
        parts = urlsplit(access.server)
        options: dict[str, Any] = {"maxsize": pool_size, "block": False, "retries": False}
        options["timeout"] = urllib3.Timeout(connect=10.0, read=timeout)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        if parts.scheme == "https":
            options["ssl_context"] = _context(access)
            if access.tls_name:
                options["server_hostname"] = options["assert_hostname"] = access.tls_name
            self._http: urllib3.HTTPConnectionPool = urllib3.HTTPSConnectionPool(host, port, **options)
        else:
            self._http = urllib3.HTTPConnectionPool(host, port, **options)
        self._plurals = dict(PLURALS)

    @property
    def namespace(self) -> str:
        """The namespace of the pod, or of the kubeconfig's context."""
        return self._access.namespace

    # ── verbs ──

    def create(self, body: Manifest) -> dict[str, Any]:
        """Create an object; its metadata comes back. KubernetesConflict if the name is taken."""
        path = self.path(body["apiVersion"], body["kind"], body["metadata"].get("namespace", ""))
        return self.request("POST", f"{path}?fieldManager={MANAGER}", body=body, accept=METADATA_ONLY)

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """An object whole, or None."""
        try:
            return self.request("GET", self.path(api_version, kind, namespace, name))
        except KubernetesMissing:
            return None

    def list(
        self, api_version: str, kind: str, namespace: str, *, label_selector: str = "", limit: int = 500
    ) -> tuple[list[dict[str, Any]], str]:
        """All objects, page by page, and the list's resource version."""
        items: list[dict[str, Any]] = []
        token = ""
        while True:
            query = {"limit": str(limit), "labelSelector": label_selector, "continue": token}
            text = urlencode({key: value for key, value in query.items() if value})
            page = self.request("GET", f"{self.path(api_version, kind, namespace)}?{text}")
            items.extend(page.get("items") or ())
            token = page["metadata"].get("continue") or ""
            if not token:
                return items, str(page["metadata"].get("resourceVersion", ""))

    def patch(
        self,
        api_version: str,
        kind: str,
        namespace: str,
        name: str,
        body: Mapping[str, Any],
        *,
        content_type: str = "application/merge-patch+json",
    ) -> dict[str, Any]:
        """Change an object; its metadata comes back. KubernetesMissing if it is not there."""
        path = f"{self.path(api_version, kind, namespace, name)}?fieldManager={MANAGER}"
        return self.request("PATCH", path, body=body, content_type=content_type, accept=METADATA_ONLY)

    def delete(
        self, api_version: str, kind: str, namespace: str, name: str, *, propagation: str = "Background", uid: str = ""
    ) -> bool:
        """Delete an object and what it owns; false if it (or the one with that uid) was not there."""
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            self.request("DELETE", self.path(api_version, kind, namespace, name), body=body)
        except (KubernetesMissing, KubernetesConflict):
            return False
        return True

    def logs(
        self,
        namespace: str,
        pod: str,
        *,
        container: str = "",
        tail_lines: int = 50,
        limit_bytes: int = 65_536,
        previous: bool = False,
    ) -> str:
        """The last lines of a container."""
        query = {"tailLines": str(tail_lines), "limitBytes": str(limit_bytes)}
        if container:
            query["container"] = container
        if previous:
            query["previous"] = "true"
        path = f"{self.path('v1', 'Pod', namespace, pod)}/log?{urlencode(query)}"
        response = self.open("GET", path, accept="*/*")
        return response.data.decode(errors="replace")

    def version(self) -> dict[str, Any]:
        """The server's version."""
        return self.request("GET", "/version")

    # ── transport ──

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> dict[str, Any]:
        """One request whose answer is a JSON object."""
        response = self.open(method, path, body=body, content_type=content_type, accept=accept)
        answer = json.loads(response.data)
        return answer if isinstance(answer, dict) else {}

    def open(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        stream: bool = False,
        timeout: urllib3.Timeout | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """One request; a token that was refused is read again once. Raises Kubernetes errors for all but 2xx."""
        data = json.dumps(body, separators=(",", ":")).encode() if body is not None else None
        for is_again in (False, True):
            headers = {**self._headers, "Accept": accept}
            if data is not None:
                headers["Content-Type"] = content_type
            token = self._access.token
            if token is not None:
                headers["Authorization"] = f"Bearer {token.get(fresh=is_again)}"
            options: dict[str, Any] = {"timeout": timeout} if timeout is not None else {}
            try:
                response = self._http.urlopen(
                    method, path, body=data, headers=headers, preload_content=not stream, **options
                )
            except urllib3.exceptions.HTTPError as error:
                raise KubernetesUnavailable(
                    f"The API server does not answer ({type(error).__name__}).", detail=_subject(method, path)
                ) from error
            if response.status == 401 and token is not None and token.file is not None and not is_again:
                response.drain_conn()
                continue
            break
        if response.status >= 300:
            raise _error(method, path, response)
        return response

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """The path of a kind's collection, or of one object in it."""
        root = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
        plural = self._plurals.get(kind) or self._discover(root, kind)
        place = f"/namespaces/{quote(namespace, safe='')}" if namespace and kind != "Namespace" else ""
        return f"{root}{place}/{plural}" + (f"/{quote(name, safe='')}" if name else "")

    def _discover(self, root: str, kind: str) -> str:
        """The plural of a kind, asked of the API server once."""
        for one in self.request("GET", root).get("resources") or ():
            if one.get("kind") == kind and "/" not in one.get("name", ""):
                self._plurals[kind] = str(one["name"])
                return self._plurals[kind]
        raise KubernetesMissing(f"The cluster has no kind {kind} in {root.rpartition('apis/')[2]}.", status=404)


def _context(access: ClusterAccess) -> ssl.SSLContext:
    """TLS from the access alone: no variable of the environment is heard (environment.md's trap)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if access.is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif access.ca:
        context.load_verify_locations(cadata=access.ca)
    else:
        context.load_default_certs()
    if access.certificate:
        with tempfile.TemporaryDirectory(prefix="launch-agent-") as folder:
            path = Path(folder) / "client.pem"
            path.touch(mode=0o600)
            path.write_text(f"{access.certificate}\n{access.key}\n")
            context.load_cert_chain(path)
    return context


def _error(method: str, path: str, response: urllib3.BaseHTTPResponse) -> KubernetesError:
    status = response.status
    try:
        answer = json.loads(response.data)
    except ValueError:
        answer = {}
    message = str(answer.get("message") or f"HTTP {status}") if isinstance(answer, dict) else f"HTTP {status}"
    reason = str(answer.get("reason") or "") if isinstance(answer, dict) else ""
    subject = _subject(method, path)
    options: dict[str, Any] = {"status": status, "reason": reason, "detail": message}
    match status:
        case 401 | 403:
            resolution = "Give the agent's service account this right, or use credentials that have it."
            return KubernetesDenied(f"The API server forbids: {subject}.", resolution=resolution, **options)
        case 404:
            return KubernetesMissing(f"Not found: {subject}.", **options)
        case 409:
            return KubernetesConflict(f"Conflict: {subject}.", **options)
        case 410:
            return KubernetesGone(f"Too old: {subject}.", **options)
        case 400 | 405 | 406 | 413 | 415 | 422:
            return KubernetesInvalid(f"The API server refuses: {subject}.", **options)
    error = KubernetesUnavailable(f"The API server answers with HTTP {status}: {subject}.", **options)
    after = response.headers.get("Retry-After")
    error.retry_after = float(after) if after and after.isdigit() else None
    return error


def _subject(method: str, path: str) -> str:
    """What was asked, in words: ``create jobs in namespace ml``."""
    parts = path.partition("?")[0].strip("/").split("/")
    if "namespaces" in parts and len(parts) > parts.index("namespaces") + 2:
        place = parts.index("namespaces")
        what = "/".join(parts[place + 2 :])
        return f"{VERBS.get(method, method)} {what} in namespace {parts[place + 1]}"
    return f"{VERBS.get(method, method)} {'/'.join(parts)}"
