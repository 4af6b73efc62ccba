"""Which cluster an item is for, as one text: records and watches are kept by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OWN = ""
"""The key of the agent's own cluster."""

_MARK = "#"


def key(agent_args: Mapping[str, Any]) -> str:
    """The key of the cluster that ``configFile`` and ``context`` name (protocol 7.3.1); empty for the agent's own."""
    file, context = agent_args.get("configFile") or "", agent_args.get("context") or ""
    if not file and not context:
        return OWN
    return f"{_quote(str(file))}{_MARK}{context}"


def parts(key: str) -> tuple[str, str]:
    """The ``configFile`` and the ``context`` of a key; each may be empty."""
    file, _, context = key.partition(_MARK)
    return file.replace("%23", _MARK).replace("%25", "%"), context


def describe(key: str) -> str:
    """A cluster for people: ``the agent's own cluster``, ``context gpu of /etc/clusters/b``."""
    file, context = parts(key)
    if not file:
        return f"context {context}" if context else "the agent's own cluster"
    return f"context {context} of {file}" if context else f"the current context of {file}"


def _quote(text: str) -> str:
    return text.replace("%", "%25").replace(_MARK, "%23")
