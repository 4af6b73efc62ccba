"""What every registry can do here: give a credential with which a cluster's nodes pull its images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from launch_agent.core.pull_secrets import PullCredential
from launch_agent.errors import LaunchAgentError


class CredentialError(LaunchAgentError):
    """A registry's credential can not be had, and why."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A credential and until when it holds, in seconds since 1970."""

    credential: PullCredential
    expires_at: float


@dataclass(frozen=True, slots=True)
class Place:
    """A registry as the configuration names it: its kind (``ecr``, ``gcr``, ``acr``, empty for any other) and host.

    ``is_asked`` says that the `registry` block names it: W&B's agent makes pull Secrets for those only.
    """

    kind: str
    host: str
    region: str = ""
    is_asked: bool = False


class Registry(Protocol):
    """One registry."""

    @property
    def host(self) -> str:
        """The registry's host, as images name it."""

    def issue(self) -> Issued:
        """A fresh credential. Raises CredentialError."""
