"""A document → the file's values, or all that is wrong with them."""

from __future__ import annotations

from typing import Any

from launch_agent.settings import custom_resources, images, policy, rules, schema, wording
from launch_agent.settings.document import Document
from launch_agent.settings.problems import KeyPath, Problem, show

DEEP = (custom_resources.KEY, policy.KEY)
"""Keys whose rules look into maps in maps, where a placeholder may stand for one."""

Judged = tuple[dict[str, Any], list[Problem], list[Problem]]
"""Values (usable only without problems), problems, warnings."""


def judge(document: Document) -> Judged:
    """Judge a document by the schema and the rules; W&B's leniencies and old spellings are put right in the values."""
    values = document.values
    if document.problems and not isinstance(values, dict):
        return {}, document.problems, []
    if not isinstance(values, dict):
        what = f"found {show(values)} instead of keys; allowed is a map"
        return (
            {},
            [document.problem((), what, "write `queues: [<name of a queue>]`, each key on a line of its own")],
            [],
        )
    whole = schema.load()
    placeholders = rules.find_placeholders(document, whole)
    misshapen = list(schema.check(values, whole))
    findings = [one for one in misshapen if one.path not in placeholders]
    problems = [*document.problems, *placeholders.values(), *(wording.explain(one, document) for one in findings)]
    wrong = {one.path for one in misshapen if one.keyword != "dependentRequired"}
    wrong |= {path for path in placeholders if path[0] in DEEP}
    judged = list(rules.check(document, _without(values, wrong), whole))
    problems += [one for one in judged if not one.is_warning]
    return _put_right(values) if not problems else {}, problems, [one for one in judged if one.is_warning]


def _without(values: dict[str, Any], wrong: set[KeyPath]) -> dict[str, Any]:
    """The values without those that the schema refuses, so that rules need not look at types again."""
    result: dict[str, Any] = {}
    for key, value in values.items():
        if (key,) in wrong or any(path[0] == key and (len(path) > 2 or isinstance(path[-1], int)) for path in wrong):
            continue
        is_map = isinstance(value, dict)
        result[key] = {name: one for name, one in value.items() if (key, name) not in wrong} if is_map else value
    return result


def _put_right(values: dict[str, Any]) -> dict[str, Any]:
    """Defaults left out, old spellings and documented slips as they are meant."""
    result = {key: value for key, value in values.items() if value is not None}
    old = result.pop("queue", [])
    queues = [*result.get("queues", []), *([old] if isinstance(old, str) else old)]
    if queues:
        result["queues"] = list(dict.fromkeys(queues))
    for block, key in (("registry", "uri"), ("builder", "destination")):
        if result.get(block):
            result[block] = _put_address_right(result[block], key)
    return result


def _put_address_right(block: dict[str, Any], key: str) -> dict[str, Any]:
    result = dict(block)
    if key == "destination" and "uri" in result:
        uri = result.pop("uri")
        result[key] = result.get(key) or uri
    if result.get(key):
        result[key] = images.judge(result[key]).value
    return result
