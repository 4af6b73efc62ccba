"""Pull credentials for items, and their Secrets kept fresh while the items live (W29)."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Mapping

from launch_agent.adapters.kubernetes.clusters import Clusters
from launch_agent.core import names, pull_secrets, requeues
from launch_agent.core.models import Record, Resource
from launch_agent.core.pull_secrets import PullCredential
from launch_agent.core.spec import RunSpec
from launch_agent.errors import ConfigError, KubernetesError, KubernetesMissing
from launch_agent.registries import selection
from launch_agent.registries.base import CredentialError
from launch_agent.registries.credentials import PullCredentials
from launch_agent.settings import Settings

log = logging.getLogger(__name__)

INTERVAL = 60.0
"""Seconds between two looks whether the credential was renewed."""


def find_credentials(settings: Settings, environ: Mapping[str, str] = os.environ) -> PullCredentials | None:
    """The credentials of the registry that the configuration names; None where it needs none.

    Raises ConfigError for a `registry` block that contradicts itself. One whose package is not installed costs a
    warning: a configuration of W&B's has to start, and nodes may have rights of their own.
    """
    place = selection.find_place(settings.registry, settings.builder)
    try:
        registry = selection.connect(place, environ)
    except CredentialError as error:
        log.warning("jobs get no Secret to pull images with: %s", error)
        return None
    return PullCredentials(registry, is_needed=place is not None and place.is_asked) if registry else None


def find_credential(credentials: PullCredentials | None, spec: RunSpec) -> PullCredential | None:
    """The credential that an item needs: one whose image, manifest or additional services name the registry.

    Raises CredentialError where the `registry` block asks for one and there is none to be had.
    """
    if credentials is None or spec.resource is not Resource.KUBERNETES or not _names(credentials.host, spec):
        return None
    try:
        return credentials.get()
    except CredentialError:
        if credentials.is_needed:
            raise
        return None


def _names(host: str, spec: RunSpec) -> bool:
    written = json.dumps([spec.resource_args, spec.additional_services])
    return f"{host}/" in f"{spec.image} {written}".lower()


class PullSecrets:
    """The loop that writes a renewed credential into the Secrets of the items that run."""

    def __init__(
        self, credentials: PullCredentials, clusters: Clusters, active: Callable[[], tuple[Record, ...]]
    ) -> None:
        self._credentials = credentials
        self._clusters = clusters
        self._active = active
        self._written: PullCredential | None = None
        self._pending: dict[str, Record] = {}

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Look each minute, until stopped."""
        while not stop.wait(INTERVAL):
            beat()
            self.refresh()

    def refresh(self) -> None:
        """Write a credential that was renewed since the last time into the Secret of each item that runs."""
        try:
            credential = self._credentials.get()
        except CredentialError:
            return  # told in the log by whoever asked the registry
        if credential != self._written:
            self._pending = {one.item_id: one for one in self._active()}
            self._written = credential
        for item_id, record in list(self._pending.items()):
            if self._write(credential, record):
                del self._pending[item_id]

    def _write(self, credential: PullCredential, record: Record) -> bool:
        """Whether nothing is left to do for this item."""
        ref = record.object
        if ref is None or record.resource is not Resource.KUBERNETES:
            return True
        name = names.secret_name(record.run_id, pull_secrets.PREFIX, requeues.read_count(record.run_spec))
        try:
            client = self._clusters.client(ref.cluster)
            client.patch("v1", "Secret", ref.namespace, name, {"data": pull_secrets.make_data(credential)})
        except KubernetesMissing:
            return True  # the item pulls from elsewhere
        except (KubernetesError, ConfigError) as error:
            log.warning("item %s: its pull Secret is not renewed yet: %s", record.item_id, error)
            return False
        return True
