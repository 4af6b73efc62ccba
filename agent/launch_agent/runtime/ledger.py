"""Where records live: ConfigMaps in the agent's namespace, or files outside Kubernetes."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypedDict

from launch_agent.adapters.kubernetes.answers import Shape
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import ledger_format, marks
from launch_agent.core.models import Manifest, Record
from launch_agent.errors import (
    KubernetesConflict,
    KubernetesMissing,
    KubernetesUnavailable,
    LedgerError,
    LedgerUnavailable,
    RecordTaken,
)

log = logging.getLogger(__name__)

PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
"""What is wrong with a disk, and no fault of the item: no space, a quota or a limit reached, read-only, broken."""

PROBE_BYTES = 65_536
PROBE_INTERVAL = 5.0
"""How much is written, and after how many seconds again, to learn whether a folder takes records again."""


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

    def list_all(self) -> Sequence[Record]:
        """The same of all shards of the installation; only those that can be read."""

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Errors of the last `list`, one per record."""


def _name(item_id: str) -> str:
    return "launch-agent-item-" + hashlib.sha256(item_id.encode()).hexdigest()[:24]


class ConfigMapLedger:
    """Records as ConfigMaps, labelled with the installation; an empty one lists those of all installations.

    ``shard`` is the part of the installation whose records are written and listed (`core.shares`); None: those of all
    shards are listed, none is written.

    ``owner`` gives the owner reference of new records: with that object Kubernetes removes them. The Lease of the
    release is one, so that uninstalling leaves nothing behind.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        installation: str,
        owner: Callable[[], Manifest | None] = lambda: None,
        *,
        shard: int | None = 0,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._owner = owner
        own = {marks.RECORD_LABEL: "item", marks.INSTALLATION_LABEL: installation}
        self._shard = shard or 0
        self._labels = own | ({marks.SHARD_LABEL: str(shard)} if shard else {})
        self._all = ",".join(f"{key}={value}" if value else key for key, value in own.items())
        self._selector = self._all if shard is None else f"{self._all},{select_shard(shard)}"
        self._others = f"{self._all},{marks.SHARD_LABEL}" if not shard else f"{self._all},{marks.SHARD_LABEL}!={shard}"
        self._unreadable: tuple[str, ...] = ()

    def create(self, record: Record) -> None:
        """Create the ConfigMap; one that is there is our own (its name is made of the item) and gets a new owner."""
        head, packed = ledger_format.encode(record, self._shard)
        body: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": _name(record.item_id),
                "namespace": self._namespace,
                "labels": self._labels,
                "annotations": {marks.ITEM_ANNOTATION: record.item_id, marks.RUN_ID_ANNOTATION: record.run_id},
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
        self._refuse_others(record)
        patch: dict[str, Any] = {"data": {"record.json": head}}
        if owner is not None:
            patch["metadata"] = {"ownerReferences": [owner]}
        try:
            self._patch(record, patch)
        except KubernetesMissing as error:  # it went with its owner in this very moment: to be repeated
            raise KubernetesUnavailable(f"The record of item {record.item_id} was there a moment ago.") from error

    def _refuse_others(self, record: Record) -> None:
        """Raise RecordTaken if the record that is there is another shard's. Nobody may get records by their names."""
        name = _name(record.item_id)
        found, _ = self._client.list("v1", "ConfigMap", self._namespace, label_selector=self._others)
        if any(body["metadata"]["name"] == name for body in found):
            raise RecordTaken(f"Another replica has the record of item {record.item_id}.")

    def update(self, record: Record) -> None:
        """Replace the record's JSON text; the run spec does not change."""
        head, _ = ledger_format.encode(record, self._shard)
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
        records, errors = self._read(self._selector)
        self._unreadable = tuple(errors)
        return [*records]

    def list_all(self) -> Sequence[Record]:
        """All ConfigMaps of the installation."""
        return self._read(self._all)[0]

    def find_shards(self, replicas: int) -> set[int]:
        """The shards from ``replicas`` on that have records: a larger number of replicas left them."""
        inner = ",".join(map(str, range(1, replicas)))
        outside = f",{marks.SHARD_LABEL} notin ({inner})" if inner else ""
        selector = f"{self._all},{marks.SHARD_LABEL}{outside}"
        found, _ = self._client.list("v1", "ConfigMap", self._namespace, label_selector=selector)
        values = {str(body["metadata"]["labels"][marks.SHARD_LABEL]) for body in found}
        return {int(value) for value in values if value.isdecimal()}

    def _read(self, selector: str) -> tuple[Sequence[Record], Sequence[str]]:
        found, _ = self._client.list_as(RECORD, "v1", "ConfigMap", self._namespace, label_selector=selector)
        errors = [f"ConfigMap {self._namespace}/{one}" for one in found if isinstance(one, str)]
        return [one for one in found if not isinstance(one, str)], errors

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Errors of the last `list`."""
        return self._unreadable


class _Name(TypedDict, total=False):
    name: str


class _Form(TypedDict, total=False):
    """What a record's ConfigMap holds."""

    metadata: _Name
    data: dict[str, str] | None
    binaryData: dict[str, str] | None


def _keep(body: Manifest) -> Record | str:
    """The record of a ConfigMap; else its name and why it can not be read."""
    data, binary = body.get("data") or {}, body.get("binaryData") or {}
    try:
        return ledger_format.decode(data.get("record.json", ""), binary.get("run-spec", ""))
    except LedgerError as error:
        return f"{body['metadata']['name']}: {error}"


RECORD: Shape[Record | str] = Shape(_Form, lambda: _keep)
"""Each ConfigMap becomes its record while its page is read: the texts of thousands are never held at once."""


def select_shard(shard: int) -> str:
    """The label selector of what belongs to a shard; what belongs to shard 0 has no such label."""
    return f"{marks.SHARD_LABEL}={shard}" if shard else f"!{marks.SHARD_LABEL}"


class DirectoryLedger:
    """Records as files, written whole by rename. One process writes to a folder; others may read it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._unreadable: tuple[str, ...] = ()
        self._is_swept = False
        self._sweeping = threading.Lock()
        self.trouble = ""
        """Why no record can be written now; empty while all is well. Other threads may read it."""

    def create(self, record: Record) -> None:
        """Write the file. LedgerUnavailable where the disk takes nothing now."""
        head, packed = ledger_format.encode(record)
        self._write(self._path(record.item_id), f"{head}\n{packed}\n")
        self.trouble = ""

    def _write(self, path: Path, text: str) -> None:
        new = path.with_suffix(".new")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sweep()
            with new.open("w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
            self._settle()
        except OSError as error:
            _discard(new)
            what = f"The record {path} can not be written: {error.strerror}."
            if error.errno not in PASSING:
                raise LedgerError(what) from error
            self.trouble = f"the folder of the records {self._folder} can not be written ({error.strerror})"
            raise LedgerUnavailable(what, resolution="Make space, or make the folder writable again.") from error

    def _sweep(self) -> None:
        """Remove what an earlier process left half-written; before this one writes anything."""
        with self._sweeping:
            if not self._is_swept:
                for left in self._folder.glob("*.new"):
                    left.unlink(missing_ok=True)
                self._is_swept = True

    def _settle(self) -> None:
        """Write the folder itself to the disk: a rename is safe only then."""
        number = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)

    def update(self, record: Record) -> None:
        """Write the file anew; one that is gone stays away."""
        if self._path(record.item_id).exists():
            self.create(record)
        else:
            log.warning("the record of item %s was deleted; it is not written anew", record.item_id)

    def delete(self, item_id: str) -> None:
        """Remove the file."""
        self._path(item_id).unlink(missing_ok=True)

    def list(self) -> list[Record]:
        """All files of the folder."""
        records, errors = [], []
        for path in sorted(self._folder.glob("*.record")):
            try:
                head, _, packed = path.read_text().partition("\n")
                records.append(ledger_format.decode(head, packed.strip()))
            except FileNotFoundError:  # deleted since the folder was read
                continue
            except (OSError, UnicodeDecodeError, LedgerError) as error:
                errors.append(f"{path}: {error}")
        self._unreadable = tuple(errors)
        return records

    def list_all(self) -> Sequence[Record]:
        """The same: files have no shards."""
        return self.list()

    @property
    def unreadable(self) -> tuple[str, ...]:
        """Errors of the last `list`."""
        return self._unreadable

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """While the folder can not be written, try again each few seconds: there may be no item that would."""
        while not stop.wait(PROBE_INTERVAL):
            beat()
            self.probe()

    def probe(self) -> None:
        """Learn whether the folder takes records again, if it did not."""
        if not self.trouble:
            return
        path = self._folder / "probe"
        try:
            self._write(path, " " * PROBE_BYTES)
        except LedgerError as error:
            log.warning("no items are taken: %s", error)
        else:
            self.trouble = ""
            log.info("records can be written again")
        _discard(path)

    def _path(self, item_id: str) -> Path:
        return self._folder / f"{_name(item_id)}.record"


def _discard(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("%s stays behind: %s", path, error.strerror)
