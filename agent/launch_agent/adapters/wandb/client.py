"""W&B's GraphQL API over HTTP (protocol 3.1, 3.2). No repeats here: callers know what may be repeated."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from launch_agent import __version__
from launch_agent.adapters.http import NO_RETRIES, SOCKET_OPTIONS, accept_unverified, explain, read_wait
from launch_agent.adapters.wandb.operation import Operation, Result, combine, join_messages, read_errors, split
from launch_agent.errors import WandbDenied, WandbError, WandbRejected, WandbUnavailable

log = logging.getLogger(__name__)

LIMIT = 100
"""Operations in one document."""

FINAL = frozenset({400, 404, 409, 410, 413, 422, 501})
"""HTTP statuses that a repeat does not change (protocol 3.2)."""

OF_THE_DOCUMENT = frozenset({400, 413, 422})
"""Those of them by which a server refuses a document before any of it is carried out: a shorter one may pass."""

USER_AGENT = f"launch-agent/{__version__}"

_encode = json.JSONEncoder(separators=(",", ":")).encode


class _DocumentRefused(WandbRejected):
    """The document as a whole was refused and nothing of it carried out."""


class Client:
    """One server, one key."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        timeout: float = 19.0,
        ca_bundle: Path | None = None,
        verify_tls: bool = True,
        proxies: Mapping[str, str] | None = None,
        username: str = "",
        user_email: str = "",
        user_agent: str = USER_AGENT,
        pool_size: int = 8,
    ) -> None:
        self._url = base_url.rstrip("/") + "/graphql"
        self._host = urlsplit(base_url).netloc.rpartition("@")[2]
        token = base64.b64encode(f"api:{api_key}".encode()).decode()
        self._secrets = (api_key, token)
        self._headers = {
            "Authorization": f"Basic {token}",
            "Content-Type": "application/json",
            "User-Agent": user_agent,
            "Use-Admin-Privileges": "true",
            "X-WANDB-USERNAME": _header(username),
            "X-WANDB-USER-EMAIL": _header(user_email),
        }
        options: dict[str, Any] = {
            "maxsize": pool_size,
            "timeout": urllib3.Timeout(connect=min(10.0, timeout), read=timeout),
            "socket_options": SOCKET_OPTIONS,
            "ca_certs": str(ca_bundle) if ca_bundle else None,
        }
        if not verify_tls:  # WANDB_INSECURE_DISABLE_SSL: the owner's choice, warned of by the settings
            options["cert_reqs"] = "CERT_NONE"
            accept_unverified()
        self._http = _connect((proxies or {}).get(urlsplit(base_url).scheme), options)
        self._limit = LIMIT

    def execute(self, document: str, variables: Mapping[str, Any], *, operation_name: str = "") -> dict[str, Any]:
        """The answer's ``data`` and ``errors``. Raises WandbUnavailable, WandbDenied or WandbRejected."""
        body = _encode({"query": document, "variables": variables, "operationName": operation_name}).encode()
        try:
            response = self._http.urlopen(
                "POST", self._url, body=body, headers=self._headers, retries=NO_RETRIES, redirect=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise WandbUnavailable(f"{self._host} does not answer.", detail=f"({explain(error)})") from error
        return self._read(response)

    def _read(self, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        status = response.status
        try:
            answer = json.loads(response.data)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            answer = {}
        errors = [{**one, "message": self._mask(str(one.get("message") or ""))} for one in read_errors(answer)]
        if status == 200 and ("data" in answer or errors):
            return {**answer, "errors": errors} if errors else answer
        raise self._read_failure(status, join_messages(errors), response.headers)

    def _mask(self, text: str) -> str:
        """A server may quote what it was sent, the key included."""
        for secret in self._secrets:
            text = text.replace(secret, "[key]") if secret else text
        return text

    def _read_failure(self, status: int, text: str, headers: Mapping[str, str]) -> WandbError:
        if status in {401, 403}:
            return WandbDenied(
                f"{self._host} refuses the API key (HTTP {status}).",
                detail=text,
                resolution="Check that WANDB_API_KEY is a key of the server that WANDB_BASE_URL names.",
            )
        if status in FINAL:
            kind = _DocumentRefused if status in OF_THE_DOCUMENT else WandbRejected
            return kind(f"{self._host} refuses the request (HTTP {status}).", detail=text)
        if 300 <= status < 400:
            where = urlsplit(headers.get("Location") or "").netloc.rpartition("@")[2] or "another place"
            return WandbRejected(
                f"{self._host} sends its callers on to {where} (HTTP {status}).",
                resolution="Set WANDB_BASE_URL to the address at which W&B's API itself answers.",
            )
        detail = text or ("That is no answer of W&B's API; check WANDB_BASE_URL." if status == 200 else "")
        return WandbUnavailable(
            f"{self._host} answers with HTTP {status}.", detail=detail, retry_after=read_wait(headers)
        )

    def ask(self, operation: Operation) -> Any:
        """The value of one operation; raises its WandbError."""
        (result,) = self.run([operation])
        if result.error is not None:
            raise result.error
        return result.value

    def run(self, operations: Sequence[Operation]) -> list[Result]:
        """The result of each operation, in order. All must be of one kind.

        Up to 100 go in one document. A document that the server refuses as a whole is halved: an operation that is at
        fault ends up alone and fails alone; a server that takes short documents only is remembered as such.
        Raises WandbUnavailable or WandbDenied if the first document got no answer: what was done of it is not known.
        Where a later one gets none, that is the error of its operations and of all after them.
        """
        results: list[Result] = []
        size = self._limit
        has_culprit = False
        while len(results) < len(operations):
            chunk = operations[len(results) : len(results) + size]
            try:
                results.extend(self._run_chunk(chunk))
            except _DocumentRefused as error:
                if len(chunk) > 1:
                    size = len(chunk) // 2
                    continue
                results.append(Result(error=error))
                has_culprit, size = True, self._limit
            except (WandbUnavailable, WandbDenied) as error:
                if not results:
                    raise
                results.extend([Result(error=error)] * (len(operations) - len(results)))
        if size < self._limit and not has_culprit:
            log.warning("%s takes at most %d operations in one document; so it gets no more", self._host, size)
            self._limit = size
        return results

    def _run_chunk(self, chunk: Sequence[Operation]) -> list[Result]:
        document, variables = combine(chunk)
        try:
            answer = self.execute(document, variables)
        except _DocumentRefused:
            raise
        except WandbRejected as error:
            return [Result(error=error)] * len(chunk)
        errors = read_errors(answer)
        if errors and answer.get("data") is None and not any(one.get("path") for one in errors):
            raise _DocumentRefused(f"W&B refused {chunk[0].name}: {join_messages(errors)}")
        return split(answer, chunk)

    def close(self) -> None:
        """Close all connections."""
        self._http.clear()


def _header(text: str) -> str:
    """A header's value in one line, in UTF-8: `http.client` writes Latin-1."""
    return " ".join(text.split()).encode().decode("latin-1")


def _connect(proxy: str | None, options: Mapping[str, Any]) -> urllib3.PoolManager:
    """Connections, through the proxy if there is one; its name and password go to it alone."""
    if not proxy:
        return urllib3.PoolManager(**options)
    parts = urlsplit(proxy)
    headers = None
    if parts.username:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers = urllib3.make_headers(proxy_basic_auth=login)
    address = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    return urllib3.ProxyManager(address, proxy_headers=headers, **options)
