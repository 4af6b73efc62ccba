"""Problems of a configuration, listed all at once and written like a compiler's messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.errors import ConfigError
from launch_agent.settings.redaction import is_key_like

KeyPath = tuple[str | int, ...]
"""Where a value is: keys and list positions from the top."""

ENVIRONMENT = "environment"
"""The source that problems of environment variables name instead of a file."""

COMMAND_LINE = "command line"
"""The source that problems of flags name."""

SHOWN = 60
"""How many characters of a found value are quoted."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*\Z")


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong, or (``is_warning``) doubtful.

    ``line`` and ``column`` count from 1; 0 where there is no position (environment, flags, a whole file).
    """

    source: str
    line: int
    column: int
    path: str
    summary: str
    cure: str = ""
    is_warning: bool = False

    @property
    def where(self) -> str:
        """``file:line:column``, as editors and terminals understand it."""
        return ":".join([self.source, *(str(number) for number in (self.line, self.column) if number)])

    @property
    def text(self) -> str:
        """The whole message; the cure stands on a line of its own."""
        parts = [self.where, *(["warning"] if self.is_warning else []), *([self.path] if self.path else [])]
        cure = f"\n    → {self.cure}" if self.cure else ""
        return f"{': '.join([*parts, self.summary])}{cure}"

    @property
    def line_text(self) -> str:
        """The message on one line, for a log."""
        return self.text.replace("\n    → ", " → ")

    def to_json(self) -> dict[str, Any]:
        """The fields for ``--output json``."""
        names = ("source", "line", "column", "path", "summary", "cure")
        return {name: getattr(self, name) for name in names}


class ConfigProblems(ConfigError):
    """The configuration can not be used; ``problems`` says all that is wrong, sorted by place."""

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = sort(problems)
        self.warnings = sort(warnings)
        super().__init__("\n".join(problem.text for problem in self.problems))


def sort(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By place: a file's lines in order, then what has no position; each once."""
    return tuple(sorted(set(problems), key=lambda one: (one.line == 0, one.source, one)))


def show_path(path: KeyPath) -> str:
    """``builder.kaniko-config.spec.containers[0]``; keys that are not plain words stand in quotes."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            name = part if _PLAIN_KEY.match(part) and not is_key_like(part) else show(part)
            text += f".{name}" if text else name
    return text


def show(value: Any) -> str:
    """A found value for a message: short, on one line, never a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a map"
    if isinstance(value, (list, tuple)):
        return "a list"
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return f"`{show_text(text)}`"


def show_text(text: str) -> str:
    """Text for a message: control characters escaped, long ones cut, what looks like a key hidden."""
    if is_key_like(text):
        return f"({len(text)} characters, hidden)"
    plain = "".join(character if character.isprintable() else _escape(character) for character in text[: SHOWN + 1])
    return plain if len(plain) <= SHOWN else f"{plain[: SHOWN - 1]}…"


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")
