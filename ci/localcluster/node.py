"""The real node: registry, containerd, kubelet, kube-proxy and DNS."""

import json
import os
from pathlib import Path

from localcluster.cgroups import cgroup_name, create_cgroups
from localcluster.control_plane import kubectl
from localcluster.namespaces import Namespaces
from localcluster.network import ADDRESS, CLUSTER_DOMAIN, NODE, POD_SUBNET, REGISTRY
from localcluster.paths import ToolError, bin_dir
from localcluster.progress import step
from localcluster.registry import PAUSE, push_pause, start_registry

NODE_BINARIES = ["crane", "registry", "pause", "kubelet", "kube-proxy", "coredns"]
_CONTAINERD = "/run/containerd/containerd.sock"
_CNI_PLUGINS = ("/usr/lib/cni", "/opt/cni/bin")
# Daemons and plugins write to fixed places there; in the private mount namespace these are folders of the state.
_PRIVATE = ("/run", "/var/lib", "/var/log")


def prepare_node(name: str, namespaces: Namespaces) -> None:
    """Give the node its cgroups and private system folders; raises ToolError when something is missing."""
    if os.geteuid() != 0:
        raise ToolError("size full needs root (real containers); apiserver and sim do not")
    state = namespaces.state
    if any(state.is_relative_to(place) for place in _PRIVATE):
        raise ToolError(f"the cache must not lie in {', '.join(_PRIVATE)} for size full: set LAUNCH_AGENT_CACHE")
    create_cgroups(name)
    lines = ["set -e", "mount --make-rshared /"]
    for place in _PRIVATE:
        folder = state / "root" / place[1:].replace("/", "-")
        folder.mkdir(parents=True)
        lines.append(f"mount --bind {folder} {place}")
    # containerd asks the cluster's DNS, which answers at once that there is no outside.
    lines += [f"mount --bind {state / 'hosts'} /etc/hosts", f"mount --bind {state / 'resolv.conf'} /etc/resolv.conf"]
    namespaces.run("bash", "-c", "\n".join(lines))


def start_node(name: str, namespaces: Namespaces) -> None:
    """Start everything that real pods need, and wait until the node is Ready."""
    with step("registry with the pause image"):
        start_registry(namespaces)
        push_pause(namespaces)
    with step("containerd"):
        _start_containerd(namespaces)
    with step("kubelet, kube-proxy, CoreDNS: node Ready"):
        _start_kubelet(name, namespaces)
        _start_proxy(namespaces)
        _start_dns(namespaces)
        namespaces.wait_for(lambda: kubectl(namespaces, "get", "node", NODE, check=False) != "", 60, "kubelet")
        kubectl(namespaces, "wait", "--for=condition=Ready", f"node/{NODE}", "--timeout=60s")


def _write(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1), encoding="utf-8")
    return path


def _start_containerd(namespaces: Namespaces) -> None:
    state = namespaces.state
    plugins = next((folder for folder in _CNI_PLUGINS if (Path(folder) / "ptp").exists()), None)
    if plugins is None:
        raise ToolError(f"no CNI plugins in {' or '.join(_CNI_PLUGINS)}: run ci/packages")
    network = {
        "cniVersion": "0.4.0",
        "name": "pods",
        "plugins": [
            {
                "type": "ptp",
                "ipam": {"type": "host-local", "ranges": [[{"subnet": POD_SUBNET}]], "routes": [{"dst": "0.0.0.0/0"}]},
            },
            {"type": "portmap", "capabilities": {"portMappings": True}},
        ],
    }
    _write(state / "cni" / "10-pods.conflist", network)
    # `server` too, or an image that is missing is asked for again by https and fails with that instead of "not found".
    url = f"http://{ADDRESS}:5000"
    mirror = f'server = "{url}"\n[host."{url}"]\ncapabilities = ["pull", "resolve"]\n'
    _write(state / "registries" / REGISTRY / "hosts.toml", mirror)
    config = _write(state / "containerd.toml", _containerd_config(plugins, state))
    namespaces.start("containerd", "containerd", f"--config={config}")
    namespaces.wait_for(
        lambda: "Server:" in namespaces.run("ctr", "--connect-timeout=1s", "version", check=False), 30, "containerd"
    )


def _containerd_config(plugins: str, state: Path) -> str:
    return f"""version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
address = "{_CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{PAUSE}"
restrict_oom_score_adj = true
disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{state / "cni"}"
[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "{state / "registries"}"
"""


def _start_kubelet(name: str, namespaces: Namespaces) -> None:
    state = namespaces.state
    resolver = _write(state / "upstream.resolv.conf", "")
    config = _write(state / "kubelet.json", _kubelet_config(name, state, resolver))
    namespaces.start(
        "kubelet",
        str(bin_dir() / "kubelet"),
        f"--config={config}",
        f"--kubeconfig={state / 'kubeconfig' / 'kubelet.conf'}",
        f"--hostname-override={NODE}",
        f"--node-ip={ADDRESS}",
    )


def _kubelet_config(name: str, state: Path, resolver: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"x509": {"clientCAFile": str(state / "pki" / "ca.crt")}, "webhook": {"enabled": True}},
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{cgroup_name(name)}",
        "clusterDNS": [ADDRESS],
        "clusterDomain": CLUSTER_DOMAIN,
        "containerRuntimeEndpoint": f"unix://{_CONTAINERD}",
        "enforceNodeAllocatable": [],
        # The machine's full disk is no reason to evict test pods.
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "0%", "imagefs.available": "0%"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "imageGCHighThresholdPercent": 100,
        "maxPods": 500,
        "oomScoreAdj": 0,
        "registryPullQPS": 0,
        "resolvConf": str(resolver),
        "serializeImagePulls": False,
    }


def _start_proxy(namespaces: Namespaces) -> None:
    namespaces.start(
        "kube-proxy",
        str(bin_dir() / "kube-proxy"),
        f"--kubeconfig={namespaces.state / 'kubeconfig' / 'super-admin.conf'}",
        f"--hostname-override={NODE}",
        f"--cluster-cidr={POD_SUBNET}",
        "--proxy-mode=nftables",
        "--conntrack-max-per-core=0",
        "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    )


def _start_dns(namespaces: Namespaces) -> None:
    kubeconfig = namespaces.state / "kubeconfig" / "super-admin.conf"
    corefile = f""". {{
    bind {ADDRESS}
    errors
    hosts {{
        {ADDRESS} {REGISTRY.split(":")[0]}
        fallthrough
    }}
    kubernetes {CLUSTER_DOMAIN} in-addr.arpa {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
}}
"""
    path = _write(namespaces.state / "Corefile", corefile)
    namespaces.start("coredns", str(bin_dir() / "coredns"), "-conf", str(path))
