"""Servers that a test scripts, and clients of them; all are closed at its end."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import trustme

from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.adapters.kubernetes.client import Client
from tests.adapters.scripted import Script, ScriptedServer

Serve = Callable[..., ScriptedServer]
Connect = Callable[..., Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a scripted server."""
    with contextlib.ExitStack() as stack:

        def start(script: Script, context: ssl.SSLContext | None = None) -> ScriptedServer:
            server = ScriptedServer(script, context)
            stack.callback(server.close)
            return server

        yield start


@pytest.fixture
def connect(serve: Serve) -> Iterator[Connect]:
    """A Kubernetes client of a server, or of an access to one; after it, the server is closed."""
    with contextlib.ExitStack() as stack:

        def make(server: ScriptedServer, access: ClusterAccess | None = None, *, timeout: float = 5.0) -> Client:
            found = replace(access or ClusterAccess(""), server=(access and access.server) or server.url)
            client = Client(found, timeout=timeout)
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """A certificate authority."""
    return trustme.CA()


@pytest.fixture(scope="session")
def ca(authority: trustme.CA) -> str:
    """The authority's certificate, PEM."""
    return authority.cert_pem.bytes().decode()


@pytest.fixture(scope="session")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    """What a server on 127.0.0.1, also known as api.example, shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", "api.example").configure_cert(context)
    return context
