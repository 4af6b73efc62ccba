"""One registry's credential, kept: asked for when first wanted, and renewed at half its life."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from launch_agent.core.pull_secrets import PullCredential
from launch_agent.registries.base import CredentialError, Issued, Registry

log = logging.getLogger(__name__)

SHORTEST = 120.0
"""Seconds between two questions at least, whatever the registry says of its credential's end."""

RETRY = 30.0
"""Seconds after a question that failed."""


class PullCredentials:
    """The credential of one registry. Threads may share it."""

    def __init__(self, registry: Registry, *, is_needed: bool = True, clock: Callable[[], float] = time.time) -> None:
        """``is_needed`` says that an item without it is refused, not launched without a pull Secret."""
        self._registry = registry
        self.is_needed = is_needed
        self._clock = clock
        self._lock = threading.Lock()
        self._issued: Issued | None = None
        self._error: CredentialError | None = None
        self._renew_at = 0.0

    @property
    def host(self) -> str:
        """The registry's host."""
        return self._registry.host

    def get(self) -> PullCredential:
        """The credential, renewed if half of its life is over. Raises CredentialError where there is none to be had.

        While an old one holds, a registry that does not answer costs a line in the log only. It is not asked again
        for `RETRY` seconds, so that a burst of items does not wait for it one by one.
        """
        with self._lock:
            now = self._clock()
            if now >= self._renew_at:
                self._renew(now)
            if self._issued is not None and (self._error is None or now < self._issued.expires_at):
                return self._issued.credential
            raise self._error or CredentialError(f"There is no credential for the registry {self.host} yet.")

    def _renew(self, now: float) -> None:
        try:
            issued = self._registry.issue()
        except CredentialError as error:
            log.warning("the registry's credential is asked for again in %.0f s: %s", RETRY, error)
            self._error = error
            self._renew_at = now + RETRY
            return
        self._issued, self._error = issued, None
        self._renew_at = now + max(SHORTEST, (issued.expires_at - now) / 2)
