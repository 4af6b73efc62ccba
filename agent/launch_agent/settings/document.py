"""A YAML file as values that know their places.

Only what JSON can say is accepted: maps with text as keys, lists, texts, numbers, true, false, null. Anchors and merge
keys are part of YAML and work; cycles, custom tags and files beyond the limits are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from launch_agent.settings import encoding, syntax
from launch_agent.settings.problems import KeyPath, Problem, show, show_path

MAX_NODES = 20_000
"""How many values a file may hold, aliases counted each time."""

MAX_DEPTH = 60
"""How deep maps and lists may be nested."""

MAX_INTEGER = 2**63
"""JSON's readers elsewhere (Go, JavaScript's too) hold no more."""

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = {"null", "bool", "int", "float", "str"}
_TEXTS = {"timestamp", "value", "merge"}
"""Plain texts to which YAML 1.1 gives types that JSON does not have: they stay texts."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands; ``text`` is a scalar as written."""

    line: int
    column: int
    text: str = ""
    is_quoted: bool = False


@dataclass(slots=True)
class Document:
    """What a file says: ``values``, and for each key path the place of its value and of its key.

    ``prefix`` is the key path of a document that stands in another one.
    """

    source: str
    values: Any = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    prefix: KeyPath = ()

    def part(self, path: KeyPath, values: Any) -> Document:
        """What stands under a key path as a document of its own; problems still name the whole path."""
        depth = len(path)
        places = {key[depth:]: place for key, place in self.places.items() if key[:depth] == path}
        keys = {key[depth:]: place for key, place in self.keys.items() if key[:depth] == path and len(key) > depth}
        return Document(self.source, values, places, keys, prefix=(*self.prefix, *path))

    def problem(
        self, path: KeyPath, summary: str, cure: str = "", *, at_key: bool = False, is_warning: bool = False
    ) -> Problem:
        """A problem of the value (or the key) at ``path``; where that has no place, of the nearest one above it."""
        place = self._find(path, at_key=at_key)
        return Problem(
            self.source, place.line, place.column, show_path((*self.prefix, *path)), summary, cure, is_warning
        )

    def _find(self, path: KeyPath, *, at_key: bool) -> Place:
        value = self.places.get(path)
        key = self.keys.get(path)
        if key and (at_key or value is None or (not value.text and not value.is_quoted)):
            return key
        if value:
            return value
        return self._find(path[:-1], at_key=False) if path else Place(0, 0)


def read(path: Path, source: str) -> Document:
    """The document in a file; what is wrong with its bytes or its YAML is in ``problems``, and ``values`` is None."""
    text, problem = encoding.read_text(path, source)
    if problem:
        return Document(source, problems=[problem])
    return parse(text, source)


def parse(text: str, source: str) -> Document:
    """The document in a text. Tabs at the start of lines are reported and read as two spaces, to find the rest."""
    document = Document(source)
    try:
        _build(text, document)
    except yaml.MarkedYAMLError as error:
        tabs = encoding.find_tabs(text)
        if not tabs:
            document.problems.append(syntax.explain(error, source))
            return document
        document = Document(source)
        try:
            _build(encoding.expand_tabs(text), document)
        except yaml.MarkedYAMLError as second:
            document.problems.append(syntax.explain(second, source))
        document.problems.append(syntax.explain_tabs(tabs, source))
    except yaml.reader.ReaderError as error:
        document.problems.append(encoding.explain_character(error, text, source))
    return document


def _build(text: str, document: Document) -> None:
    too_deep = _find_too_deep(text)
    if too_deep:
        document.problems.append(
            Problem(document.source, *too_deep, "", f"nested deeper than {MAX_DEPTH} levels", "make it flatter")
        )
        return
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if node is None:
        document.problems.append(
            Problem(document.source, 0, 0, "", "the file is empty", "write at least `queues: [<name of a queue>]`")
        )
        return
    builder = _Builder(document)
    document.values = builder.value(node, ())


def _find_too_deep(text: str) -> tuple[int, int] | None:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                mark = event.start_mark
                return (mark.line + 1, mark.column + 1) if mark else (0, 0)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


class _Builder:
    """Nodes → values, with places and problems written into the document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._open: set[int] = set()
        self._count = 0
        self._scalars = yaml.constructor.SafeConstructor()

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        """The value of a node; None after a problem."""
        place = _place(node)
        self._document.places.setdefault(path, place)
        self._count += 1
        if self._count == MAX_NODES:
            self._report(place, path, f"more than {MAX_NODES} values", "a configuration is small: is this the file?")
        if self._count >= MAX_NODES:
            return None
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, path)
        if id(node) in self._open:
            self._report(place, path, "an alias that contains itself", "write the value out")
            return None
        self._open.add(id(node))
        try:
            return self._collection(node, path)
        finally:
            self._open.discard(id(node))

    def _collection(self, node: yaml.Node, path: KeyPath) -> Any:
        kind = "map" if isinstance(node, yaml.MappingNode) else "seq"
        if node.tag != _PREFIX + kind:
            return self._refuse_tag(node, path)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return [self.value(child, (*path, index)) for index, child in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        first: dict[str, int] = {}
        for key_node, value_node in node.value:
            if key_node.tag == _PREFIX + "merge":
                for name, value in self._merged(value_node, path):
                    result.setdefault(name, value)
                continue
            place = _place(key_node)
            key = self._key(key_node, path)
            if key is None:
                continue
            here = (*path, key)
            if key in first:
                self._report(place, here, f"repeats the key of line {first[key]}", "keep one of the two")
                continue
            first[key] = place.line
            self._document.keys[here] = place
            self._document.places.pop(here, None)
            result[key] = self.value(value_node, here)
        return result

    def _key(self, node: yaml.Node, path: KeyPath) -> str | None:
        if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_PREFIX) in {"str", *_TEXTS}:
            return str(node.value)
        if isinstance(node, yaml.ScalarNode) and node.tag.removeprefix(_PREFIX) in _SCALARS and node.value:
            what = f"the key `{node.value}` is {_kind(node)}, not text"
            self._report(_place(node), path, what, f'put it in quotes: `"{node.value}":`')
        else:
            self._report(_place(node), path, "a key that is not text", "write `name: value`")
        return None

    def _merged(self, node: yaml.Node, path: KeyPath) -> Iterator[tuple[str, Any]]:
        """The pairs that ``<<`` brings in; the map's own keys win."""
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        for one in nodes:
            if not isinstance(one, yaml.MappingNode):
                self._report(_place(node), path, "`<<` needs a map, or a list of maps", "name an anchor: `<<: *name`")
                return
            yield from (self.value(one, path) or {}).items()

    def _scalar(self, node: yaml.ScalarNode, path: KeyPath) -> Any:
        name = node.tag.removeprefix(_PREFIX)
        if name in _TEXTS and not node.tag.startswith("!"):
            return node.value
        if not node.tag.startswith(_PREFIX) or name not in _SCALARS:
            return self._refuse_tag(node, path)
        try:
            value = self._scalars.construct_object(node) if name != "str" else node.value
        except (ValueError, OverflowError, KeyError, IndexError):
            what = f"{show(node.value)} can not be read as {_kind(node)}"
            self._report(_place(node), path, what, "put it in quotes, or write a plain number")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self._report(_place(node), path, f"{show(node.value)} is not a finite number", "write a number")
            return None
        if isinstance(value, int) and abs(value) >= MAX_INTEGER:
            self._report(_place(node), path, "a number of more than 64 bits", "put it in quotes if it is a text")
            return None
        return value

    def _refuse_tag(self, node: yaml.Node, path: KeyPath) -> None:
        tag = node.tag.replace(_PREFIX, "!!")
        self._report(_place(node), path, f"the tag {show(tag)} is not accepted", "leave the tag out")

    def _report(self, place: Place, path: KeyPath, summary: str, cure: str) -> None:
        problem = Problem(self._document.source, place.line, place.column, show_path(path), summary, cure)
        self._document.problems.append(problem)


def _kind(node: yaml.ScalarNode) -> str:
    names: Mapping[str, str] = {"null": "null", "bool": "true or false", "int": "a number", "float": "a number"}
    return names.get(node.tag.removeprefix(_PREFIX), "text")


def _place(node: yaml.Node) -> Place:
    is_scalar = isinstance(node, yaml.ScalarNode)
    return Place(
        line=node.start_mark.line + 1,
        column=node.start_mark.column + 1,
        text=str(node.value) if is_scalar else "…",
        is_quoted=isinstance(node, yaml.ScalarNode) and node.style in {'"', "'"},
    )
