"""The key of a cluster: one text of a file and a context, and back."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import clusters

KEYS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "", "the agent's own cluster"),
    ({"configFile": "", "context": None}, "", "the agent's own cluster"),
    ({"namespace": "ml"}, "", "the agent's own cluster"),
    ({"context": "gpu"}, "#gpu", "context gpu"),
    ({"configFile": "/etc/b"}, "/etc/b#", "the current context of /etc/b"),
    ({"configFile": "/etc/b", "context": "gpu"}, "/etc/b#gpu", "context gpu of /etc/b"),
    ({"configFile": "/a#b%23", "context": "x#y%25"}, "/a%23b%2523#x#y%25", "context x#y%25 of /a#b%23"),
    ({"context": "admin@kubernetes"}, "#admin@kubernetes", "context admin@kubernetes"),
]


@pytest.mark.parametrize(("arguments", "key", "text"), KEYS, ids=[one[1] or "own" for one in KEYS])
def test_a_file_and_a_context_make_a_key_and_come_back_from_it(arguments: dict[str, Any], key: str, text: str) -> None:
    assert clusters.key(arguments) == key
    assert clusters.parts(key) == (arguments.get("configFile") or "", arguments.get("context") or "")
    assert clusters.describe(key) == text
