"""A second API server in the cluster's network: etcd and kube-apiserver of its own, without controllers."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
import ssl
from pathlib import Path

import httpx
import trustme
import yaml

from tests.support.agents import free_port
from tests.support.cluster import Cluster, Json
from tests.support.processes import Program, clean_environment
from tests.support.waiting import wait_until

RBAC = "rbac.authorization.k8s.io"
NAMESPACE = "second"
"""The namespace of its kubeconfig's context."""


class SecondServer:
    """Both processes, their certificates, and a kubeconfig of its administrator; pods are never made there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._authority = trustme.CA()
        self._context = ssl.create_default_context(cadata=self._authority.cert_pem.bytes().decode())
        self.port = free_port()
        self.kubeconfig = self.write_kubeconfig("kubeconfig", {})
        self.cluster = Cluster(folder, self.kubeconfig)
        self._etcd = self._start_etcd()
        self._server = self._start_server()
        with contextlib.ExitStack() as undo:
            undo.callback(self.close)
            wait_until(self._is_ready, 60, "the second API server")
            undo.pop_all()  # it is up: from now on its user closes it

    def make_account(self, name: str) -> None:
        """A service account that may do everything there; one of the same name goes before it."""
        accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
        self.cluster.delete_path(f"{accounts}/{name}")
        self.cluster.post(accounts, {"metadata": {"name": name}})
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}],
        }
        bindings = f"/apis/{RBAC}/v1/clusterrolebindings"
        self.cluster.delete_path(f"{bindings}/{name}")
        self.cluster.post(bindings, binding)

    def accepts(self, token: str) -> bool:
        """Whether a token is good there."""
        answer = httpx.get(
            f"https://127.0.0.1:{self.port}/version",
            headers={"Authorization": f"Bearer {token}"},
            verify=self._context,
            trust_env=False,
        )
        return answer.status_code == 200

    def close(self) -> None:
        """End both."""
        self.cluster.close()
        self._server.kill()
        self._etcd.kill()
        shutil.rmtree(self.folder / "etcd", ignore_errors=True)

    def write_kubeconfig(self, name: str, user: Json, *, context: str = "second") -> Path:
        """A kubeconfig in its folder with one context; an empty ``user`` is the administrator, by certificate."""
        group = "system:masters"
        certificate = self._authority.issue_cert("admin.example", common_name="admin", organization_name=group)
        pair = {
            "client-certificate-data": _encode(certificate.cert_chain_pems[0].bytes()),
            "client-key-data": _encode(certificate.private_key_pem.bytes()),
        }
        cluster = {
            "server": f"https://127.0.0.1:{self.port}",
            "certificate-authority-data": _encode(self._authority.cert_pem.bytes()),
        }
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": context,
            "clusters": [{"name": "second", "cluster": cluster}],
            "users": [{"name": "user", "user": user or pair}],
            "contexts": [{"name": context, "context": {"cluster": "second", "user": "user", "namespace": NAMESPACE}}],
        }
        path = self.folder / name
        path.write_text(yaml.safe_dump(config))
        return path

    def _start_etcd(self) -> Program:
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        self._etcd_url = client
        command = [_find("etcd"), f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync", "--log-level=warn"]
        command += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
        command += [f"--listen-peer-urls={peer}"]
        return Program(command, clean_environment(self.folder), self.folder / "etcd.log")

    def _start_server(self) -> Program:
        pki = self.folder / "pki"
        pki.mkdir()
        self._authority.cert_pem.write_to_path(str(pki / "ca.crt"))
        own = self._authority.issue_cert("127.0.0.1", "localhost", "kubernetes.default.svc")
        own.cert_chain_pems[0].write_to_path(str(pki / "own.crt"))
        own.private_key_pem.write_to_path(str(pki / "own.key"))
        flags = {
            "allow-privileged": "true",
            "authorization-mode": "RBAC",
            "bind-address": "127.0.0.1",
            "cert-dir": pki,
            "client-ca-file": pki / "ca.crt",
            "disable-admission-plugins": "ServiceAccount",
            "enable-priority-and-fairness": "false",
            "etcd-servers": self._etcd_url,
            "secure-port": self.port,
            "service-account-issuer": "https://second.example",
            "service-account-key-file": pki / "own.key",
            "service-account-signing-key-file": pki / "own.key",
            "service-cluster-ip-range": "10.203.0.0/16",
            "shutdown-delay-duration": "0s",
            "tls-cert-file": pki / "own.crt",
            "tls-private-key-file": pki / "own.key",
        }
        command = [_find("kube-apiserver"), *(f"--{key}={value}" for key, value in flags.items())]
        return Program(command, clean_environment(self.folder), self.folder / "kube-apiserver.log")

    def _is_ready(self) -> bool | str:
        code = self._server.exit_code
        assert code is None, f"kube-apiserver ended with {code}:\n{self._server.log[-3000:]}"
        return self.cluster.is_ready()


def _find(name: str) -> str:
    """A binary of the local cluster; `ci/inside` has them on PATH."""
    found = shutil.which(name, path=os.environ["PATH"])
    assert found is not None, f"no {name} on PATH: run this by ci/inside"
    return found


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()
