"""Where records live: ConfigMaps in the agent's namespace, or files outside Kubernetes."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import ledger_format
from launch_agent.core.models import Manifest, Record
from launch_agent.errors import KubernetesConflict, KubernetesMissing, KubernetesUnavailable, LedgerError

log = logging.getLogger(__name__)

LABEL = "launch-agent/record"
INSTALLATION_LABEL = "launch-agent/installation"


class Ledger(Protocol):
    """One record per claimed item. Each call may be repeated."""

    def create(self, record: Record) -> None:
        """Write a new record. LedgerError if it can not be held."""

    def update(self, record: Record) -> None:
        """Write the step and the object of a record that exists."""

    def delete(self, item_id: str) -> None:
        """Remove a record; none there is no error."""

    def list(self) -> list[Record]:
        """All records of this installation. What can not be read is left where it is and told by `unreadable`."""

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Errors of the last `list`, one per record."""


def _name(item_id: str) -> str:
    return "launch-agent-item-" + hashlib.sha256(item_id.encode()).hexdigest()[:24]


class ConfigMapLedger:
    """Records as ConfigMaps, labelled with the installation.

    ``owner`` gives the owner reference of new records: with that object Kubernetes removes them. The Lease of the
    release is one, so that uninstalling leaves nothing behind.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        installation: str,
        owner: Callable[[], Manifest | None] = lambda: None,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._owner = owner
        self._labels = {LABEL: "item", INSTALLATION_LABEL: installation}
        self._unreadable: tuple[str, ...] = ()

    def create(self, record: Record) -> None:
        """Create the ConfigMap; one that is there is our own (its name is made of the item) and gets a new owner."""
        head, packed = ledger_format.encode(record)
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": _name(record.item_id),
                "namespace": self._namespace,
                "labels": self._labels,
                "annotations": {"launch-agent/item-id": record.item_id, "launch-agent/run-id": record.run_id},
            },
            "data": {"record.json": head},
            "binaryData": {"run-spec": packed},
        }
        owner = self._owner()
        if owner is not None:
            body["metadata"]["ownerReferences"] = [owner]
        try:
            self._client.create(body)
        except KubernetesConflict:
            self._renew(record, head, owner)

    def _renew(self, record: Record, head: str, owner: Manifest | None) -> None:
        patch: dict[str, Any] = {"data": {"record.json": head}}
        if owner is not None:
            patch["metadata"] = {"ownerReferences": [owner]}
        try:
            self._patch(record, patch)
        except KubernetesMissing as error:  # it went with its owner in this very moment: to be repeated
            raise KubernetesUnavailable(f"The record of item {record.item_id} was there a moment ago.") from error

    def update(self, record: Record) -> None:
        """Replace the record's JSON text; the run spec does not change."""
        head, _ = ledger_format.encode(record)
        try:
            self._patch(record, {"data": {"record.json": head}})
        except KubernetesMissing:
            log.warning(
                "the record of item %s was deleted by somebody else; it is followed all the same", record.item_id
            )

    def _patch(self, record: Record, patch: Manifest) -> None:
        self._client.patch("v1", "ConfigMap", self._namespace, _name(record.item_id), patch)

    def delete(self, item_id: str) -> None:
        """Delete the ConfigMap."""
        try:
            self._client.delete("v1", "ConfigMap", self._namespace, _name(item_id))
        except KubernetesMissing:
            return

    def list(self) -> list[Record]:
        """All ConfigMaps with our labels."""
        selector = ",".join(f"{key}={value}" for key, value in self._labels.items())
        found, _ = self._client.list("v1", "ConfigMap", self._namespace, label_selector=selector)
        records, errors = [], []
        for body in found:
            try:
                data, binary = body.get("data") or {}, body.get("binaryData") or {}
                records.append(ledger_format.decode(data.get("record.json", ""), binary.get("run-spec", "")))
            except LedgerError as error:
                errors.append(f"ConfigMap {self._namespace}/{body['metadata']['name']}: {error}")
        self._unreadable = tuple(errors)
        return records

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Errors of the last `list`."""
        return self._unreadable


class DirectoryLedger:
    """Records as files, written whole by rename."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unreadable: tuple[str, ...] = ()

    def create(self, record: Record) -> None:
        """Write the file."""
        head, packed = ledger_format.encode(record)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._path(record.item_id)
        new = path.with_suffix(".new")
        try:
            with new.open("w") as file:
                file.write(f"{head}\n{packed}\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            raise LedgerError(f"The record {path} can not be written: {error.strerror}.") from error

    def update(self, record: Record) -> None:
        """Write the file anew."""
        self.create(record)

    def delete(self, item_id: str) -> None:
        """Remove the file."""
        self._path(item_id).unlink(missing_ok=True)

    def list(self) -> list[Record]:
        """All files of the folder."""
        records, errors = [], []
        for path in sorted(self._folder.glob("*.record")):
            head, _, packed = path.read_text().partition("\n")
            try:
                records.append(ledger_format.decode(head, packed.strip()))
            except LedgerError as error:
                errors.append(f"{path}: {error}")
        self._unreadable = tuple(errors)
        return records

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Errors of the last `list`."""
        return self._unreadable

    def _path(self, item_id: str) -> Path:
        return self._folder / f"{_name(item_id)}.record"
