"""Which installation a command is about: its records, and where its agent is told to drain."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.adapters.kubernetes.lease import ClusterStore
from launch_agent.cli.entry import explain
from launch_agent.cli.parsing import Parser
from launch_agent.cli.world import World
from launch_agent.core import shares
from launch_agent.core.models import Record
from launch_agent.errors import (
    KubernetesDenied,
    KubernetesError,
    KubernetesUnavailable,
    LaunchAgentError,
    LedgerError,
    UsageError,
)
from launch_agent.runtime.connections import find_cluster
from launch_agent.runtime.drains import Board, FileBoard, LeaseBoard
from launch_agent.runtime.ledger import ConfigMapLedger, DirectoryLedger, Ledger
from launch_agent.settings import Flags, Need, Settings, load
from launch_agent.settings.loading import name_installation

TIMEOUT = 10.0
"""Seconds for one request: a person waits for it."""

LACKS_RIGHT = 6
CODES = """\
  2  a flag or the configuration is refused, or there is no such item
  4  the API server refuses or is not reached, or the folder of records can not be read
  6  the account lacks a right"""


@dataclass(frozen=True, slots=True)
class Site:
    """One installation, or all of a namespace."""

    title: str
    ledger: Ledger
    board: Board | None


def add_site(parser: Parser) -> None:
    """The flags that name it."""
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, help="the configuration file of the agent")
    parser.add_argument(
        "-n", "--namespace", metavar="NAME", help="the agent's namespace (default: the pod's, or the context's)"
    )
    parser.add_argument("--release", metavar="NAME", help="the Helm release (default: in its pod, its own)")
    parser.add_argument(
        "--installation", metavar="NAME", help="the label launch-agent/installation, where it is no release's"
    )
    parser.add_argument(
        "--kubeconfig", metavar="FILE", type=Path, help="the agent's cluster (default: in a pod its own, $KUBECONFIG)"
    )
    parser.add_argument("--context", metavar="NAME", help="context of the kubeconfig (default: its current one)")
    parser.add_argument("-v", "--verbose", action="count", default=0, help="twice: tracebacks")


def find(found: argparse.Namespace, world: World) -> Site:
    """The installation that the flags name, else the one of the pod or of the configuration.

    Raises ConfigProblems, UsageError or KubernetesError.
    """
    if found.release and found.installation:
        raise UsageError("--release and --installation stand together.", resolution="name one of them")
    flags = Flags(config=found.config, kubeconfig=found.kubeconfig, kube_context=found.context)
    settings = load(flags, world.environ, home=world.home, need=Need.NOTHING)
    names = (found.namespace, found.release, found.installation, found.kubeconfig, found.context)
    if settings.pod_namespace is None and not any(names):
        folder = settings.records
        return Site(str(folder / "items"), ReadableLedger(folder / "items"), FileBoard(folder))
    return _in_cluster(found, settings, world)


def _in_cluster(found: argparse.Namespace, settings: Settings, world: World) -> Site:
    access = find_cluster(settings, world.environ, world.home)
    if access is None:
        raise KubernetesUnavailable(
            "No cluster is known.", resolution="Name one by --kubeconfig FILE, or set KUBECONFIG."
        )
    client = Client(access, timeout=TIMEOUT, pool_size=1)
    namespace = found.namespace or settings.pod_namespace or client.namespace
    is_own = namespace == settings.pod_namespace and not found.release and not found.installation
    installation = settings.installation if is_own else found.installation or ""
    if found.release:
        installation = name_installation(found.release, namespace, "")
    lease = name_lease(found.release) if found.release else settings.lease if is_own else None
    title = f"namespace {namespace}" + (f", installation {installation}" if installation else "")
    board: Board | None = None
    if lease:
        stores = [ClusterStore(client, namespace, shares.name_lease(lease, shard)) for shard in range(shares.MOST)]
        board = LeaseBoard(stores[0], stores[1:])
    elif is_own:
        board = FileBoard(settings.records)
    return Site(title, ConfigMapLedger(client, namespace, installation, shard=None), board)


def name_lease(release: str) -> str:
    """What the chart calls the Lease of a release: names of objects have at most 63 characters there."""
    name = f"launch-agent-{release}"
    if len(name) <= 63:
        return name
    return f"{name[:54].removesuffix('-').removesuffix('.')}-{hashlib.sha256(release.encode()).hexdigest()[:8]}"


class ReadableLedger(DirectoryLedger):
    """A folder that is told of where it can not be read; one that is not there holds no record."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._place = folder

    def list(self) -> list[Record]:
        """All files of the folder. Raises LedgerError."""
        try:
            if self._place.exists():
                next(self._place.iterdir(), None)
        except OSError as error:
            raise LedgerError(
                f"The records in {self._place} can not be read: {error.strerror}.",
                resolution="Run as the agent's user, or name its configuration by --config.",
            ) from error
        return super().list()


def answer(command: Callable[[], int], world: World) -> int:
    """What the command returns; for an error of the place where records are, its words and its exit code."""
    try:
        return command()
    except (KubernetesError, LedgerError) as error:
        world.stderr.write(explain(error))
        return find_code(error)


def find_code(error: LaunchAgentError) -> int:
    """4, or 6 where a right is missing."""
    return LACKS_RIGHT if isinstance(error, KubernetesDenied) and error.status == 403 else KubernetesError.exit_code
