"""An agent that takes no more items: the mark that says so, what the agent answers, and what follows from both.

The mark stays until it is taken away, so that an agent which is started anew in between takes nothing either. It is an
annotation of the release's Lease, or a file beside the records. Its value is the time when it was set; the answer names
the mark it belongs to, so that an old answer says nothing about a new mark.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from launch_agent.core.leadership import format_time
from launch_agent.core.marks import DRAIN_ANNOTATION, DRAIN_ANSWER_ANNOTATION

SILENT = 20.0
"""Seconds without a sign of life after which no agent is there; the Lease is good for 15."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent says: it knows of ``mark``, and ``left`` of its items are not over."""

    mark: str
    left: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What stands there now, each empty where it is not there.

    ``beat`` is a text that changes as long as an agent lives.
    """

    mark: str = ""
    answer: str = ""
    holder: str = ""
    beat: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """Whether the wait is over; how many items are left (None: nobody knows); and one sentence for people."""

    is_over: bool
    left: int | None
    text: str


def make_mark(wall: float) -> str:
    """The mark for a time in seconds since 1970."""
    return format_time(wall)


def write_answer(answer: Answer) -> str:
    """The answer as text."""
    return json.dumps({"mark": answer.mark, "left": answer.left}, separators=(",", ":"))


def read_answer(text: str, mark: str) -> Answer | None:
    """The answer to this mark; None for no text, one to another mark, or what is no answer."""
    try:
        values = json.loads(text)
        answer = Answer(str(values["mark"]), int(values["left"]))
    except (ValueError, KeyError, TypeError):
        return None
    return answer if mark and answer.mark == mark else None


def read_annotations(lease: Mapping[str, Any] | None) -> dict[str, str]:
    """The mark and the answer of a Lease, those that are there."""
    found = ((lease or {}).get("metadata") or {}).get("annotations") or {}
    return {name: str(found[name]) for name in (DRAIN_ANNOTATION, DRAIN_ANSWER_ANNOTATION) if found.get(name)}


def annotate(body: Mapping[str, Any], changes: Mapping[str, str]) -> dict[str, Any]:
    """``body`` with these annotations; an empty value takes one away."""
    metadata = body["metadata"]
    merged = {**(metadata.get("annotations") or {}), **changes}
    kept = {name: value for name, value in merged.items() if value or name not in changes}
    rest = {name: value for name, value in metadata.items() if name != "annotations"}
    return {**body, "metadata": {**rest, "annotations": kept} if kept else rest}


def judge(seen: Seen, silence: float, records: int | None) -> Outlook:
    """How far a drain is.

    ``silence`` is for how many seconds ``seen`` has not changed; ``records`` how many the ledger holds, None where that
    was not asked.
    """
    answer = read_answer(seen.answer, seen.mark)
    if answer is not None and (answer.left == 0 or silence < SILENT):
        return Outlook(answer.left == 0, answer.left, _count(answer.left))
    if silence < SILENT:
        return Outlook(False, records, f"waiting for {seen.holder or 'the agent'} to answer")
    if records or records is None:
        left = answer.left if records is None and answer is not None else records
        told = "" if left is None else f", and {_count(left)}"
        return Outlook(False, left, f"no agent runs{told}; one that is started finishes what is left and takes no more")
    return Outlook(True, 0, "no agent runs, and no items are left")


def combine(outlooks: Sequence[Outlook], records: int | None) -> Outlook:
    """How far a drain of several shards is; ``records`` are those of all of them, None where they were not asked."""
    if len(outlooks) == 1:
        return outlooks[0]
    open_ones = [one for one in outlooks if not one.is_over]
    if not open_ones:
        return Outlook(True, 0, _count(0))
    counts = [one.left for one in outlooks if one.left is not None]
    left = records if records is not None else sum(counts) if len(counts) == len(outlooks) else None
    told = dict.fromkeys(one.text for one in open_ones if one.left is None or one.text != _count(one.left))
    return Outlook(False, left, "; ".join(told) or _count(sum(counts)))


def _count(left: int) -> str:
    return "no items are left" if left == 0 else f"{left} item{'s are' if left > 1 else ' is'} not over"
