"""One Lease: read, made, replaced. What is in it is decided elsewhere."""

from __future__ import annotations

from typing import Any

from launch_agent.adapters.kubernetes.client import MANAGER, Client
from launch_agent.core.leadership import API_VERSION, KIND
from launch_agent.core.models import Manifest
from launch_agent.errors import KubernetesDenied


class ClusterStore:
    """The Lease in a cluster."""

    def __init__(self, client: Client, namespace: str, name: str) -> None:
        self.namespace = namespace
        self.name = name
        self._client = client

    def read(self) -> dict[str, Any] | None:
        """Get it."""
        return self._client.get(API_VERSION, KIND, self.namespace, self.name)

    def create(self, body: Manifest) -> dict[str, Any]:
        """Create it. The chart makes it, and then the agent's account has no right to."""
        try:
            return self._send("POST", self._path(""), body)
        except KubernetesDenied as error:
            raise KubernetesDenied(
                f"There is no Lease {self.namespace}/{self.name}, and the agent's account may not create it.",
                status=error.status,
                reason=error.reason,
                detail=error.detail,
                resolution="Run helm upgrade, which makes it again.",
            ) from error

    def update(self, body: Manifest) -> dict[str, Any]:
        """Update it, if its resource version is still the one in ``body``."""
        return self._send("PUT", self._path(self.name), body)

    def _path(self, name: str) -> str:
        return self._client.path(API_VERSION, KIND, self.namespace, name)

    def _send(self, method: str, path: str, body: Manifest) -> dict[str, Any]:
        return self._client.request(method, f"{path}?fieldManager={MANAGER}", body=body)
