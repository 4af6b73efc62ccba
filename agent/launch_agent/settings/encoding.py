"""Bytes of a file → text: what people's editors and shells get wrong is said in words."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

import yaml

from launch_agent.settings.problems import Problem

MAX_BYTES = 256 * 1024
"""A configuration is a page or two; a ConfigMap holds 1 MiB at most."""

_INDENT_WITH_TAB = re.compile(r"^[ ]*\t[ \t]*(?=\S)", re.MULTILINE)


def read_text(path: Path, source: str, limit: int = MAX_BYTES) -> tuple[str, Problem | None]:
    """The text of a file, or what is wrong with it."""
    try:
        if path.is_dir():
            return "", Problem(source, 0, 0, "", "is a folder, not a file", "name the file in it")
        with path.open("rb") as stream:
            data = stream.read(limit + 1)
    except FileNotFoundError:
        return "", Problem(source, 0, 0, "", "there is no such file", "create it, or name another with --config")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "the path is not usable"
        return "", Problem(
            source, 0, 0, "", f"can not be read: {reason[0].lower()}{reason[1:]}", "check the path and its permissions"
        )
    return decode(data, source, limit)


def decode(data: bytes, source: str, limit: int = MAX_BYTES) -> tuple[str, Problem | None]:
    """UTF-8 bytes (with or without a byte order mark) as text, or what is wrong with them."""
    if len(data) > limit:
        what = f"is larger than {limit // 1024} KiB"
        return "", Problem(source, 0, 0, "", what, "this can not be the file: check its name")
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "", Problem(source, 0, 0, "", "is written in UTF-16", "save it as UTF-8")
    if b"\0" in data:
        line, column = _locate(data, data.index(b"\0"))
        what = "holds a NUL byte: this is not a text file, or it is written in UTF-16"
        return "", Problem(source, line, column, "", what, "save it as UTF-8")
    try:
        return data.decode("utf-8-sig"), None
    except UnicodeDecodeError as error:
        line, column = _locate(data, error.start)
        what = f"is not written in UTF-8 (byte 0x{data[error.start]:02x})"
        return "", Problem(source, line, column, "", what, "save it as UTF-8")


def explain_character(error: yaml.reader.ReaderError, text: str, source: str) -> Problem:
    """A control character, which YAML does not allow even in quotes."""
    before = text[: error.position]
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    code = error.character if isinstance(error.character, int) else ord(error.character[:1] or "\0")
    what = f"holds the control character U+{code:04X}, which YAML does not allow"
    return Problem(source, line, column, "", what, "delete it")


def find_tabs(text: str) -> list[int]:
    """The lines (from 1) whose indentation holds a tab."""
    return [text.count("\n", 0, match.start()) + 1 for match in _INDENT_WITH_TAB.finditer(text)]


def expand_tabs(text: str) -> str:
    """The text with each tab of an indentation read as two spaces."""
    return _INDENT_WITH_TAB.sub(lambda match: match.group().replace("\t", "  "), text)


def _locate(data: bytes, offset: int) -> tuple[int, int]:
    before = data[:offset]
    return before.count(b"\n") + 1, offset - (before.rfind(b"\n") + 1) + 1
