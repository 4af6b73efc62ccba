"""What a watch says, as notices."""

from __future__ import annotations

from typing import Any

from launch_agent.core.models import Resource
from launch_agent.targets.base import Notice, Post


class NoticeSink:
    """Turns what one watch says into notices."""

    def __init__(self, cluster: str, api_version: str, kind: str, namespace: str, post: Post) -> None:
        self._cluster = cluster
        self._api_version = api_version
        self._kind = kind
        self._namespace = namespace
        self._post = post

    def synced(self, _key: object, objects: list[dict[str, Any]]) -> None:
        """A complete list."""
        self._send("SYNCED", tuple(objects))

    def changed(self, _key: object, change: str, body: dict[str, Any]) -> None:
        """One change."""
        self._send(change, (body,))

    def refused(self, _key: object, why: str) -> None:
        """Nothing can be watched."""
        self._send("REFUSED", (), why)

    def _send(self, change: str, objects: tuple[dict[str, Any], ...], trouble: str = "") -> None:
        self._post(
            Notice(
                Resource.KUBERNETES,
                self._kind,
                self._namespace,
                change,
                objects,
                api_version=self._api_version,
                cluster=self._cluster,
                trouble=trouble,
            )
        )
