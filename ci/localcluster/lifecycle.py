"""Bring a cluster up to a size, and down without a trace."""

from contextlib import AbstractContextManager
from enum import StrEnum

from localcluster.binaries import DEFAULT_KUBERNETES, KUBERNETES, apiserver_of, build_missing
from localcluster.cgroups import remove_cgroups
from localcluster.control_plane import (
    APISERVER_BINARIES,
    CONTROLLER_BINARIES,
    create_certificates,
    kubectl,
    start_apiserver,
    start_controllers,
)
from localcluster.locks import hold_lock
from localcluster.namespaces import Namespaces
from localcluster.network import set_up_network
from localcluster.node import NODE_BINARIES, prepare_node, start_node
from localcluster.packages import ensure_packages
from localcluster.paths import ToolError, cache_dir, cluster_dir, read_text
from localcluster.progress import say, step
from localcluster.simulation import SIMULATION_BINARIES, start_simulation


class Size(StrEnum):
    """What runs: each size holds the API server; `sim` has fake nodes, `full` a real one."""

    APISERVER = "apiserver"
    SIM = "sim"
    FULL = "full"


_CONTROL = ["etcd", "kube-apiserver"]
_DAEMONS = {
    Size.APISERVER: _CONTROL,
    Size.SIM: [*_CONTROL, "kube-controller-manager", "kube-scheduler", "kwok"],
    Size.FULL: [
        *_CONTROL,
        "kube-controller-manager",
        "kube-scheduler",
        "registry",
        "containerd",
        "kubelet",
        "kube-proxy",
        "coredns",
    ],
}
_BINARIES = {
    Size.APISERVER: APISERVER_BINARIES,
    Size.SIM: [*APISERVER_BINARIES, *CONTROLLER_BINARIES, *SIMULATION_BINARIES],
    Size.FULL: [*APISERVER_BINARIES, *CONTROLLER_BINARIES, *NODE_BINARIES],
}


def bring_up(name: str, size: Size, kubernetes: str = DEFAULT_KUBERNETES) -> None:
    """Bring the cluster called `name` to `size`: a healthy one that suffices stays, any other is replaced.

    Raises ToolError when a part does not start (what was started is ended again), and for a version of Kubernetes of
    which there is no API server, or no more than that.
    """
    _check_version(size, kubernetes)
    namespaces = Namespaces(cluster_dir(name))
    with _lock(name):
        found = current_size(name)
        fits = (found == size or size == Size.APISERVER) and current_kubernetes(name) == kubernetes
        if found is not None and fits and _healthy(namespaces, found):
            say(f"cluster {name} is up already (size {found})")
            return
        ensure_packages("network", *(["node"] if size == Size.FULL else []))
        build_missing([apiserver_of(kubernetes), *_BINARIES[size]])
        if namespaces.state.exists():
            say(f"cluster {name}: replacing what is there (size {found or 'unknown'}) by size {size}")
            _tear_down(name, namespaces)
        try:
            _start(name, namespaces, size, kubernetes)
        except BaseException:
            namespaces.destroy()
            raise
        (namespaces.state / "kubernetes").write_text(kubernetes, encoding="utf-8")
        (namespaces.state / "size").write_text(size, encoding="utf-8")


def _check_version(size: Size, kubernetes: str) -> None:
    if kubernetes not in KUBERNETES:
        raise ToolError(f"Kubernetes {kubernetes}: there is no API server of it; there are: {' '.join(KUBERNETES)}")
    if kubernetes != DEFAULT_KUBERNETES and size != Size.APISERVER:
        raise ToolError(f"Kubernetes {kubernetes} comes as size apiserver only; size {size} is {DEFAULT_KUBERNETES}")


def take_down(name: str) -> None:
    """End the cluster called `name` and remove its state; nothing happens when there is none."""
    namespaces = Namespaces(cluster_dir(name))
    with _lock(name):
        if namespaces.state.exists():
            with step(f"cluster {name} down"):
                _tear_down(name, namespaces)


def switch_daemon(name: str, daemon: str, *, on: bool) -> None:
    """Stop one daemon of a running cluster, or start it again and wait until the API server is ready."""
    namespaces = Namespaces(cluster_dir(name))
    with _lock(name):
        if current_size(name) is None:
            raise ToolError(f"cluster {name} is not up")
        if not on:
            namespaces.stop(daemon)
            return
        namespaces.start_again(daemon)
        if daemon in _CONTROL:
            namespaces.wait_for(lambda: kubectl(namespaces, "get", "--raw", "/readyz", check=False) == "ok", 60, daemon)


def current_size(name: str) -> Size | None:
    """The size of the cluster called `name`, None when it is not up."""
    state = cluster_dir(name)
    recorded = read_text(state / "size")
    return Size(recorded) if recorded and Namespaces(state).alive() else None


def current_kubernetes(name: str) -> str:
    """The version of Kubernetes that the cluster called `name` was made with."""
    return read_text(cluster_dir(name) / "kubernetes") or DEFAULT_KUBERNETES


def daemons_of(size: Size) -> list[str]:
    """The daemons that a cluster of `size` runs."""
    return _DAEMONS[size]


def _lock(name: str) -> AbstractContextManager[None]:
    return hold_lock(cache_dir() / "locks" / f"cluster-{name}", f"cluster {name}")


def _healthy(namespaces: Namespaces, size: Size) -> bool:
    if not all(namespaces.running(daemon) for daemon in _DAEMONS[size]):
        return False
    return kubectl(namespaces, "get", "--raw", "/readyz", check=False) == "ok"


def _tear_down(name: str, namespaces: Namespaces) -> None:
    namespaces.destroy()
    remove_cgroups(name)
    namespaces.remove_state()


def _start(name: str, namespaces: Namespaces, size: Size, kubernetes: str) -> None:
    with step("namespaces and network"):
        namespaces.create()
        set_up_network(namespaces)
        if size == Size.FULL:
            prepare_node(name, namespaces)
    with step("certificates"):
        create_certificates(namespaces)
    with step(f"etcd, kube-apiserver {kubernetes}"):
        start_apiserver(namespaces, audit=size != Size.APISERVER, kubernetes=kubernetes)
    if size == Size.APISERVER:
        return
    with step("kube-controller-manager, kube-scheduler"):
        start_controllers(namespaces)
    if size == Size.SIM:
        with step("kwok: fake nodes Ready"):
            start_simulation(namespaces)
    else:
        start_node(name, namespaces)
