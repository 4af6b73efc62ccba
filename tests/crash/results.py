"""What a crash test counted, as one line of JSON in the file that LAUNCH_AGENT_CRASH_RESULTS names."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.support.auditor import Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """One test's counts."""

    title: str
    kills: int
    items: int
    creations: int
    lost: int
    twice: int
    contradicted: int
    stuck: int
    leftovers: int
    unresumed: int
    repeated: int
    missed: int

    @staticmethod
    def of(title: str, kills: int, verdict: Verdict, missed: Sequence[str] = ()) -> Result:
        """The counts of a verdict."""
        beside = len(verdict.unresumed), len(verdict.repeated), len(missed)
        return Result(
            title, kills, verdict.items, verdict.creations, len(verdict.lost), len(verdict.twice),
            len(verdict.contradicted), len(verdict.stuck), len(verdict.leftovers), *beside,
        )  # fmt: skip


def write_result(result: Result) -> None:
    """Add a line; without the variable it is only printed."""
    line = json.dumps(asdict(result))
    print(line)
    path = os.environ.get("LAUNCH_AGENT_CRASH_RESULTS")
    if path:
        with Path(path).open("a") as file:
            file.write(line + "\n")
