"""Where the API key comes from."""

from __future__ import annotations

from pathlib import Path

import pytest

from launch_agent.settings.credentials import find_key, judge_key

KEY = "0123456789abcdef" * 2 + "01234567"
OTHER = "f" * 40
WANDB = "https://api.wandb.ai"


@pytest.mark.parametrize(
    "key", [KEY, f"local-{KEY}", "a" * 86, f"wandb_v1_{KEY}", "a-b_c-" * 7, "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl"]
)
def test_a_key_of_forty_or_more_characters_or_a_token_is_one(key: str) -> None:
    assert judge_key(key) == ""


@pytest.mark.parametrize("key", ["a" * 39, "a.b", KEY + "é", "<your key>", "Bearer " + KEY])
def test_anything_else_is_not(key: str) -> None:
    fault = judge_key(key)
    assert fault
    assert key not in fault


def netrc(tmp_path: Path, text: str) -> Path:
    path = tmp_path / ".netrc"
    path.write_text(text)
    return path


def test_the_environment_wins_over_the_netrc_file(tmp_path: Path) -> None:
    netrc(tmp_path, f"machine api.wandb.ai login user password {OTHER}\n")
    assert find_key({"WANDB_API_KEY": f" {KEY}\n"}, WANDB, tmp_path)[0].reveal() == KEY
    assert find_key({}, WANDB, tmp_path)[0].reveal() == OTHER


def test_the_netrc_file_may_lie_elsewhere_and_know_the_service_by_its_other_name(tmp_path: Path) -> None:
    path = netrc(tmp_path, f"machine api.forge.coreweave.com login user password {OTHER}\n")
    assert find_key({"NETRC": str(path)}, WANDB, Path("/nowhere"))[0].reveal() == OTHER


def test_a_key_for_another_host_is_not_used(tmp_path: Path) -> None:
    netrc(tmp_path, f"machine api.wandb.ai login user password {OTHER}\n")
    key, problem = find_key({}, "http://localhost:8080", tmp_path)
    assert not key
    assert problem is not None
    assert problem.text == (
        f"environment: WANDB_API_KEY: no API key: it is not set, and {tmp_path}/.netrc has none for localhost\n"
        "    → set WANDB_API_KEY (in the chart: `agent.apiKey`)"
    )


def test_a_broken_netrc_file_is_named_without_its_content(tmp_path: Path) -> None:
    path = netrc(tmp_path, f"machine api.wandb.ai password {OTHER} nonsense\n")
    _, problem = find_key({}, WANDB, tmp_path)
    assert problem is not None
    assert problem.where == str(path)
    assert problem.summary.startswith("can not be read as a netrc file")
    assert OTHER not in problem.text


def test_a_wrong_password_in_the_netrc_file_is_named_without_its_content(tmp_path: Path) -> None:
    netrc(tmp_path, "machine api.wandb.ai login user password hunter2\n")
    _, problem = find_key({}, WANDB, tmp_path)
    assert problem is not None
    assert problem.summary == "the password for api.wandb.ai: not an API key: it has 7 characters, a key has 40 or more"


def test_an_identity_token_is_refused_by_name(tmp_path: Path) -> None:
    _, problem = find_key({"WANDB_IDENTITY_TOKEN_FILE": "/t", "WANDB_API_KEY": KEY}, WANDB, tmp_path)
    assert problem is not None
    assert problem.text == (
        "environment: WANDB_IDENTITY_TOKEN_FILE: signing in with an identity token is not built yet\n"
        "    → unset it and set WANDB_API_KEY"
    )
