"""Whose a value of a manifest is: the queue's owner's, or the submitter's (issue 5; protocol 14.4).

W&B lays a submitter's arguments over the queue's and hands out the result; who wrote what is found by comparing with
the queue's own config, before macros are filled. A value is the queue's only where the queue has the very same text at
the very same place and no part of that text is chosen by a submitter. Everything else is the submitter's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from launch_agent.core.places import Path


class Hand(StrEnum):
    """Who wrote a value."""

    QUEUE = "queue"
    SUBMITTER = "submitter"


_MARK = object()
"""In the tree of differences: this value, and all that lies in it, is the submitter's."""

_CHOSEN = re.compile(r"\$\{(?:run_name|run_id|author|image_uri|project_name|entity_name)\}|\{\{")
"""Parts of a text that a submitter chooses: the documented macros, and template variables (protocol section 4)."""


@dataclass(frozen=True, slots=True)
class Hands:
    """Who wrote which part. ``everything``: all is the submitter's."""

    everything: bool = True
    _differences: Mapping[Any, Any] = field(default_factory=dict, repr=False)

    def of(self, path: Path) -> Hand:
        """Who wrote the value at the path (a tuple of keys and indexes from the manifest's top).

        A container that stands in the queue's config is the queue's even where a submitter changed something in it.
        """
        if self.everything:
            return Hand.SUBMITTER
        node: Any = self._differences
        for step in path:
            if node is _MARK:
                return Hand.SUBMITTER
            node = node.get(step)
            if node is None:
                return Hand.QUEUE
        return Hand.SUBMITTER if node is _MARK else Hand.QUEUE


def split(given: Mapping[str, Any], queue: Mapping[str, Any] | None) -> Hands:
    """Compare what came with what the queue has; ``queue`` None: its config is not known, so all is the submitter's."""
    if queue is None:
        return Hands()
    difference = _compare(given, queue)
    if difference is _MARK:
        return Hands()
    return Hands(everything=False, _differences=difference or {})


def _compare(given: Any, queue: Any) -> Any:
    """None where all is the queue's, the mark where all is the submitter's, else what differs, by key or index."""
    if isinstance(given, Mapping):
        if not isinstance(queue, Mapping):
            return _MARK
        found = {key: _compare(value, queue[key]) if key in queue else _MARK for key, value in given.items()}
    elif isinstance(given, (list, tuple)):
        # W&B replaces lists as a whole. One that is not the queue's entry for entry was written by the submitter: what
        # stands in it is a new whole, though some entries may look like the queue's.
        if not isinstance(queue, (list, tuple)) or len(given) != len(queue):
            return _MARK
        found = {index: _compare(value, queue[index]) for index, value in enumerate(given)}
        if any(difference is not None for difference in found.values()):
            return _MARK
        return None
    else:
        return None if _is_same(given, queue) else _MARK
    different = {key: difference for key, difference in found.items() if difference is not None}
    return different or None


def _is_same(given: Any, queue: Any) -> bool:
    if type(given) is not type(queue) or given != queue:
        return False
    return not (isinstance(given, str) and _CHOSEN.search(given))
