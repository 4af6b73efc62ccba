"""The executable schema: the SDL with its resolvers."""

import json
from functools import cache
from typing import Any

from ariadne import ScalarType, make_executable_schema
from graphql import GraphQLError, GraphQLSchema

from launch_server.api import accounts, agents, items, queues, runs
from launch_server.api import run_data as run_data  # its resolvers register themselves on the run type
from launch_server.sdl import read_sdl

json_string = ScalarType("JSONString")
int64 = ScalarType("Int64")


@json_string.value_parser
def parse_json_string(value: Any) -> str:
    """Text stays text (who needs the value parses it); W&B's API takes other JSON values too."""
    return value if isinstance(value, str) else json.dumps(value)


@int64.value_parser
def parse_int64(value: Any) -> int:
    """A whole number of up to 64 bits.

    Raises:
        GraphQLError: it is not one.

    """
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise GraphQLError(f"Int64 cannot represent {value!r}")
    return value


@cache
def build_schema() -> GraphQLSchema:
    """The schema that documents are validated against and answered by."""
    return make_executable_schema(
        read_sdl(),
        accounts.query,
        agents.query,
        accounts.mutation,
        queues.mutation,
        items.mutation,
        agents.mutation,
        runs.mutation,
        accounts.user_type,
        accounts.entity_type,
        accounts.project_type,
        queues.queue_type,
        runs.run_type,
        json_string,
        int64,
    )
