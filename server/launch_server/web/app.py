"""The application: routes over one engine, and the periodic sweep."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from launch_server.api.engine import Engine
from launch_server.log import log
from launch_server.web.graphql import graphql_route
from launch_server.web.service import JsonReply, Workers
from launch_server.web.streams import storage_route, stream_route, telemetry_route


def make_app(engine: Engine) -> Starlette:
    """The ASGI application of a server."""
    workers = Workers()

    async def ready(_: Request) -> Response:
        try:
            await workers.run(_touch, engine)
        except SQLAlchemyError as error:
            return PlainTextResponse(f"the database does not answer: {type(error).__name__}\n", status_code=503)
        return PlainTextResponse("ready\n")

    async def measure(_: Request) -> Response:
        return Response(generate_latest(engine.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_keep_sweeping, engine, workers)
            yield
            tasks.cancel_scope.cancel()

    stream = stream_route(engine, workers)
    storage = storage_route(engine, workers)
    routes = [
        Route("/graphql", graphql_route(engine, workers), methods=["POST"]),
        Route("/files/{entity}/{project}/{run}/file_stream", stream, methods=["POST"]),
        Route("/storage/{entity}/{project}/{run}/{name:path}", storage, methods=["PUT", "GET"]),
        Route("/sdk/otel/{rest:path}", telemetry_route(engine), methods=["POST"]),
        Route("/healthz", _alive),
        Route("/readyz", ready),
        Route("/metrics", measure),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={404: _not_found, 405: _not_found})


async def _alive(_: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _not_found(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    text = f"this server has no {request.method} {request.url.path}"
    return JsonReply({"errors": [{"message": text}]}, status_code=status)


def _touch(engine: Engine) -> None:
    with engine.database.read() as connection:
        connection.exec_driver_sql("SELECT 1")


async def _keep_sweeping(engine: Engine, workers: Workers) -> None:
    while True:
        await anyio.sleep(engine.settings.sweep_every)
        try:
            await workers.run(engine.sweep_if_due)
        except SQLAlchemyError as error:
            log.error("the periodic sweep failed and is tried again", exc_info=error)
