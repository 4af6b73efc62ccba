"""Records as files: the contract that a ledger keeps (tests/sim runs the same against ConfigMaps)."""

from __future__ import annotations

import json
import random
import subprocess
import sys
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
        ledger_format.decode(json.dumps({**json.loads(head), "version": 9}), packed)


@pytest.mark.parametrize("step", Step)
def test_only_a_record_that_the_version_before_can_not_act_on_has_the_new_version(step: Step) -> None:
    made = replace(RECORD, step=step, max_resume_count=2)
    head, packed = ledger_format.encode(made)
    assert json.loads(head)["version"] == (3 if step is Step.REQUEUEING else 2)
    assert ledger_format.decode(head, packed) == made


def test_a_record_of_the_version_before_is_read_with_no_deadline_and_the_agents_own_cluster() -> None:
    created = replace(RECORD, step=Step.CREATED, object=ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid"))
    head, packed = ledger_format.encode(created)
    old = json.loads(head)
    for key in ("createdAt", "maxRuntime", "endless", "maxResumeCount"):
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


def test_a_read_run_spec_is_kept_packed_and_reads_like_the_one_that_was_written() -> None:
    spec = {"project": "p", "overrides": {"args": ["x"] * 500}}
    read = ledger_format.decode(*ledger_format.encode(replace(RECORD, run_spec=spec))).run_spec
    assert isinstance(read, ledger_format.PackedSpec)
    assert (dict(read), len(read)) == (spec, 2)
    assert len(repr(read)) < 40


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"{}\n\xff"])
def test_a_file_that_is_no_text_stops_no_start(tmp_path: Path, content: bytes) -> None:
    ledger = DirectoryLedger(tmp_path)
    ledger.create(RECORD)
    (tmp_path / "broken.record").write_bytes(content)
    assert ledger.list() == [RECORD]
    assert [text.partition(": ")[0] for text in ledger.unreadable] == [str(tmp_path / "broken.record")]


def test_something_in_a_record_s_place_that_can_not_be_opened_stops_no_start(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path)
    ledger.create(RECORD)
    (tmp_path / "folder.record").mkdir()
    assert ledger.list() == [RECORD]
    assert "folder.record" in ledger.unreadable[0]


def test_what_an_earlier_process_left_half_written_goes_with_the_first_write_and_not_with_a_look(
    tmp_path: Path,
) -> None:
    (tmp_path / "launch-agent-item-1.new").write_text("half")
    ledger = DirectoryLedger(tmp_path)
    assert ledger.list() == []
    assert (tmp_path / "launch-agent-item-1.new").exists()  # another process may be writing it
    ledger.create(RECORD)
    assert [path.suffix for path in tmp_path.iterdir()] == [".record"]


def test_a_folder_that_can_never_hold_a_record_is_no_passing_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ledger = DirectoryLedger(tmp_path / "file")
    with pytest.raises(LedgerError) as caught:
        ledger.create(RECORD)
    assert type(caught.value) is LedgerError
    assert ledger.trouble == ""


FULL_DISK = """
import resource, sys
from pathlib import Path
from launch_agent.errors import LedgerUnavailable
from launch_agent.runtime.ledger import DirectoryLedger
from tests.support.records import FULL, make_record

folder = Path(sys.argv[1])
ledger = DirectoryLedger(folder)
there = make_record("there")
ledger.create(there)


def tell():
    print(bool(ledger.trouble), sorted(path.suffix for path in folder.iterdir()))


_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, most))
for attempt, record in ((ledger.create, FULL), (ledger.update, there)):
    try:
        attempt(record)
    except LedgerUnavailable as error:
        print(type(error).__name__)
ledger.probe()
tell()
resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
ledger.probe()
tell()
ledger.create(FULL)
print(sorted(one.item_id for one in ledger.list()) == sorted([FULL.item_id, "there"]))
"""


def test_a_disk_that_takes_nothing_is_waited_for_and_told_of(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.splitlines() == [
        "LedgerUnavailable",
        "LedgerUnavailable",
        "True ['.record']",
        "False ['.record']",
        "True",
    ]


def test_a_record_that_is_deleted_is_not_made_again_by_a_late_write(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path)
    ledger.create(RECORD)
    ledger.delete(RECORD.item_id)
    ledger.update(RECORD)
    assert ledger.list() == []
