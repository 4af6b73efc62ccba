"""`ci/wandbagent`: `reg.local:5000/wandb/launch-agent:<version>`, run as W&B's image is."""

import argparse
import os
import re

from localcluster.base_images import build_base
from localcluster.binaries import build_missing
from localcluster.lifecycle import Size, current_size
from localcluster.namespaces import Namespaces
from localcluster.network import REGISTRY
from localcluster.paths import DEFAULT_NAME, ToolError, cluster_dir
from localcluster.progress import step
from localcluster.registry import crane
from wandbimage.layer import COMMAND, HOME, LOCK, USER, build_layer

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def main(arguments: list[str]) -> None:
    """Push the image to the cluster's registry and print its reference, or print the layers' files (`--no-push`)."""
    options = _parser().parse_args(arguments)
    if options.no_push:
        print(build_base("native"), build_layer(), sep="\n")
        return
    if current_size(options.name) != Size.FULL:
        raise ToolError(f"cluster {options.name} has no registry: ci/cluster up full --name {options.name}")
    build_missing(["crane"])
    print(_push(Namespaces(cluster_dir(options.name))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ci/wandbagent", description="W&B's own agent as an image for a cluster.")
    name = os.environ.get("LAUNCH_AGENT_CLUSTER", DEFAULT_NAME)
    parser.add_argument("--name", default=name, help=f"which cluster (default {name})")
    parser.add_argument("--no-push", action="store_true", help="only make the layers; print their files")
    return parser


def _push(namespaces: Namespaces) -> str:
    """The user by name, a writable root and the entry point without arguments, as in W&B's image."""
    reference = f"{REGISTRY}/wandb/launch-agent:{_version()}"
    base, layer = build_base("native"), build_layer()
    with step(f"push {reference}"):
        crane(namespaces, "append", "--oci-empty-base", "-f", str(base), "-f", str(layer), "-t", reference)
        settings = ["--set-platform=linux/amd64", f"--user={USER}", f"--workdir={HOME}"]
        settings += [f"--env={_PATH}", "--env=LANG=C.UTF-8", "--env=PYTHONUNBUFFERED=1"]
        words = [f"--entrypoint={word}" for word in (COMMAND, "launch-agent")]
        crane(namespaces, "mutate", *settings, *words, "-t", reference, reference)
    return reference


def _version() -> str:
    found = re.search(r"^wandb==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ToolError(f"{LOCK.name} pins no wandb")
    return found.group(1)
