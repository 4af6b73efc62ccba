"""Each operation's text against the SDL that agent and server share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.operation import Operation, combine

SDL = Path(__file__).resolve().parents[2] / "schema" / "wandb-launch.graphql"

MAKERS: dict[str, Callable[[str], Operation]] = {
    "viewer": lambda _text: operations.viewer(),
    "entity_is_team": operations.entity_is_team,
    "project_queues": lambda text: operations.project_queues(text, "p"),
    "queue": lambda text: operations.queue("e", "p", text),
    "default_config": lambda text: operations.default_config("e", text),
    "create_queue": lambda text: operations.create_queue("e", "p", text),
    "create_agent": lambda text: operations.create_agent("e", "p", [text], "host", "{}", "1"),
    "agent": operations.agent,
    "update_agent": lambda text: operations.update_agent(text, "POLLING"),
    "pop": lambda text: operations.pop("e", "p", text, "agent"),
    "push": lambda text: operations.push("e", "p", text, "{}"),
    "push with a priority": lambda text: operations.push("e", "p", text, "{}", priority=1),
    "push with template values": lambda text: operations.push("e", "p", text, "{}", template_values={"a": 1}),
    "ack": lambda text: operations.ack(text, "run"),
    "fail": lambda text: operations.fail(text, "why", "agent"),
    "fail with files": lambda text: operations.fail(text, "why", "run", ["a/error.log"]),
    "warn": lambda text: operations.warn(text, "why", "Kubernetes"),
    "warn with files": lambda text: operations.warn(text, "why", "build", ["a/error.log"]),
    "run_state": lambda text: operations.run_state("e", "p", text),
    "run_stopped": lambda text: operations.run_stopped("e", "p", text),
    "item": lambda text: operations.item("e", "p", "q", text),
    "items": lambda text: operations.items("e", "p", text),
    "items from a cursor on": lambda text: operations.items("e", "p", "q", text),
    "priority": lambda text: operations.priority("e", "p", "q", text),
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SDL.read_text())


def _faults(schema: GraphQLSchema, document: str) -> list[str]:
    return [error.message for error in validate(schema, parse(document))]


@pytest.mark.parametrize("count", [1, 3, 100])
@pytest.mark.parametrize("name", MAKERS)
def test_an_operation_is_valid_alone_and_many_times_in_one_document(
    schema: GraphQLSchema, name: str, count: int
) -> None:
    document, variables = combine([MAKERS[name](f"x{number}") for number in range(count)])
    assert _faults(schema, document) == []
    assert all(f"${variable}: " in document for variable in variables)


@pytest.mark.parametrize("kind", ["query", "mutation"])
def test_all_operations_of_a_kind_fit_in_one_document(schema: GraphQLSchema, kind: str) -> None:
    chosen = [one for one in (make("x") for make in MAKERS.values()) if one.kind == kind]
    assert len(chosen) > 5
    assert _faults(schema, combine(chosen)[0]) == []


def test_every_function_of_the_module_is_in_the_table() -> None:
    functions = {
        name
        for name, value in vars(operations).items()
        if callable(value) and getattr(value, "__module__", "") == operations.__name__ and not name.startswith("_")
    }
    assert functions == {name.partition(" ")[0] for name in MAKERS}


def test_the_text_depends_on_shapes_and_the_variables_carry_the_values() -> None:
    first, values = combine([operations.ack("item-1", "run-1"), operations.ack("item-2", "run-2")])
    second, _ = combine([operations.ack("item-3", "run-3"), operations.ack("item-4", "run-4")])
    assert first == second
    assert values == {
        "v0_runQueueItemId": "item-1",
        "v0_runName": "run-1",
        "v1_runQueueItemId": "item-2",
        "v1_runName": "run-2",
    }
    assert "item-1" not in first


def test_another_shape_has_another_text() -> None:
    plain = combine([operations.fail("i", "m", "agent")])[0]
    assert plain != combine([operations.fail("i", "m", "agent", ["f"])])[0]
    assert "filePaths" not in plain


def test_quotes_dollars_and_braces_in_values_never_reach_the_text(schema: GraphQLSchema) -> None:
    nasty = '"}) { $item } #'
    document, variables = combine([operations.item(nasty, nasty, nasty, nasty)])
    assert nasty not in document
    assert set(variables.values()) == {nasty}
    assert _faults(schema, document) == []
