"""`launch-agent items`: what is listed, what is shown, what is hidden, and the exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from launch_agent.cli import main
from launch_agent.cli.items import mask_spec
from launch_agent.cli.sites import name_lease
from launch_agent.core import item_table
from launch_agent.core.models import ObjectRef, Record, Step
from launch_agent.runtime.ledger import DirectoryLedger
from tests.support.records import make_record

JOB = ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid")
OLD = make_record("item-1", run_id="aaaa1111", step=Step.CREATED, object=JOB, claimed_at=1000.0, created_at=1001.0)
NEW = make_record("item-2", run_id="bbbb2222", queue="cpu", claimed_at=4000.0)
KEY = "0123456789" * 4
FOLDER = Path(".local/state/launch-agent/items")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of an agent on a plain machine, with two records."""
    ledger = DirectoryLedger(tmp_path / FOLDER)
    ledger.create(NEW)
    ledger.create(OLD)
    return tmp_path


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.9, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h0m"), (11100, "3h5m"), (187_200, "2d4h")],
)
def test_an_age_is_told_in_its_two_greatest_units(seconds: float, text: str) -> None:
    assert item_table.format_age(seconds) == text


def test_the_table_has_the_oldest_item_first_and_columns_as_wide_as_they_have_to_be() -> None:
    assert item_table.write_table(item_table.list_rows([NEW, OLD], 4060.0)).splitlines() == [
        "ITEM    QUEUE  STEP     RUN                   OBJECT           AGE  CREATED",
        "item-1  gpu    created  team/vision/aaaa1111  Job ml/launch-x  51m  1970-01-01T00:16:41Z",
        "item-2  cpu    claimed  team/vision/bbbb2222  -                1m   -",
    ]


def test_other_clusters_get_a_column_where_there_are_any() -> None:
    far = replace(OLD, object=replace(JOB, cluster="east"))
    head, first, second = item_table.write_table(item_table.list_rows([NEW, far], 4060.0)).splitlines()
    assert head.endswith("CREATED               CLUSTER")
    assert first.endswith("east")
    assert second.endswith("-")


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (OLD, "Job ml/launch-x"),
        (replace(OLD, object=ObjectRef("", "Process", "", "item-1", "7@8")), "Process item-1"),
        (NEW, ""),
    ],
)
def test_the_object_is_told_by_kind_namespace_and_name(record: Record, text: str) -> None:
    assert item_table.list_rows([record], 0.0)[0].object == text


@pytest.mark.parametrize(
    ("flags", "items"),
    [
        ([], ["item-1", "item-2"]),
        (["--queue", "cpu"], ["item-2"]),
        (["-q", "cpu", "-q", "gpu"], ["item-1", "item-2"]),
        (["--step", "created"], ["item-1"]),
        (["--step", "requeueing"], []),
        (["--step", "claimed", "--queue", "gpu"], []),
    ],
)
@pytest.mark.parametrize("output", ["json", "yaml"])
def test_the_list_for_machines_can_be_narrowed(
    flags: list[str], items: list[str], output: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["items", *flags, "--output", output], {}, home) == 0
    text = capsys.readouterr().out
    found = json.loads(text) if output == "json" else yaml.safe_load(text)
    assert [one["item"] for one in found["items"]] == items
    assert found["unreadable"] == []
    assert found["place"] == str(home / FOLDER)


def test_without_records_there_is_nothing_to_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["items"], {}, tmp_path) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", f"no items in work ({tmp_path / FOLDER})\n")


def test_a_record_that_can_not_be_read_is_told_of_beside_the_others(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / FOLDER / "broken.record").write_text('{"version": 99}\n')
    assert main(["items"], {}, home) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 3
    assert "broken.record" in told.err
    assert "version 99" in told.err


@pytest.mark.parametrize("word", ["item-1", "aaaa1111"])
def test_one_record_is_shown_with_its_run_spec(word: str, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = {"docker": {"docker_image": "train:1"}, "resource_args": {"kubernetes": {"env": [{"name": "A"}]}}}
    DirectoryLedger(home / FOLDER).create(replace(OLD, run_spec=spec))
    assert main(["items", "show", word], {}, home) == 0
    found = yaml.safe_load(capsys.readouterr().out)
    assert found["runSpec"] == spec
    assert (found["item"], found["uid"], found["claimed"]) == ("item-1", "uid", "1970-01-01T00:16:40Z")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"name": "WANDB_API_KEY", "value": "short"}, {"name": "WANDB_API_KEY", "value": "********"}),
        ({"name": "LEVEL", "value": "info"}, {"name": "LEVEL", "value": "info"}),
        ({"name": "LEVEL", "value": f"x {KEY}"}, {"name": "LEVEL", "value": "x ********"}),
        ({"password": "p"}, {"password": "********"}),
        ({"hfToken": "t", "tokenizer": "gpt2"}, {"hfToken": "********", "tokenizer": "gpt2"}),
        ({"secretKeyRef": {"name": "keys", "key": "a"}}, {"secretKeyRef": {"name": "keys", "key": "a"}}),
        ({"_wandb_api_key": "(in a Secret)"}, {"_wandb_api_key": "(in a Secret)"}),
        ([{"a": [f"https://u:{KEY}@host/x"]}], [{"a": ["https://********@host/x"]}]),
        ({"image": "reg/a@sha256:" + "0" * 64, "n": 1}, {"image": "reg/a@sha256:" + "0" * 64, "n": 1}),
    ],
)
def test_what_is_or_may_be_a_key_is_not_shown(value: object, shown: object) -> None:
    assert mask_spec(value) == shown


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["items", "show", "item-9"], 2, "There is no record of an item or run item-9"),
        (["items", "show"], 2, "the following arguments are required: ITEM"),
        (["items", "--step", "done"], 2, "found `done`; allowed are `claimed`"),
        (["items", "--release", "a", "--installation", "b"], 2, "--release and --installation stand together"),
        (["items", "--namespace", "ml"], 4, "No cluster is known."),
        (["items", "more"], 2, "`more` stands alone"),
    ],
)
def test_what_is_wrong_is_told_with_its_exit_code(
    arguments: list[str], code: int, text: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments, {}, home) == code
    assert text in capsys.readouterr().err


def test_a_folder_that_can_not_be_listed_is_no_empty_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / FOLDER
    place.parent.mkdir(parents=True)
    place.write_text("a file, not a folder")
    assert main(["items"], {}, tmp_path) == 4
    assert f"The records in {place} can not be read: Not a directory." in capsys.readouterr().err


@pytest.mark.parametrize("words", [["items"], ["items", "show"], ["drain"]])
def test_help_teaches_flags_and_exit_codes(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--help"], {}, tmp_path) == 0
    text = capsys.readouterr().out
    assert "exit codes:" in text
    assert "--release NAME" in text


@pytest.mark.parametrize(
    ("release", "lease"),
    [("rel", "launch-agent-rel"), ("r" * 50, "launch-agent-" + "r" * 50)],
)
def test_the_lease_of_a_release_is_named_as_the_chart_names_it(release: str, lease: str) -> None:
    assert name_lease(release) == lease


def test_the_lease_of_a_release_with_a_long_name_is_cut_with_a_digest() -> None:
    name = name_lease("r" * 53)
    assert len(name) == 63
    assert name.startswith("launch-agent-rrrr")
