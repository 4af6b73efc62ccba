"""How to reach an API server: the pod's own account, or a kubeconfig (protocol 7.3.1)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launch_agent.errors import ConfigError, KubernetesUnavailable

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
REREAD = 60.0
"""Seconds after which a token is read again: the kubelet renews the file, a plugin's token ends."""


@dataclass(slots=True)
class Token:
    """A bearer token: a text, a file that changes, or a plugin that is asked (true: for a new one at once)."""

    text: str = field(default="", repr=False)
    file: Path | None = None
    plugin: Callable[[bool], str] | None = None
    clock: Callable[[], float] = time.monotonic
    read_at: float | None = None

    @property
    def is_renewable(self) -> bool:
        """Whether reading again may give another token."""
        return self.file is not None or self.plugin is not None

    def get(self, *, fresh: bool = False) -> str:
        """The token now; ``fresh`` reads it again at once, as after a 401.

        Raises KubernetesUnavailable if it can not be read and was never read before.
        """
        if not self.is_renewable:
            return self.text
        now = self.clock()
        if fresh or self.read_at is None or now - self.read_at > REREAD:
            self.text = self._read(fresh) or self.text
            self.read_at = now
        return self.text

    def _read(self, fresh: bool) -> str:
        if self.plugin is not None:
            return self.plugin(fresh)
        if self.file is None:
            return self.text
        try:
            return self.file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            if self.text:
                return ""  # the kubelet swaps the file: the one we hold is good until the server says otherwise
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise KubernetesUnavailable(f"The token {self.file} can not be read: {why}.") from error


@dataclass(frozen=True, slots=True)
class ClusterAccess:
    """A server and what it wants to see. Certificates and key are PEM text."""

    server: str
    namespace: str = "default"
    ca: str = ""
    token: Token | None = None
    certificate: str = ""
    key: str = field(default="", repr=False)
    is_insecure: bool = False
    tls_name: str = ""
    proxy: str = field(default="", repr=False)


def in_cluster(environ: Mapping[str, str], root: Path = ACCOUNT) -> ClusterAccess | None:
    """The pod's own account, or None outside a cluster. ConfigError if half of it is there."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT") or "443"
    if not host or not (root / "token").exists():
        return None
    address = f"[{host}]" if ":" in host else host
    namespace = root / "namespace"
    try:
        return ClusterAccess(
            server=f"https://{address}:{port}",
            namespace=(namespace.read_text().strip() if namespace.exists() else "") or "default",
            ca=(root / "ca.crt").read_text(),
            token=Token(file=root / "token"),
        )
    except OSError as error:
        raise ConfigError(
            f"The pod's service account can not be read: {error.filename}: {error.strerror}.",
            resolution="Mount the account whole (token, ca.crt, namespace), or name a kubeconfig by --kubeconfig.",
        ) from error


def from_kubeconfig(
    paths: Path | Sequence[Path] | None = None,
    context: str | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> ClusterAccess | None:
    """A context of ``paths``, of the files that KUBECONFIG lists, or of ``~/.kube/config``.

    Several files count as one, as with kubectl; those that are not there are passed over, if one is. None if no file
    was named and none is in its usual places. Raises ConfigError for what can not be used.
    """
    from launch_agent.adapters.kubernetes import kubeconfig  # a pod needs no YAML to reach its API server

    named = [paths] if isinstance(paths, Path) else list(paths or ())
    files = kubeconfig.find_files(named, environ=os.environ if environ is None else environ, home=home)
    return kubeconfig.load(files, context) if files else None
