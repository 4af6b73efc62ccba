"""A script of faults from YAML or JSON: every mistake is told, nothing is guessed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from launch_server.cli.output import read_document
from launch_server.errors import UsageError
from launch_server.faults import script as faults
from launch_server.faults.operations import plural_of
from launch_server.faults.problems import Problems, ScriptError, join
from launch_server.faults.script import At, Cut, Duplicate, Error, Fault, Match, Rule, Script, Stale, Then, When

Json = Any
RULE_KEYS = ("name", "match", "fault", "nth", "every", "times", "probability", "after", "for", "repeat")
MATCH_KEYS = (
    "operation", "verb", "resource", "kind", "group", "namespace", "name", "subresource", "watch", "dry_run",
    "method", "path",
)  # fmt: skip
API_KEYS = frozenset({"verb", "resource", "kind", "group", "namespace", "name", "subresource", "watch", "dry_run"})
SHORT_FORM = re.compile(r"latency=(\d+(?:\.\d+)?(?:ms|s))")


def load_script(source: str) -> Script:
    """The script in a file, in a text that starts with `{`, or in the short form `latency=50ms`.

    Raises:
        UsageError: it cannot be read, or is wrong; the text names every place.

    """
    source = source.strip()
    if found := SHORT_FORM.fullmatch(source):
        rule = {"name": source, "match": {"path": "*/graphql"}, "fault": {"latency": found[1]}}
        return read_script({"rules": [rule]}, "--faults")
    if re.match(r"\w+=", source):
        raise UsageError(
            f"--faults {source!r} is not known", "Known: latency=50ms (milliseconds or seconds), or a script's file."
        )
    return read_script(read_document(source, "--faults"), "--faults" if source.startswith("{") else source)


def read_script(value: Json, where: str = "the script") -> Script:
    """The script that a parsed document holds.

    Raises:
        ScriptError: with all that is wrong.

    """
    problems = Problems()
    whole = problems.mapping(value, "", ("seed", "rules"))
    seed = problems.optional(whole, "seed", lambda one, path: problems.whole(one, path, least=0), "") or 0
    listed = whole.get("rules", [])
    if not isinstance(listed, list):
        problems.add("rules", "this is not a list", "Write one rule per list item (`- match: …`).")
        listed = []
    rules = [_read_rule(problems, one, f"rules[{place}]", place) for place, one in enumerate(listed)]
    names: set[str] = set()
    for place, rule in enumerate(rules):
        if rule is not None and rule.name in names:
            problems.add(f"rules[{place}].name", f"{rule.name!r} is taken", "Give each rule a name of its own.")
        names |= {rule.name} if rule is not None else set()
    if problems.found:
        raise ScriptError(where, problems.found)
    return Script(tuple(rule for rule in rules if rule is not None), seed)


def _read_rule(problems: Problems, value: Json, path: str, place: int) -> Rule | None:
    given = problems.mapping(value, path, RULE_KEYS)
    if "fault" not in given:
        if isinstance(value, Mapping):
            problems.add(path, "the rule has no fault", f"Write fault: one of {', '.join(_READERS)}.")
        return None
    name = problems.optional(given, "name", problems.text, path) or f"rule {place + 1}"
    match = _read_match(problems, given.get("match", {}), f"{path}.match")
    when = _read_when(problems, given, path)
    fault = _read_fault(problems, given["fault"], f"{path}.fault")
    if fault is None:
        return None
    _check_meaning(problems, fault, match, path)
    return Rule(name, fault, match, when)


def _read_match(problems: Problems, value: Json, path: str) -> Match:
    given = problems.mapping(value, path, MATCH_KEYS)
    if "operation" in given and (both := sorted(API_KEYS & given.keys())):
        problems.add(
            path,
            f"`operation` is of W&B's API, {', '.join(both)} of a Kubernetes API server's",
            "Make two rules of it.",
        )
    texts = {
        key: problems.texts(given[key], join(path, key))
        for key in given
        if key not in {"watch", "dry_run", "kind", "resource"}
    }
    resources = problems.optional(given, "resource", problems.texts, path) or ()
    kinds = problems.optional(given, "kind", problems.texts, path) or ()
    watch = problems.optional(given, "watch", problems.yes, path)
    dry_run = problems.optional(given, "dry_run", problems.yes, path)
    return Match(resource=(*resources, *map(plural_of, kinds)), watch=watch, dry_run=dry_run, **texts)


def _read_when(problems: Problems, given: Mapping[str, Json], path: str) -> When:
    def read(key: str, kind: Callable[[Json, str], Any], otherwise: Json) -> Json:
        found = problems.optional(given, key, kind, path)
        return otherwise if found is None else found

    when = When(
        nth=read("nth", problems.wholes, frozenset()),
        every=read("every", problems.whole, 1),
        times=read("times", problems.whole, None),
        probability=read("probability", problems.share, 1.0),
        after=read("after", problems.duration, 0.0),
        lasts=read("for", problems.duration, None),
        repeat=read("repeat", problems.duration, None),
    )
    if when.repeat is not None and (when.lasts is None or not 0 < when.lasts < when.repeat):
        problems.add(
            f"{path}.repeat", "a window that opens again must close before", "Give `for`, shorter than `repeat`."
        )
    return when


def _read_fault(problems: Problems, value: Json, path: str) -> Fault | None:
    if isinstance(value, str):
        value = {value: {}}
    if not isinstance(value, Mapping) or len(value) != 1:
        problems.add(path, "this is not one fault", f"Write one of {', '.join(_READERS)}.")
        return None
    ((name, options),) = value.items()
    if problems.choice(name, path, _READERS) is None:
        return None
    known, short, read = _READERS[name]
    path = f"{path}.{name}"
    if not isinstance(options, Mapping) and options is not None:
        if not short:
            problems.add(path, "this fault has no options", f"Write fault: {name}.")
            return None
        options = {short: options}
    before = len(problems.found)
    given = problems.mapping(options or {}, path, known)
    fault = read(problems, given, path)
    return fault if len(problems.found) == before else None


def _need(problems: Problems, given: Mapping[str, Json], key: str, path: str) -> Json:
    if key not in given:
        problems.add(path, f"{key} is missing", f"Write {key}: …")
    return given.get(key)


def _read_latency(problems: Problems, given: Mapping[str, Json], path: str) -> Fault | None:
    _need(problems, given, "seconds", path)
    seconds = problems.optional(given, "seconds", problems.duration, path)
    jitter = problems.optional(given, "jitter", problems.duration, path)
    return None if seconds is None else faults.Latency(seconds, jitter or 0.0)


def _read_status(problems: Problems, given: Mapping[str, Json], path: str) -> Fault | None:
    code = _need(problems, given, "code", path)
    if "code" in given and not (isinstance(code, int) and not isinstance(code, bool) and 200 <= code <= 599):
        problems.add(f"{path}.code", f"{code!r} is no HTTP status", "Write a number from 200 to 599.")
    body = given.get("body")
    wait = problems.optional(given, "retry_after", problems.duration, path)
    performed = problems.optional(given, "performed", problems.yes, path) or False
    text = body if isinstance(body, str) or body is None else json.dumps(body)
    return faults.Status(code, text, wait, performed)


def _read_error(problems: Problems, given: Mapping[str, Json], path: str) -> Fault | None:
    _need(problems, given, "message", path)
    message = problems.optional(given, "message", problems.text, path)
    performed = problems.optional(given, "performed", problems.yes, path) or False
    return None if message is None else Error(message, performed)


def _read_duplicate(problems: Problems, given: Mapping[str, Json], path: str) -> Fault:
    of = problems.choice(given.get("of", "request"), f"{path}.of", ("request", "delivery"))
    return Duplicate(is_delivery=of == "delivery")


def _read_cut(problems: Problems, given: Mapping[str, Json], path: str) -> Fault:
    if not given:
        problems.add(path, "events or seconds is missing", "Write cut: {events: 5}, or cut: {seconds: 10s}.")
    events = problems.optional(given, "events", lambda one, at: problems.whole(one, at, least=0), path)
    return Cut(events, problems.optional(given, "seconds", problems.duration, path))


def _read_stale(problems: Problems, given: Mapping[str, Json], path: str) -> Fault:
    how = problems.choice(given.get("as", "gone"), f"{path}.as", ("gone", "event"))
    events = problems.optional(given, "events", lambda one, at: problems.whole(one, at, least=0), path) or 0
    if events and how == "gone":
        problems.add(f"{path}.events", "an answer of 410 has no events before it", "Write as: event.")
    return Stale(how == "event", events)


def _read_hold(problems: Problems, given: Mapping[str, Json], path: str) -> Fault:
    at = problems.choice(given.get("at", "before"), f"{path}.at", tuple(At))
    then = problems.choice(given.get("then", "continue"), f"{path}.then", tuple(Then))
    timeout = problems.optional(given, "timeout", problems.duration, path)
    return faults.Hold(At(at or "before"), 60.0 if timeout is None else timeout, Then(then or "continue"))


_Read = Callable[[Problems, Mapping[str, Json], str], Fault | None]
_READERS: dict[str, tuple[tuple[str, ...], str, _Read]] = {
    "latency": (("seconds", "jitter"), "seconds", _read_latency),
    "status": (("code", "body", "retry_after", "performed"), "code", _read_status),
    "error": (("message", "performed"), "message", _read_error),
    "refuse": ((), "", lambda *_: faults.Refuse()),
    "lose-reply": ((), "", lambda *_: faults.LoseReply()),
    "duplicate": (("of",), "of", _read_duplicate),
    "cut": (("events", "seconds"), "", _read_cut),
    "stale": (("as", "events"), "as", _read_stale),
    "hold": (("at", "timeout", "then"), "at", _read_hold),
    "pass": ((), "", lambda *_: faults.Pass()),
}


def _check_meaning(problems: Problems, fault: Fault, match: Match, path: str) -> None:
    """Faults that have no meaning for what they match are mistakes, not silence."""
    is_watch = match.watch is True or match.verb == ("watch",)
    names_api = (match.watch, match.dry_run) != (None, None) or any(
        (match.verb, match.resource, match.group, match.namespace, match.name, match.subresource)
    )
    if isinstance(fault, Error) and names_api:
        problems.add(path, "an `error` is W&B's API's", "Write status: with a code for an API server.")
    if isinstance(fault, Stale) and not is_watch:
        problems.add(path, "only a watch is stale", "Write watch: true in its match.")
    if isinstance(fault, Duplicate) and fault.is_delivery and not (is_watch or match.operation):
        problems.add(
            path, "only operations and watches are delivered", "Name an operation in its match, or watch: true."
        )
    if isinstance(fault, Cut) and match.operation:
        problems.add(path, "only streams are cut", "Write lose-reply for operations of W&B's API.")
