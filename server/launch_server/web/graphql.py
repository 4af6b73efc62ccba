"""`POST /graphql`."""

from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from launch_server.api.engine import Engine, Request
from launch_server.errors import RequestError
from launch_server.web.bodies import parse_json, read_body
from launch_server.web.service import Handler, JsonReply, Workers, base_url, guarded, identify


def graphql_route(engine: Engine, workers: Workers) -> Handler:
    """The handler: GraphQL errors are HTTP 200 with `errors`, as W&B's client expects (protocol section 3.2)."""

    async def answer(http: HttpRequest) -> Response:
        body = await read_body(http, engine.settings.limits.body_bytes)
        return JsonReply(await workers.run(_answer, engine, http, body))

    return guarded(answer)


def _answer(engine: Engine, http: HttpRequest, body: bytes) -> dict[str, Any]:
    user = identify(engine, http)
    return engine.answer(user, read_request(parse_json(body), base_url(engine, http)))


def read_request(body: Any, base: str) -> Request:
    """The GraphQL request in a JSON body.

    Raises:
        RequestError: the body is not of that shape.

    """
    if not isinstance(body, dict):
        raise RequestError("the body must be a JSON object with the key `query`")
    query, variables, name = body.get("query"), body.get("variables"), body.get("operationName")
    if not isinstance(query, str) or not query.strip():
        raise RequestError("`query` must be a GraphQL document")
    if variables is not None and not isinstance(variables, dict):
        raise RequestError("`variables` must be an object")
    if name is not None and not isinstance(name, str):
        raise RequestError("`operationName` must be text")
    return Request(query=query, variables=variables or {}, operation_name=name or None, base_url=base)
