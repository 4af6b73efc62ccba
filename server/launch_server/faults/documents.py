"""GraphQL documents: which operations one holds, and the same document without some of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    Visitor,
    parse,
    print_ast,
    value_from_ast_untyped,
    visit,
)

from launch_server.faults.operations import Asked, Operation

DEPTH = 3
SHOWN = frozenset(
    {
        "agentStatus",
        "entityName",
        "id",
        "itemId",
        "launchAgentId",
        "name",
        "projectName",
        "queueName",
        "runId",
        "runName",
        "runQueueItemId",
        "stage",
    }
)
"""Arguments that are written into events: names and ids. Specs and messages may hold anything."""

Fragments = Mapping[str, FragmentDefinitionNode]


@dataclass(frozen=True, slots=True)
class Document:
    """A request's body, as far as it is GraphQL's."""

    body: Mapping[str, Any]
    query: str
    variables: Mapping[str, Any]
    name: str

    def describe(self, path: str) -> Asked:
        """What it asks for."""
        return Asked("POST", path, tuple(self._operations()) or (Operation("POST /graphql"),))

    def _operations(self) -> Iterator[Operation]:
        parsed = _parse(self.query)
        chosen = _choose(parsed, self.name)
        if parsed is None or chosen is None:
            return
        fragments = _fragments(parsed)
        document_name = chosen.name.value if chosen.name else self.name
        for node in _flatten(chosen.selection_set, fragments):
            paths = tuple(_paths(node, fragments, DEPTH))
            names = frozenset([*paths, document_name] if document_name else paths)
            label = next((path for path in paths if path.count(".") == 1), "") if len(paths) > 1 else ""
            label = label if chosen.operation.value == "query" and label else node.name.value
            yield Operation(label, names, _alias(node), _arguments(node, self.variables))

    def without(self, aliases: frozenset[str]) -> bytes | None:
        """The body without the root fields of these aliases; None if nothing is left."""
        parsed = _parse(self.query)
        chosen = _choose(parsed, self.name)
        if parsed is None or chosen is None:
            return None
        left = tuple(node for node in _flatten(chosen.selection_set, _fragments(parsed)) if _alias(node) not in aliases)
        if not left:
            return None
        used = _fragments_below(left, _fragments(parsed))
        known = _variables_below((*left, *used))
        definitions = tuple(one for one in chosen.variable_definitions or () if one.variable.name.value in known)
        lean = OperationDefinitionNode(
            operation=chosen.operation,
            name=chosen.name,
            directives=chosen.directives,
            variable_definitions=definitions,
            selection_set=SelectionSetNode(selections=left),
        )
        text = print_ast(DocumentNode(definitions=(lean, *used)))
        variables = {key: value for key, value in self.variables.items() if key in known}
        return json.dumps({**self.body, "query": text, "variables": variables}).encode()


def read_document(body: bytes, encoding: str = "") -> Document | None:
    """The document in a request's body (JSON, perhaps gzip); None if it is none."""
    try:
        if encoding.strip().lower() in {"gzip", "x-gzip"}:
            body = zlib.decompress(body, wbits=zlib.MAX_WBITS | 16)
        value = json.loads(body)
    except (ValueError, RecursionError, zlib.error):
        return None
    if not isinstance(value, dict) or not isinstance(value.get("query"), str):
        return None
    variables, name = value.get("variables"), value.get("operationName")
    return Document(
        value, value["query"], variables if isinstance(variables, dict) else {}, name if isinstance(name, str) else ""
    )


@lru_cache(maxsize=512)
def _parse(query: str) -> DocumentNode | None:
    try:
        return parse(query, no_location=True, max_tokens=100_000)
    except (GraphQLError, RecursionError):
        return None


def _choose(document: DocumentNode | None, name: str) -> OperationDefinitionNode | None:
    if document is None:
        return None
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if name:
        operations = [node for node in operations if node.name is not None and node.name.value == name]
    return operations[0] if operations else None


def _fragments(document: DocumentNode) -> Fragments:
    return {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}


def _flatten(selection: SelectionSetNode | None, fragments: Fragments, depth: int = 5) -> Iterator[FieldNode]:
    """The fields of a selection, those in fragments, too."""
    for node in selection.selections if selection is not None and depth else ():
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, InlineFragmentNode):
            yield from _flatten(node.selection_set, fragments, depth - 1)
        elif isinstance(node, FragmentSpreadNode) and node.name.value in fragments:
            yield from _flatten(fragments[node.name.value].selection_set, fragments, depth - 1)


def _paths(node: FieldNode, fragments: Fragments, depth: int) -> Iterator[str]:
    yield node.name.value
    if depth > 1:
        for below in _flatten(node.selection_set, fragments):
            for path in _paths(below, fragments, depth - 1):
                yield f"{node.name.value}.{path}"


def _alias(node: FieldNode) -> str:
    return node.alias.value if node.alias else node.name.value


def _arguments(node: FieldNode, variables: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for argument in node.arguments or ():
        value = value_from_ast_untyped(argument.value, dict(variables))
        pairs = value.items() if isinstance(value, dict) else ((argument.name.value, value),)
        found |= {key: one for key, one in pairs if key in SHOWN and isinstance(one, str) and len(one) <= 200}
    return found


class _Names(Visitor):
    """Gathers the names of variables and of spread fragments."""

    def __init__(self) -> None:
        super().__init__()
        self.variables: set[str] = set()
        self.fragments: set[str] = set()

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.variables.add(node.name.value)

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: object) -> None:
        self.fragments.add(node.name.value)


def _variables_below(nodes: Iterable[FieldNode | FragmentDefinitionNode]) -> set[str]:
    names = _Names()
    for node in nodes:
        visit(node, names)
    return names.variables


def _fragments_below(nodes: Iterable[FieldNode], fragments: Fragments) -> tuple[FragmentDefinitionNode, ...]:
    names = _Names()
    for node in nodes:
        visit(node, names)
    known: set[str] = set()
    while more := (names.fragments & fragments.keys()) - known:
        known |= more
        for name in more:
            visit(fragments[name], names)
    return tuple(fragments[name] for name in sorted(known))


def replace_values(reply: Mapping[str, Any], values: Mapping[str, Any], error: str = "") -> dict[str, Any]:
    """A reply with other values under some aliases, and an error for each of them if one is given."""
    data = {**(reply.get("data") or {}), **values}
    errors = list(reply.get("errors") or ())
    if error:
        errors += [{"message": error, "path": [alias]} for alias in values]
    return {**reply, "data": data, **({"errors": errors} if errors else {})}


def key_of(operation: Operation) -> tuple[str, tuple[tuple[str, str], ...]]:
    """What makes two operations ask for the same, whoever asks."""
    return operation.label, tuple(sorted((k, v) for k, v in operation.arguments.items() if k != "launchAgentId"))
