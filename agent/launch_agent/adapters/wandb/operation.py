"""One operation of W&B's API, and many of them as one document (protocol 3.3; design: calls are batched). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from launch_agent.errors import WandbError, WandbRejected, WandbUnavailable

_VARIABLE = re.compile(r"\$(\w+)")


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument: its name, its type as the SDL spells it, its value."""

    name: str
    type: str
    value: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One root field with its arguments.

    ``fields`` is the selection, with ``$name`` for arguments that go to inner fields; ``inner`` are those arguments.
    ``is_input`` wraps the arguments into ``input: {…}``, as W&B's mutations want.
    """

    kind: Literal["query", "mutation"]
    name: str
    arguments: tuple[Argument, ...]
    selection: str
    inner: tuple[Argument, ...] = ()
    is_input: bool = False

    @property
    def shape(self) -> tuple[object, ...]:
        """What the text is made of: operations of one shape differ in values only."""
        types = tuple((one.name, one.type) for one in (*self.arguments, *self.inner))
        return (self.kind, self.name, types, len(self.arguments), self.selection, self.is_input)

    def text(self, number: int) -> str:
        """The field with alias ``a<number>`` and variables ``$v<number>_<argument>``."""
        pairs = ", ".join(f"{one.name}: $v{number}_{one.name}" for one in self.arguments)
        if self.is_input:
            pairs = f"input: {{{pairs}}}"
        selection = _VARIABLE.sub(rf"$v{number}_\1", self.selection)
        return f"a{number}: {self.name}{f'({pairs})' if pairs else ''} {selection}"


@dataclass(frozen=True, slots=True)
class Result:
    """The value of one operation, or why there is none."""

    value: Any = None
    error: WandbError | None = None


_TEXTS: dict[tuple[object, ...], str] = {}
_TEXTS_LIMIT = 500


def combine(operations: Sequence[Operation]) -> tuple[str, dict[str, Any]]:
    """One document of all ``operations``, with its variables. ValueError if they are none, or not of one kind.

    The text depends on the operations' shapes alone, so that a server which keeps parsed documents parses it once.
    """
    key = tuple(one.shape for one in operations)
    if len({one.kind for one in operations}) != 1:
        raise ValueError("a document holds queries or mutations, not both, and at least one")
    text = _TEXTS.get(key)
    if text is None:
        text = _write(operations)
        if len(_TEXTS) >= _TEXTS_LIMIT:
            _TEXTS.clear()
        _TEXTS[key] = text
    variables = {
        f"v{number}_{argument.name}": argument.value
        for number, one in enumerate(operations)
        for argument in (*one.arguments, *one.inner)
    }
    return text, variables


def _write(operations: Sequence[Operation]) -> str:
    declared = ", ".join(
        f"$v{number}_{argument.name}: {argument.type}"
        for number, one in enumerate(operations)
        for argument in (*one.arguments, *one.inner)
    )
    fields = "\n".join("  " + one.text(number) for number, one in enumerate(operations))
    name = operations[0].name[0].upper() + operations[0].name[1:]
    return f"{operations[0].kind} LaunchAgent{name}{f'({declared})' if declared else ''} {{\n{fields}\n}}"


def split(answer: Mapping[str, Any], operations: Sequence[Operation]) -> list[Result]:
    """Each operation's result. An error with a path is its alias's; one without is everybody's.

    An alias that has neither a value nor an error (the server dropped all data because of a sibling) may have been
    carried out: that is WandbUnavailable, for a repeat is safe and a guess is not.
    """
    found = answer.get("data")
    data = found if isinstance(found, dict) else {}
    own: dict[str, list[Any]] = {}
    common: list[Any] = []
    for error in read_errors(answer):
        path = error.get("path")
        if isinstance(path, list) and path:
            own.setdefault(str(path[0]), []).append(error)
        else:
            common.append(error)
    results = []
    for number, one in enumerate(operations):
        alias = f"a{number}"
        errors = own.get(alias, []) + common
        if errors:
            results.append(Result(error=WandbRejected(f"W&B refused {one.name}: {join_messages(errors)}")))
        elif alias in data:
            results.append(Result(data[alias]))
        else:
            results.append(Result(error=WandbUnavailable(f"W&B's answer says nothing of {one.name}.")))
    return results


def read_errors(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The errors of an answer; what is no object stands for its own message."""
    errors = answer.get("errors")
    if not errors:
        return []
    listed = errors if isinstance(errors, list) else [errors]
    return [one if isinstance(one, dict) else {"message": str(one)} for one in listed]


def join_messages(errors: Sequence[Mapping[str, Any]]) -> str:
    """The messages of GraphQL errors as one text."""
    return "; ".join(str(one.get("message") or "no message") for one in errors)
