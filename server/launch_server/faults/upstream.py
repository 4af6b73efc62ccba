"""Where the reverse proxy sends requests to: an address, or the server and credentials of a kubeconfig."""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from launch_server.cli.output import read_object
from launch_server.errors import UsageError

Json = Any


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server. `token`, `certificate` and `key` (PEM) are whose identity the proxy lends; `context`: its TLS."""

    url: str
    ca: str = ""
    is_insecure: bool = False
    certificate: str = ""
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    token_file: str = ""
    namespace: str = "default"

    def make_context(self, *, with_certificate: bool) -> ssl.SSLContext:
        """TLS towards it. UsageError if a certificate can not be used."""
        context = ssl.create_default_context()
        try:
            if self.ca:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.load_verify_locations(cadata=self.ca)
            if self.is_insecure:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if with_certificate and self.certificate:
                _load_pair(context, f"{self.certificate}\n{self.key}\n")
        except (ssl.SSLError, OSError) as error:
            raise UsageError(f"the certificates for {self.url} cannot be used: {error}") from None
        return context

    def read_token(self) -> str:
        """The token now; a file is read each time, since it is renewed."""
        if not self.token_file:
            return self.token
        try:
            return Path(self.token_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return self.token


def _load_pair(context: ssl.SSLContext, pem: str) -> None:
    """`ssl` takes a client's certificate from a file only."""
    with tempfile.TemporaryDirectory(prefix="launch-server-") as folder:
        path = Path(folder) / "client.pem"
        path.touch(mode=0o600)
        path.write_text(pem)
        context.load_cert_chain(path)


def read_url(text: str) -> Upstream:
    """The server at an address.

    Raises:
        UsageError: it is none.

    """
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise UsageError(f"--upstream {text!r} is no address", "For example https://api.wandb.ai.")
    return Upstream(text.rstrip("/"))


def read_kubeconfig(path: str, context: str | None = None) -> Upstream:
    """The server of a kubeconfig's context, with a certificate or a token.

    Raises:
        UsageError: what is wrong, with its key.

    """
    config = read_object(path, "--kubeconfig")
    name = context or config.get("current-context")
    if not name:
        raise UsageError(f"--kubeconfig {path} has no current-context", "Name one by --context.")
    chosen = _entry(config, path, "contexts", "context", str(name))
    cluster = _entry(config, path, "clusters", "cluster", str(chosen.get("cluster", "")))
    user = _entry(config, path, "users", "user", str(chosen.get("user", ""))) if chosen.get("user") else {}
    if plugin := next((key for key in ("exec", "auth-provider") if key in user), None):
        raise UsageError(
            f"--kubeconfig {path}: users[{chosen['user']}].{plugin} is not supported by this proxy",
            "Give a kubeconfig with a token or a certificate (`kubectl create token` makes one).",
        )
    server = str(cluster.get("server", ""))
    if urlsplit(server).scheme not in {"http", "https"}:
        raise UsageError(f"--kubeconfig {path}: clusters[{chosen['cluster']}].server {server!r} is no address")
    folder = Path(path).parent
    return Upstream(
        server.rstrip("/"),
        ca=_data(cluster, "certificate-authority", folder),
        is_insecure=cluster.get("insecure-skip-tls-verify") is True,
        certificate=_data(user, "client-certificate", folder),
        key=_data(user, "client-key", folder),
        token=str(user.get("token") or ""),
        token_file=str(folder / user["tokenFile"]) if user.get("tokenFile") else "",
        namespace=str(chosen.get("namespace") or "default"),
    )


def _entry(config: Mapping[str, Json], path: str, plural: str, key: str, name: str) -> dict[str, Json]:
    listed = config.get(plural)
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("name") == name and isinstance(one.get(key), dict):
            found: dict[str, Json] = one[key]
            return found
    raise UsageError(f"--kubeconfig {path} has no {key} {name!r} in {plural}")


def _data(entry: Mapping[str, Json], key: str, folder: Path) -> str:
    """PEM text of `KEY-data`, or of the file that `KEY` names."""
    try:
        if entry.get(f"{key}-data"):
            return base64.b64decode(str(entry[f"{key}-data"]), validate=True).decode()
        return (folder / str(entry[key])).read_text() if entry.get(key) else ""
    except (binascii.Error, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the kubeconfig's {key} cannot be read: {error}") from None


def write_kubeconfig(path: str, url: str, ca: str, token: str, namespace: str) -> None:
    """A kubeconfig (mode 0600) that points to the proxy.

    Raises:
        UsageError: it cannot be written.

    """
    cluster = {"server": url, "certificate-authority-data": base64.b64encode(ca.encode()).decode()}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "faults",
        "clusters": [{"name": "faults", "cluster": cluster}],
        "users": [{"name": "faults", "user": {"token": token}}],
        "contexts": [{"name": "faults", "context": {"cluster": "faults", "user": "faults", "namespace": namespace}}],
    }
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as sink:
            os.fchmod(handle, 0o600)  # one that was there keeps its mode otherwise
            yaml.safe_dump(config, sink, sort_keys=False)
    except OSError as error:
        raise UsageError(f"--write-kubeconfig {path} cannot be written: {error.strerror}") from None
