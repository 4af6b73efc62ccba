"""Which values a chart's templates read: Go templates are parsed, and `.`, variables, `with` and `range` are followed.

A read is a dotted path below `.Values`; `[]` stands for the items of a list. A key that is computed while rendering
(`get .Values $name`) is not seen here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ACTION = re.compile(r"\{\{-?\s*(/\*.*?\*/|(?:\"(?:\\.|[^\"\\])*\"|`[^`]*`|[^\"`])*?)\s*-?\}\}", re.DOTALL)
TOKEN = re.compile(
    r"\"(?:\\.|[^\"\\])*\"|`[^`]*`|:=|[(|,=]|\$\w*(?:\.[A-Za-z_]\w*)*|\)(?:\.[A-Za-z_]\w*)*|(?:\.[A-Za-z_]\w*)+|\.|[\w.-]+"
)

Path_ = tuple[str, ...] | None
"""A path below the root context; None where it can't be told."""


@dataclass
class _Scope:
    """A block: what `.` is in it, and the variables that were made in it."""

    word: str
    dot: Path_
    names: dict[str, Path_] = field(default_factory=dict)


class Reader:
    """Collects the reads of one template file."""

    def __init__(self, text: str) -> None:
        self.reads: set[str] = set()
        self._scopes = [_Scope("file", (), {"$": ()})]
        for match in ACTION.finditer(text):
            if not match[1].startswith("/*"):
                self._act(TOKEN.findall(match[1]))

    def _act(self, tokens: list[str]) -> None:
        if not tokens:
            return
        word, rest = tokens[0], tokens[1:]
        if word == "end":
            self._scopes.pop()
        elif word == "else":
            self._scopes.pop()
            self._open(*(rest[:1] or ["if"]), tokens=rest[1:])
        elif word in {"if", "with", "range"}:
            self._open(word, tokens=rest)
        elif word == "define":
            self._scopes.append(_Scope("define", (), {"$": ()}))
        else:
            self._assign(tokens, self._scopes[-1])

    def _open(self, word: str, *, tokens: list[str]) -> None:
        scope = _Scope(word, self._scopes[-1].dot)
        self._scopes.append(scope)
        found = self._assign(tokens, scope) if tokens else None
        if word == "with" and tokens:
            scope.dot = found
        elif word == "range":
            scope.dot = (*found, "[]") if found else None
            for name in scope.names:
                scope.names[name] = scope.dot

    def _assign(self, tokens: list[str], scope: _Scope) -> Path_:
        """The path of a pipeline; `$a := …` and `$i, $a := …` give it a name."""
        for sign in (":=", "="):
            if sign in tokens:
                at = tokens.index(sign)
                found = self._pipeline(_Tokens(tokens[at + 1 :]))
                owner = scope if sign == ":=" else self._owner(tokens[0])
                for name in tokens[:at]:
                    if name != ",":
                        owner.names[name] = found
                return found
        return self._pipeline(_Tokens(tokens))

    def _owner(self, name: str) -> _Scope:
        return next((scope for scope in reversed(self._scopes) if name in scope.names), self._scopes[-1])

    def _pipeline(self, tokens: _Tokens) -> Path_:
        """The path of the first command, as long as nothing but `default` follows."""
        found = self._command(tokens)
        while tokens.peek() == "|":
            tokens.take()
            name = tokens.peek()
            self._command(tokens)
            found = found if name == "default" else None
        return found

    def _command(self, tokens: _Tokens) -> Path_:
        operands = 0
        found: Path_ = None
        while tokens.peek() not in {"", "|", ","} and not tokens.peek().startswith(")"):
            found = self._operand(tokens)
            operands += 1
        return found if operands == 1 else None

    def _operand(self, tokens: _Tokens) -> Path_:
        token = tokens.take()
        if token == "(":
            found = self._pipeline(tokens)
            fields = tokens.take().removeprefix(")")
            return self._follow(found, fields) if fields else found
        if token == ".":
            return self._scopes[-1].dot
        if token.startswith("."):
            return self._follow(self._scopes[-1].dot, token)
        if token.startswith("$"):
            name, dot, fields = token.partition(".")
            found = self._owner(name).names.get(name)
            return self._follow(found, f".{fields}") if dot else found
        return None

    def _follow(self, start: Path_, fields: str) -> Path_:
        """A path and `.a.b`; `.Values` is known wherever it is met."""
        steps = tuple(fields.removeprefix(".").split("."))
        if "Values" in steps:
            start, steps = ("Values",), steps[steps.index("Values") + 1 :]
        if start is None:
            return None
        whole = (*start, *steps)
        if whole[:1] == ("Values",) and len(whole) > 1:
            self.reads.add(".".join(whole[1:]).replace(".[]", "[]"))
        return whole


class _Tokens:
    """Tokens with one to look at."""

    def __init__(self, tokens: list[str]) -> None:
        self._left: Iterator[str] = iter([*tokens, ""])
        self._next = next(self._left)

    def peek(self) -> str:
        """The next token, empty at the end."""
        return self._next

    def take(self) -> str:
        """The next token, taken away."""
        taken, self._next = self._next, next(self._left, "")
        return taken


def reads(folder: Path) -> dict[str, set[str]]:
    """What each template in a folder reads, by file name."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): Reader(path.read_text(encoding="utf-8")).reads for path in files}
