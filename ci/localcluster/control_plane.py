"""etcd and kube-apiserver, and for pods the controller-manager and the scheduler."""

import json
import shutil
from pathlib import Path

from localcluster.binaries import DEFAULT_KUBERNETES, apiserver_of, pinned_version
from localcluster.namespaces import Namespaces
from localcluster.network import ADDRESS, CLUSTER_DOMAIN, NODE, POD_SUBNET, SERVICE_SUBNET
from localcluster.paths import MANIFESTS, bin_dir

APISERVER_BINARIES = ["etcd", "kubectl", "kubeadm"]
CONTROLLER_BINARIES = ["kube-controller-manager", "kube-scheduler"]
_ETCD = "http://127.0.0.1:2379"
# Load tests must meet the agent's limits, not ours.
_GENEROUS = {"qps": 2000, "burst": 4000}


def admin_kubeconfig(state: Path) -> Path:
    """The kubeconfig of a cluster administrator."""
    return state / "kubeconfig" / "admin.conf"


def audit_log(state: Path) -> Path:
    """Where the API server writes its audit log (not at size apiserver)."""
    return state / "logs" / "audit.log"


def kubectl(namespaces: Namespaces, *arguments: str, check: bool = True, stdin: str = "") -> str:
    """Run kubectl as the administrator; raises ToolError when it fails and `check` is set."""
    config = f"--kubeconfig={admin_kubeconfig(namespaces.state)}"
    return namespaces.run(str(bin_dir() / "kubectl"), config, *arguments, check=check, stdin=stdin)


def create_certificates(namespaces: Namespaces) -> None:
    """Certificates and kubeconfigs for every component, made by kubeadm."""
    state = namespaces.state
    config = state / "kubeadm.yaml"
    config.write_text("\n---\n".join(json.dumps(part) for part in _kubeadm_config(state)), encoding="utf-8")
    kubeadm = str(bin_dir() / "kubeadm")
    namespaces.run(kubeadm, "init", "phase", "certs", "all", f"--config={config}")
    folder = f"--kubeconfig-dir={state / 'kubeconfig'}"
    namespaces.run(kubeadm, "init", "phase", "kubeconfig", "all", f"--config={config}", folder)


def _kubeadm_config(state: Path) -> list[dict[str, object]]:
    version = "kubeadm.k8s.io/v1beta4"
    return [
        {
            "apiVersion": version,
            "kind": "InitConfiguration",
            "localAPIEndpoint": {"advertiseAddress": ADDRESS, "bindPort": 6443},
            "nodeRegistration": {"name": NODE, "criSocket": "unix:///run/containerd/containerd.sock"},
        },
        {
            "apiVersion": version,
            "kind": "ClusterConfiguration",
            "kubernetesVersion": pinned_version("kubernetes", "k8s.io/kubernetes"),
            "controlPlaneEndpoint": f"{ADDRESS}:6443",
            "certificatesDir": str(state / "pki"),
            "encryptionAlgorithm": "ECDSA-P256",
            "etcd": {"external": {"endpoints": [_ETCD]}},
            "networking": {"podSubnet": POD_SUBNET, "serviceSubnet": SERVICE_SUBNET, "dnsDomain": CLUSTER_DOMAIN},
            "apiServer": {"certSANs": ["127.0.0.1", "localhost"]},
        },
    ]


def start_apiserver(namespaces: Namespaces, *, audit: bool, kubernetes: str = DEFAULT_KUBERNETES) -> None:
    """Start etcd and kube-apiserver and wait for /readyz; then the administrators' group gets its role."""
    state = namespaces.state
    shutil.copy(MANIFESTS / "audit-policy.yaml", state)
    namespaces.start("etcd", str(bin_dir() / "etcd"), *_etcd_flags(state))
    server = str(bin_dir() / apiserver_of(kubernetes))
    namespaces.start("kube-apiserver", server, *_apiserver_flags(state, audit=audit))
    super_admin = f"--kubeconfig={state / 'kubeconfig' / 'super-admin.conf'}"
    client = str(bin_dir() / "kubectl")
    namespaces.wait_for(
        lambda: namespaces.run(client, super_admin, "get", "--raw", "/readyz", check=False) == "ok",
        90,
        "kube-apiserver",
    )
    role = (
        "clusterrolebinding",
        "kubeadm:cluster-admins",
        "--clusterrole=cluster-admin",
        "--group=kubeadm:cluster-admins",
    )
    namespaces.run(client, super_admin, "create", *role)


def _etcd_flags(state: Path) -> list[str]:
    return [
        f"--data-dir={state / 'etcd'}",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--unsafe-no-fsync",
        "--quota-backend-bytes=8000000000",
        "--log-level=warn",
    ]


def _apiserver_flags(state: Path, *, audit: bool) -> list[str]:
    pki = state / "pki"
    flags = {
        "advertise-address": ADDRESS,
        "allow-privileged": "true",
        "authorization-mode": "Node,RBAC",
        "client-ca-file": pki / "ca.crt",
        "enable-admission-plugins": "NodeRestriction",
        "enable-bootstrap-token-auth": "true",
        "enable-priority-and-fairness": "false",
        "etcd-servers": _ETCD,
        "kubelet-client-certificate": pki / "apiserver-kubelet-client.crt",
        "kubelet-client-key": pki / "apiserver-kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP",
        "max-mutating-requests-inflight": "2000",
        "max-requests-inflight": "4000",
        "proxy-client-cert-file": pki / "front-proxy-client.crt",
        "proxy-client-key-file": pki / "front-proxy-client.key",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-client-ca-file": pki / "front-proxy-ca.crt",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "secure-port": "6443",
        "service-account-issuer": f"https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        "service-account-key-file": pki / "sa.pub",
        "service-account-signing-key-file": pki / "sa.key",
        "service-cluster-ip-range": SERVICE_SUBNET,
        "shutdown-delay-duration": "0s",
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
    }
    if audit:
        flags |= {"audit-log-path": audit_log(state), "audit-policy-file": state / "audit-policy.yaml"}
        flags["audit-log-maxsize"] = 10_000  # MB: at 100, the default, the log begins anew while tests read it
    return [f"--{key}={value}" for key, value in flags.items()]


def start_controllers(namespaces: Namespaces) -> None:
    """Start controller-manager and scheduler; the API server must be ready, or the former exits."""
    state = namespaces.state
    manager, scheduler = (str(bin_dir() / name) for name in CONTROLLER_BINARIES)
    namespaces.start("kube-controller-manager", manager, *_controller_flags(state))
    config = state / "scheduler.json"
    config.write_text(json.dumps(_scheduler_config(state)), encoding="utf-8")
    namespaces.start("kube-scheduler", scheduler, f"--config={config}")
    # Pods are refused until the controller-manager has made their namespace's account.
    account = ("get", "serviceaccount", "default", "--namespace=default", "--ignore-not-found", "--output=name")
    namespaces.wait_for(lambda: kubectl(namespaces, *account, check=False) != "", 60, "kube-controller-manager")


def _controller_flags(state: Path) -> list[str]:
    pki, kubeconfig = state / "pki", state / "kubeconfig" / "controller-manager.conf"
    flags = {
        "allocate-node-cidrs": "true",
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "client-ca-file": pki / "ca.crt",
        "cluster-cidr": POD_SUBNET,
        "cluster-signing-cert-file": pki / "ca.crt",
        "cluster-signing-key-file": pki / "ca.key",
        "concurrent-job-syncs": "20",
        "kube-api-burst": _GENEROUS["burst"],
        "kube-api-qps": _GENEROUS["qps"],
        "kubeconfig": kubeconfig,
        "leader-elect": "false",
        "node-cidr-mask-size": "22",
        "root-ca-file": pki / "ca.crt",
        "service-account-private-key-file": pki / "sa.key",
        "service-cluster-ip-range": SERVICE_SUBNET,
        "use-service-account-credentials": "true",
    }
    return [f"--{key}={value}" for key, value in flags.items()]


def _scheduler_config(state: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "clientConnection": {"kubeconfig": str(state / "kubeconfig" / "scheduler.conf"), **_GENEROUS},
        "leaderElection": {"leaderElect": False},
    }
