"""W&B's GraphQL API over HTTP (protocol 3.1, 3.2). No repeats here: callers know what may be repeated."""

from __future__ import annotations

import base64
import json
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3

from launch_agent import __version__
from launch_agent.adapters.wandb.operation import Operation, Result, combine, split
from launch_agent.errors import WandbDenied, WandbRejected, WandbUnavailable

log = logging.getLogger(__name__)

LIMIT = 100
"""Operations in one document."""

FINAL = frozenset({400, 404, 409, 410, 413, 422, 501})
"""HTTP statuses that a repeat does not change (protocol 3.2)."""


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
        pool_size: int = 4,
    ) -> None:
        self._url = base_url.rstrip("/") + "/graphql"
        self._host = urlsplit(base_url).netloc
        token = base64.b64encode(f"api:{api_key}".encode()).decode()
        self._headers = {
            "Authorization": f"Basic {token}",
            "Content-Type": "application/json",
            "User-Agent": f"launch-agent/{__version__}",
            "Use-Admin-Privileges": "true",
            "X-WANDB-USERNAME": username,
            "X-WANDB-USER-EMAIL": user_email,
        }
        options: dict[str, Any] = {
            "maxsize": pool_size,
            "timeout": urllib3.Timeout(connect=min(10.0, timeout), read=timeout),
            "retries": False,
            "ca_certs": str(ca_bundle) if ca_bundle else None,
        }
        if not verify_tls:  # WANDB_INSECURE_DISABLE_SSL: the owner's choice, warned of by the settings
            options["cert_reqs"] = "CERT_NONE"
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
        proxy = (proxies or {}).get(urlsplit(base_url).scheme)
        self._http = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        self._is_single = False

    def execute(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The answer's ``data`` and ``errors``. Raises WandbUnavailable, WandbDenied or WandbRejected."""
        body = json.dumps({"query": document, "variables": variables, "operationName": ""}).encode()
        try:
            response = self._http.request("POST", self._url, body=body, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise WandbUnavailable(f"{self._host} does not answer.", detail=f"({type(error).__name__})") from error
        return self._read(response)

    def _read(self, response: urllib3.BaseHTTPResponse) -> dict[str, Any]:
        status = response.status
        try:
            answer = json.loads(response.data)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            answer = {}
        text = "; ".join(str(one.get("message")) for one in answer.get("errors") or () if isinstance(one, dict))
        if status in {401, 403}:
            raise WandbDenied(
                f"{self._host} refuses the API key (HTTP {status}).",
                detail=text,
                resolution="Check that WANDB_API_KEY is a key of the server that WANDB_BASE_URL names.",
            )
        if status == 200 and ("data" in answer or "errors" in answer):
            return answer
        if status in FINAL:
            raise WandbRejected(f"{self._host} refuses the request (HTTP {status}).", detail=text)
        raise WandbUnavailable(
            f"{self._host} answers with HTTP {status}.",
            detail=text,
            retry_after=_seconds(response.headers.get("Retry-After")),
        )

    def run(self, operations: Sequence[Operation]) -> list[Result]:
        """The result of each operation, in order. All must be of one kind.

        Up to 100 go in one document; one by one where the server refuses documents of many.
        Raises WandbUnavailable or WandbDenied if a document got no answer: what was done of it is not known.
        """
        results: list[Result] = []
        step = 1 if self._is_single else LIMIT
        for start in range(0, len(operations), step):
            chunk = operations[start : start + step]
            results.extend(self._run_chunk(chunk))
        return results

    def _run_chunk(self, chunk: Sequence[Operation]) -> list[Result]:
        document, variables = combine(chunk)
        try:
            return split(self.execute(document, variables), chunk)
        except WandbRejected as error:
            if len(chunk) == 1:
                return [Result(error=error)]
            log.warning("W&B refuses documents with several operations; they go one by one from now on: %s", error)
            self._is_single = True
            return self.run(chunk)

    def close(self) -> None:
        """Close all connections."""
        self._http.clear()


def _seconds(text: str | None) -> float | None:
    return min(float(text), 300.0) if text and text.isdigit() else None
