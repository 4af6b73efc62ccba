"""What one GraphQL document may ask for. Pure."""

from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from launch_server.errors import TooLargeError
from launch_server.settings import Limits


def check_size(document: DocumentNode, limits: Limits) -> None:
    """Refuse a document, not validated yet, whose validation would take long: it compares all fields of one place.

    Raises:
        TooLargeError: some place has more selections than the limits allow.

    """
    waiting = [node.selection_set for node in document.definitions if isinstance(node, ExecutableDefinitionNode)]
    while waiting:
        selections = waiting.pop().selections
        if len(selections) > limits.selections:
            text = (
                f"the document asks for {len(selections)} fields in one place; at most {limits.selections} are allowed"
            )
            raise TooLargeError(text)
        for node in selections:
            if isinstance(node, FieldNode | InlineFragmentNode) and node.selection_set is not None:
                waiting.append(node.selection_set)


def check_document(document: DocumentNode, limits: Limits) -> None:
    """Refuse a valid document that asks for too much.

    Raises:
        TooLargeError: it has more aliases, or nests deeper, than the limits allow.

    """
    fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
    for node in document.definitions:
        if not isinstance(node, OperationDefinitionNode):
            continue
        aliases, depth = _measure(node.selection_set, fragments, limits, 1)
        roots = len(node.selection_set.selections)
        if max(aliases, roots) > limits.aliases:
            raise TooLargeError(
                f"the document has {max(aliases, roots)} aliased fields; at most {limits.aliases} are allowed",
                "Send several documents.",
            )
        if depth > limits.depth:
            raise TooLargeError(f"the document nests more than {limits.depth} fields deep")


def _measure(
    selected: SelectionSetNode, fragments: dict[str, FragmentDefinitionNode], limits: Limits, depth: int
) -> tuple[int, int]:
    """How many aliases, and how deep; stops counting beyond the limits, so that fragments cannot multiply the work."""
    aliases, deepest = 0, depth
    for node in selected.selections:
        if aliases > limits.aliases or deepest > limits.depth:
            break
        inner: SelectionSetNode | None = None
        if isinstance(node, FieldNode):
            aliases += node.alias is not None
            inner = node.selection_set
        elif isinstance(node, FragmentSpreadNode):
            inner = fragments[node.name.value].selection_set
        elif isinstance(node, InlineFragmentNode):
            inner = node.selection_set
        if inner is not None:
            more, below = _measure(inner, fragments, limits, depth + 1)
            aliases, deepest = aliases + more, max(deepest, below)
    return aliases, deepest
