"""Fake nodes by kwok, whose pods run until a test ends them (annotations in manifests/kwok-stages.yaml)."""

import json
import shutil

from localcluster.control_plane import kubectl
from localcluster.namespaces import Namespaces
from localcluster.network import ADDRESS, POD_SUBNET
from localcluster.paths import MANIFESTS, bin_dir

SIMULATION_BINARIES = ["kwok"]
_NODES = 4
_CAPACITY = {"cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": "5000", "nvidia.com/gpu": "1000"}


def start_simulation(namespaces: Namespaces) -> None:
    """Start kwok with our stages, make the nodes and wait until they are Ready."""
    state = namespaces.state
    shutil.copy(MANIFESTS / "kwok-stages.yaml", state)
    namespaces.start(
        "kwok",
        str(bin_dir() / "kwok"),
        f"--kubeconfig={state / 'kubeconfig' / 'super-admin.conf'}",
        f"--config={state / 'kwok-stages.yaml'}",
        "--manage-all-nodes",
        f"--cidr={POD_SUBNET}",
        f"--node-ip={ADDRESS}",
        "--node-lease-duration-seconds=60",
    )
    nodes = {"apiVersion": "v1", "kind": "List", "items": [_node(number) for number in range(_NODES)]}
    kubectl(namespaces, "create", "-f", "-", stdin=json.dumps(nodes))
    kubectl(namespaces, "wait", "--for=condition=Ready", "node", "--all", "--timeout=60s")


def _node(number: int) -> dict[str, object]:
    name = f"sim-{number}"
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": _CAPACITY, "allocatable": _CAPACITY},
    }
