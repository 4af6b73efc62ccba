"""Draining: where the mark is kept, and the loop that passes it on to the tracker and answers."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from launch_agent.core import draining, leadership, shares
from launch_agent.core.draining import Answer, Seen
from launch_agent.core.marks import DRAIN_ANNOTATION, DRAIN_ANSWER_ANNOTATION
from launch_agent.errors import KubernetesConflict, KubernetesDenied, KubernetesMissing, LedgerError
from launch_agent.runtime.inbox import Draining, Inbox
from launch_agent.runtime.lease import Store

log = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between two looks of the agent at its mark."""

BEAT = 5.0
"""Seconds after which an answer in a file is written again."""

ATTEMPTS = 10
"""A Lease is written every 3 s by its holder: a change of ours that comes in between is repeated."""


class Marks(Protocol):
    """The agent's side of the mark."""

    @property
    def mark(self) -> str:
        """The mark; empty for none."""

    def answer(self, text: str, /) -> bool:
        """Answer the mark; whether the answer stands there by now."""


class Board(Protocol):
    """The side of who sets it."""

    @property
    def title(self) -> str:
        """Where the mark is kept."""

    def look(self) -> tuple[Seen, ...]:
        """What stands there now: for each shard that an agent has, the first one's first."""

    def put(self, mark: str) -> None:
        """Set the mark, where none is there."""

    def clear(self) -> None:
        """Take mark and answer away."""


class LeaseBoard:
    """Annotations of the release's Lease. Needs the rights to get and to update it; raises KubernetesError."""

    def __init__(self, store: Store, others: Sequence[Store] = ()) -> None:
        """``others`` are the Leases of the shards from 1 on (`core.shares`), each there or not."""
        self._store = store
        self._others = others

    @property
    def title(self) -> str:
        """The Lease."""
        return f"the Lease {self._store.namespace}/{self._store.name}"

    def look(self) -> tuple[Seen, ...]:
        """Read it, and those of the other shards that are at work or left something: each answers on its own."""
        lease = self._read()
        mark = draining.read_annotations(lease).get(DRAIN_ANNOTATION, "")
        others = [found for store in self._others if (found := _find(store)) is not None]
        return tuple(_see(one, mark) for one in (lease, *others))

    def put(self, mark: str) -> None:
        """Annotate it; one that is marked stays as it is."""
        self._change({DRAIN_ANNOTATION: mark}, is_done=lambda found: DRAIN_ANNOTATION in found)

    def clear(self) -> None:
        """Take the annotations away."""
        self._change({DRAIN_ANNOTATION: "", DRAIN_ANSWER_ANNOTATION: ""}, is_done=lambda found: not found)

    def _change(self, changes: dict[str, str], is_done: Callable[[dict[str, str]], bool]) -> None:
        for attempt in range(ATTEMPTS):
            lease = self._read()
            if is_done(draining.read_annotations(lease)):
                return
            try:
                self._store.update(draining.annotate(lease, changes))
            except KubernetesConflict:
                if attempt == ATTEMPTS - 1:
                    raise
            else:
                return

    def _read(self) -> dict[str, Any]:
        lease = self._store.read()
        if lease is None:
            raise KubernetesMissing(
                f"There is no Lease {self._store.namespace}/{self._store.name}.",
                status=404,
                resolution="Name the release and its namespace (--release, --namespace), or start its agent first.",
            )
        return lease


def _find(store: Store) -> dict[str, Any] | None:
    """The Lease of a shard. Where nobody has a right to it, it is not there: the agent's account could not make it."""
    try:
        lease = store.read()
    except KubernetesDenied:
        return None
    return None if shares.look(lease).is_clean else lease


def _see(lease: Mapping[str, Any], mark: str) -> Seen:
    answer = draining.read_annotations(lease).get(DRAIN_ANSWER_ANNOTATION, "")
    spec = lease.get("spec") or {}
    holder = leadership.read_holder(spec)
    return Seen(mark, answer, holder, f"{holder} {spec.get('renewTime')}")


class FileBoard:
    """Two files in the folder of the records, for an agent that has no Lease. Raises LedgerError."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._mark = folder / "drain"
        self._answer = folder / "drain-answer"
        self._clock = clock
        self._said = ""
        self._said_at = 0.0

    @property
    def title(self) -> str:
        """The file."""
        return str(self._mark)

    @property
    def mark(self) -> str:
        """The mark. One that is no text, or empty, is one, too: somebody put it there."""
        try:
            return self._mark.read_text(errors="replace").strip() or "drain"
        except OSError:
            return ""

    def answer(self, text: str) -> bool:
        """Write the answer, again each `BEAT` seconds: the file's time shows that the agent lives."""
        now = self._clock()
        if text and text == self._said and now - self._said_at < BEAT:
            return True
        try:
            if text:
                _write(self._answer, text)
            else:
                self._answer.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s can not be written: %s", self._answer, error.strerror)
            return False
        self._said, self._said_at = text, now
        return True

    def look(self) -> tuple[Seen, ...]:
        """Read both files."""
        try:
            beat, text = str(self._answer.stat().st_mtime_ns), self._answer.read_text().strip()
        except (OSError, UnicodeDecodeError):
            beat, text = "", ""
        return (Seen(self.mark, text, "", beat),)

    def put(self, mark: str) -> None:
        """Write the file; one that is there stays as it is."""
        if self.mark:
            return
        try:
            self._mark.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write(self._mark, mark)
        except OSError as error:
            raise LedgerError(f"{self._mark} can not be written: {error.strerror}.") from error

    def clear(self) -> None:
        """Remove both."""
        try:
            self._mark.unlink(missing_ok=True)
            self._answer.unlink(missing_ok=True)
        except OSError as error:
            raise LedgerError(f"{self._mark} can not be removed: {error.strerror}.") from error


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.write_text(text + "\n")
    new.replace(path)


class Drainer:
    """The agent's loop: tells the tracker of the mark, answers with what is left, ends the agent where it is to end.

    ``leave`` is called once nothing is left and that is answered; None for an agent that would be started again.
    """

    def __init__(
        self,
        marks: Marks,
        inbox: Inbox,
        drained: Callable[[], Answer | None],
        leave: Callable[[], None] | None,
    ) -> None:
        self._marks = marks
        self._inbox = inbox
        self._drained = drained
        self._leave = leave
        self._mark = ""
        self._answer: Answer | None = None
        self._is_over = False

    @property
    def note(self) -> str:
        """What a person should know; empty while items are taken."""
        if not self._mark:
            return ""
        left = "" if self._answer is None else f", {self._answer.left} items left"
        return f"draining since {self._mark}{left}: no items are taken until `launch-agent drain --undo`"

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Look until stopped."""
        while not stop.wait(INTERVAL):
            beat()
            self.turn()

    def turn(self) -> None:
        """One look."""
        mark = self._marks.mark
        if mark != self._mark:
            self._begin(mark)
        if not mark:
            return
        drained = self._drained()
        self._answer = drained if drained is not None and drained.mark == mark else None
        is_said = self._marks.answer(draining.write_answer(self._answer) if self._answer else "")
        if self._answer is None or self._answer.left or not is_said or self._is_over:
            return
        self._is_over = True
        log.info("drained: no items are left")
        if self._leave is not None:
            self._leave()

    def _begin(self, mark: str) -> None:
        """The mark was set or taken away."""
        self._mark, self._answer, self._is_over = mark, None, False
        self._inbox.put(Draining(mark))
        if mark:
            log.info("draining: no more items are taken; running ones are followed to their end")
        else:
            self._marks.answer("")
            log.info("no longer draining: items are taken again")
