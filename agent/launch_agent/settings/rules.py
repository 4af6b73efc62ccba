"""What a schema can not say: placeholders left in, addresses, W&B's leniencies and its documentation's slips."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from launch_agent.settings import custom_resources, images, policy, wording
from launch_agent.settings.document import Document
from launch_agent.settings.problems import KeyPath, Problem, show_text
from launch_agent.settings.schema import Schema

PLACEHOLDER = re.compile(r"<[A-Za-z][\w ./|-]*>")
"""``<queue name>``: W&B's pages are full of them."""

FREE = ("builder", "kaniko-config")
"""Where texts are the user's own and ``<…>`` may mean itself."""

BLOCKS = ("environment", "registry", "builder")
"""Maps whose unknown keys W&B's agent ignores."""

SECRETS = frozenset({"WANDB_API_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_CLIENT_SECRET"})
"""Variables that a submitter must never read through a macro."""


def find_placeholders(document: Document, schema: Schema) -> dict[KeyPath, Problem]:
    """Texts that still hold ``<…>``, by key path."""
    found: dict[KeyPath, Problem] = {}
    for path, text in texts(document.values, ()):
        holders = PLACEHOLDER.findall(text)
        if not holders or path[: len(FREE)] == FREE:
            continue
        listed = _join([f"`{show_text(holder)}`" for holder in dict.fromkeys(holders)])
        if holders == [text.strip()]:
            what = f"still the placeholder {listed}"
        else:
            what = f"still holds the placeholder{'s' if len(set(holders)) > 1 else ''} {listed}"
        found[path] = document.problem(path, what, _fill(path, schema))
    return found


def check(document: Document, values: Mapping[str, Any], schema: Schema) -> Iterator[Problem]:
    """Problems and warnings of those values of a document whose types are right."""
    for block in BLOCKS:
        yield from _check_unknown(block, values.get(block) or {}, document, schema)
    yield from _check_old_spellings(values, document)
    for block, key in (("registry", "uri"), ("builder", "destination"), ("builder", "uri")):
        yield from _check_image(values, (block, key), document)
    yield from _check_builder(values.get("builder") or {}, document)
    yield from custom_resources.check(values, document)
    yield from policy.check(values, document)
    for index, name in enumerate(values.get("macro_environment") or ()):
        if name in SECRETS:
            what = f"`{name}` is a secret: every submitter could read it as `${{{name}}}`"
            yield document.problem(("macro_environment", index), what, "take it out; give jobs a Secret instead")


def texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Each text in a value, with its key path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from texts(item, (*path, index))


def _join(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _fill(path: KeyPath, schema: Schema) -> str:
    """What to put in the place of a placeholder."""
    node: Schema | None = schema
    for part in path:
        node = node.get("items" if isinstance(part, int) else "properties") if node else None
        if isinstance(part, str) and node is not None:
            node = node.get(part)
    if not node:
        return "put your own value there"
    return f"put {_title(node)}; {wording.example(path, node)}"


def _title(node: Schema) -> str:
    """What is allowed; for a choice, its words."""
    choices = [f"`{value}`" for value in node.get("enum", ()) if value is not None]
    return f"{node['title']}: {' or '.join(choices)}" if choices else str(node["title"])


def _check_unknown(block: str, values: Mapping[str, Any], document: Document, schema: Schema) -> Iterator[Problem]:
    known = schema["properties"][block]
    for key in values:
        if key not in known["properties"]:
            cure = wording.unknown_key(key, known)
            yield document.problem(
                (block, key), f"is not a key of {block}; ignored", cure, at_key=True, is_warning=True
            )


def _check_old_spellings(values: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    if values.get("queue"):
        what = "an old spelling of `queues`; read as such"
        cure = "write `queues:` with a list (W&B's agent refuses `queue`)"
        yield document.problem(("queue",), what, cure, at_key=True, is_warning=True)
    if values.get("registry"):
        what, cure = "deprecated by W&B; still read", "write the address as `builder.destination`"
        yield document.problem(("registry",), what, cure, at_key=True, is_warning=True)
    builder = values.get("builder") or {}
    if builder.get("uri"):
        what, cure = "`uri` is no key of builder; read as `destination`", "write `destination`"
        if builder.get("destination"):
            what, cure = "`uri` is no key of builder; ignored beside `destination`", "delete it"
        yield document.problem(("builder", "uri"), what, cure, at_key=True, is_warning=True)


def _check_image(values: Mapping[str, Any], path: tuple[str, str], document: Document) -> Iterator[Problem]:
    address = (values.get(path[0]) or {}).get(path[1])
    if not address or PLACEHOLDER.search(address):
        return
    judgement = images.judge(address)
    if judgement.fault:
        yield document.problem(path, judgement.fault, judgement.cure)
    elif judgement.note:
        yield document.problem(path, judgement.note, judgement.cure, is_warning=True)


def _check_builder(builder: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    store = builder.get("build-context-store")
    if store and not PLACEHOLDER.search(store) and not images.is_store(store):
        what = f"found `{show_text(store)}`; allowed is a bucket's address"
        cure = "write `s3://<bucket>/<path>`, `gs://<bucket>/<path>` or `https://<account>.blob.core.windows.net/<container>`"
        yield document.problem(("builder", "build-context-store"), what, cure)
