"""Hides what looks like a key in texts that people or logs get to see."""

from __future__ import annotations

import re

MASK = "********"

_KEY_LIKE = re.compile(r"[\w-]{40,}|eyJ[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_IN_LOGS = re.compile(
    r"(?<!sha256:)\b\w{40,}\b"  # an API key; digests of images stay, and so do names with dashes
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+"  # a JSON web token
    r"|(?<=\bBasic )[\w+/=]{8,}|(?<=\bBearer )[\w.+/=-]{8,}"  # an Authorization header
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)",  # the password in an address
    re.ASCII,
)


def is_key_like(text: str) -> bool:
    """Whether the text may hold a key: 40 letters, digits, ``_`` and ``-`` in a row, or a JSON web token."""
    return _KEY_LIKE.search(text) is not None


def mask_keys(text: str) -> str:
    """The text with everything hidden that may be a key; for values that are sent or shown outside of logs."""
    return _KEY_LIKE.sub(MASK, text)


def mask_log(text: str, secrets: tuple[str, ...] = ()) -> str:
    """The text with the given secrets and what is most probably a key hidden; names of objects stay readable."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return _IN_LOGS.sub(MASK, text)
