"""Ways to the API with one face: over HTTP here, in this process on the database file in `local`."""

import argparse
import json
import os
import weakref
from collections.abc import Mapping
from typing import Any, Protocol

import urllib3

from launch_server.cli.reply import data_of
from launch_server.errors import UsageError
from launch_server.settings import default_database

Json = Any
_TIMEOUT = urllib3.Timeout(connect=5.0, read=30.0)


class Client(Protocol):
    """Answers GraphQL documents."""

    def execute(self, query: str, variables: Mapping[str, Json] | None = None) -> dict[str, Json]:
        """The reply's `data`.

        Raises:
            UsageError: the server cannot be reached, or answers with errors.

        """


class HttpClient:
    """A server over HTTP. Only reads are tried again when the connection fails: a push must not happen twice."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._headers = urllib3.make_headers(basic_auth=f"api:{key}") | {"Content-Type": "application/json"}
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT)
        # its connections are closed with it, not when the interpreter happens to
        weakref.finalize(self, self._pool.clear)

    def execute(self, query: str, variables: Mapping[str, Json] | None = None) -> dict[str, Json]:
        """The reply's `data`."""
        body = json.dumps({"query": query, "variables": dict(variables or {})}).encode()
        reads = query.lstrip().startswith("query")
        retries = urllib3.Retry(
            connect=3,
            read=3 if reads else 0,
            status=0,
            other=0,
            backoff_factor=0.2,
            backoff_jitter=0.2,
            allowed_methods=None,
        )
        try:
            reply = self._pool.request(
                "POST", f"{self._url}/graphql", body=body, headers=self._headers, retries=retries
            )
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise UsageError(
                f"the server at {self._url} cannot be reached: {_reason(error)}",
                "Is it running, and is WANDB_BASE_URL right?",
            ) from None
        try:
            parsed = json.loads(reply.data)
        except ValueError:
            raise UsageError(f"{self._url} answered HTTP {reply.status} without JSON: is it a queue server?") from None
        return data_of(parsed)


def _reason(error: Exception) -> str:
    inner = getattr(error, "reason", None) or error
    return str(inner).split(": ", 1)[-1][:200]


def connect(options: argparse.Namespace) -> Client:
    """The client that the options and the environment ask for.

    `--database` wins, then `--url`, then WANDB_BASE_URL, then the default database file.

    Raises:
        UsageError: a key is missing, or there is no server and no database.

    """
    if options.database:
        return _local(options.database)
    url = options.url or os.environ.get("WANDB_BASE_URL")
    if url:
        key = os.environ.get("WANDB_API_KEY", "").strip()
        if not key:
            raise UsageError(
                f"no API key for {url}", "Set WANDB_API_KEY, or give --database to work on the file itself."
            )
        return HttpClient(url, key)
    return _local(default_database())


def _local(url: str) -> Client:
    # only here: the database and the schema take most of a command's time to import
    from launch_server.cli.local import open_database

    return open_database(url)


def choose_entity(client: Client, options: argparse.Namespace) -> str:
    """The entity of `--entity`, WANDB_ENTITY, or the key owner's default one."""
    named = options.entity or os.environ.get("WANDB_ENTITY")
    if named:
        return str(named)
    viewer = client.execute("query GetDefaultEntity { viewer { id entity } }")["viewer"]
    return str(viewer["entity"])
