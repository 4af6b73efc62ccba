"""What a script of faults holds (docs/conformance.md). Times are seconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias


class At(StrEnum):
    """Where a request is held."""

    BEFORE = "before"
    AFTER = "after"


class Then(StrEnum):
    """What becomes of a request that was held."""

    CONTINUE = "continue"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Latency:
    """Wait before performing: `seconds`, and up to `jitter` more."""

    seconds: float
    jitter: float = 0.0
    name = "latency"


@dataclass(frozen=True, slots=True)
class Status:
    """An HTTP status, in place of performing or of the reply; `body` None: one of the kind that was asked."""

    code: int
    body: str | None = None
    retry_after: float | None = None
    performed: bool = False
    name = "status"


@dataclass(frozen=True, slots=True)
class Error:
    """A GraphQL error for the operations that bit."""

    message: str
    performed: bool = False
    name = "error"


@dataclass(frozen=True, slots=True)
class Refuse:
    """The connection is closed, nothing is performed."""

    name = "refuse"


@dataclass(frozen=True, slots=True)
class LoseReply:
    """Performed, then the connection is closed."""

    name = "lose-reply"


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Performed twice, or (`is_delivery`) what was answered is answered again."""

    is_delivery: bool = False
    name = "duplicate"


@dataclass(frozen=True, slots=True)
class Cut:
    """A stream is cut after so many lines or seconds."""

    events: int | None = None
    seconds: float | None = None
    name = "cut"


@dataclass(frozen=True, slots=True)
class Stale:
    """A watch is too old: HTTP 410, or (`is_event`) an ERROR event after so many true ones."""

    is_event: bool = False
    events: int = 0
    name = "stale"


@dataclass(frozen=True, slots=True)
class Hold:
    """Stop until released, or until `timeout`."""

    at: At = At.BEFORE
    timeout: float = 60.0
    then: Then = Then.CONTINUE
    name = "hold"


@dataclass(frozen=True, slots=True)
class Pass:
    """Nothing; the request is noted."""

    name = "pass"


Fault: TypeAlias = Latency | Status | Error | Refuse | LoseReply | Duplicate | Cut | Stale | Hold | Pass


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests; empty and None match everything. Texts are patterns, one of which must fit."""

    operation: tuple[str, ...] = ()
    verb: tuple[str, ...] = ()
    resource: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    namespace: tuple[str, ...] = ()
    name: tuple[str, ...] = ()
    subresource: tuple[str, ...] = ()
    watch: bool | None = None
    dry_run: bool | None = None
    method: tuple[str, ...] = ()
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class When:
    """At which of the matching operations; all that is given must hold."""

    nth: frozenset[int] = frozenset()
    every: int = 1
    times: int | None = None
    probability: float = 1.0
    after: float = 0.0
    lasts: float | None = None
    repeat: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What matches, when it bites, and how."""

    name: str
    fault: Fault
    match: Match = field(default_factory=Match)
    when: When = field(default_factory=When)


@dataclass(frozen=True, slots=True)
class Script:
    """Rules in order, and the seed of all chances."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0
