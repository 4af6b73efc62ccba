"""What a request asks for: operations of W&B's API, one of a Kubernetes API server's, or a plain one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

API_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[^/]+))/(?P<version>v\d[^/]*)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/(?!(?:status|finalize)$)[^/]))?/(?P<resource>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>.+))?"
)
DRY_RUN = re.compile(r"(?:^|&)dryRun=[^&]")
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request to an API server in the words of RBAC; `verb` may be `watch`."""

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    is_dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that is asked. `names`: all that a rule may call it; `alias`: its key in the reply of a document."""

    label: str
    names: frozenset[str] = frozenset()
    alias: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: the operations of a document, or itself as one. `is_stream`: the reply goes on."""

    method: str
    path: str
    operations: tuple[Operation, ...]
    api: ApiCall | None = None
    is_stream: bool = False

    @property
    def is_watch(self) -> bool:
        """Whether it is a watch."""
        return self.api is not None and self.api.verb == "watch"

    @property
    def label(self) -> str:
        """All of it in a few words."""
        return ", ".join(dict.fromkeys(one.label for one in self.operations))


def read_plain(method: str, path: str) -> Asked:
    """A request of which nothing but method and path is known; named by the path's first part."""
    first = path.strip("/").partition("/")[0]
    return Asked(method, path, (Operation(f"{method} /{first}"),))


def read_api_call(method: str, path: str, query: str, body: bytes = b"") -> Asked | None:
    """A request to a Kubernetes API server; None if the path is none of its resources' (discovery, health)."""
    found = API_PATH.fullmatch(path.rstrip("/"))
    if found is None:
        return None
    parts = {key: unquote(value or "") for key, value in found.groupdict().items()}
    if parts["resource"] == "watch":
        return None  # the form that was given up long ago
    name, namespace = parts["name"], parts["namespace"]
    if parts["resource"] == "namespaces":
        namespace = name
    verb = _verb(method, query, name, parts["sub"])
    if verb == "create" and not name:
        name = _name_in(body)
    is_dry_run = bool(DRY_RUN.search(query)) and method not in {"GET", "HEAD"}
    call = ApiCall(verb, parts["group"], parts["resource"], namespace, name, parts["sub"], is_dry_run)
    goes_on = verb == "watch" or (call.subresource == "log" and "follow=" in query)
    what = f"{call.resource}/{call.subresource}" if call.subresource else call.resource
    arguments = {
        key: value
        for key, value in (
            ("group", call.group),
            ("namespace", namespace),
            ("name", name),
            ("subresource", call.subresource),
        )
        if value
    }
    label = f"{verb} {what} (dry run)" if is_dry_run else f"{verb} {what}"
    return Asked(method, path, (Operation(label, arguments=arguments),), call, goes_on)


def _verb(method: str, query: str, name: str, subresource: str) -> str:
    if method in {"GET", "HEAD"}:
        given = parse_qs(query, keep_blank_values=True)
        if given.get("watch", ["0"])[0].lower() in {"1", "true", ""} and "watch" in given:
            return "watch"
        return "get" if name else "list"
    if method == "DELETE" and not name and not subresource:
        return "deletecollection"
    return VERBS.get(method, method.lower())


def _name_in(body: bytes) -> str:
    """The name of the object in a JSON body, empty where it has none that can be read."""
    try:
        metadata = json.loads(body)["metadata"]
        return str(metadata.get("name") or "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""


def plural_of(kind: str) -> str:
    """The resource of a kind, by the rule that nearly all kinds follow."""
    name = kind.lower()
    if name.endswith("y") and name[-2:-1] not in {"a", "e", "o", "u"}:
        return f"{name[:-1]}ies"
    return f"{name}es" if name.endswith(("s", "x", "ch", "sh")) else f"{name}s"
