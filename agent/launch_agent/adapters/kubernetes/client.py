"""The Kubernetes API: dictionaries in and out. No repeats and no meaning of objects here."""

from __future__ import annotations

import builtins
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
import urllib3

from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.adapters.kubernetes.answers import WHOLE, Kept, Shape, read_page
from launch_agent.adapters.kubernetes.transport import JSON, Body, Transport, read_object, refuse_answer
from launch_agent.core.models import Manifest
from launch_agent.errors import KubernetesConflict, KubernetesGone, KubernetesMissing

PLURALS = {
    ("v1", "ConfigMap"): "configmaps",
    ("v1", "Event"): "events",
    ("v1", "Namespace"): "namespaces",
    ("v1", "Pod"): "pods",
    ("v1", "Secret"): "secrets",
    ("v1", "Service"): "services",
    ("batch/v1", "Job"): "jobs",
    ("coordination.k8s.io/v1", "Lease"): "leases",
    ("networking.k8s.io/v1", "NetworkPolicy"): "networkpolicies",
}
"""Kinds that need no question; all others are discovered."""

METADATA_ONLY = f"application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,{JSON}"
"""What to accept where only name and uid are wanted: the answer holds the object's metadata alone."""

WARNING = re.compile(r'\d{3} \S+ "((?:[^"\\]|\\.)*)"')

Objects = list[dict[str, Any]]

MANAGER = "launch-agent"
LOG_FACTOR = 16
"""``limitBytes`` cuts the end off, which matters most: so many times more is asked for, and cut here."""


class Client:
    """One API server."""

    def __init__(self, access: ClusterAccess, *, timeout: float = 30.0, pool_size: int = 16) -> None:
        self._namespace = access.namespace
        self._transport = Transport(access, timeout=timeout, pool_size=pool_size)
        self._plurals = {key: (plural, key[1] != "Namespace") for key, plural in PLURALS.items()}

    @property
    def namespace(self) -> str:
        """The namespace of the pod, or of the kubeconfig's context."""
        return self._namespace

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._transport.close()

    # ── verbs ──

    def create(self, body: Manifest) -> dict[str, Any]:
        """Create an object; its metadata comes back. KubernetesConflict if the name is taken."""
        path = self.path(body["apiVersion"], body["kind"], body["metadata"].get("namespace", ""))
        return self.request("POST", f"{path}?fieldManager={MANAGER}", body=body, accept=METADATA_ONLY)

    def try_create(self, body: Manifest) -> tuple[str, ...]:
        """See whether an object would be created, with all that judges it; nothing is. The API server's warnings."""
        path = self.path(body["apiVersion"], body["kind"], body["metadata"].get("namespace", ""))
        response = self._transport.open("POST", f"{path}?dryRun=All&fieldManager={MANAGER}", body=body)
        return read_warnings(response.headers.getlist("Warning"))

    def may(self, namespace: str, verb: str, group: str, resource: str, *, name: str = "") -> bool:
        """Whether this account may do so. ``resource`` may be ``pods/log``; an empty namespace stands for all."""
        plain, _, subresource = resource.partition("/")
        asked = {"verb": verb, "group": group, "resource": plain, "subresource": subresource, "name": name}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"namespace": namespace, **asked}},
        }
        answer = self.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=body)
        return (answer.get("status") or {}).get("allowed") is True

    def get(self, api_version: str, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
        """An object whole, or None. KubernetesMissing if the cluster has no such kind."""
        path = self.path(api_version, kind, namespace, name)
        try:
            return self.request("GET", path)
        except KubernetesMissing:
            return None

    def list(
        self, api_version: str, kind: str, namespace: str, *, label_selector: str = "", limit: int = 500
    ) -> tuple[Objects, str]:
        """All objects without their managedFields, and the list's resource version; see `list_as`."""
        return self.list_as(WHOLE, api_version, kind, namespace, label_selector=label_selector, limit=limit)

    def list_as(
        self,
        shape: Shape[Kept],
        api_version: str,
        kind: str,
        namespace: str,
        *,
        label_selector: str = "",
        limit: int = 500,
    ) -> tuple[builtins.list[Kept], str]:
        """What ``shape`` keeps of all objects, and the list's resource version. One page at a time is held as it came.

        A list whose pages went out of date half-way (410) is asked for once more, in one piece.
        """
        path = self.path(api_version, kind, namespace)
        try:
            return self._gather(shape, path, label_selector, limit)
        except KubernetesGone:
            return self._gather(shape, path, label_selector, 0)

    def _gather(
        self, shape: Shape[Kept], path: str, label_selector: str, limit: int
    ) -> tuple[builtins.list[Kept], str]:
        found: builtins.list[Kept] = []
        keep, token = shape.make_keep(), ""
        while True:
            query: dict[str, str | int] = {"limit": limit, "labelSelector": label_selector, "continue": token}
            version, token = self._read_page(add_query(path, query), lambda raw: found.append(keep(shape.read(raw))))
            if not token:
                return found, version

    def _read_page(self, path: str, take: Callable[[msgspec.Raw], None]) -> tuple[str, str]:
        """Hand the objects of a page on, and drop it; the list's version, and the token of the next page."""
        response = self._transport.open("GET", path)
        try:
            page = read_page(response.data)
            for raw in page.items or ():
                take(raw)
        except (ValueError, RecursionError):
            raise refuse_answer("GET", path, response.status) from None
        return page.cursor.version, page.cursor.token

    def patch(
        self,
        api_version: str,
        kind: str,
        namespace: str,
        name: str,
        body: Body,
        *,
        content_type: str = "application/merge-patch+json",
    ) -> dict[str, Any]:
        """Change an object; its metadata comes back. KubernetesMissing if it is not there."""
        path = f"{self.path(api_version, kind, namespace, name)}?fieldManager={MANAGER}"
        return self.request("PATCH", path, body=body, content_type=content_type, accept=METADATA_ONLY)

    def delete(
        self, api_version: str, kind: str, namespace: str, name: str, *, propagation: str = "Background", uid: str = ""
    ) -> bool:
        """Delete an object and what it owns; false if it, or the one with that ``uid``, was not there."""
        path = self.path(api_version, kind, namespace, name)
        body: dict[str, Any] = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        if uid:
            body["preconditions"] = {"uid": uid}
        try:
            self.request("DELETE", path, body=body, accept=METADATA_ONLY)
        except KubernetesMissing:
            return False
        except KubernetesConflict:
            if uid:
                return False  # the name is another object's by now
            raise
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
        """The last lines of a container, at most ``limit_bytes`` of them."""
        query: dict[str, str | int] = {
            "tailLines": tail_lines,
            "limitBytes": limit_bytes * LOG_FACTOR,
            "container": container,
            "previous": "true" if previous else "",
        }
        path = add_query(f"{self.path('v1', 'Pod', namespace, pod)}/log", query)
        data = self._transport.open("GET", path, accept="*/*").data
        return data[-limit_bytes:].decode(errors="replace")

    def version(self) -> dict[str, Any]:
        """The server's version."""
        return self.request("GET", "/version")

    # ── requests ──

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> dict[str, Any]:
        """One request whose answer is a JSON object."""
        response = self._transport.open(method, path, body=body, content_type=content_type, accept=accept)
        return read_object(method, path, response)

    def stream(self, path: str, *, read_timeout: float) -> urllib3.BaseHTTPResponse:
        """An answer that goes on, not read yet. The caller closes it."""
        return self._transport.open("GET", path, stream=True, timeout=urllib3.Timeout(connect=10.0, read=read_timeout))

    def path(self, api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
        """The path of a kind's collection, or of one object in it. KubernetesMissing for an unknown kind."""
        root = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        plural, is_namespaced = self._plurals.get((api_version, kind)) or self._discover(root, api_version, kind)
        place = f"/namespaces/{quote(namespace, safe='')}" if namespace and is_namespaced else ""
        return f"{root}{place}/{plural}" + (f"/{quote(name, safe='')}" if name else "")

    def _discover(self, root: str, api_version: str, kind: str) -> tuple[str, bool]:
        """The plural of a kind and whether it has namespaces; asked of the API server until it knows the kind."""
        try:
            resources = self.request("GET", root).get("resources") or ()
        except KubernetesMissing:
            resources = ()
        for one in resources:
            if one.get("kind") == kind and "/" not in one.get("name", "/"):
                found = (str(one["name"]), bool(one.get("namespaced", True)))
                self._plurals[api_version, kind] = found
                return found
        raise KubernetesMissing(
            f"The cluster has no kind {kind} in {api_version}.",
            status=404,
            resolution="Install what defines it, or correct apiVersion and kind.",
        )


def read_warnings(headers: Iterable[str]) -> tuple[str, ...]:
    """The texts of ``Warning`` headers, such as ``299 - "unknown field"``; each once."""
    texts = (found[1] for header in headers for found in WARNING.finditer(header))
    return tuple(dict.fromkeys(re.sub(r"\\(.)", r"\1", text) for text in texts))


def add_query(path: str, query: Mapping[str, str | int]) -> str:
    """``path`` with those parameters that are not empty."""
    text = urlencode({key: value for key, value in query.items() if value})
    return f"{path}?{text}" if text else path
