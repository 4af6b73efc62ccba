"""The control endpoint: events, counts, holds, another script (docs/conformance.md)."""

from __future__ import annotations

import math

import yaml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from launch_server.errors import RequestError
from launch_server.faults.desk import Desk
from launch_server.faults.problems import ScriptError
from launch_server.faults.reading import read_script
from launch_server.faults.script import Then

LONGEST_WAIT = 300.0


def make_control(desk: Desk) -> Starlette:
    """The application of a control endpoint."""

    async def events(request: Request) -> Response:
        since = _number(request, "since", 0.0)
        wait = min(_number(request, "wait", 0.0), LONGEST_WAIT)
        return JSONResponse(await desk.journal.read(int(since), wait))

    async def holds(_: Request) -> Response:
        return JSONResponse({"holds": desk.holds.list()})

    async def release(request: Request) -> Response:
        then = request.query_params.get("then")
        if then not in (None, *Then):
            raise RequestError(f"then={then} is not known", "Write then=continue or then=drop.")
        number = request.path_params["number"]
        if not desk.holds.release(number, Then(then) if then else None):
            return _refusal([f"no request is held under {number}"], 404)
        return JSONResponse({"released": number})

    async def cut(_: Request) -> Response:
        return JSONResponse({"cut": desk.cut_streams()})

    async def requests(_: Request) -> Response:
        return JSONResponse(desk.counts())

    async def rules(request: Request) -> Response:
        try:
            value = yaml.safe_load(await request.body())
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            return _refusal([f"the body is neither YAML nor JSON: {error}"], 400)
        desk.replace(read_script(value))
        return JSONResponse(desk.counts())

    return Starlette(
        routes=[
            Route("/events", events),
            Route("/holds", holds),
            Route("/release/{number:int}", release, methods=["POST"]),
            Route("/cut", cut, methods=["POST"]),
            Route("/requests", requests),
            Route("/rules", rules, methods=["POST"]),
        ],
        exception_handlers={ScriptError: _wrong_script, RequestError: _wrong_request},
    )


def _number(request: Request, name: str, otherwise: float) -> float:
    text = request.query_params.get(name)
    if text is None:
        return otherwise
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise RequestError(f"{name}={text} is no number from 0 on", f"Write {name}=10, for example.")
    return value


async def _wrong_script(_: Request, error: Exception) -> Response:
    return _refusal(list(error.problems) if isinstance(error, ScriptError) else [str(error)], 400)


async def _wrong_request(_: Request, error: Exception) -> Response:
    return _refusal([str(error)], 400)


def _refusal(problems: list[str], status: int) -> Response:
    return JSONResponse({"problems": problems}, status_code=status)
