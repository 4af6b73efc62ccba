"""Run traffic: file streams, uploads and downloads, telemetry (protocol section 3.5)."""

import os
import tempfile
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from launch_server import files, signing, tracking
from launch_server.api.engine import Engine
from launch_server.errors import NotFoundError, RequestError, TooLargeError
from launch_server.store import runs
from launch_server.web.bodies import parse_json, read_body
from launch_server.web.service import Handler, JsonReply, Workers, guarded, identify


def stream_route(engine: Engine, workers: Workers) -> Handler:
    """`POST /files/{entity}/{project}/{run}/file_stream`."""

    async def answer(request: Request) -> Response:
        body = await read_body(request, engine.settings.limits.body_bytes)
        return JsonReply(await workers.run(_take_stream, engine, request, body))

    return guarded(answer)


def _take_stream(engine: Engine, request: Request, body: bytes) -> dict[str, Any]:
    user = identify(engine, request)
    parsed = parse_json(body or b"{}")
    if not isinstance(parsed, dict):
        raise RequestError("the body must be a JSON object")
    place = request.path_params
    entity, project, name = place["entity"], place["project"], place["run"]
    with engine.database.write() as connection:
        run = None
        if user.is_admin or entity in user.entities:
            run = runs.find_run(connection, entity, project, name)
        if run is None:
            raise NotFoundError(f"run {entity}/{project}/{name} does not exist")
        return tracking.take_stream(connection, run, parsed, engine.clock())


def storage_route(engine: Engine, workers: Workers) -> Handler:
    """`PUT` and `GET /storage/{entity}/{project}/{run}/{name}`, by signed address."""

    async def answer(request: Request) -> Response:
        name = files.check_file_name(request.path_params["name"])
        place = (request.path_params["entity"], request.path_params["project"], request.path_params["run"])
        path = files.storage_path(*place, name)
        method = "PUT" if request.method == "PUT" else "GET"
        signing.check_signature(engine.secrets.signing, method, path, dict(request.query_params), engine.clock())
        target = files.place_on_disk(engine.database.files_folder, path)
        if method == "GET":
            return _give(target, name)
        size = await _take(request, target, engine.settings.limits.upload_bytes)
        await workers.run(_note, engine, place, name, size)
        return Response(status_code=200)

    return guarded(answer)


def _give(target: Path, name: str) -> Response:
    if not target.is_file():
        raise NotFoundError(f"file {name!r} was not uploaded yet")
    return FileResponse(target, filename=name.rsplit("/", 1)[-1])


async def _take(request: Request, target: Path, limit: int) -> int:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=target.parent)
    size = 0
    try:
        with os.fdopen(handle, "wb") as sink:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise TooLargeError(f"the file is larger than {limit} bytes")
                sink.write(chunk)
            sink.flush()
            os.fsync(sink.fileno())
        Path(temporary).replace(target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return size


def _note(engine: Engine, place: tuple[str, str, str], name: str, size: int) -> None:
    with engine.database.write() as connection:
        run = runs.find_run(connection, *place)
        if run is not None:
            runs.ensure_file(connection, run.id, name)
            runs.change_files(connection, run.id, [name], {"size": size, "uploaded_at": engine.clock()})


def telemetry_route(engine: Engine) -> Handler:
    """`POST /sdk/otel/…`: the SDK's own telemetry, which carries no key; read and dropped."""

    async def answer(request: Request) -> Response:
        await read_body(request, engine.settings.limits.body_bytes)
        return Response(status_code=200)

    return guarded(answer)
