"""`ci/image`: build the agent's image, and push it."""

import argparse
import os
import tempfile
from pathlib import Path

from agentimage.bases import choose_bases
from agentimage.builders import ROOT, Builder, call, find_builder
from agentimage.pipsettings import pip_configuration
from localcluster.lifecycle import Size, current_size
from localcluster.paths import DEFAULT_NAME, ToolError, bin_dir, cache_dir
from localcluster.progress import step

VERSION = "0.1.0"
CLUSTER_REGISTRY = "reg.local:5000/"
PUSH_SECONDS = 300


def revision() -> str:
    """The commit that the image is built from, or `unknown` outside a clone."""
    try:
        return call(["git", "-C", str(ROOT), "rev-parse", "HEAD"], 10).strip()
    except (ToolError, OSError):
        return "unknown"


def registry_is_up() -> bool:
    """Whether the local cluster, and with it its registry, runs."""
    return current_size(os.environ.get("LAUNCH_AGENT_CLUSTER", DEFAULT_NAME)) == Size.FULL


def push(builder: Builder, reference: str) -> None:
    """Push by crane: into the cluster's own registry from inside its network, anywhere else from here."""
    with step(f"push {reference}"), tempfile.TemporaryDirectory(dir=cache_dir()) as folder:
        archive = Path(folder) / "image.tar"
        builder.save(reference, archive)
        inside = reference.startswith(CLUSTER_REGISTRY)
        command = [str(bin_dir() / "crane"), "push", *(["--insecure"] if inside else []), str(archive), reference]
        call([str(ROOT / "ci" / "inside"), *command] if inside else command, PUSH_SECONDS)


def main(arguments: list[str]) -> None:
    """Build, and push where asked; the reference is printed at the end."""
    parser = argparse.ArgumentParser(
        prog="ci/image", description="Build the agent's image with docker or buildah; see docs/image.md."
    )
    parser.add_argument(
        "--tag", default=f"localhost/launch-agent:{VERSION}", metavar="REF", help="the image's reference"
    )
    parser.add_argument(
        "--push", action="store_true", help=f"push it; {CLUSTER_REGISTRY}… is the local cluster's registry"
    )
    parser.add_argument("--push-if-up", action="store_true", help="push it where a cluster of size full runs")
    parser.add_argument("--base", default="auto", help="auto, python, debian, or REF or BUILD_REF,RUNTIME_REF")
    parser.add_argument("--packages", choices=["agent", "agent-cloud"], default="agent", help="see docs/image.md")
    parser.add_argument("--builder", default="auto", choices=["auto", "docker", "buildah"])
    parser.add_argument("--archive", type=Path, metavar="FILE", help="also write the image as a docker archive")
    options = parser.parse_args(arguments)
    builder = find_builder(options.builder)
    build_base, runtime_base = choose_bases(builder, options.base)
    values = {
        "BUILD_BASE": build_base,
        "RUNTIME_BASE": runtime_base,
        "PACKAGES": options.packages,
        "VERSION": VERSION,
        "REVISION": revision(),
    }
    with step(f"build {options.tag} with {builder.name}"), tempfile.TemporaryDirectory() as folder:
        words = [word for key, value in values.items() for word in ("--build-arg", f"{key}={value}")]
        builder.build(words, pip_configuration(Path(folder)), options.tag)
    if options.archive:
        builder.save(options.tag, options.archive)
    if options.push or (options.push_if_up and registry_is_up()):
        push(builder, options.tag)
    print(options.tag)
