"""The clusters that items name by ``configFile`` and ``context`` (protocol 7.3.1), each reached when first wanted."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from launch_agent.adapters.kubernetes import kubeconfig
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import clusters
from launch_agent.core.models import MANIFEST_PATH
from launch_agent.errors import ConfigError


@dataclass(slots=True)
class _Entry:
    """One cluster; its lock keeps two threads from asking its plugin at once."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    client: Client | None = None
    namespace: tuple[object, str] | None = None


class Clusters:
    """Clients by the key of `core.clusters`. Threads may share it.

    ``files`` are the agent's own kubeconfigs, empty: those of KUBECONFIG or the home folder. Paths in keys are of the
    agent's machine; in a pod those of mounted files.
    """

    def __init__(
        self,
        own: Client | None,
        *,
        files: Sequence[Path] = (),
        environ: Mapping[str, str] = os.environ,
        home: Path | None = None,
        pool_size: int = 16,
    ) -> None:
        self._own = own
        self._files = tuple(files)
        self._environ = environ
        self._home = home
        self._pool_size = pool_size
        self._entries: dict[str, _Entry] = {}
        self._lock = threading.Lock()

    def client(self, key: str) -> Client:
        """The client of a cluster; made once. Raises ConfigError, which names the item's key, where there is none."""
        if key == clusters.OWN:
            if self._own is None:
                raise ConfigError(
                    "The agent has no cluster of its own.", resolution="Start it in one, or name one by --kubeconfig."
                )
            return self._own
        entry = self._entry(key)
        with entry.lock:
            if entry.client is None:
                entry.client = self._connect(key)
            return entry.client

    def namespace(self, key: str) -> str:
        """The namespace of another cluster's context; nothing is contacted.

        Raises ConfigError, as `client`, for a file or a context that can not be used.
        """
        entry = self._entry(key)
        files = self._find(key)
        with entry.lock:
            seen = [(one, _stamp(one)) for one in files]
            if entry.namespace is None or entry.namespace[0] != seen:
                entry.namespace = (seen, self._choose(key, files).namespace)
            return entry.namespace[1]

    def close(self) -> None:
        """Close the connections to all clusters but the agent's own."""
        for entry in list(self._entries.values()):
            if entry.client is not None:
                entry.client.close()

    def _entry(self, key: str) -> _Entry:
        with self._lock:
            return self._entries.setdefault(key, _Entry())

    def _connect(self, key: str) -> Client:
        files = self._find(key)
        _, context = clusters.parts(key)
        try:
            return Client(kubeconfig.load(files, context, _wording(key)), pool_size=self._pool_size)
        except ConfigError as error:
            raise _at(key, error) from error

    def _find(self, key: str) -> list[Path]:
        file, _ = clusters.parts(key)
        try:
            paths = [self._expand(file)] if file else self._files
            files = kubeconfig.find_files(paths, environ=self._environ, home=self._home, wording=_wording(key))
        except ConfigError as error:
            raise _at(key, error) from error
        for path in files:
            if file and not path.is_file():  # such as /dev/zero, which has no end
                what = f"{MANIFEST_PATH}.configFile: The kubeconfig {path} is no file."
                raise ConfigError(what, resolution=_wording(key).file)
        if not files:
            raise ConfigError(
                f"{MANIFEST_PATH}.context names a context, and the agent has no kubeconfig to find it in.",
                resolution=f"Name the file too, in {MANIFEST_PATH}.configFile: a path on the agent's machine.",
            )
        return files

    def _expand(self, text: str) -> Path:
        """``~`` is the home folder of the agent."""
        if text == "~" or text.startswith("~/"):
            return (self._home or Path.home()) / text[2:]
        return Path(text).absolute()

    def _choose(self, key: str, files: Sequence[Path]) -> kubeconfig.Chosen:
        try:
            return kubeconfig.choose(files, clusters.parts(key)[1], _wording(key))
        except ConfigError as error:
            raise _at(key, error) from error


def _stamp(path: Path) -> object:
    """What changes when the file does; None for one that is gone, which is told where it is read."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _wording(key: str) -> kubeconfig.Wording:
    file, _ = clusters.parts(key)
    where = f"{MANIFEST_PATH}.configFile" if file else "the agent's kubeconfig"
    return kubeconfig.Wording(
        file=f"Correct {where}: it is a path on the agent's machine; in a pod, mount the file there.",
        context=f"Correct {MANIFEST_PATH}.context, or {where}.",
        missing=f"Name one in {MANIFEST_PATH}.context.",
    )


def _at(key: str, error: ConfigError) -> ConfigError:
    """The same, with the place in the item that leads there."""
    file, context = clusters.parts(key)
    place = f"{MANIFEST_PATH}.configFile" if file and not context else f"{MANIFEST_PATH}.context"
    if file and context and "context" not in error.summary:
        place = f"{MANIFEST_PATH}.configFile"
    resolution = error.resolution or _wording(key).file
    return ConfigError(f"{place}: {error.summary}", detail=error.detail, resolution=resolution)
