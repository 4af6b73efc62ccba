"""Kubeconfigs: several files as one, paths beside the file that names them, plugins by the official package."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from launch_agent.adapters.kubernetes.access import ClusterAccess, Token
from launch_agent.errors import ConfigError, KubernetesUnavailable

SECTIONS = {"contexts": "context", "clusters": "cluster", "users": "user"}
HERE = "\0folder"
"""Under this key each entry remembers the folder of its file."""

REFUSED = {
    "as": "acting as somebody else",
    "username": "a user name with a password (Kubernetes 1.19 took it away)",
}


def load(
    path: Path | None, context: str | None, *, environ: Mapping[str, str] | None, home: Path | None
) -> ClusterAccess | None:
    """See `access.from_kubeconfig`."""
    if path is not None and not path.exists():
        raise ConfigError(f"The kubeconfig {path} does not exist.", resolution="Correct --kubeconfig or KUBECONFIG.")
    files = [path] if path is not None else _find_files(os.environ if environ is None else environ, home)
    if not files:
        return None
    merged = _merge(files)
    where = os.pathsep.join(map(str, files))
    name = context or str(merged.get("current-context") or "")
    if not name:
        raise ConfigError(f"The kubeconfig {where} names no current context.", resolution="Name one by --context.")
    chosen = _find(merged, "contexts", name, where)
    cluster = _find(merged, "clusters", str(chosen.get("cluster", "")), where)
    user = _find(merged, "users", str(chosen["user"]), where) if chosen.get("user") else {}
    return _access(chosen, cluster, user, plugin=lambda: _Plugin(where, name))


def _find_files(environ: Mapping[str, str], home: Path | None) -> list[Path]:
    named = [Path(one) for one in environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    return [one for one in named or [(home or Path.home()) / ".kube" / "config"] if one.exists()]


def _merge(files: list[Path]) -> dict[str, Any]:
    """All files as one, as kubectl does: of two entries with one name the first counts."""
    merged: dict[str, Any] = {section: [] for section in SECTIONS}
    for path in files:
        content = _read(path)
        for section, inner in SECTIONS.items():
            for entry in content.get(section) or ():
                if not isinstance(entry, dict):
                    raise ConfigError(f"The kubeconfig {path} has something under {section} that is no object.")
                merged[section].append({**entry, inner: {**(entry.get(inner) or {}), HERE: path.parent}})
        merged["current-context"] = merged.get("current-context") or content.get("current-context")
    return merged


def _read(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"The kubeconfig {path} is no YAML.", detail=str(error).partition("\n")[0]) from error
    except OSError as error:
        raise ConfigError(f"The kubeconfig {path} can not be read: {error.strerror}.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"The kubeconfig {path} is no object but a {type(content).__name__}.")
    return content


def _find(merged: Mapping[str, Any], section: str, name: str, where: str) -> dict[str, Any]:
    inner = SECTIONS[section]
    for entry in merged[section]:
        if entry.get("name") == name:
            return dict(entry[inner])
    names = ", ".join(sorted(str(entry.get("name")) for entry in merged[section]))
    raise ConfigError(
        f"The kubeconfig {where} has no {inner} {name!r}.",
        detail=f"It has: {names or 'none'}.",
        resolution="Correct --context, or the file.",
    )


def _access(
    context: Mapping[str, Any], cluster: Mapping[str, Any], user: Mapping[str, Any], *, plugin: Callable[[], _Plugin]
) -> ClusterAccess:
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise ConfigError(f"The kubeconfig's server {server!r} is no address.", resolution="Write https://HOST:PORT.")
    for key, meaning in REFUSED.items():
        if user.get(key):
            raise ConfigError(f"The kubeconfig's user asks for {meaning}, which this agent does not do.")
    certificate, key = _pem(user, "client-certificate"), _pem(user, "client-key")
    token = _token(user)
    if token is None and not certificate and (user.get("exec") or user.get("auth-provider")):
        helper = plugin()
        token, certificate, key = helper.token, helper.certificate, helper.key
    return ClusterAccess(
        server=server,
        namespace=str(context.get("namespace") or "default"),
        ca=_pem(cluster, "certificate-authority"),
        token=token,
        certificate=certificate,
        key=key,
        is_insecure=bool(cluster.get("insecure-skip-tls-verify")),
        tls_name=str(cluster.get("tls-server-name") or ""),
        proxy=str(cluster.get("proxy-url") or ""),
    )


def _token(user: Mapping[str, Any]) -> Token | None:
    if user.get("tokenFile"):
        return Token(file=user[HERE] / str(user["tokenFile"]))
    return Token(text=str(user["token"])) if user.get("token") else None


def _pem(entry: Mapping[str, Any], name: str) -> str:
    data = entry.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise ConfigError(f"The kubeconfig's {name}-data is no base64 of PEM text.") from error
    if not entry.get(name):
        return ""
    path = entry[HERE] / str(entry[name])
    try:
        return Path(path).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"The kubeconfig's {name} {path} can not be read: {why}.") from error


class _Plugin:
    """A user whose credentials an exec or cloud plugin makes: asked through the official package, loaded only here."""

    def __init__(self, where: str, context: str) -> None:
        self._where = where
        self._context = context
        self._loaded = self._load()
        self.token = Token(plugin=self._renew) if self._bearer() else None
        self.certificate = self._text("cert_file")
        self.key = self._text("key_file")
        if self.token is None and not self.certificate:
            raise ConfigError(
                f"The credential plugin of the kubeconfig {where} gave neither a token nor a certificate.",
                resolution="The lines above say why; `kubectl get pods` with this file shows the same.",
            )

    def _load(self) -> Any:
        try:
            from kubernetes.client import Configuration
            from kubernetes.config import kube_config
        except ImportError as error:
            raise ConfigError(
                f"The kubeconfig {self._where} needs a credential plugin.",
                detail="That takes the kubernetes package, which is not installed.",
                resolution="Install launch-agent[kubeconfig], or use a service account's token.",
            ) from error
        loaded = Configuration()
        try:
            kube_config.load_kube_config(
                config_file=self._where,
                context=self._context,
                client_configuration=loaded,
                persist_config=False,
            )
        except (kube_config.ConfigException, OSError) as error:
            raise ConfigError(f"The credential plugin of the kubeconfig {self._where} failed: {error}") from error
        return loaded

    def _renew(self, fresh: bool) -> str:
        """The token; the package runs the plugin again by itself when the token's time is over."""
        if fresh:
            try:
                self._loaded = self._load()
            except ConfigError as error:  # it worked at the start, so it is worth another attempt
                raise KubernetesUnavailable(str(error)) from error
        return self._bearer()

    def _bearer(self) -> str:
        header = self._loaded.get_api_key_with_prefix("authorization") or ""
        return str(header).removeprefix("Bearer ")

    def _text(self, name: str) -> str:
        path = getattr(self._loaded, name, None)
        return Path(path).read_text() if path else ""
