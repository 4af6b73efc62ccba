"""What a manifest names of the cluster: accounts, Secrets, folders of nodes, images … each a `Use` of a subject.

Fields are looked for at any depth by name, as in `core/profiles.py`: operators put pods, and references to Secrets,
where they like.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core.entries import Entry, list_objects
from launch_agent.core.places import Path
from launch_agent.core.policy import Subject


@dataclass(frozen=True, slots=True)
class Use:
    """A value that is named at a path."""

    subject: Subject
    value: str
    path: Path


NAMED: Mapping[str, Subject] = {
    "serviceAccountName": Subject.SERVICE_ACCOUNTS,
    "serviceAccount": Subject.SERVICE_ACCOUNTS,
    "priorityClassName": Subject.PRIORITY_CLASSES,
    "priorityClass": Subject.PRIORITY_CLASSES,
    "runtimeClassName": Subject.RUNTIME_CLASSES,
    "schedulerName": Subject.SCHEDULERS,
    "batchScheduler": Subject.SCHEDULERS,
    "namespace": Subject.NAMESPACES,
}
"""Fields whose text is the name itself."""

FREE_MAPS = frozenset(
    {
        "labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData", "binaryData", "envVars",
        "sparkConf", "hadoopConf", "limits", "requests",
    }
)  # fmt: skip
"""Objects whose keys are anybody's words: a key in them that looks like a field is none."""

NO_NAMES = ("key", "keys", "type", "path", "namespace", "version", "provider")
"""What fields about a Secret or ConfigMap end with whose text is not its name."""

NODE_NAME = "kubernetes.io/hostname"
"""The label that says a node's name; ``nodeName`` counts as a selector of it."""


def find(entry: Entry) -> Iterator[Use]:
    """What the member names. An account may be named in an object, too (operators write ``serviceAccount: {name}``)."""
    key, holder = entry.key, entry.holder
    if holder in {"labels", "annotations"}:
        subject = Subject.LABELS if holder == "labels" else Subject.ANNOTATIONS
        yield Use(subject, f"{key}={_text(entry.value)}", entry.path)
    elif holder == "nodeSelector":
        yield Use(Subject.NODE_SELECTORS, f"{key}={_text(entry.value)}", entry.path)
    if holder in FREE_MAPS:
        return
    if key in NAMED:
        yield from (Use(NAMED[key], name, (*entry.path, *path)) for name, path in _names(entry.value))
    elif key == "volumes":
        yield from _find_volumes(entry)
    elif key == "hostPath":
        yield from _find_host_path(entry)
    elif key in {"image", "reference"} and isinstance(entry.value, str):
        if key == "image" or holder == "image":
            yield Use(Subject.IMAGES, entry.value, entry.path)
    elif key == "nodeName" and isinstance(entry.value, str):
        yield Use(Subject.NODE_SELECTORS, f"{NODE_NAME}={entry.value}", entry.path)
    elif key in {"matchExpressions", "matchFields"} and "nodeAffinity" in entry.path:
        yield from _find_expressions(entry)
    elif key == "tolerations":
        yield from _find_tolerations(entry)
    elif key.lower().endswith(NO_NAMES) and not isinstance(entry.value, (Mapping, list, tuple)):
        return
    elif "secret" in key.lower():
        yield from (Use(Subject.SECRETS, name, (*entry.path, *path)) for name, path in _names(entry.value))
    elif "configmap" in key.lower():
        yield from (Use(Subject.CONFIG_MAPS, name, (*entry.path, *path)) for name, path in _names(entry.value))


def _names(value: Any) -> Iterator[tuple[str, Path]]:
    """The names in a reference: a text, an object with ``name`` or ``secretName``, or several of these."""
    if isinstance(value, str):
        if value:
            yield value, ()
    elif isinstance(value, Mapping):
        own = [key for key in ("name", "secretName", "configMapName") if isinstance(value.get(key), str)]
        if own:
            yield from ((value[key], (key,)) for key in own)
        else:
            for key, member in value.items():
                if isinstance(member, (Mapping, list, tuple)):
                    yield from ((name, (str(key), *path)) for name, path in _names(member))
    elif isinstance(value, (list, tuple)):
        for index, member in enumerate(value):
            yield from ((name, (index, *path)) for name, path in _names(member))


def _find_volumes(entry: Entry) -> Iterator[Use]:
    """The kinds of volumes: the member of each besides its name."""
    for index, volume in enumerate(list_objects(entry.value)):
        for key in volume:
            if key != "name" and volume[key] is not None:
                yield Use(Subject.VOLUME_TYPES, str(key), (*entry.path, index, str(key)))


def _find_host_path(entry: Entry) -> Iterator[Use]:
    if isinstance(entry.value, Mapping):
        yield Use(Subject.HOST_PATHS, _text(entry.value.get("path")), (*entry.path, "path"))
    else:
        yield Use(Subject.HOST_PATHS, _text(entry.value), entry.path)


def _find_expressions(entry: Entry) -> Iterator[Use]:
    """Which nodes an affinity asks for. All but ``In`` may reach any value of the key."""
    for index, one in enumerate(list_objects(entry.value)):
        key = NODE_NAME if entry.key == "matchFields" else _text(one.get("key"))
        path = (*entry.path, index)
        if one.get("operator") == "In":
            values = one.get("values")
            for value in values if isinstance(values, (list, tuple)) else ():
                yield Use(Subject.NODE_SELECTORS, f"{key}={_text(value)}", path)
        else:
            yield Use(Subject.NODE_SELECTORS, f"{key}=*", path)


def _find_tolerations(entry: Entry) -> Iterator[Use]:
    """Which taints are tolerated; without a key all are."""
    for index, one in enumerate(list_objects(entry.value)):
        value = "*" if one.get("operator") == "Exists" else _text(one.get("value"))
        yield Use(Subject.TOLERATIONS, f"{one.get('key') or '*'}={value}", (*entry.path, index))


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
