"""Images without a daemon: layers are tar files, crane assembles and pushes them."""

import argparse
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from localcluster.base_images import FLAVOURS, build_base
from localcluster.binaries import build_missing
from localcluster.lifecycle import Size, current_size
from localcluster.namespaces import Namespaces
from localcluster.network import REGISTRY
from localcluster.paths import DEFAULT_NAME, ToolError, cluster_dir
from localcluster.progress import step
from localcluster.registry import crane, push_pause


@dataclass(frozen=True, slots=True)
class Layer:
    """What `ci/images layer` adds to an image: a folder of this machine at a path of the image, and settings."""

    base: str
    tag: str
    folders: list[str]
    settings: list[str]


def main(arguments: list[str]) -> None:
    """`ci/images base|pause|layer`: prints the references of what is in the cluster's registry then."""
    options = _parser().parse_args(arguments)
    if options.action == "base" and options.no_push:
        for flavour in FLAVOURS:
            print(build_base(flavour))
        return
    build_missing(["crane"])
    namespaces = _cluster(options.name)
    if options.action == "base":
        for flavour in FLAVOURS:
            print(_push_base(namespaces, flavour))
    elif options.action == "pause":
        print(push_pause(namespaces))
    else:
        print(_push_layer(namespaces, Layer(options.base, options.tag, options.dir, _settings(options))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ci/images", description="Images in the registry of a cluster of size full.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default=os.environ.get("LAUNCH_AGENT_CLUSTER", DEFAULT_NAME), help="which cluster")
    actions = parser.add_subparsers(dest="action", required=True)
    base = actions.add_parser("base", parents=[common], help="python-base:runtime and python-base:build")
    base.add_argument("--no-push", action="store_true", help="only build the layers; print their tar files")
    actions.add_parser("pause", parents=[common], help="the pause image (`ci/cluster up full` pushes it already)")
    layer = actions.add_parser("layer", parents=[common], help="an image with folders of this machine added")
    layer.add_argument("--base", required=True, help="reference of the image to start from")
    layer.add_argument("--tag", required=True, help="reference of the new image")
    layer.add_argument("--dir", action="append", default=[], metavar="HOSTDIR=/PATH", help="may be repeated")
    layer.add_argument("--entrypoint", action="append", default=[], metavar="WORD", help="one for each word")
    layer.add_argument("--cmd", action="append", default=[], metavar="WORD", help="one for each word")
    layer.add_argument("--env", action="append", default=[], metavar="K=V", help="may be repeated")
    layer.add_argument("--workdir")
    layer.add_argument("--user", help="UID:GID")
    return parser


def _settings(options: argparse.Namespace) -> list[str]:
    settings = [f"--{key}={value}" for key in ("entrypoint", "cmd", "env") for value in getattr(options, key)]
    return settings + [f"--{key}={value}" for key in ("workdir", "user") if (value := getattr(options, key))]


def _cluster(name: str) -> Namespaces:
    if current_size(name) != Size.FULL:
        raise ToolError(f"cluster {name} has no registry: ci/cluster up full --name {name}")
    return Namespaces(cluster_dir(name))


def _push_base(namespaces: Namespaces, flavour: str) -> str:
    reference = f"{REGISTRY}/python-base:{flavour}"
    layer = build_base(flavour)
    with step(f"push {reference}"):
        crane(namespaces, "append", "--oci-empty-base", "-f", str(layer), "-t", reference)
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        settings = ("--set-platform=linux/amd64", f"--env={path}", "--env=LANG=C.UTF-8", "--cmd=python3")
        crane(namespaces, "mutate", *settings, "-t", reference, reference)
    return reference


def _push_layer(namespaces: Namespaces, layer: Layer) -> str:
    with step(f"push {layer.tag}"), _tar_of(layer.folders) as tar:
        if tar:
            crane(namespaces, "append", "-b", layer.base, "-f", str(tar), "-t", layer.tag)
        else:
            crane(namespaces, "copy", layer.base, layer.tag)
        if layer.settings:
            crane(namespaces, "mutate", *layer.settings, "-t", layer.tag, layer.tag)
    return layer.tag


@contextmanager
def _tar_of(folders: list[str]) -> Iterator[Path | None]:
    """One tar with every `HOSTDIR=/path`, owned by root; None without folders."""
    if not folders:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="launch-agent-layer-") as scratch:
        target = Path(scratch) / "layer.tar"
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
            for given in folders:
                source, _, inside = given.partition("=")
                if not Path(source).exists() or not inside.startswith("/"):
                    raise ToolError(f"--dir {given}: wanted an existing folder, '=' and an absolute path in the image")
                tar.add(source, arcname=inside.lstrip("/"), filter=_owned_by_root)
        yield target


def _owned_by_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
