"""A popped item in a file, for ``render``: ``{"runQueueItemId": …, "queue": …, "runSpec": {…}}``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from launch_agent.core.models import QueueItem, Resource
from launch_agent.errors import ItemError, SpecError
from launch_agent.settings import encoding
from launch_agent.settings.problems import ConfigProblems, Problem, show
from launch_agent.settings.redaction import mask_keys

MAX_BYTES = 8 * 1024 * 1024
"""W&B's server keeps a run spec in one row; its SDK cuts configurations far below this."""

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


def read(path: Path) -> QueueItem:
    """The item in a file.

    Raises:
        ConfigProblems: the file can not be read, is not JSON, or not an item.
    """
    source = str(path)
    text, problem = encoding.read_text(path, source, MAX_BYTES)
    if problem:
        raise ConfigProblems([problem])
    value = _load(text, source, source)
    if not isinstance(value, Mapping):
        _refuse(source, "", f"found {show(value)}; allowed is a JSON object", _CURE)
    missing = [key for key in ("runQueueItemId", "runSpec") if key not in value]
    if missing:
        _refuse(source, "", f"the key `{missing[0]}` is missing", _CURE)
    for key in ("runQueueItemId", "queue"):
        if key in value and not (isinstance(value[key], str) and value[key]):
            _refuse(source, key, f"found {show(value[key])}; allowed is a text", "copy it from the queue")
    spec = value["runSpec"]
    if isinstance(spec, str):
        spec = _load(spec, source, "runSpec")
    if not isinstance(spec, Mapping):
        _refuse(source, "runSpec", f"found {show(spec)}; allowed is an object, or a text that holds one", _CURE)
    return QueueItem(value["runQueueItemId"], value.get("queue", "default"), spec)


def read_queue_config(path: Path) -> Mapping[str, Any]:
    """A queue's own config in a file, YAML or JSON, as ``{"resource_args": {"kubernetes": …}}``.

    Raises:
        ConfigProblems: the file can not be read, or is no map.
    """
    from launch_agent.settings import document  # PyYAML costs 60 ms: only with a file

    source = str(path)
    found = document.read(path, source)
    if found.problems:
        raise ConfigProblems(found.problems)
    if not isinstance(found.values, Mapping):
        _refuse(source, "", f"found {show(found.values)}; allowed is a map", "copy the queue's config from W&B")
    if "resource_args" in found.values:
        return dict(found.values)
    return {"resource_args": {Resource.KUBERNETES: found.values}}


_CURE = 'write `{"runQueueItemId": "…", "queue": "…", "runSpec": {…}}`'


def as_problem(error: ItemError, path: Path) -> ConfigProblems:
    """What keeps the item from being launched, as a problem of its file."""
    summary, place = error.summary, "runSpec"
    if isinstance(error, SpecError) and error.path:
        summary, place = summary.removeprefix(f"{error.path}: "), f"runSpec.{error.path}"
    text = " ".join(part for part in (summary, error.detail) if part).rstrip(".")
    return ConfigProblems([Problem(str(path), 0, 0, place, mask_keys(text), error.resolution.rstrip("."))])


def stable_run_id(item_id: str) -> str:
    """Eight characters like a run id, always the same for one item: the claim itself draws a random one."""
    number = int.from_bytes(hashlib.sha256(item_id.encode("utf-8", "surrogatepass")).digest()[:8], "big")
    characters = []
    for _ in range(8):
        number, digit = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[digit])
    return "".join(characters)


def _load(text: str, source: str, place: str) -> Any:
    """JSON, strictly: no NaN, no key twice."""
    path = "" if place == source else place
    if not text.strip():
        _refuse(source, path, "is empty", _CURE)
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_read_pairs)
    except json.JSONDecodeError as error:
        line, column = (error.lineno, error.colno) if not path else (0, 0)
        at = "" if not path else f" (line {error.lineno}, column {error.colno} of the text)"
        cure = "JSON wants double quotes, a comma between entries, and none after the last"
        raise ConfigProblems([Problem(source, line, column, path, f"not JSON from here on{at}", cure)]) from None
    except RecursionError:
        _refuse(source, path, "nested too deeply", "make it flatter")
    except ValueError as error:
        _refuse(source, path, f"not JSON: {error}", "correct it")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _read_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {show(twice)} is there twice")
    return result


def _refuse(source: str, path: str, summary: str, cure: str) -> NoReturn:
    raise ConfigProblems([Problem(source, 0, 0, path, summary, cure)])
