"""The base images: Python's own where a registry is in reach, else two bare Debian ones, made from packages."""

from agentimage.builders import Builder
from localcluster.base_images import build_base
from localcluster.paths import ToolError
from localcluster.progress import say, step

PYTHON = "docker.io/library/python:3.12-slim-bookworm"


def ensure_debian(builder: Builder) -> tuple[str, str]:
    """Make the bare Debian bases, or take them from the cache; returns (build base, runtime base)."""
    build, runtime = (_imported(builder, flavour) for flavour in ("build", "runtime"))
    return build, runtime


def _imported(builder: Builder, flavour: str) -> str:
    layer = build_base(flavour)
    # the file's name ends with a hash of the packages: another list of packages is another image
    reference = f"localhost/launch-agent-base:{layer.name.removeprefix('python-base-').removesuffix('.tar.gz')}"
    if not builder.has(reference):
        with step(f"base image {reference}"):
            builder.import_root(layer, reference)
    return reference


def choose_bases(builder: Builder, base: str) -> tuple[str, str]:
    """Return (build base, runtime base) for `debian`, `python`, `auto`, or BUILD,RUNTIME (or one for both)."""
    if base == "debian":
        return ensure_debian(builder)
    if base in {"auto", "python"}:
        with step(f"pull {PYTHON}"):
            pulled = builder.pull(PYTHON)
        if pulled:
            return PYTHON, PYTHON
        if base == "python":
            raise ToolError(f"{PYTHON} can not be pulled. Use --base debian.")
        say("        not reachable: bare Debian bases are used instead")
        return ensure_debian(builder)
    build, _, runtime = base.partition(",")
    for reference in (build, runtime or build):
        if not builder.pull(reference):
            raise ToolError(f"the base image {reference} can not be pulled")
    return build, runtime or build
