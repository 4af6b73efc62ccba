"""What the routes share: the engine, replies, worker threads."""

import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response

from launch_server import auth
from launch_server.api.engine import Engine, InternalError
from launch_server.errors import (
    ForbiddenError,
    LaunchServerError,
    NotFoundError,
    TooLargeError,
    UnauthenticatedError,
)
from launch_server.log import log
from launch_server.store.accounts import User

Result = TypeVar("Result")
Handler = Callable[[Request], Awaitable[Response]]

_STATUS: tuple[tuple[type[LaunchServerError], int], ...] = (
    (UnauthenticatedError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (TooLargeError, 413),
    (LaunchServerError, 400),
)
_WORKERS = 16


class JsonReply(Response):
    """A JSON body, written compactly."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The body's bytes."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def reply_error(error: LaunchServerError) -> Response:
    """An error in the form that W&B's client prints, with its HTTP status."""
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    headers = {"WWW-Authenticate": 'Basic realm="launch-server"'} if status == 401 else None
    return JsonReply({"errors": [{"message": str(error)}]}, status_code=status, headers=headers)


def guarded(handler: Handler) -> Handler:
    """The handler with its errors as replies; what was not foreseen is logged and told without details."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except LaunchServerError as error:
            return reply_error(error)
        except (InternalError, SQLAlchemyError) as error:
            log.error("%s %s failed", request.method, request.url.path, exc_info=error)
            text = "the server failed to answer; its log says why"
            return JsonReply({"errors": [{"message": text}]}, status_code=500)

    return answer


class Workers:
    """A bounded number of threads for work that blocks (the database, disk)."""

    def __init__(self) -> None:
        self._limiter: anyio.CapacityLimiter | None = None

    async def run(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Do the work in a thread and wait for it."""
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_WORKERS)
        return await anyio.to_thread.run_sync(partial(work, *arguments), limiter=self._limiter)


def identify(engine: Engine, request: Request) -> User:
    """The caller, by the key in the Authorization header.

    Raises:
        UnauthenticatedError: there is no key, or it is not in force.

    """
    return engine.identify(auth.read_key(request.headers.get("authorization")))


def base_url(engine: Engine, request: Request) -> str:
    """The address that files are offered under: the configured one, else the one the client used."""
    return engine.settings.public_url or str(request.base_url).rstrip("/")
