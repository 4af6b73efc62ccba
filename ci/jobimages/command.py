"""`ci/jobimage`: one image per script, all on one layer with W&B's own SDK."""

import argparse
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from localcluster import images
from localcluster.locks import hold_lock
from localcluster.network import REGISTRY
from localcluster.paths import CI, DEFAULT_NAME, ToolError, cache_dir
from localcluster.progress import step

_ROOT = CI.parent
_REQUIREMENTS = _ROOT / "requirements" / "wandb.txt"
_PYTHON = "3.11"
_SDK = "/opt/sdk"
_SCRIPTS = "/opt/jobs"


def main(arguments: list[str]) -> None:
    """Push `reg.local:5000/job-<script>:<version>` for each script; prints the references."""
    options = _parser().parse_args(arguments)
    scripts = [Path(script) for script in options.scripts]
    if missing := [str(script) for script in scripts if not script.is_file()]:
        raise ToolError(f"no such script: {', '.join(missing)}")
    cluster = ["--name", options.name]
    sdk = f"{REGISTRY}/job-sdk:{options.version}"
    folders = [f"--dir={_install_sdk()}={_SDK}", *(f"--dir={script.resolve()}={_inside(script)}" for script in scripts)]
    base = f"{REGISTRY}/python-base:runtime"
    settings = [f"--env=PYTHONPATH={_SDK}", "--env=PYTHONDONTWRITEBYTECODE=1", "--env=HOME=/tmp", "--workdir=/tmp"]
    images.main(["layer", *cluster, "--base", base, "--tag", sdk, *folders, *settings])
    for script in scripts:
        tag = f"{REGISTRY}/job-{script.stem.replace('_', '-')}:{options.version}"
        words = [f"--cmd={word}" for word in ("python3", _inside(script))]
        images.main(["layer", *cluster, "--base", sdk, "--tag", tag, *words])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ci/jobimage", description="Images of test jobs for a cluster of size full.")
    name = os.environ.get("LAUNCH_AGENT_CLUSTER", DEFAULT_NAME)
    parser.add_argument("--name", default=name, help=f"which cluster (default {name})")
    parser.add_argument("--version", default="e2e", help="tag of the images (default e2e)")
    parser.add_argument("scripts", nargs="+", metavar="SCRIPT.py", help="becomes the image reg.local:5000/job-SCRIPT")
    return parser


def _inside(script: Path) -> str:
    return f"{_SCRIPTS}/{script.name}"


def _install_sdk() -> Path:
    """The folder with the SDK and all it needs, kept in the cache by the hash of its requirements."""
    key = hashlib.sha256(_REQUIREMENTS.read_bytes() + _PYTHON.encode()).hexdigest()[:12]
    target = cache_dir() / "images" / f"wandb-sdk-{key}"
    with hold_lock(cache_dir() / "locks" / "job-sdk", "the SDK of the job images"):
        if not target.exists():
            with step("W&B's SDK for the job images"):
                _download(target)
    return target


def _download(target: Path) -> None:
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    command = [str(_ROOT / ".venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--target", str(fresh)]
    command += ["--python-version", _PYTHON, "--only-binary=:all:", "--no-deps"]
    command += ["--require-hashes", "-r", str(_REQUIREMENTS)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode != 0:
            raise ToolError(f"pip could not install {_REQUIREMENTS.name}:\n{done.stderr[-2000:]}")
        fresh.replace(target)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
