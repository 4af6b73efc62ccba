"""Whatever stands in a file, a person gets words and an exit code."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from launch_agent.cli import main

KEYS = ["entity", "queues", "queue", "max_jobs", "environment", "registry", "builder", "records", "macro_environment"]
TOKENS = [
    *KEYS,
    *":-?,[]{}#&*!|>'\"%@`",
    "\n",
    "\n  ",
    "\n\t",
    ": ",
    "- ",
    "---",
    "...",
    "<<",
    "&a",
    "*a",
    "!!int",
    "!!binary",
]
TOKENS += [
    "<x>",
    "0x",
    "1_0",
    "1:30",
    ".nan",
    "~",
    "yes",
    "2024-01-01",
    "\ufeff",
    "\x85",
    "é",
    "type",
    "kaniko-config",
    "uri",
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(TOKENS),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=12,
)
FILES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(TOKENS), max_size=40).map(lambda words: "".join(words).encode()),
    st.dictionaries(st.sampled_from([*KEYS, "other"]), JSON, max_size=5).map(lambda one: yaml.safe_dump(one).encode()),
    st.dictionaries(st.sampled_from(KEYS), JSON, max_size=5).map(lambda one: json.dumps(one).encode()),
)


VALUES = [
    "agent", "apiKey", "image", "resources", "limits", "startTimeout", "namespace", "additionalTargetNamespaces",
    "baseUrl", "launchConfig", "agentConfig", "additionalEnvVars", "additionalSecretEnvVars", "name", "value",
    "valueFrom", "gitCreds", "sshAuthSecrets", "existingSecrets", "rbac", "customResources",
    "allowUnknownValues", "global", "extraObjects",
]  # fmt: skip
DEEP = st.recursive(
    JSON
    | st.sampled_from(["queues: [q]\n", "queues:\n\t- <q>\n", "- a\n", "a: [\n", "<x>", "queues: [q]\nzz: &a [*a]\n"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(VALUES), inner, max_size=4),
    max_leaves=12,
)
VALUES_FILES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([*TOKENS, *VALUES]), max_size=40).map(lambda words: "".join(words).encode()),
    st.dictionaries(st.sampled_from(VALUES), DEEP, max_size=6).map(lambda one: yaml.safe_dump(one).encode()),
    st.dictionaries(st.sampled_from(VALUES), DEEP, max_size=6).map(
        lambda one: yaml.safe_dump(one, default_style="|").encode()
    ),
)


def judge(data: bytes, flag: str = "--config") -> tuple[int, str]:
    error = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(error):
        path = Path(folder) / "launch-config.yaml"
        path.write_bytes(data)
        with contextlib.redirect_stdout(io.StringIO()):
            code = main(["validate", flag, str(path)], {}, Path(folder))
    return code, error.getvalue()


@settings(max_examples=500, deadline=None)
@given(FILES)
def test_any_bytes_as_a_configuration_give_words_and_exit_code_0_or_2(data: bytes) -> None:
    code, text = judge(data)
    assert code in {0, 2}
    assert "Traceback" not in text
    assert text.endswith("; nothing was contacted\n") is (code == 2)


@settings(max_examples=500, deadline=None)
@given(VALUES_FILES)
def test_any_bytes_as_a_values_file_give_words_and_exit_code_0_or_2(data: bytes) -> None:
    code, text = judge(data, "--values")
    assert code in {0, 2}
    assert "Traceback" not in text
    assert text.endswith("; nothing was contacted\n") is (code == 2)


SECRETS = ["apiKey", "gitCreds", "azureStorageAccessKey", "additionalSecretEnvVars"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(SECRETS), st.sampled_from(["%s", "<a> %s", "x %s\n"]), st.booleans(), st.booleans())
def test_a_secret_in_a_values_file_is_never_shown(name: str, form: str, in_list: bool, in_agent: bool) -> None:
    secret = form % "hunter2"
    value: Any = [{"name": "A", "value": [secret] if in_list else secret}] if name.startswith("add") else secret
    value = [value] if in_list and name != "additionalSecretEnvVars" else value
    given_values = {name: value, "agent": {name: value} if in_agent else {}, "launchConfig": {"queues": "q"}}
    code, text = judge(yaml.safe_dump(given_values).encode(), "--values")
    assert code == 2
    assert "hunter2" not in text


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(KEYS), st.text("0123456789abcdef_-", min_size=40, max_size=60), JSON)
def test_what_looks_like_a_key_is_never_shown(key: str, secret: str, noise: Any) -> None:
    text = yaml.safe_dump({key: secret, "zzz": noise, secret: 1, "builder": {"type": secret, secret: secret}})
    assert secret not in judge(text.encode())[1]
