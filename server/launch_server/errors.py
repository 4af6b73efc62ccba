"""The tree of errors that a caller may see; each says what is wrong and, where there is one, the cure.

LaunchServerError
├── RequestError          the request is wrong; nothing was changed
│   ├── NotFoundError     it names something that does not exist, or that the caller may not see
│   ├── ForbiddenError    the key may not do this
│   └── TooLargeError     over a limit
├── UnauthenticatedError  no key, or an unknown or revoked one
└── UsageError            a command cannot be carried out as it was given
"""


class LaunchServerError(Exception):
    """An error in words for the caller: what is wrong (`summary`) and what to do (`resolution`)."""

    def __init__(self, summary: str, resolution: str = "") -> None:
        super().__init__(f"{summary}. {resolution}" if resolution else summary)
        self.summary = summary
        self.resolution = resolution


class RequestError(LaunchServerError):
    """The request is wrong; nothing was changed."""


class NotFoundError(RequestError):
    """The request names something that does not exist, or that the caller may not see."""


class ForbiddenError(RequestError):
    """The caller's key may not do this."""


class TooLargeError(RequestError):
    """A body, a document or a list is over its limit."""


class UnauthenticatedError(LaunchServerError):
    """The request carries no key, or one that is unknown or revoked."""


class UsageError(LaunchServerError):
    """A command cannot be carried out as it was given."""
