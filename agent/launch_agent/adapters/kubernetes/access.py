"""How to reach an API server: the pod's own account, or a kubeconfig (protocol 7.3.1)."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from launch_agent.errors import ConfigError

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REREAD = 60.0
"""Seconds after which a token file is read again: the kubelet renews it (BoundServiceAccountToken)."""


@dataclass(slots=True)
class Token:
    """A bearer token, from a file that changes or as it is."""

    text: str = field(default="", repr=False)
    file: Path | None = None
    read_at: float = 0.0

    def get(self, *, fresh: bool = False) -> str:
        """The token now; ``fresh`` reads the file again at once, as after a 401."""
        if self.file is not None and (fresh or time.monotonic() - self.read_at > REREAD or not self.text):
            self.text = self.file.read_text().strip()
            self.read_at = time.monotonic()
        return self.text


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """A server and what it wants to see. Certificates as PEM text."""

    server: str
    namespace: str = "default"
    ca: str = ""
    token: Token | None = None
    certificate: str = ""
    key: str = field(default="", repr=False)
    is_insecure: bool = False
    tls_name: str = ""


def in_cluster(environ: Mapping[str, str], root: Path = ACCOUNT) -> ClusterAccess | None:
    """The pod's own account, or None outside a cluster."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host or not (root / "token").exists():
        return None
    address = f"[{host}]" if ":" in host else host
    namespace = root / "namespace"
    return ClusterAccess(
        server=f"https://{address}:{port}",
        namespace=namespace.read_text().strip() if namespace.exists() else "default",
        ca=(root / "ca.crt").read_text(),
        token=Token(file=root / "token"),
    )


def from_kubeconfig(path: Path | None = None, context: str | None = None) -> ClusterAccess | None:
    """The context of a kubeconfig; None if no file was named and none is in its usual places.

    Raises ConfigError for a file that can not be used.
    """
    files = [path] if path else [Path(one) for one in os.environ.get("KUBECONFIG", "").split(":") if one]
    files = files or [Path.home() / ".kube" / "config"]
    found = [one for one in files if one.exists()]
    if not found:
        if path:
            raise ConfigError(f"The kubeconfig {path} does not exist.", resolution="Correct --kubeconfig.")
        return None
    merged = _merge(found)
    name = context or merged.get("current-context") or ""
    chosen = _find(merged, "contexts", name, "context", found[0])
    cluster = _find(merged, "clusters", chosen.get("cluster", ""), "cluster", found[0])
    user = _find(merged, "users", chosen.get("user", ""), "user", found[0])
    return _access(chosen, cluster, user, found[0])


def _merge(files: list[Path]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for path in files:
        try:
            content = yaml.safe_load(path.read_text()) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ConfigError(f"The kubeconfig {path} is no YAML.", detail=str(error).partition("\n")[0]) from error
        for key, value in content.items():
            if isinstance(value, list):
                merged.setdefault(key, []).extend(value)
            else:
                merged.setdefault(key, value)
    return merged


def _find(config: Mapping[str, Any], section: str, name: str, inner: str, path: Path) -> dict[str, Any]:
    for entry in config.get(section) or ():
        if entry.get("name") == name:
            return dict(entry.get(inner) or {})
    names = ", ".join(sorted(str(entry.get("name")) for entry in config.get(section) or ()))
    raise ConfigError(
        f"The kubeconfig {path} has no {inner} {name!r}.", detail=f"It has: {names or 'none'}.",
        resolution="Correct --context, or the file.",
    )  # fmt: skip


def _access(
    context: Mapping[str, Any], cluster: Mapping[str, Any], user: Mapping[str, Any], path: Path
) -> ClusterAccess:
    token = None
    certificate = _pem(user, "client-certificate", path)
    key = _pem(user, "client-key", path)
    if user.get("token"):
        token = Token(text=str(user["token"]))
    elif user.get("tokenFile"):
        token = Token(file=path.parent / str(user["tokenFile"]))
    elif user.get("exec") or user.get("auth-provider"):
        token = Token(text=_plugin_token(path))
    return ClusterAccess(
        server=str(cluster.get("server", "")).rstrip("/"),
        namespace=str(context.get("namespace") or "default"),
        ca=_pem(cluster, "certificate-authority", path),
        token=token,
        certificate=certificate,
        key=key,
        is_insecure=bool(cluster.get("insecure-skip-tls-verify")),
        tls_name=str(cluster.get("tls-server-name") or ""),
    )


def _pem(entry: Mapping[str, Any], name: str, path: Path) -> str:
    if entry.get(f"{name}-data"):
        return base64.b64decode(entry[f"{name}-data"]).decode()
    if entry.get(name):
        return (path.parent / str(entry[name])).read_text()
    return ""


def _plugin_token(path: Path) -> str:
    """A token from an exec or cloud plugin, by the official package: heavy, so only here."""
    try:
        from kubernetes.config import kube_config
    except ImportError as error:
        raise ConfigError(
            f"The kubeconfig {path} needs a credential plugin.",
            resolution="Install launch-agent[kubeconfig], or use a service account's token.",
        ) from error
    loader = kube_config.new_client_from_config(str(path)).configuration
    return str(loader.api_key.get("authorization", "")).removeprefix("Bearer ")
