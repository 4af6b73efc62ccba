"""Reading a GraphQL reply, wherever it came from."""

from typing import Any

from launch_server.errors import UsageError

Json = Any


def data_of(reply: Json) -> dict[str, Json]:
    """The data of a GraphQL reply.

    Raises:
        UsageError: it is none, or has errors.

    """
    if not isinstance(reply, dict):
        raise UsageError("the server's answer is not a GraphQL answer")
    errors = reply.get("errors")
    if errors:
        raise UsageError("; ".join(str(error.get("message", error)) for error in errors))
    data = reply.get("data")
    return data if isinstance(data, dict) else {}
