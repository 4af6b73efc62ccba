"""The tree of errors. A class exists only where somebody handles it.

    LaunchAgentError
    ├── UsageError              a flag or a file that was named is wrong            exit 2
    ├── ConfigError             the configuration breaks its schema or a rule       exit 2
    ├── ItemError               one queue item can not be launched: the item fails, the agent goes on
    │   ├── SpecError           its run spec is malformed (carries the key path)
    │   └── RefusedError        well-formed, but not allowed or not built here
    ├── WandbError              W&B's API answered with an error, or not at all
    │   ├── WandbUnavailable    worth a repeat: no answer, 429, 5xx
    │   ├── WandbDenied         401 or 403, or no such viewer                       exit 3
    │   └── WandbRejected       the API understood and said no                      exit 3 at start
    ├── KubernetesError         the API server answered with an error, or not at all
    │   ├── KubernetesUnavailable  worth a repeat: no answer, 429, 5xx              exit 4 at start
    │   ├── KubernetesDenied    401 or 403 (carries verb and resource)              exit 4 at start
    │   ├── KubernetesMissing   404
    │   ├── KubernetesConflict  409
    │   ├── KubernetesGone      410: list again
    │   └── KubernetesInvalid   400 or 422: the object itself is wrong
    └── LedgerError             a record can not be written or read
        └── LedgerUnavailable   worth a repeat: no space, a folder that is read-only for now

Every error is three sentences for a person: what happened (``summary``), the facts (``detail``) and what to do
(``resolution``). They are shown in W&B's own pages and in terminals, so none may hold a secret.
"""

from __future__ import annotations

from typing import ClassVar


class LaunchAgentError(Exception):
    """What went wrong, for a person: ``summary``, ``detail``, ``resolution``."""

    exit_code: ClassVar[int] = 1

    def __init__(self, summary: str, *, detail: str = "", resolution: str = "") -> None:
        super().__init__(summary)
        self.summary = summary
        self.detail = detail
        self.resolution = resolution

    def __str__(self) -> str:
        return " ".join(part for part in (self.summary, self.detail, self.resolution) if part)


class UsageError(LaunchAgentError):
    """A flag, or a file that a flag names, is wrong."""

    exit_code = 2


class ConfigError(LaunchAgentError):
    """The configuration breaks its schema or a rule."""

    exit_code = 2


class ItemError(LaunchAgentError):
    """One item can not be launched; ``stage`` is W&B's word for where (``agent``, ``build``, ``run``)."""

    stage: ClassVar[str] = "agent"


class SpecError(ItemError):
    """A run spec is malformed at ``path`` (dotted, with ``[n]`` for list positions)."""

    def __init__(self, path: str, summary: str, *, detail: str = "", resolution: str = "") -> None:
        super().__init__(f"{path}: {summary}" if path else summary, detail=detail, resolution=resolution)
        self.path = path


class RefusedError(ItemError):
    """A well-formed item that is not allowed, or whose target is not built here."""


class WandbError(LaunchAgentError):
    """W&B's API answered with an error, or not at all."""

    exit_code = 3


class WandbUnavailable(WandbError):
    """No answer, 429 or 5xx: worth a repeat. ``retry_after`` is in seconds where the API named it."""

    def __init__(self, summary: str, *, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(summary, detail=detail)
        self.retry_after = retry_after


class WandbDenied(WandbError):
    """401 or 403: the key is wrong or may not do this."""


class WandbRejected(WandbError):
    """The API understood the request and said no."""


class KubernetesError(LaunchAgentError):
    """The API server answered with an error, or not at all; ``status`` is the HTTP status, 0 for no answer."""

    exit_code = 4

    def __init__(
        self, summary: str, *, status: int = 0, reason: str = "", detail: str = "", resolution: str = ""
    ) -> None:
        super().__init__(summary, detail=detail, resolution=resolution)
        self.status = status
        self.reason = reason


class KubernetesUnavailable(KubernetesError):
    """No answer, 429 or 5xx: worth a repeat. ``retry_after`` is in seconds where the server named it.

    ``may_be_done``: what was asked for may have been done all the same; only the answer is missing.
    """

    retry_after: float | None = None
    may_be_done: bool = False


class KubernetesDenied(KubernetesError):
    """401 or 403; the summary names verb, resource and namespace."""


class KubernetesMissing(KubernetesError):
    """404."""


class KubernetesConflict(KubernetesError):
    """409."""


class KubernetesGone(KubernetesError):
    """410: the watch's version is too old, list again."""


class KubernetesInvalid(KubernetesError):
    """400 or 422: the object itself is wrong."""


class LedgerError(LaunchAgentError):
    """A record can not be written or read."""


class LedgerUnavailable(LedgerError):
    """The place of the records takes nothing now: worth a repeat."""


class RecordTaken(LedgerError):
    """Another shard has a record of the item already."""
