"""`customResources` of the configuration: kinds that the owner describes, judged and read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from launch_agent.settings.problems import KeyPath, Problem, show_text

if TYPE_CHECKING:
    from launch_agent.core.kind_facts import Kind, PodTemplate, States
    from launch_agent.settings.document import Document

KEY = "customResources"

STATES: Mapping[str, str] = {"waiting": "unknown"}
"""The file's word for a state, where it is not the core's."""

PATTERNS = ("podTemplates", "containers", "podMetadata", "phases")
"""Keys whose entries are places, or have one under ``path``."""

PATHS = ("entrypoint", "ttl", "suspend")
"""Keys that are one place."""

Entry = Mapping[str, Any]


def check(values: Mapping[str, Any], document: Document) -> Iterator[Problem]:
    """What a schema can not say of kinds whose types are right: places that are none, kinds that are there twice."""
    seen: dict[tuple[str, str], int] = {}
    for index, entry in enumerate(values.get(KEY) or ()):
        here: KeyPath = (KEY, index)
        for path, text, is_single in _places(entry, here):
            if fault := _find_fault(text, is_single=is_single):
                cure = "write keys with dots between, `[]` for each entry of a list, `*` for each member: "
                example = "spec.suspend" if is_single else "spec.tasks[].template"
                yield document.problem(path, f"found `{show_text(text)}`: {fault}", f"{cure}`{example}`")
        for number, phase in enumerate(entry.get("phases") or ()):
            if not phase.get("states"):
                what = "found a map with nothing in it; allowed is a map of texts to states"
                yield document.problem((*here, "phases", number, "states"), what, "for example `{Done: finished}`")
        yield from _check_entry(entry, here, document)
        name = (str(entry.get("group")), str(entry.get("kind")))
        if seen.setdefault(name, index) != index:
            what = f"describes {name[1]} of {name[0]} again, as {KEY}[{seen[name]}] does"
            yield document.problem(here, what, "delete one of the two")


def _check_entry(entry: Entry, here: KeyPath, document: Document) -> Iterator[Problem]:
    if (entry.get("group"), entry.get("kind")) == ("batch", "Job"):
        what = "Kubernetes' own Job has rules of its own, which can not be changed"
        yield document.problem((*here, "kind"), what, "take this entry out")
    is_text = entry.get("entry") == "text"
    if is_text and not entry.get("entrypoint"):
        what = "`entry: text` needs the key `entrypoint` beside it"
        yield document.problem((*here, "entry"), what, "add it: `entrypoint: spec.entrypoint`")
    if entry.get("entrypoint") and entry.get("entry") and not is_text:
        what = f"is read with `entry: text` only; found `entry: {show_text(str(entry['entry']))}`"
        yield document.problem((*here, "entrypoint"), what, "write `entry: text`, or take this key out", at_key=True)


def _places(entry: Entry, here: KeyPath) -> Iterator[tuple[KeyPath, str, bool]]:
    """Each text that is a place: (key path, text, whether it must mean a single place)."""
    for key in PATTERNS:
        for index, given in enumerate(entry.get(key) or ()):
            if isinstance(given, Mapping):
                yield (*here, key, index, "path"), str(given.get("path")), False
            else:
                yield (*here, key, index), str(given), False
    for key in PATHS:
        if entry.get(key):
            yield (*here, key), str(entry[key]), True


def _find_fault(text: str, *, is_single: bool) -> str:
    from launch_agent.core import places  # only with this key: `version` needs no core

    try:
        steps = places.path_of(text) if is_single else places.parse(text)
    except ValueError as error:
        return str(error)
    if not steps:
        return "it names no place"
    return "it begins with no key" if not isinstance(steps[0], str) else ""


def read(values: Mapping[str, Any]) -> tuple[Kind, ...]:
    """The kinds of a file that was judged well."""
    return tuple(_read_kind(entry) for entry in values.get(KEY) or ())


def _read_kind(entry: Entry) -> Kind:
    from launch_agent.core.kind_facts import NAME_LIMIT, Kind
    from launch_agent.core.kind_facts import Entry as Receivers

    return Kind(
        group=entry["group"],
        kind=entry["kind"],
        templates=tuple(_read_template(given) for given in entry.get("podTemplates") or ()),
        containers=tuple(entry.get("containers") or ()),
        pod_metadata=tuple(entry.get("podMetadata") or ()),
        states=_read_states(entry),
        is_endless=bool(entry.get("endless")),
        entry=Receivers(entry.get("entry") or "each"),
        entrypoint=entry.get("entrypoint") or "",
        ttl=entry.get("ttl") or "",
        suspend=entry.get("suspend") or "",
        name_limit=int(entry.get("nameLimit") or NAME_LIMIT),
        pod_selector=entry.get("podSelector") or "",
    )


def _read_template(given: str | Entry) -> PodTemplate:
    from launch_agent.core.kind_facts import PodTemplate

    if isinstance(given, str):
        return PodTemplate(given)
    return PodTemplate(given["path"], given.get("main") or "")


def _read_states(entry: Entry) -> States:
    """The owner's words; without any, those of W&B's own mapping (protocol 7.3.5)."""
    from launch_agent.core.kind_facts import GENERIC, States

    phases, conditions = entry.get("phases") or (), entry.get("conditions") or {}
    if not phases and not conditions:
        return GENERIC
    return States(
        phases=tuple((given["path"], _read_texts(given["states"])) for given in phases),
        conditions=_read_texts(conditions),
    )


def _read_texts(texts: Mapping[str, str]) -> dict[str, Any]:
    from launch_agent.core.models import JobState

    return {text.lower(): JobState(STATES.get(state, state)) for text, state in texts.items()}
