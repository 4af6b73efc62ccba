"""All that is wrong with a script at once: each with its path and its cure."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from launch_server.errors import UsageError

Json = Any
Kind = TypeVar("Kind")
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|)")
LONGEST = 10.0**8


class ScriptError(UsageError):
    """A script of faults that can not be used; `problems` are all of its mistakes."""

    def __init__(self, where: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        listed = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{where} is no script of faults:\n{listed}\ndocs/conformance.md has all keys")


class Problems:
    """Collects mistakes while values are read; a value that is wrong reads as None."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, path: str, what: str, cure: str) -> None:
        """Note a mistake."""
        self.found.append(f"{path or 'the script'}: {what}. {cure}")

    def mapping(self, value: Json, path: str, known: Collection[str]) -> dict[str, Json]:
        """An object with known keys only."""
        if not isinstance(value, Mapping):
            self.add(path, f"{shown(value)} is not an object", f"Write keys: {', '.join(known)}.")
            return {}
        for key in value:
            if key not in known:
                near = nearest(str(key), known)
                self.add(join(path, str(key)), "this key is not known", near or f"Known: {', '.join(known)}.")
        return {key: one for key, one in value.items() if key in known}

    def duration(self, value: Json, path: str) -> float | None:
        """Seconds of a number or of a text such as `250ms`."""
        found = None
        if isinstance(value, int | float) and not isinstance(value, bool):
            found = float(value)
        elif isinstance(value, str) and (match := DURATION.fullmatch(value.strip())):
            found = float(match[1]) * UNITS[match[2]]
        if found is None or not 0 <= found <= LONGEST:
            self.add(path, f"{shown(value)} is no time", "Write seconds, or 250ms, 10s, 5m, 1h.")
            return None
        return found

    def whole(self, value: Json, path: str, least: int = 1) -> int | None:
        """A whole number."""
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        self.add(path, f"{shown(value)} is no whole number from {least} on", f"Write {max(least, 1)}, for example.")
        return None

    def wholes(self, value: Json, path: str) -> frozenset[int]:
        """A whole number or a list of them."""
        if not isinstance(value, list):
            return frozenset(one for one in (self.whole(value, path),) if one)
        if not value:
            self.add(path, "the list is empty", "Write a number, or leave the key out.")
        numbers = (self.whole(one, f"{path}[{place}]") for place, one in enumerate(value))
        return frozenset(one for one in numbers if one)

    def share(self, value: Json, path: str) -> float | None:
        """A number from 0 to 1."""
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
            return float(value)
        self.add(path, f"{shown(value)} is no probability", "Write a number from 0 to 1.")
        return None

    def yes(self, value: Json, path: str) -> bool | None:
        """True or false."""
        if isinstance(value, bool):
            return value
        self.add(path, f"{shown(value)} is neither true nor false", "Write true or false.")
        return None

    def text(self, value: Json, path: str) -> str | None:
        """A text that is not empty."""
        if isinstance(value, str) and value.strip():
            return value
        self.add(path, f"{shown(value)} is no text", "Write a text, in quotes if it looks like something else.")
        return None

    def texts(self, value: Json, path: str) -> tuple[str, ...]:
        """A text or a list of texts."""
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(one, str) for one in listed):
            self.add(
                path, f"{shown(value)} is neither a text nor a list of texts", "Write one text, or [one, another]."
            )
            return ()
        return tuple(listed)

    def choice(self, value: Json, path: str, among: Collection[str]) -> str | None:
        """One of some words."""
        if isinstance(value, str) and value in among:
            return value
        near = nearest(str(value), among)
        self.add(path, f"{shown(value)} is not known", near or f"Known: {', '.join(among)}.")
        return None

    def optional(
        self, values: Mapping[str, Json], key: str, read: Callable[[Json, str], Kind], path: str
    ) -> Kind | None:
        """The value of a key that may be missing."""
        return read(values[key], join(path, key)) if key in values else None


def join(path: str, key: str) -> str:
    """The path of a key below a path."""
    return f"{path}.{key}" if path else key


def nearest(word: str, known: Collection[str]) -> str:
    """A sentence that names the nearest of the known words, empty if none is near."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else ""


def shown(value: Json) -> str:
    """A value in a message, short."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
