"""`ci/operators`: build operators, make images of them, apply their own manifests, wait until they work."""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from localcluster import images
from localcluster.binaries import build_missing
from localcluster.control_plane import kubectl
from localcluster.lifecycle import Size, current_size
from localcluster.locks import hold_lock
from localcluster.namespaces import Namespaces, wait_until
from localcluster.operators import HELPER, OPERATORS, Operator, Part, image_of, overlay_of
from localcluster.paths import DEFAULT_NAME, TOOLS, ToolError, bin_dir, cache_dir, cluster_dir
from localcluster.progress import say, step
from localcluster.registry import crane
from localcluster.toolchain import find_go

_ABOUT = """Run the real operators of custom resources in a cluster of size full, as ordinary pods, webhooks included.

operators:
{operators}

examples:
  ci/cluster up full --name ops
  ci/operators up jobset training-operator --name ops     # apply, and wait until their webhooks answer
  ci/operators build                                      # only build all of them (minutes the first time)
  ci/inside --name ops kubectl get pods -A

Each program is built from the module that ci/tools/<name>/go.mod pins (kept in the cache) and becomes an image in the
cluster's registry. The manifests are those of the same module; only images and resource requests are replaced."""
_READY = 110
_NSLOOKUP = '#!/bin/sh\nexec getent hosts "$1"\n'


def main(arguments: list[str]) -> None:
    """`ci/operators up|build|list`; raises ToolError with what to do about it."""
    options = _parser().parse_args(arguments)
    if options.action == "list":
        for operator in OPERATORS.values():
            print(f"{operator.name} {operator.version}")
        return
    wanted = _choose(options.names)
    if options.action == "build":
        build_missing(_binaries(wanted))
        return
    _up(options.name, wanted)


def _parser() -> argparse.ArgumentParser:
    listed = "\n".join(f"  {one.name:18} {one.version:8} {one.about}" for one in OPERATORS.values())
    parser = argparse.ArgumentParser(
        prog="ci/operators",
        description=_ABOUT.format(operators=listed),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="action", required=True)
    up = actions.add_parser("up", help="run operators in a cluster (again: nothing changes)")
    name = os.environ.get("LAUNCH_AGENT_CLUSTER", DEFAULT_NAME)
    up.add_argument("--name", default=name, help=f"which cluster (default {name})")
    up.add_argument("names", nargs="+", metavar="NAME", help=f"all, or some of: {' '.join(OPERATORS)}")
    build = actions.add_parser("build", help="only build their programs into the cache")
    build.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    actions.add_parser("list", help="names and versions")
    return parser


def _choose(names: list[str]) -> list[Operator]:
    if not names or names == ["all"]:
        return list(OPERATORS.values())
    if unknown := [name for name in names if name not in OPERATORS]:
        raise ToolError(f"no such operator: {', '.join(unknown)}; there are: {' '.join(OPERATORS)}")
    return [operator for name, operator in OPERATORS.items() if name in names]


def _binaries(operators: list[Operator]) -> list[str]:
    return [part.binary for operator in operators for part in operator.parts]


def _up(name: str, operators: list[Operator]) -> None:
    if current_size(name) != Size.FULL:
        raise ToolError(f"operators need real pods and a registry: ci/cluster up full --name {name}")
    build_missing(["crane", "kubectl", *_binaries(operators)])
    namespaces = Namespaces(cluster_dir(name))
    with hold_lock(cache_dir() / "locks" / f"operators-{name}", f"the operators of cluster {name}"):
        for operator in operators:
            with step(f"{operator.name} {operator.version}: images and manifests"):
                for part in operator.parts:
                    _push(namespaces, operator, part)
                if operator.helper:
                    _push_helper(name, namespaces)
                kubectl(namespaces, "apply", "--server-side", "--force-conflicts", "-f", str(_render(operator)))
                if operator.certificate:
                    _make_certificate(namespaces, operator.namespace, *operator.certificate)
            if operator.is_wide:
                _wait(namespaces, operator)
        for operator in operators:
            if not operator.is_wide:
                _wait(namespaces, operator)


def _push(namespaces: Namespaces, operator: Operator, part: Part) -> None:
    """Make the part's image of its binary alone."""
    tag = f"{image_of(part)}:{operator.version.removeprefix('v')}"
    with tempfile.TemporaryDirectory(prefix="launch-agent-operator-") as scratch:
        layer = Path(scratch) / "layer.tar"
        with tarfile.open(layer, "w") as tar:
            tar.add(bin_dir() / part.binary, arcname=part.path.lstrip("/"))
        crane(namespaces, "append", "--oci-empty-base", "-f", str(layer), "-t", tag)
    settings = ("--set-platform=linux/amd64", f"--entrypoint={part.path}", "--user=65532:65532")
    crane(namespaces, "mutate", *settings, "-t", tag, tag)


def _push_helper(name: str, namespaces: Namespaces) -> None:
    base = HELPER.rpartition("/operators/")[0] + "/python-base:runtime"
    if not crane_knows(namespaces, base):
        images.main(["base", "--name", name])
    with tempfile.TemporaryDirectory(prefix="launch-agent-helper-") as scratch:
        script = Path(scratch) / "nslookup"
        script.write_text(_NSLOOKUP, encoding="utf-8")
        script.chmod(0o755)
        images.main(
            ["layer", "--name", name, "--base", base, "--tag", HELPER, "--dir", f"{script}=/usr/local/bin/nslookup"]
        )


def crane_knows(namespaces: Namespaces, reference: str) -> bool:
    """Whether the cluster's registry has the image."""
    try:
        crane(namespaces, "digest", reference)
    except ToolError:
        return False
    return True


def _render(operator: Operator) -> Path:
    """The file with the operator's manifests and our images in them, from the cache while the pins are the same."""
    tools = TOOLS / operator.name
    overlay = overlay_of(operator, f"../module/{operator.manifests}")
    key = hashlib.sha256((tools / "go.sum").read_bytes() + overlay.encode()).hexdigest()[:12]
    folder = cache_dir() / "operators" / f"{operator.name}-{operator.version}-{key}"
    target = folder / "manifests.yaml"
    if target.exists():
        return target
    shutil.rmtree(folder, ignore_errors=True)
    # Outside the module cache: kustomize takes a path with "github.com/" in it for an address.
    top = operator.manifests.split("/")[0]
    shutil.copytree(_module_folder(operator) / top, folder / "module" / top, copy_function=shutil.copyfile)
    (folder / "overlay").mkdir()
    (folder / "overlay" / "kustomization.yaml").write_text(overlay, encoding="utf-8")
    command: list[str | Path] = [
        bin_dir() / "kubectl",
        "kustomize",
        "--load-restrictor",
        "LoadRestrictionsNone",
        "overlay",
    ]
    text = _run(command, folder)
    fresh = target.with_suffix(".fresh")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(target)
    return target


def _module_folder(operator: Operator) -> Path:
    """Where Go keeps the pinned module; downloads it, checked by go.sum, when it is not there."""
    go, tools = find_go(), TOOLS / operator.name
    _run([go, "mod", "download", operator.module], tools)
    return Path(_run([go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", operator.module], tools).strip())


def _run(command: Sequence[str | Path], folder: Path) -> str:
    environment = {**os.environ, "GOFLAGS": "", "GOWORK": "off"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode != 0:
        words = " ".join(str(word) for word in command[:3])
        raise ToolError(f"{words} … failed in {folder}:\n{done.stderr[-2000:]}")
    return done.stdout


def _make_certificate(namespaces: Namespaces, namespace: str, secret: str, service: str) -> None:
    """A Secret with a key pair for a webhook's Service, signed by itself; one that is there stays."""
    place = (f"--namespace={namespace}", "--output=name")
    if kubectl(namespaces, "get", "secret", secret, *place, "--ignore-not-found"):
        return
    with tempfile.TemporaryDirectory(prefix="launch-agent-certificate-") as scratch:
        key, certificate, host = f"{scratch}/tls.key", f"{scratch}/tls.crt", f"{service}.{namespace}.svc"
        request = ["req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "3650", "-subj", f"/CN={host}"]
        names = ["-addext", f"subjectAltName=DNS:{host}", "-keyout", key, "-out", certificate]
        _run(["openssl", *request, *names], Path(scratch))
        pairs = (("tls.key", key), ("tls.crt", certificate), ("ca.crt", certificate))
        files = [f"--from-file={name}={path}" for name, path in pairs]
        kubectl(namespaces, "create", "secret", "generic", secret, *place, *files)


def _wait(namespaces: Namespaces, operator: Operator) -> None:
    """Wait for the Deployments, then for the webhooks; raises ToolError with the pods' state and last lines."""
    with step(f"{operator.name}: running, webhooks answer"):
        _wait_for_parts(namespaces, operator)


def _wait_for_parts(namespaces: Namespaces, operator: Operator) -> None:
    place = ("--namespace", operator.namespace)
    try:
        for part in operator.parts:
            kubectl(namespaces, "rollout", "status", f"deployment/{part.deployment}", *place, f"--timeout={_READY}s")
        if operator.probe:
            wait_until(lambda: _answers(namespaces, operator), 60, f"{operator.name}'s webhooks")
    except (ToolError, subprocess.TimeoutExpired) as error:
        for part in operator.parts:
            say(kubectl(namespaces, "get", "pods", *place, "--output=wide", check=False))
            say(kubectl(namespaces, "logs", f"deployment/{part.deployment}", *place, "--tail=15", check=False))
        raise ToolError(f"{operator.name} does not work: {error}") from None


def _answers(namespaces: Namespaces, operator: Operator) -> bool:
    command = ("create", "--dry-run=server", "--output=name", "-f", "-")
    return bool(kubectl(namespaces, *command, check=False, stdin=json.dumps(operator.probe)).strip())
