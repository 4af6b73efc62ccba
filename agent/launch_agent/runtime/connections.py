"""What an agent is connected to: W&B, a cluster, and the Lease in it."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from launch_agent.adapters.kubernetes import access
from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.adapters.kubernetes.client import Client as KubernetesClient
from launch_agent.adapters.kubernetes.lease import ClusterStore
from launch_agent.adapters.wandb.client import Client as WandbClient
from launch_agent.core import shares
from launch_agent.core.leadership import Candidate
from launch_agent.errors import ConfigError
from launch_agent.runtime.lease import TIMEOUT
from launch_agent.settings import Settings


def connect_wandb(settings: Settings) -> WandbClient:
    """W&B's API."""
    return WandbClient(
        settings.base_url,
        settings.api_key.reveal(),
        timeout=settings.http_timeout,
        ca_bundle=settings.ca_bundle,
        verify_tls=settings.verify_tls,
        proxies=settings.proxies,
        username=settings.username,
        user_email=settings.user_email,
    )


def find_cluster(
    settings: Settings, environ: Mapping[str, str] = os.environ, home: Path | None = None
) -> ClusterAccess | None:
    """The cluster: an explicit kubeconfig, the pod's own, or the user's; None where there is none."""
    found = access.in_cluster(environ) if not settings.kubeconfig else None
    return found or access.from_kubeconfig(settings.kubeconfig, settings.kube_context, environ=environ, home=home)


@dataclass(frozen=True, slots=True)
class Leases:
    """The Leases of an installation, over connections of their own."""

    client: KubernetesClient
    namespace: str
    name: str

    def find(self, shard: int) -> ClusterStore:
        """The Lease of a shard."""
        return ClusterStore(self.client, self.namespace, shares.name_lease(self.name, shard))


def connect_leases(settings: Settings) -> Leases:
    """Where the Leases of the settings' installation are. Raises ConfigError without a cluster for them."""
    cluster = find_cluster(settings)
    if cluster is None or settings.pod_namespace is None or settings.lease is None:
        raise ConfigError(
            f"LAUNCH_AGENT_LEASE names the Lease {settings.lease!r}, but there is no cluster or no namespace for it.",
            resolution="Set POD_NAMESPACE and reach a cluster, or unset LAUNCH_AGENT_LEASE.",
        )
    client = KubernetesClient(cluster, timeout=TIMEOUT, pool_size=shares.MOST)
    return Leases(client, settings.pod_namespace, settings.lease)


def make_candidate(settings: Settings) -> Candidate:
    """What this process is called in Leases."""
    return Candidate(settings.pod_name or socket.gethostname(), secrets.token_hex(4), is_pod=bool(settings.pod_name))
