"""What the agent asks before it changes anything: whether it may act now, or another one is at it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from launch_agent.adapters.wandb.operation import Operation, Result
from launch_agent.core.models import Manifest
from launch_agent.errors import KubernetesUnavailable, WandbUnavailable
from launch_agent.runtime.batcher import Runner


class Guard(Protocol):
    """Who says whether this agent may take items."""

    def begin(self, stop: threading.Event) -> bool:
        """Ask for the first time, and go on asking on a thread; whether the agent may act already."""

    @property
    def is_held(self) -> bool:
        """Whether the agent may act now."""

    @property
    def has_held(self) -> bool:
        """Whether it ever might: it no longer stands by."""

    def check(self) -> None:
        """Raise KubernetesUnavailable if the agent may not act now."""

    @property
    def note(self) -> str:
        """What a person should know, in one line; empty for nothing."""

    @property
    def reference(self) -> Manifest | None:
        """What owns the records, as an owner reference; None for nothing."""

    def troubles(self) -> list[str]:
        """Why the agent is not ready, as far as this goes."""

    def stuck(self) -> list[str]:
        """The name of its loop if that hangs."""

    def leave(self, *, is_quiet: bool) -> None:
        """Ask no more; let the next one in at once if nothing is under way here."""


class Alone:
    """No Lease: nobody else is there."""

    is_held = True
    has_held = True
    note = ""
    reference = None

    def begin(self, _stop: threading.Event, /) -> bool:
        """There is nobody to ask."""
        return True

    def check(self) -> None:
        """The agent may always act."""

    def troubles(self) -> list[str]:
        """None."""
        return []

    def stuck(self) -> list[str]:
        """None."""
        return []

    def leave(self, *, is_quiet: bool) -> None:
        """There is nobody to let in."""


class GuardedRunner:
    """W&B's API, asked only while the Lease is held, and of items only after W&B took the key and the queues.

    Another account's key would be told that no such item exists: what that means for an item must not be drawn from it.
    """

    def __init__(self, client: Runner, guard: Guard, is_accepted: Callable[[], bool] = lambda: True) -> None:
        self._client = client
        self._guard = guard
        self._is_accepted = is_accepted

    def run(self, batch: Sequence[Operation], /) -> list[Result]:
        """Run a document. Raises WandbUnavailable if the agent may not act now."""
        if not self._is_accepted():
            raise WandbUnavailable("This agent is not registered with W&B yet.")
        try:
            self._guard.check()
        except KubernetesUnavailable as error:
            raise WandbUnavailable(error.summary) from error
        return self._client.run(batch)
