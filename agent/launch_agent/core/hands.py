"""Whose a value of a manifest is: the queue's owner's, or the submitter's (issue 5; protocol 14.4).

W&B lays a submitter's arguments over the queue's and hands out the result; who wrote what is found by comparing with
the queue's own config, before macros are filled. A value is the queue's only where the queue has the very same text at
the very same place and no part of that text is chosen by a submitter. Everything else is the submitter's.

A list counts entry by entry: one that differs from the queue's is the submitter's as a whole, so that nobody can keep
a container's privileges and put another image under them. Where only a template variable or a macro was filled in, the
entry stays the queue's and the filled text is the submitter's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from launch_agent.core import template_values
from launch_agent.core.places import Path


class Hand(StrEnum):
    """Who wrote a value."""

    QUEUE = "queue"
    SUBMITTER = "submitter"


class _Mark(StrEnum):
    """In the tree of differences: what lies here is the submitter's."""

    CHOSEN = "chosen"  # the queue left the text open, and the submitter filled it
    OTHER = "other"  # the queue has something else here, or nothing


_Difference = Mapping[Any, Any] | _Mark | None

_MACRO = re.compile(r"\$\{(?:run_name|run_id|author|image_uri|project_name|entity_name)\}")
"""The documented macros (protocol section 4): a submitter chooses the values of all of them."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Who wrote which part. ``everything``: all is the submitter's."""

    everything: bool = True
    _differences: Mapping[Any, Any] = field(default_factory=dict, repr=False)

    def is_new(self, path: Path) -> bool:
        """Whether the submitter wrote it himself: more than filling in what the queue left open."""
        return self.everything or self._find(path) is _Mark.OTHER

    def of(self, path: Path) -> Hand:
        """Who wrote the value at the path (keys and indexes from the manifest's top).

        The submitter, where anything in it is the submitter's: judge the smallest part that says what matters.
        """
        is_queues = not self.everything and not self._find(path)
        return Hand.QUEUE if is_queues else Hand.SUBMITTER

    def _find(self, path: Path) -> _Difference:
        node: _Difference = self._differences
        for step in path:
            if isinstance(node, _Mark):
                break
            node = None if node is None else node.get(step)
        return node


def split(given: Mapping[str, Any], queue: Mapping[str, Any] | None) -> Hands:
    """Compare what came with what the queue has, both as written (`merging.unwrap`).

    ``queue`` None: its config is not known, so all is the submitter's.
    """
    if queue is None:
        return Hands()
    difference = _compare_objects(given, queue)
    return Hands(everything=False, _differences=difference or {})


def _compare(given: Any, queue: Any) -> _Difference:
    """None where all is the queue's, a mark where all is the submitter's, else what differs, by key or index."""
    if isinstance(given, Mapping):
        return _compare_objects(given, queue) if isinstance(queue, Mapping) else _Mark.OTHER
    if isinstance(given, (list, tuple)):
        return _compare_lists(given, queue) if isinstance(queue, (list, tuple)) else _Mark.OTHER
    return _compare_values(given, queue)


def _compare_objects(given: Mapping[str, Any], queue: Mapping[str, Any]) -> Mapping[Any, Any] | None:
    found = {key: _compare(value, queue.get(key)) for key, value in given.items() if value is not None}
    return {key: difference for key, difference in found.items() if difference is not None} or None


def _compare_lists(given: Any, queue: Any) -> Mapping[Any, Any] | None:
    found: dict[int, _Difference] = {}
    for index, value in enumerate(given):
        difference = _compare(value, queue[index]) if index < len(queue) else _Mark.OTHER
        if difference is not None:
            found[index] = difference if _is_only_chosen(difference) else _Mark.OTHER
    return found or None


def _is_only_chosen(difference: _Difference) -> bool:
    if isinstance(difference, Mapping):
        return all(map(_is_only_chosen, difference.values()))
    return difference is _Mark.CHOSEN


def _compare_values(given: Any, queue: Any) -> _Difference:
    texts, names = template_values.split(queue) if isinstance(queue, str) else ([], [])
    if names:
        return _Mark.CHOSEN if _fits(given, texts) else _Mark.OTHER
    if isinstance(given, bool) is not isinstance(queue, bool) or given != queue:
        return _Mark.OTHER
    return _Mark.CHOSEN if isinstance(given, str) and _MACRO.search(given) else None


def _fits(given: Any, texts: Sequence[str]) -> bool:
    """Whether filling the variables between these texts can have given the value."""
    first, *between, last = texts
    if not between and not first.strip() and not last.strip():
        return True  # the variable's own type: a text or a number
    if not isinstance(given, str) or not given.startswith(first) or len(given) < len(first) + len(last):
        return False
    at, end = len(first), len(given) - len(last)
    for text in between:  # the leftmost place of each is as good as any: no way back, however long the text
        at = given.find(text, at, end) + len(text)
        if at < len(text):
            return False
    return given.endswith(last)
