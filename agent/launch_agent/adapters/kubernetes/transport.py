"""Requests to one API server over kept connections, and its answers as errors of ours. No repeats here."""

from __future__ import annotations

import json
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

from launch_agent import __version__
from launch_agent.adapters.http import NO_RETRIES, SOCKET_OPTIONS, accept_unverified, explain, read_wait
from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.errors import (
    ConfigError,
    KubernetesConflict,
    KubernetesDenied,
    KubernetesError,
    KubernetesGone,
    KubernetesInvalid,
    KubernetesMissing,
    KubernetesUnavailable,
)

JSON = "application/json"
Body = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""What is sent: an object, or the operations of a JSON patch."""

CONNECT_TIMEOUT = 10.0
VERBS = {"POST": "create", "GET": "get", "PATCH": "patch", "DELETE": "delete", "PUT": "update"}

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Transport:
    """One API server's connections."""

    def __init__(self, access: ClusterAccess, *, timeout: float, pool_size: int) -> None:
        self._token = access.token
        self._agent = f"launch-agent/{__version__}"
        self._pool = _connect(access, urllib3.Timeout(connect=min(CONNECT_TIMEOUT, timeout), read=timeout), pool_size)

    def close(self) -> None:
        """Close all connections that are not in use."""
        self._pool.close()

    def open(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        content_type: str = JSON,
        accept: str = JSON,
        stream: bool = False,
        timeout: urllib3.Timeout | None = None,
    ) -> urllib3.BaseHTTPResponse:
        """One request; a token that was refused is read again once. Raises Kubernetes errors for all but 2xx."""
        data = _encode(body).encode() if body is not None else None
        headers = {"User-Agent": self._agent, "Accept": accept}
        if data is not None:
            headers["Content-Type"] = content_type
        options: dict[str, Any] = {"body": data, "headers": headers, "preload_content": not stream}
        if timeout is not None:
            options["timeout"] = timeout
        token = self._token
        if token is not None:
            headers["Authorization"] = f"Bearer {token.get()}"
        response = self._send(method, path, options)
        if response.status == 401 and token is not None and token.is_renewable:
            response.drain_conn()
            headers["Authorization"] = f"Bearer {token.get(fresh=True)}"
            response = self._send(method, path, options)
        if response.status >= 300:
            raise read_failure(method, path, response)
        return response

    def _send(self, method: str, path: str, options: Mapping[str, Any]) -> urllib3.BaseHTTPResponse:
        try:
            return self._pool.urlopen(method, path, retries=NO_RETRIES, redirect=False, **options)
        except urllib3.exceptions.HTTPError as error:
            unavailable = KubernetesUnavailable(
                f"The API server does not answer: {explain(error)}.", detail=f"({describe(method, path)})"
            )
            unavailable.may_be_done = not isinstance(error, _NEVER_SENT)
            raise unavailable from error


_NEVER_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
)
"""Errors before a request was on its way."""

_DONE_PERHAPS = frozenset({500, 502, 504})
"""Answers of a server, or of a proxy before it, that may have done what it was asked for."""


def read_object(method: str, path: str, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
    """The JSON object of an answer. KubernetesUnavailable for anything else, as a proxy in between may send it."""
    try:
        answer = json.loads(response.data)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise refuse_answer(method, path, response.status)
    return answer


def refuse_answer(method: str, path: str, status: int) -> KubernetesUnavailable:
    """The error for an answer that is nothing an API server says."""
    error = KubernetesUnavailable(
        f"What answers for the API server speaks no JSON: {describe(method, path)}.",
        status=status,
        resolution="Check the server's address, and what stands between.",
    )
    error.may_be_done = True
    return error


def read_failure(method: str, path: str, response: urllib3.BaseHTTPResponse) -> KubernetesError:
    """The error for an answer that is not 2xx; its detail is the server's own message."""
    status = response.status
    try:
        answer = json.loads(response.data)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        answer = {}
    subject = describe(method, path)
    options: dict[str, Any] = {
        "status": status,
        "reason": str(answer.get("reason") or ""),
        "detail": _sentence(str(answer.get("message") or f"HTTP {status}")),
    }
    match status:
        case 401:
            cure = "Check that the agent's service account exists, or renew the kubeconfig's credentials."
            return KubernetesDenied(f"The API server does not know who asks: {subject}.", resolution=cure, **options)
        case 403:
            cure = "Give the agent's service account this right, or use credentials that have it."
            return KubernetesDenied(f"The API server forbids: {subject}.", resolution=cure, **options)
        case 404:
            return KubernetesMissing(f"Not found: {subject}.", **options)
        case 409:
            return KubernetesConflict(f"Conflict: {subject}.", **options)
        case 410:
            return KubernetesGone(f"Too old: {subject}.", **options)
        case 400 | 405 | 406 | 413 | 415 | 422:
            return KubernetesInvalid(f"The API server refuses: {subject}.", **options)
    error = KubernetesUnavailable(f"The API server answers with HTTP {status}: {subject}.", **options)
    error.may_be_done = status in _DONE_PERHAPS
    error.retry_after = read_wait(response.headers)
    return error


def describe(method: str, path: str) -> str:
    """What was asked, in the words of RBAC: ``create jobs in namespace ml``, ``watch pods``."""
    place, _, query = path.partition("?")
    parts = place.strip("/").split("/")
    where = ""
    rest = parts[2:] if parts[0] == "api" else parts[3:]
    if len(rest) > 2 and rest[0] == "namespaces":
        where, rest = f" in namespace {rest[1]}", rest[2:]
    verb = VERBS.get(method, method)
    if method == "GET" and len(rest) == 1:
        verb = "watch" if "watch=true" in query else "list"
    return f"{verb} {'/'.join(rest or parts)}{where}"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _connect(access: ClusterAccess, timeout: urllib3.Timeout, pool_size: int) -> urllib3.HTTPConnectionPool:
    parts = urlsplit(access.server)
    options: dict[str, Any] = {
        "maxsize": pool_size,
        "block": False,
        "timeout": timeout,
        "socket_options": SOCKET_OPTIONS,
    }
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if parts.path.strip("/"):
        raise ConfigError(f"The API server's address {access.server} has a path, which this agent does not support.")
    if parts.scheme != "https":
        if access.proxy:
            raise ConfigError("A kubeconfig's proxy-url works with https:// servers only.")
        return urllib3.HTTPConnectionPool(host, port, **options)
    options["ssl_context"] = _context(access)
    if access.tls_name:
        options["server_hostname"] = options["assert_hostname"] = access.tls_name
    if access.proxy:
        pool: urllib3.HTTPConnectionPool = urllib3.ProxyManager(access.proxy, **options).connection_from_host(
            host, port, "https"
        )
        return pool
    return urllib3.HTTPSConnectionPool(host, port, **options)


def _context(access: ClusterAccess) -> ssl.SSLContext:
    """TLS from the access alone: no variable that names a bundle is heard (environment.md's trap)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if access.is_insecure:
            accept_unverified()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        elif access.ca:
            context.load_verify_locations(cadata=access.ca)
        else:
            context.load_default_certs()
        if access.certificate:
            _load_certificate(context, access)
    except ssl.SSLError as error:
        what = f"The certificates for the API server {access.server} can not be used"
        raise ConfigError(f"{what}: {error.reason or error}.") from error
    return context


def _load_certificate(context: ssl.SSLContext, access: ClusterAccess) -> None:
    """`ssl` takes a client's certificate from a file only."""
    with tempfile.TemporaryDirectory(prefix="launch-agent-") as folder:
        path = Path(folder) / "client.pem"
        path.touch(mode=0o600)
        path.write_text(f"{access.certificate}\n{access.key}\n")
        context.load_cert_chain(path)
