"""The OCI registry on the node's address, plain http, as `reg.local:5000`."""

import json
import tarfile
from pathlib import Path

from localcluster.namespaces import Namespaces
from localcluster.network import ADDRESS, REGISTRY
from localcluster.paths import bin_dir

PAUSE = f"{REGISTRY}/pause:1"


def start_registry(namespaces: Namespaces) -> None:
    """Start the registry and wait until it listens; what it holds goes with the cluster."""
    config = {
        "version": "0.1",
        "log": {"level": "warn"},
        "storage": {"filesystem": {"rootdirectory": str(namespaces.state / "registry")}, "delete": {"enabled": True}},
        "http": {"addr": f"{ADDRESS}:5000"},
    }
    path = namespaces.state / "registry.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    namespaces.start("registry", str(bin_dir() / "registry"), "serve", str(path))
    probe = f"exec 3<>/dev/tcp/{ADDRESS}/5000 && echo open"
    namespaces.wait_for(lambda: "open" in namespaces.run("bash", "-c", probe, check=False), 20, "registry")


def crane(namespaces: Namespaces, *arguments: str) -> str:
    """Run crane in the cluster; references at `reg.local:5000` may be used. Raises ToolError when it fails."""
    address = [argument.replace(REGISTRY, f"{ADDRESS}:5000") for argument in arguments]
    return namespaces.run(str(bin_dir() / "crane"), "--insecure", *address, timeout=300)


def push_pause(namespaces: Namespaces) -> str:
    """Push the image that holds each pod's namespaces; returns its reference."""
    layer: Path = namespaces.state / "pause.tar"
    with tarfile.open(layer, "w") as tar:
        tar.add(bin_dir() / "pause", arcname="pause")
    crane(namespaces, "append", "--oci-empty-base", "-f", str(layer), "-t", PAUSE)
    crane(namespaces, "mutate", "--set-platform=linux/amd64", "--entrypoint=/pause", "-t", PAUSE, PAUSE)
    return PAUSE
