"""Build the pinned Go tools once, and again only when their pins change."""

import argparse
import hashlib
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from localcluster.locks import hold_lock
from localcluster.paths import TOOLS, ToolError, bin_dir, cache_dir, read_text
from localcluster.progress import say
from localcluster.toolchain import find_go

_K8S = "k8s.io/kubernetes"
# The folder in ci/tools for each version of Kubernetes: the clusters' own, and API servers of the oldest and the
# newest that the chart supports.
KUBERNETES = {"1.29": "kubernetes129", "1.34": "kubernetes", "1.37": "kubernetes137"}
DEFAULT_KUBERNETES = "1.34"
# The oldest Helm 3 that the chart supports, the newest, and Helm 4.
HELMS = ["helm318", "helm3", "helm4"]


@dataclass(frozen=True, slots=True)
class Binary:
    """One executable: `package` is built in `ci/tools/<tool>`, whose go.mod pins `module`; an `extra` only by name."""

    name: str
    tool: str
    module: str
    package: str
    ldflags: str = ""
    extra: bool = False


def _kubernetes(name: str) -> Binary:
    return Binary(name, "kubernetes", _K8S, f"{_K8S}/cmd/{name}", _version_flags("kubernetes"))


def apiserver_of(version: str) -> str:
    """The name of the API server's binary for a version of KUBERNETES."""
    return "kube-apiserver" if version == DEFAULT_KUBERNETES else f"kube-apiserver-{version}"


def _other_apiservers() -> list[Binary]:
    return [
        Binary(apiserver_of(version), tool, _K8S, f"{_K8S}/cmd/kube-apiserver", _version_flags(tool), extra=True)
        for version, tool in KUBERNETES.items()
        if version != DEFAULT_KUBERNETES
    ]


def _version_flags(tool: str) -> str:
    """Flags for the variables in which kubeadm and the API server keep their version."""
    version = pinned_version(tool, _K8S)
    major, minor, _ = version.removeprefix("v").split(".")
    values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(f"-X {package}.{key}={value}" for package in packages for key, value in values.items())


def pinned_version(tool: str, module: str) -> str:
    """The version of `module` (our own: "local") in `ci/tools/<tool>/go.mod`; raises ToolError when it is not there."""
    if module == "pause":
        return "local"
    text = (TOOLS / tool / "go.mod").read_text(encoding="utf-8")
    found = re.search(rf"^(?:require\s+|\s+){re.escape(module)} (v\S+)", text, re.MULTILINE)
    if found is None:
        raise ToolError(f"ci/tools/{tool}/go.mod does not require {module}")
    return found.group(1)


def all_binaries() -> dict[str, Binary]:
    """Every binary by name, in the order they are built: what `make apiserver` needs comes first."""
    helm = "helm.sh/helm"
    kwok, etcd = "sigs.k8s.io/kwok", "go.etcd.io/etcd/server/v3"
    crane, registry = "github.com/google/go-containerregistry", "github.com/distribution/distribution/v3"
    coredns = "github.com/coredns/coredns"
    ordered = [
        Binary("etcd", "etcd", etcd, etcd),
        *(_kubernetes(name) for name in ("kube-apiserver", "kubectl", "kubeadm")),
        *(_kubernetes(name) for name in ("kube-controller-manager", "kube-scheduler")),
        Binary("kwok", "kwok", kwok, f"{kwok}/cmd/kwok"),
        Binary("helm3", "helm3", f"{helm}/v3", f"{helm}/v3/cmd/helm", _helm3_flags("helm3")),
        Binary("helm318", "helm318", f"{helm}/v3", f"{helm}/v3/cmd/helm", _helm3_flags("helm318")),
        Binary("helm4", "helm4", f"{helm}/v4", f"{helm}/v4/cmd/helm", _helm4_flags()),
        Binary("pause", "pause", "pause", "."),
        Binary("crane", "crane", crane, f"{crane}/cmd/crane"),
        Binary("registry", "registry", registry, f"{registry}/cmd/registry"),
        *(_kubernetes(name) for name in ("kubelet", "kube-proxy")),
        Binary("coredns", "coredns", coredns, coredns),
        *_other_apiservers(),
        *_operators(),
    ]
    return {binary.name: binary for binary in ordered}


def _operators() -> list[Binary]:
    """The operators of custom resources, each with the libraries that its own module pins (`ci/operators`)."""
    kubeflow = "github.com/kubeflow"
    training, mpi = f"{kubeflow}/training-operator", f"{kubeflow}/mpi-operator"
    ray, kueue, jobset = "github.com/ray-project/kuberay/ray-operator", "sigs.k8s.io/kueue", "sigs.k8s.io/jobset"
    volcano = "volcano.sh/volcano"
    return [
        Binary("jobset", "jobset", jobset, jobset, extra=True),
        Binary("training-operator", "training-operator", training, f"{training}/cmd/training-operator.v1", extra=True),
        Binary("kuberay", "kuberay", ray, ray, extra=True),
        Binary("kueue", "kueue", kueue, f"{kueue}/cmd/kueue", extra=True),
        Binary("mpi-operator", "mpi-operator", mpi, f"{mpi}/cmd/mpi-operator", extra=True),
        *(
            Binary(f"volcano-{name}", "volcano", volcano, f"{volcano}/cmd/{name}", extra=True)
            for name in ("controller-manager", "scheduler", "webhook-manager")
        ),
    ]


def _helm3_flags(tool: str) -> str:
    """Without these Helm 3 renders and lints for Kubernetes 1.20; Helm 4 reads its build information."""
    module = "helm.sh/helm/v3"
    minor = pinned_version(tool, "k8s.io/client-go").split(".")[1]
    values = {f"{module}/internal/version.version": pinned_version(tool, module)}
    for package in ("pkg/lint/rules", "pkg/chartutil"):
        values |= {f"{module}/{package}.k8sVersionMajor": "1", f"{module}/{package}.k8sVersionMinor": minor}
    return " ".join(f"-X {key}={value}" for key, value in values.items())


def _helm4_flags() -> str:
    return f"-X helm.sh/helm/v4/internal/version.version={pinned_version('helm4', 'helm.sh/helm/v4')}"


def pin_of(binary: Binary) -> str:
    """A hash over everything that decides the bytes of `binary`, the toolchain's version excepted."""
    digest = hashlib.sha256()
    for source in sorted((TOOLS / binary.tool).iterdir()):
        digest.update(source.read_bytes())
    digest.update(" ".join(_build_flags(binary)).encode())
    digest.update(binary.package.encode())
    return digest.hexdigest()


def _build_flags(binary: Binary) -> list[str]:
    return ["-buildvcs=false", "-trimpath", "-mod=readonly", "-ldflags", f"-s -w {binary.ldflags}".strip()]


def build_missing(names: list[str]) -> list[Path]:
    """Build those of `names` that are missing or whose pins changed; all but the extra ones when none is named."""
    known = all_binaries()
    if unknown := [name for name in names if name not in known]:
        raise ToolError(f"no such binary: {', '.join(unknown)}; there are: {' '.join(known)}")
    wanted = [binary for binary in known.values() if binary.name in names or not (names or binary.extra)]
    bin_dir().mkdir(parents=True, exist_ok=True)
    for binary in wanted:
        if not _is_current(binary):
            with hold_lock(cache_dir() / "locks" / f"build-{binary.tool}", f"the build of {binary.tool}"):
                if not _is_current(binary):
                    _build(binary)
    return [bin_dir() / binary.name for binary in wanted]


def _is_current(binary: Binary) -> bool:
    return (bin_dir() / binary.name).exists() and read_text(_pin_file(binary)) == pin_of(binary)


def _pin_file(binary: Binary) -> Path:
    return bin_dir() / ".pins" / binary.name


def _build(binary: Binary) -> None:
    started = time.monotonic()
    target = bin_dir() / binary.name
    fresh = target.with_name(f".{binary.name}.{os.getpid()}")
    command = [str(find_go()), "build", *_build_flags(binary), "-o", str(fresh), binary.package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    version = pinned_version(binary.tool, binary.module)
    say(f"  building {binary.name} {version}")
    done = subprocess.run(
        command, cwd=TOOLS / binary.tool, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        fresh.unlink(missing_ok=True)
        raise ToolError(f"building {binary.name} {version} failed:\n{done.stderr[-3000:]}")
    _pin_file(binary).parent.mkdir(exist_ok=True)
    fresh.replace(target)
    _pin_file(binary).write_text(pin_of(binary), encoding="utf-8")
    say(f"  {time.monotonic() - started:5.1f}s {binary.name} {version}")


def main(arguments: list[str]) -> None:
    """`ci/binaries [NAME …]`: build what is named (everything by default) and print the directory."""
    parser = argparse.ArgumentParser(prog="ci/binaries", description="Build the pinned tools into the cache.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {' '.join(all_binaries())}")
    build_missing(parser.parse_args(arguments).names)
    print(bin_dir())
