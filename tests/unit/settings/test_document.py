"""YAML with places."""

from __future__ import annotations

import textwrap
from typing import Any

import pytest

from launch_agent.settings import document
from launch_agent.settings.document import MAX_DEPTH, MAX_NODES, Document


def parse(text: str) -> Document:
    return document.parse(textwrap.dedent(text).lstrip("\n"), "f.yaml")


def summaries(text: str) -> list[str]:
    return [f"{one.line}:{one.column} {one.path} {one.summary}" for one in parse(text).problems]


def test_every_value_and_key_knows_its_place() -> None:
    found = parse(
        """
        builder:
          type: kaniko
          kaniko-config: {spec: {containers: [{args: [a, "b"]}]}}
        """
    )
    assert found.problems == []
    assert found.values["builder"]["kaniko-config"] == {"spec": {"containers": [{"args": ["a", "b"]}]}}
    place = found.places["builder", "kaniko-config", "spec", "containers", 0, "args", 1]
    assert (place.line, place.column, place.text, place.is_quoted) == (3, 50, "b", True)
    assert (found.keys["builder", "type"].line, found.keys["builder", "type"].column) == (2, 3)


SCALARS: list[tuple[str, Any]] = [
    ("~", None),
    ("null", None),
    ("yes", True),
    ("off", False),
    ("12", 12),
    ("0x1F", 31),
    ("1_000", 1000),
    ("1.5", 1.5),
    ("'12'", "12"),
    ("2024-01-01", "2024-01-01"),
    ("2024-01-01 10:00:00", "2024-01-01 10:00:00"),
    ("=", "="),
    ("text with spaces", "text with spaces"),
]


@pytest.mark.parametrize(("text", "wanted"), SCALARS)
def test_scalars_are_what_wandb_s_agent_reads_but_dates_stay_text(text: str, wanted: Any) -> None:
    found = parse(f"key: {text}\n")
    assert found.problems == []
    assert found.values == {"key": wanted}
    assert type(found.values["key"]) is type(wanted)


def test_anchors_and_merge_keys_work_and_own_keys_win() -> None:
    found = parse(
        """
        base: &base {a: 1, b: 2}
        one:
          b: 3
          <<: *base
        two:
          <<: [{c: 4}, *base]
          b: 5
        three: *base
        """
    )
    assert found.problems == []
    assert found.values["one"] == {"a": 1, "b": 3}
    assert found.values["two"] == {"a": 1, "b": 5, "c": 4}
    assert found.values["three"] == {"a": 1, "b": 2}


REFUSED = [
    ("a: &a [*a]\n", "1:4 a[0] an alias that contains itself"),
    ("a: &a {<<: *a}\n", "1:4 a an alias that contains itself"),
    ("a: {<<: 5}\n", "1:9 a `<<` needs a map, or a list of maps"),
    ("a: !!binary aGVsbG8=\n", "1:4 a the tag `!!binary` is not accepted"),
    ("a: !secret b\n", "1:4 a the tag `!secret` is not accepted"),
    ("a: !!set {b}\n", "1:4 a the tag `!!set` is not accepted"),
    ("a: !!python/name:os.system\n", "1:4 a the tag `!!python/name:os.system` is not accepted"),
    ("a: !!int b\n", "1:4 a `b` can not be read as a number"),
    ("a: !!bool b\n", "1:4 a `b` can not be read as true or false"),
    ("a: !!int ''\n", "1:4 a `` can not be read as a number"),
    ("a: .nan\n", "1:4 a `.nan` is not a finite number"),
    ("a: 0xFFFFFFFFFFFFFFFFFF\n", "1:4 a a number of more than 64 bits"),
    (
        "a: " + "9" * 5000 + "\n",
        "1:4 a (5000 characters, hidden) can not be read as a number".replace("(", "`(").replace(")", ")`"),
    ),
    ("{a: 1, 2: 3}\n", "1:8  the key `2` is a number, not text"),
    ("? [a]\n: 1\n", "1:3  a key that is not text"),
    ("a: 1\nb:\n  a: 1\n  a: 2\n", "4:3 b.a repeats the key of line 3"),
    ("a: *b\n", "1:4  an alias (`*name`) without its anchor (`&name`)"),
    ("a: @b\n", "1:4  a text that begins with `@`"),
    ("a: %b\n", "1:4  a text that begins with `%`"),
    ("a\nb: 1\n", "2:2  a `:` where none may be"),
    ("a: 1\nb\n", "3:1  a line without `:`"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_what_json_can_not_say_and_what_is_not_yaml_is_refused_at_its_place(text: str, message: str) -> None:
    assert summaries(text) == [message]


def test_a_file_that_grows_by_its_aliases_is_refused_early() -> None:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    text += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))
    [found] = parse(text).problems
    assert found.summary == f"more than {MAX_NODES} values"


@pytest.mark.parametrize("text", ["[" * 5000, "- " * 5000 + "x", "{a: " * 5000])
def test_nesting_without_end_is_refused(text: str) -> None:
    [found] = parse(text).problems
    assert found.summary == f"nested deeper than {MAX_DEPTH} levels"


def test_tabs_are_named_together_and_what_follows_is_judged_as_well() -> None:
    lines = "".join(f"\tk{n}: {n}\n" for n in range(12))
    found = parse(f"top:\n{lines}\tk1: 2\n")
    assert [one.summary for one in found.problems] == [
        "repeats the key of line 3",
        "line 2 starts with a tab; YAML wants spaces (and so do: 3, 4, 5, 6, 7, 8, 9, 5 more)",
    ]
    assert found.values == {"top": {f"k{n}": n for n in range(12)}}


def test_a_tab_inside_of_a_text_block_is_fine() -> None:
    found = parse("a: |\n  x\n  \ty\n")
    assert (found.values, found.problems) == ({"a": "x\n\ty\n"}, [])


def test_a_byte_order_mark_of_utf_8_is_no_problem(tmp_path: Any) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfqueues: [a]\n")
    found = document.read(path, "f.yaml")
    assert (found.values, found.problems) == ({"queues": ["a"]}, [])


def test_a_file_that_is_too_large_is_not_read_to_its_end(tmp_path: Any) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"#" * 300_000)
    [problem] = document.read(path, "f.yaml").problems
    assert problem.summary == "is larger than 256 KiB"
