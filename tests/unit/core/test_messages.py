"""Ends of logs in messages: readable, bounded, without keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_agent.core import messages, reports
from launch_agent.core.models import Diagnosis, JobState

KEY = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        f"local-{KEY}",
        f"local-eu-{KEY}",
        f"a.b.{KEY}",
        f"{KEY}-tail-tail",
        f"{KEY}.tail.tail",
        f"wandb_v1_{KEY}",
        "wandb_v1_A1b2C3d4-E5f6G7h8-I9j0K1l2-M3n4O5p6-Q7r8S9t0",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ],
)
def test_a_key_is_hidden_whole(key: str) -> None:
    for text in ("{}", "key={} ok", "login '{}'", "WANDB_API_KEY: {}\n"):
        hidden = messages.redact(text.format(key))
        assert messages.MASK in hidden
        assert not any(part in hidden for part in (KEY[:8], "tail", "Q7r8S9t0", "dozjgNry"))


@pytest.mark.parametrize(
    "text",
    [
        "reg.example.org/team/project/train@sha256:" + "0" * 64,
        "launch-some-entity-some-project-name-0123456789-x7k2p",
        "torch.nn.parallel.distributed.DistributedDataParallel.forward failed",
        "/usr/local/lib/python3.11/site-packages/torch/nn/modules/linear.py",
        "exit code 1",
        "",
    ],
)
def test_names_paths_and_digests_stay(text: str) -> None:
    assert messages.redact(text) == text


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Authorization: Basic YXBpOnNlY3JldA==", "Authorization: ********"),
        ("Authorization: Bearer abcdefgh1234", "Authorization: ********"),
        ("https://api:secret@host/path", "https://********@host/path"),
        ("password is hunter2!", "password is ********!"),
    ],
)
def test_headers_addresses_and_known_secrets_are_hidden(text: str, hidden: str) -> None:
    assert messages.redact(text, ("hunter2", "")) == hidden


@given(st.text(), st.text(), st.text("ghijklmn", min_size=1))
def test_a_known_secret_never_stays(before: str, after: str, secret: str) -> None:
    shown = messages.redact(f"{before}{secret}{after}", (secret,))
    assert secret not in shown


def test_the_last_lines_are_bounded_in_lines_and_characters() -> None:
    log = "\n".join(f"line {number}" for number in range(100))
    assert messages.last_lines(log, lines=2) == "line 98\nline 99"
    assert messages.last_lines(log, size=20) == "line 98\nline 99"
    assert messages.last_lines("x y " * 50 + "end", size=9) == "y x y end"
    assert messages.last_lines("") == ""


def test_colours_and_overwritten_progress_are_gone() -> None:
    assert messages.last_lines("\x1b[31mred\x1b[0m\n 10%\r 50%\r100%\r\n") == "red\n100%"


def test_a_log_in_a_message_holds_no_key() -> None:
    text = reports.failed(Diagnosis("ExitCode", "It ended."), f"login {KEY}\nboom")
    assert text == "It ended.\nLast lines:\nlogin ********\nboom"


def test_a_run_that_was_never_begun_is_explained() -> None:
    text = reports.unfinished(JobState.FINISHED, None, "", is_begun=False)
    assert "never started its run" in text
    assert "wandb.init()" in text
    assert "Last lines" not in text
