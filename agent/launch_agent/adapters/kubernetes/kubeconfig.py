"""Kubeconfigs: several files as one, paths beside the file that names them, plugins by the official package."""

from __future__ import annotations

import base64
import binascii
import difflib
import os
import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from launch_agent.adapters.kubernetes.access import ClusterAccess, Token
from launch_agent.errors import ConfigError, KubernetesUnavailable

SECTIONS = {"contexts": "context", "clusters": "cluster", "users": "user"}
HERE = "\0folder"
"""Under this key each entry remembers the folder of its file."""

PLUGIN_TIMEOUT = 30.0
"""Seconds that a credential plugin may take."""

FEW = 8
"""So many names are told whole."""

REFUSED = {
    "as": "acting as somebody else",
    "username": "a user name with a password (Kubernetes 1.19 took it away)",
}


@dataclass(frozen=True, slots=True)
class Wording:
    """What to correct where a file or a context can not be used."""

    file: str = "Correct --kubeconfig or KUBECONFIG."
    context: str = "Correct --context, or the file."
    missing: str = "Name one by --context."


FLAGS = Wording()


@dataclass(frozen=True, slots=True)
class Chosen:
    """One context of the merged files, not yet turned into an access: no plugin was asked."""

    where: str
    name: str
    context: Mapping[str, Any]
    cluster: Mapping[str, Any]
    user: Mapping[str, Any]

    @property
    def namespace(self) -> str:
        """The context's namespace."""
        return str(self.context.get("namespace") or "default")


def find_files(
    paths: Sequence[Path], *, environ: Mapping[str, str], home: Path | None = None, wording: Wording = FLAGS
) -> list[Path]:
    """Those files of ``paths``, of KUBECONFIG's list or of ``~/.kube/config`` that are there, as kubectl takes them.

    Empty where none was named and the usual places have none. Raises ConfigError if all that were named are missing.
    """
    listed = [Path(one) for one in environ.get("KUBECONFIG", "").split(os.pathsep) if one]
    named = list(paths) or listed
    try:
        found = [one for one in named or [(home or Path.home()) / ".kube" / "config"] if one.exists()]
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"The kubeconfig {_show(named)} can not be read: {why}.", resolution=wording.file) from error
    if paths and not found:
        raise ConfigError(f"The kubeconfig {_show(paths)} does not exist.", resolution=wording.file)
    return found


def choose(files: Sequence[Path], context: str | None, wording: Wording = FLAGS) -> Chosen:
    """The context of that name, or the current one. Raises ConfigError for files and contexts that can not be used."""
    merged = _merge(files)
    where = _show(files)
    name = context or str(merged.get("current-context") or "")
    if not name:
        raise ConfigError(f"The kubeconfig {where} names no current context.", resolution=wording.missing)
    chosen = _find(merged, "contexts", name, where, wording)
    cluster = _find(merged, "clusters", str(chosen.get("cluster", "")), where, wording)
    user = _find(merged, "users", str(chosen["user"]), where, wording) if chosen.get("user") else {}
    return Chosen(where, name, chosen, cluster, user)


def load(
    files: Sequence[Path], context: str | None, wording: Wording = FLAGS, *, plugin_timeout: float = PLUGIN_TIMEOUT
) -> ClusterAccess:
    """How to reach the server of a context; a plugin that it names is asked. Raises ConfigError as `choose`."""
    chosen = choose(files, context, wording)
    return _access(
        chosen,
        plugin=lambda: _Plugin(chosen.where, chosen.name, plugin_timeout),
        reread=lambda: _reread(files, chosen.name),
    )


def _show(files: Sequence[Path]) -> str:
    return os.pathsep.join(map(str, files))


def _merge(files: Sequence[Path]) -> dict[str, Any]:
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


def _find(merged: Mapping[str, Any], section: str, name: str, where: str, wording: Wording) -> dict[str, Any]:
    inner = SECTIONS[section]
    for entry in merged[section]:
        if entry.get("name") == name:
            return dict(entry[inner])
    raise ConfigError(
        f"The kubeconfig {where} has no {inner} {name!r}.",
        detail=_describe_names([str(entry.get("name")) for entry in merged[section]], name),
        resolution=wording.context,
    )


def _describe_names(names: Sequence[str], wanted: str) -> str:
    """All of a few, the near ones of many."""
    if len(names) <= FEW:
        return f"It has: {', '.join(sorted(names)) or 'none'}."
    near = difflib.get_close_matches(wanted, names, n=3)
    return f"It has {len(names)}; near it: {', '.join(near)}." if near else f"It has {len(names)}, none near it."


def _reread(files: Sequence[Path], context: str) -> str:
    """The token that the files hold now, as somebody may have renewed them; empty where that can not be told."""
    try:
        return str(choose(files, context).user.get("token") or "")
    except ConfigError:
        return ""


def _access(chosen: Chosen, *, plugin: Callable[[], _Plugin], reread: Callable[[], str]) -> ClusterAccess:
    cluster, user = chosen.cluster, chosen.user
    server = str(cluster.get("server") or "").rstrip("/")
    if not server.startswith(("https://", "http://")):
        raise ConfigError(f"The kubeconfig's server {server!r} is no address.", resolution="Write https://HOST:PORT.")
    for key, meaning in REFUSED.items():
        if user.get(key):
            raise ConfigError(f"The kubeconfig's user asks for {meaning}, which this agent does not do.")
    certificate, key = _pem(user, "client-certificate"), _pem(user, "client-key")
    token = _token(user, reread)
    if token is None and not certificate and (user.get("exec") or user.get("auth-provider")):
        helper = plugin()
        token, certificate, key = helper.token, helper.certificate, helper.key
    return ClusterAccess(
        server=server,
        namespace=chosen.namespace,
        ca=_pem(cluster, "certificate-authority"),
        token=token,
        certificate=certificate,
        key=key,
        is_insecure=bool(cluster.get("insecure-skip-tls-verify")),
        tls_name=str(cluster.get("tls-server-name") or ""),
        proxy=str(cluster.get("proxy-url") or ""),
    )


def _token(user: Mapping[str, Any], reread: Callable[[], str]) -> Token | None:
    if user.get("tokenFile"):
        return Token(file=user[HERE] / str(user["tokenFile"]))
    if not user.get("token"):
        return None
    return Token(text=str(user["token"]), plugin=lambda fresh: reread() if fresh else "")


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


T = TypeVar("T")


class _Plugin:
    """A user whose credentials an exec or cloud plugin makes: asked through the official package, loaded only here."""

    def __init__(self, where: str, context: str, timeout: float) -> None:
        self._timeout = timeout
        self._where = where
        self._context = context
        self._lock = threading.Lock()
        self._loaded = self._limit(self._load)
        self.token = Token(plugin=self._renew) if self._bearer() else None
        self.certificate = self._text("cert_file")
        self.key = self._text("key_file")
        if self.token is None and not self.certificate:
            raise ConfigError(
                f"The credential plugin of the kubeconfig {where} gave neither a token nor a certificate.",
                resolution="The agent's log says why; `kubectl get pods` with this file shows the same.",
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
        with self._lock:
            try:
                if fresh:
                    self._loaded = self._limit(self._load)
                return self._limit(self._bearer)
            except ConfigError as error:  # it worked at the start, so it is worth another attempt
                raise KubernetesUnavailable(str(error)) from error

    def _limit(self, call: Callable[[], T]) -> T:
        """What ``call`` gives, within the time limit: the package sets a plugin no limit of its own."""
        answers: queue.SimpleQueue[T | ConfigError] = queue.SimpleQueue()

        def ask() -> None:
            try:
                answers.put(call())
            except ConfigError as error:
                answers.put(error)

        threading.Thread(target=ask, name="credential plugin", daemon=True).start()
        try:
            answer = answers.get(timeout=self._timeout)
        except queue.Empty:
            raise ConfigError(
                f"The credential plugin of the kubeconfig {self._where} gave no answer within {self._timeout:.0f} s.",
                resolution="See what it waits for: `kubectl get pods` with this file waits, too.",
            ) from None
        if isinstance(answer, ConfigError):
            raise answer
        return answer

    def _bearer(self) -> str:
        header = self._loaded.get_api_key_with_prefix("authorization") or ""
        return str(header).removeprefix("Bearer ")

    def _text(self, name: str) -> str:
        path = getattr(self._loaded, name, None)
        return Path(path).read_text() if path else ""
