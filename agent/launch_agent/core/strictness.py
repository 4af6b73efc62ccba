"""What a security context may say: nothing that weakens the one that is injected (protocol 7.3.2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

RESTRICTED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""What W&B gives every container; here it fills what a container's own context leaves open."""


def find_weakness(context: Any) -> str | None:
    """The first field of a security context that is weaker than the injected one (``""`` for no object), or None.

    What a context leaves open is filled with the injected values, so a field that is missing weakens nothing.
    """
    if not isinstance(context, Mapping):
        return None if context is None else ""
    for key, value in context.items():
        if value is None:
            continue
        is_harmless = _RULES.get(key)
        if is_harmless is None or not is_harmless(value):
            return str(key)
    return None


def restrict(context: Mapping[str, Any] | None) -> dict[str, Any]:
    """The restricted context with the given one laid over it; capabilities keep their ``drop: [ALL]``."""
    given = {key: value for key, value in (context or {}).items() if value is not None}
    capabilities = given.get("capabilities")
    if isinstance(capabilities, Mapping):
        given["capabilities"] = {**capabilities, "drop": capabilities.get("drop") or ["ALL"]}
    return {**RESTRICTED, **given}


def _is_boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _are_positive(values: Any) -> bool:
    return isinstance(values, (list, tuple)) and all(_is_positive(value) for value in values)


def _keeps_capabilities_dropped(value: Any) -> bool:
    if not isinstance(value, Mapping) or value.get("add") or not value.keys() <= {"add", "drop"}:
        return False
    drop = value.get("drop")
    return not drop or (isinstance(drop, (list, tuple)) and "ALL" in drop)


def _is_runtime_default(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("type") == "RuntimeDefault"


_RULES: Mapping[str, Callable[[Any], bool]] = {
    "allowPrivilegeEscalation": lambda value: value is False,
    "privileged": lambda value: value is False,
    "capabilities": _keeps_capabilities_dropped,
    "seccompProfile": _is_runtime_default,
    "appArmorProfile": _is_runtime_default,
    "procMount": lambda value: value == "Default",
    "readOnlyRootFilesystem": _is_boolean,
    "runAsNonRoot": _is_boolean,
    "runAsUser": _is_positive,
    "runAsGroup": _is_positive,
    "fsGroup": _is_positive,
    "fsGroupChangePolicy": lambda value: isinstance(value, str),
    "supplementalGroups": _are_positive,
    "supplementalGroupsPolicy": lambda value: isinstance(value, str),
}
"""Harmless values by field. A field that is not here (SELinux, sysctls, Windows) is not judged harmless."""
