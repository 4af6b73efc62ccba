"""``${name}`` in a queue's configuration (protocol section 4, Macros). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_MACRO = re.compile(r"\$\{(\w+)\}")


def fill(value: Any, macros: Mapping[str, str]) -> Any:
    """``value`` with the macros of every string in it filled; unknown ones stay, keys are not touched.

    A known macro without a value becomes empty, not the text ``None``.
    """
    if isinstance(value, str):
        return _MACRO.sub(lambda match: macros.get(match[1], match[0]), value) if "${" in value else value
    if isinstance(value, Mapping):
        return {key: fill(one, macros) for key, one in value.items()}
    if isinstance(value, list):
        return [fill(one, macros) for one in value]
    return value
