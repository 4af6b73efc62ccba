"""Records as files: the contract that a ledger keeps (tests/sim runs the same against ConfigMaps)."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from launch_agent.core import ledger_format
from launch_agent.core.models import ObjectRef, Step
from launch_agent.errors import LedgerError
from launch_agent.runtime.ledger import DirectoryLedger
from tests.support.records import FULL as RECORD


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path / "items")
    ledger.create(RECORD)
    assert ledger.list() == [RECORD]


def test_a_record_is_written_twice_and_is_there_once(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path)
    ledger.create(RECORD)
    ledger.create(RECORD)
    created = replace(RECORD, step=Step.CREATED, object=ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid"))
    ledger.update(created)
    assert ledger.list() == [created]


def test_a_deleted_record_is_gone_and_may_be_deleted_again(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path)
    ledger.create(RECORD)
    ledger.delete(RECORD.item_id)
    ledger.delete(RECORD.item_id)
    assert ledger.list() == []


def test_a_record_that_can_not_be_read_is_left_and_told_of(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path)
    ledger.create(RECORD)
    (tmp_path / "broken.record").write_text("{not json")
    assert ledger.list() == [RECORD]
    assert len(ledger.unreadable) == 1
    assert "broken.record" in ledger.unreadable[0]
    assert (tmp_path / "broken.record").exists()


def test_a_key_is_never_written_into_a_record(tmp_path: Path) -> None:
    secret = "local-" + "k" * 40
    DirectoryLedger(tmp_path).create(replace(RECORD, run_spec={"_wandb_api_key": secret}))
    (path,) = tmp_path.glob("*.record")
    head, packed = path.read_text().splitlines()
    assert ledger_format.decode(head, packed).run_spec == {"_wandb_api_key": ledger_format.MARKER}


def test_a_spec_too_large_for_a_record_says_so() -> None:
    noise = random.Random(1).randbytes(1_000_000).hex()
    with pytest.raises(LedgerError, match=r"too large: \d+ bytes compressed, 700000 fit"):
        ledger_format.encode(replace(RECORD, run_spec={"args": noise}))


def test_a_record_of_a_newer_agent_is_not_guessed_at() -> None:
    head, packed = ledger_format.encode(RECORD)
    with pytest.raises(LedgerError, match="version 9"):
        ledger_format.decode(head.replace(f'"version":{ledger_format.VERSION}', '"version":9'), packed)


def test_a_record_of_the_version_before_is_read_with_no_deadline_and_the_agents_own_cluster() -> None:
    created = replace(RECORD, step=Step.CREATED, object=ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid"))
    head, packed = ledger_format.encode(created)
    old = json.loads(head)
    for key in ("createdAt", "maxRuntime", "endless"):
        del old[key]
    del old["object"]["cluster"]
    assert ledger_format.decode(json.dumps({**old, "version": 1}), packed) == created


def test_a_record_keeps_its_cluster_and_its_deadline() -> None:
    ref = ObjectRef("ray.io/v1", "RayCluster", "ml", "launch-x", "uid", "/etc/other#prod")
    record = replace(RECORD, step=Step.CREATED, object=ref, created_at=7.5, max_runtime=60.0, is_endless=True)
    assert ledger_format.decode(*ledger_format.encode(record)) == record


@pytest.mark.parametrize("head", ["", "{}", "[]", '{"version":1}', "null"])
def test_a_broken_record_is_an_error_with_a_reason(head: str) -> None:
    with pytest.raises(LedgerError, match="can not be read"):
        ledger_format.decode(head, "")
