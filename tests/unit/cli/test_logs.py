"""The log: lines for people or machines, and never a secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from launch_agent.cli import logs
from launch_agent.settings import Flags, Need, load
from launch_agent.settings.model import LogFormat
from launch_agent.settings.redaction import mask_log

KEY = "local-" + "0123456789" * 4
NAMES = [
    "launch-my-long-entity-my-longer-project-0123456789",
    "registry.example.com/a@sha256:" + "0" * 64,
    "UnVuUXVldWVJdGVtOjEyMzQ1Njc4OTA=",
]
SECRETS = ["f" * 40, "wandb_v1_" + "aB3" * 20, "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl"]


@pytest.fixture
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, quiet = root.handlers[:], root.level, logging.raiseExceptions
    yield
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.raiseExceptions = quiet
    logging.captureWarnings(False)
    for name in ("urllib3", "kubernetes"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def write(
    tmp_path: Path, form: LogFormat = "text", *, target: str | None = None, verbosity: int = 0
) -> tuple[str, str]:
    """What stdout and stderr get of a few lines."""
    flags = Flags(queues=("a",), log_format=form, log_file=target, verbosity=verbosity)
    settings = load(flags, {"WANDB_API_KEY": KEY}, home=tmp_path, need=Need.ALL)
    stdout, stderr = io.StringIO(), io.StringIO()
    logs.set_up(settings, stdout, stderr)
    log = logging.getLogger("launch_agent.runtime.intake")
    log.info("took %s with %s", "item-1", KEY, extra={"item": "item-1", "key": KEY})
    log.debug("a detail")
    try:
        raise ValueError(f"the key {KEY} is wrong")
    except ValueError:
        log.exception("failed")
    return stdout.getvalue(), stderr.getvalue()


@pytest.mark.usefixtures("_restored")
def test_text_lines_say_when_how_bad_where_and_what(tmp_path: Path) -> None:
    out, text = write(tmp_path)
    first = text.splitlines()[0]
    assert out == ""
    assert first[10:].partition("Z ")[2] == "INFO intake: took item-1 with ********"
    assert first[:4].isdigit()
    assert "a detail" not in text
    assert KEY not in text
    assert "ValueError: the key ******** is wrong" in text


@pytest.mark.usefixtures("_restored")
def test_json_lines_are_objects_with_the_extra_fields(tmp_path: Path) -> None:
    _, text = write(tmp_path, "json", verbosity=2)
    lines = [json.loads(line) for line in text.splitlines()]
    assert [line["level"] for line in lines] == ["INFO", "DEBUG", "ERROR"]
    assert lines[0]["message"] == "took item-1 with ********"
    assert (lines[0]["item"], lines[0]["key"], lines[0]["logger"]) == (
        "item-1",
        "********",
        "launch_agent.runtime.intake",
    )
    assert "ValueError" in lines[2]["exception"]
    assert KEY not in text


@pytest.mark.usefixtures("_restored")
def test_a_dash_is_stdout_and_a_name_is_a_file(tmp_path: Path) -> None:
    out, text = write(tmp_path, target="-")
    assert "took item-1" in out
    assert text == ""
    assert write(tmp_path, target=str(tmp_path / "agent.log")) == ("", "")
    assert "took item-1" in (tmp_path / "agent.log").read_text()


@pytest.mark.parametrize("secret", SECRETS)
def test_what_is_most_probably_a_key_is_masked(secret: str) -> None:
    assert mask_log(f"the key is {secret}, really") == "the key is ********, really"


@pytest.mark.parametrize("name", NAMES)
def test_names_of_objects_stay_readable(name: str) -> None:
    assert mask_log(f"created {name}.") == f"created {name}."


def test_headers_and_addresses_lose_their_secrets() -> None:
    assert mask_log("Authorization: Basic YXBpOmFiY2RlZg==") == "Authorization: Basic ********"
    assert mask_log("Authorization: Bearer abcdefgh.ij") == "Authorization: Bearer ********"
    assert mask_log("GET https://ada:hunter2@host/x") == "GET https://********@host/x"


def test_given_secrets_are_masked_however_they_look() -> None:
    assert mask_log("the word is hush", ("hush",)) == "the word is ********"
