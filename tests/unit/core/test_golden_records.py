"""Records as each version of the agent wrote them, kept as files: made by that version's own code, not by today's.

A file is one record as it lies in a folder: its JSON text, and in the second line its run spec. Those of `TODAY` are
what this version writes. A change of the format that touches one of them is a new version, or an extra key that older
agents skip: then a new file comes beside the old ones, and none is changed.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from launch_agent.core import ledger_format
from launch_agent.core.models import MAX_RESUME_COUNT, Diagnosis, JobState, ObjectRef, Outcome, Record, Step
from launch_agent.errors import LedgerError
from tests.support.records import make_record

FOLDER = Path(__file__).parent / "golden"
SPEC = {
    "entity": "team",
    "project": "vision",
    "docker": {"docker_image": "registry.example/train:1"},
    "overrides": {"run_config": {"lr": 0.1, "note": "größer"}},
    "unknown": {"kept": [1, None]},
}
ITEM = "UnVuUXVldWVJdGVtOjE="
CLAIMED = make_record(ITEM, run_spec=SPEC, claimed_at=1764000000.5, release_after=60)
NAME, UID = "launch-team-vision-abc12345", "11111111-2222-3333-4444-555555555555"
HERE = ObjectRef("batch/v1", "Job", "ml", NAME, UID)
WEST = ObjectRef("batch/v1", "Job", "ml", NAME, UID, "west")
CREATED_AT = 1764000010.25
LIMITED = make_record(
    ITEM, run_spec=SPEC, claimed_at=1764000000.5, release_after=60, max_runtime=3600.0, max_resume_count=3
)


def created(record: Record, ref: ObjectRef, created_at: float, step: Step = Step.CREATED, **changes: Any) -> Record:
    """The record once its object exists."""
    return replace(record, step=step, object=ref, created_at=created_at, **changes)


OUTCOME = Outcome(JobState.FAILED, Diagnosis("ExitCode", "It ended with 3.", "a fact", "the cure"), tail="one\nzwei ü")

WRITTEN = {
    "1-claimed": CLAIMED,
    "1-created": created(CLAIMED, HERE, 0.0),
    "2-created": created(CLAIMED, WEST, CREATED_AT, max_runtime=3600.0),
    "2-resumable-claimed": LIMITED,
    "2-resumable-created": created(LIMITED, WEST, CREATED_AT, is_endless=True),
    "2-shard-created": created(LIMITED, HERE, CREATED_AT, shard=2),
    "2-outcome-created": created(LIMITED, HERE, CREATED_AT, outcome=OUTCOME),
    "3-requeueing": created(LIMITED, HERE, CREATED_AT, Step.REQUEUEING),
}
"""What was written into each file, in today's words."""

TODAY = ("2-resumable-claimed", "2-resumable-created", "2-shard-created", "2-outcome-created", "3-requeueing")


def read(name: str) -> tuple[str, str]:
    """Both lines of a file."""
    head, packed = (FOLDER / f"{name}.record").read_text().splitlines()
    return head, packed


@pytest.mark.parametrize("name", WRITTEN)
def test_today_s_agent_reads_what_each_version_wrote(name: str) -> None:
    found = ledger_format.decode(*read(name))
    assert found == WRITTEN[name]
    assert dict(found.run_spec) == SPEC


def test_what_a_version_had_no_word_for_is_as_if_nobody_had_wished_it() -> None:
    found = ledger_format.decode(*read("1-created"))
    assert (found.max_runtime, found.is_endless, found.created_at) == (None, False, 0.0)
    assert (found.max_resume_count, found.shard) == (MAX_RESUME_COUNT, 0)
    assert found.object is not None
    assert found.object.cluster == ""


@pytest.mark.parametrize("name", TODAY)
def test_what_is_written_today_is_the_newest_file_byte_for_byte(name: str) -> None:
    """The compressed text depends on the machine's zlib: what it holds is compared."""
    head, packed = ledger_format.encode(WRITTEN[name], WRITTEN[name].shard)
    expected_head, expected_packed = read(name)
    assert head == expected_head
    assert unpack(packed) == unpack(expected_packed)


def unpack(packed: str) -> bytes:
    """The run spec's text."""
    return zlib.decompress(base64.b64decode(packed))


def test_there_is_a_file_of_every_version_and_none_that_nobody_reads() -> None:
    assert {path.stem for path in FOLDER.glob("*")} == set(WRITTEN)
    versions = {json.loads(read(name)[0])["version"] for name in WRITTEN}
    assert versions == set(range(1, ledger_format.VERSION + 1))


def test_a_record_of_a_newer_version_is_left_alone_with_both_versions_named_and_what_to_do() -> None:
    head, packed = read("3-requeueing")
    newer = json.dumps(json.loads(head) | {"version": ledger_format.VERSION + 1})
    with pytest.raises(LedgerError) as caught:
        ledger_format.decode(newer, packed)
    assert str(caught.value) == (
        "A record has version 4; this agent reads up to 3. Upgrade the agent, or let the newer one finish its items."
    )


def test_a_key_that_a_later_agent_added_is_skipped() -> None:
    head, packed = read("2-resumable-created")
    later = json.dumps(json.loads(head) | {"later": {"thing": 1}})
    assert ledger_format.decode(later, packed) == WRITTEN["2-resumable-created"]


@pytest.mark.parametrize(
    "outcome", [{"state": "exploded"}, {"state": "failed"}, [], {"state": "failed", "diagnosis": [1]}]
)
def test_an_outcome_that_can_not_be_read_is_looked_at_anew(outcome: object) -> None:
    head, packed = read("2-outcome-created")
    other = json.dumps(json.loads(head) | {"outcome": outcome})
    assert ledger_format.decode(other, packed) == replace(WRITTEN["2-outcome-created"], outcome=None)
