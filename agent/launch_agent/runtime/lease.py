"""Holds the Lease that decides which pod of a release takes items."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from launch_agent.core import draining, leadership, retry
from launch_agent.core.leadership import Candidate, Move, View
from launch_agent.core.marks import DRAIN_ANNOTATION, DRAIN_ANSWER_ANNOTATION
from launch_agent.core.models import Manifest
from launch_agent.errors import (
    KubernetesConflict,
    KubernetesError,
    KubernetesMissing,
    KubernetesUnavailable,
)
from launch_agent.runtime.clock import read_clock
from launch_agent.runtime.loops import Loops
from launch_agent.runtime.metrics import Metrics

log = logging.getLogger(__name__)

LOST = 5
"""Exit code of an agent whose Lease another one took: its pod starts it again, and it stands by."""

TIMEOUT = 3.0
"""Seconds for one request about the Lease: two fit into its deadline."""

SILENT = 30.0
"""Seconds without a word about the Lease after which who stands by is not ready."""

LEAVE_WITHIN = 5.0
"""Seconds for a request about the Lease that is under way when the agent leaves."""


class Store(Protocol):
    """Where the Lease is. Each call may raise KubernetesError."""

    namespace: str
    name: str

    def read(self) -> dict[str, Any] | None:
        """The Lease, or None."""

    def create(self, body: Manifest) -> dict[str, Any]:
        """Make it; KubernetesConflict if somebody else did."""

    def update(self, body: Manifest) -> dict[str, Any]:
        """Replace it; KubernetesConflict if somebody else did since it was read."""


class Crew(Protocol):
    """Who knows of the other shards of this installation (`core.shares`). Asked on the loop's thread."""

    def may_claim(self, holder: str, free_for: float) -> bool:
        """Whether to take the Lease, which ``holder`` left and which has been free for so many seconds."""

    def post(self, lease: Manifest | None) -> Mapping[str, str]:
        """Annotations to write into ``lease`` with our name; an empty one takes it away."""

    def note(self, lease: Manifest | None, asked_at: float, *, is_ours: bool = False) -> None:
        """The Lease as it was read, asked for at a time, or as it is since we wrote it (``is_ours``)."""

    @property
    def is_barred(self) -> bool:
        """Whether nothing may be changed, though the Lease is held."""

    @property
    def owner(self) -> Manifest | None:
        """What owns a Lease that is made; None: nothing."""


class Single:
    """There are no other shards."""

    is_barred = False
    owner = None

    def may_claim(self, _holder: str, _free_for: float, /) -> bool:
        """At once."""
        return True

    def post(self, _lease: Manifest | None, /) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def note(self, lease: Manifest | None, asked_at: float, *, is_ours: bool = False) -> None:
        """Nobody asks."""


SINGLE = Single()

HOLD_OFF = 0.5
"""Seconds between two looks at a free Lease that is left to others for now."""


class LeaseGuard:
    """The loop that obtains and renews the Lease.

    ``on_held`` is called when it is obtained, ``on_lost`` with the holder's name when another took it, each at most
    once; ``on_replaced`` when it was deleted and made anew under its holder. All on the loop's thread.
    """

    def __init__(
        self,
        store: Store,
        me: Candidate,
        *,
        metrics: Metrics,
        on_held: Callable[[], None],
        on_lost: Callable[[str], None],
        on_replaced: Callable[[], None] = lambda: None,
        crew: Crew = SINGLE,
        clock: Callable[[], float] = read_clock,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._me = me
        self._on_held = on_held
        self._on_lost = on_lost
        self._on_replaced = on_replaced
        self._crew = crew
        self._free_since: float | None = None
        self._clock = clock
        self._jitter = jitter
        # Loops of its own: the Lease is renewed until everything else has ended.
        self._loops = Loops(metrics)
        self._lease: dict[str, Any] | None = None
        self._view: View | None = None
        self._uid = ""
        self._annotations: dict[str, str] = {}
        self._answer = ""
        self._has_held = False
        self._is_lost = False
        self._is_left = False
        self._is_late = False
        self._is_told = False
        self._renewed_at = float("-inf")
        self._heard_at = float("-inf")

    # ── what others ask ──

    @property
    def is_held(self) -> bool:
        """Whether the last renewal is so fresh that nobody else can have taken the Lease since."""
        is_fresh = not self._is_left and not self._is_lost and self._clock() - self._renewed_at < leadership.DEADLINE
        return is_fresh and not self._crew.is_barred

    @property
    def has_held(self) -> bool:
        """Whether this process has ever held it."""
        return self._has_held

    def check(self) -> None:
        """Raise KubernetesUnavailable if it is not held now."""
        if not self.is_held:
            raise KubernetesUnavailable(f"This agent does not hold {self._title} now, so it changes nothing.")

    @property
    def note(self) -> str:
        """Who it waits for."""
        if self._has_held or self._view is None:
            return ""
        return f"stands by: {self._title} is held by {leadership.read_holder(self._view.spec) or 'nobody'}"

    @property
    def reference(self) -> Manifest | None:
        """The Lease as an owner of other objects; None until it was held."""
        if not self._uid:
            return None
        return {
            "apiVersion": leadership.API_VERSION,
            "kind": leadership.KIND,
            "name": self._store.name,
            "uid": self._uid,
        }

    @property
    def mark(self) -> str:
        """Since when nothing is to be taken, as the Lease said last; empty for never."""
        return self._annotations.get(DRAIN_ANNOTATION, "")

    def answer(self, text: str) -> bool:
        """Say so with the next renewals; whether it stands there by now. Empty: say nothing."""
        self._answer = text
        return self._annotations.get(DRAIN_ANSWER_ANNOTATION, "") == text

    def troubles(self) -> list[str]:
        """What keeps the agent from being ready: a Lease that can be neither renewed nor read."""
        if self._has_held:
            return [] if self.is_held else [f"{self._title} can not be renewed; nothing is taken until it is"]
        is_silent = self._clock() - self._heard_at > SILENT
        return [f"{self._title} can not be read: the API server does not answer"] if is_silent else []

    def stuck(self) -> list[str]:
        """The loop, if it hangs."""
        return self._loops.stuck()

    @property
    def _title(self) -> str:
        return f"the Lease {self._store.namespace}/{self._store.name}"

    # ── the loop ──

    def begin(self, stop: threading.Event) -> bool:
        """Take the Lease if it is free, then go on with it on a thread; whether it is ours.

        Waits for an API server that is away. Raises KubernetesError if it says no.
        """
        attempt = 0
        while not stop.is_set():
            try:
                self._step()
                break
            except KubernetesConflict:
                continue  # another one was first: look who
            except KubernetesUnavailable as error:
                wait = retry.delay(attempt, self._jitter(), cap=leadership.RENEW)
                log.warning("%s can not be read; next attempt in %.1f s: %s", self._title, wait, error)
                attempt += 1
                stop.wait(wait)
        if self.note:
            log.info("this agent %s", self.note)
        self._loops.start("lease", self.run)
        return self.is_held

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Renew, or wait for it, until stopped or lost."""
        while not stop.wait(self._patience()) and not self._is_lost:
            beat()
            self.turn()
        stop.wait()

    def _patience(self) -> float:
        if self._has_held and not self._is_late:
            return leadership.pause(leadership.RENEW, 0.2, self._jitter())
        if self._is_late:
            return leadership.pause(leadership.RETRY, 0.25, self._jitter())
        if self._free_since is not None:
            return leadership.pause(HOLD_OFF, 0.25, self._jitter())
        wait = leadership.pause(leadership.POLL, 0.25, self._jitter())
        return wait if self._view is None else min(wait, max(0.1, self._view.lapses_at - self._clock()))

    def turn(self) -> None:
        """Do what is to be done about the Lease now; an API server that is away or says no is asked again soon."""
        try:
            self._step()
        except KubernetesConflict:
            self._is_late = True  # changed by somebody since we looked: look again soon
        except KubernetesError as error:
            self._tell_of(error)
            self._is_late = True
        else:
            self._is_late = self._is_told = False

    def _step(self) -> None:
        if self._lease is not None and self._renew(self._lease):
            return
        asked_at = self._clock()
        lease = self._store.read()
        now = self._heard_at = self._clock()
        self._crew.note(lease, asked_at)
        if leadership.read_holder((lease or {}).get("spec") or {}) != self._me.identity:
            self._renewed_at = float("-inf")  # deleted, emptied or taken: whatever we wrote does not count any more
        self._view = leadership.observe(self._view, lease, now)
        if lease is not None:  # one that is made anew keeps the mark
            self._annotations = draining.read_annotations(lease)
            self._note_uid(lease)
        match leadership.decide(lease, self._view, self._me, now, has_held=self._has_held):
            case Move.YIELD:
                self._lose(leadership.read_holder(self._view.spec))
            case Move.RENEW:
                self._write(lease)
            case Move.CREATE | Move.TAKE if self._has_held or self._may_claim(now):
                self._write(lease)
            case Move.WAIT:
                self._free_since = None

    def _may_claim(self, now: float) -> bool:
        """Whether to take a Lease that is free."""
        if self._free_since is None:
            self._free_since = now
        holder = leadership.read_holder(self._view.spec) if self._view is not None else ""
        return self._crew.may_claim(holder, now - self._free_since)

    def _renew(self, lease: dict[str, Any]) -> bool:
        """Renew what we wrote last, without reading it. False if it is not as we left it: then look."""
        try:
            self._write(lease)
        except (KubernetesConflict, KubernetesMissing):
            self._lease = None
            return False
        return True

    def _write(self, lease: dict[str, Any] | None) -> None:
        store, was_held, began = self._store, self.is_held, self._clock()
        body = leadership.write(lease, self._me, time.time(), namespace=store.namespace, name=store.name)
        changes = {DRAIN_ANSWER_ANNOTATION: self._answer} | ({DRAIN_ANNOTATION: self.mark} if lease is None else {})
        body = draining.annotate(body, {**changes, **self._crew.post(lease)})
        if lease is None and (owner := self._crew.owner) is not None:
            body["metadata"]["ownerReferences"] = [owner]
        self._lease = store.create(body) if lease is None else store.update(body)
        self._annotations = draining.read_annotations(self._lease)
        now = self._heard_at = self._clock()
        self._crew.note(self._lease, now, is_ours=True)
        self._view = leadership.observe(self._view, self._lease, now)
        self._renewed_at = began  # others count from later: they see the change after it was asked for
        if not self._has_held:
            self._has_held = True
            log.info("this agent holds %s as %s and takes items", self._title, self._me.identity)
            self._on_held()
        elif not was_held and not self._is_left:
            log.info("%s is renewed again and was nobody else's meanwhile; going on", self._title)
        self._note_uid(self._lease)

    def _note_uid(self, lease: Manifest) -> None:
        """The records are owned by it: one that is made anew has to own them, too."""
        before, self._uid = self._uid, str(lease["metadata"].get("uid") or "")
        if not before or before == self._uid:
            return
        if self._has_held:
            log.warning("%s was deleted and made anew; the records that went with it are written again", self._title)
        self._on_replaced()

    def _tell_of(self, error: KubernetesError) -> None:
        """One line when it begins, one when the deadline is over; what holds on is in /readyz."""
        if not self._is_late:
            log.warning("%s can not be %s: %s", self._title, "renewed" if self._has_held else "read", error)
        if self._has_held and not self.is_held and not self._is_told:
            self._is_told = True
            log.error("%s was not renewed for %.0f s: nothing is taken until it is", self._title, leadership.DEADLINE)

    def _lose(self, holder: str) -> None:
        self._is_lost = True
        log.error("%s was taken by %s; this agent ends, so that it stands by when started again", self._title, holder)
        self._on_lost(holder)

    # ── leaving ──

    def leave(self, *, is_quiet: bool) -> None:
        """End the loop. Empty the Lease if it is ours and nothing is under way here; else it lapses by itself."""
        self._loops.stop.set()
        has_ended = self._loops.join(LEAVE_WITHIN)
        is_ours = self._has_held and not self._is_lost and self._lease is not None
        self._is_left = True
        if not is_ours:
            return
        if not is_quiet or not has_ended:
            log.warning("not all steps under way have ended: %s is left to lapse", self._title)
            return
        try:
            self._release()
        except KubernetesError as error:
            log.warning("%s can not be released and lapses in %.0f s: %s", self._title, leadership.DURATION, error)

    def _release(self) -> None:
        lease = self._lease
        try:
            if lease is not None:
                self._empty(lease)
        except KubernetesConflict:
            lease = self._store.read()
            if lease is None or leadership.read_holder(lease.get("spec") or {}) != self._me.identity:
                return
            self._empty(lease)
        except KubernetesMissing:
            return
        log.info("%s is released", self._title)

    def _empty(self, lease: dict[str, Any]) -> None:
        body = draining.annotate(leadership.release(lease, time.time()), self._crew.post(lease))
        self._crew.note(self._store.update(body), self._clock(), is_ours=True)
