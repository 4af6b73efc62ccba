"""Words of others in our messages: the end of a log, readable and bounded, and nothing in it that may be a key."""

from __future__ import annotations

import re
from collections.abc import Iterable

MASK = "********"

LINES = 20
"""How many of the last log lines go into a message."""

SIZE = 4000
"""How many characters of them."""

_TOKEN = re.compile(r"[\w.+/=-]{40,}|\b(?:Basic|Bearer)\s+[\w.+/=-]{8,}|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)", re.ASCII)
_RUN = re.compile(r"\w{40,}", re.ASCII)
_PIECE = re.compile(r"[\w.-]{40,}", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without the given secrets and without anything that looks like a W&B key or a token.

    A key is hidden whole, with what stands before and after its dashes and dots (W27). Names of pods and images,
    and digests after ``sha256:``, stay.
    """
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return _TOKEN.sub(_judge, text)


def _judge(found: re.Match[str]) -> str:
    token = found[0]
    if found.string.startswith("://", max(found.start() - 3, 0)) or token.startswith(("Basic", "Bearer")):
        return MASK
    if found.string[max(found.start() - 7, 0) : found.start()] == "sha256:" and _DIGEST.fullmatch(token):
        return token
    return _PIECE.sub(lambda piece: MASK if _is_key(piece[0]) else piece[0], token)


def _is_key(text: str) -> bool:
    """40 letters and digits in a row; or a long mixture of small letters, capitals and digits, as tokens are."""
    if _RUN.search(text):
        return True
    digits = sum(map(str.isdigit, text))
    return digits >= 4 and any(map(str.isupper, text)) and any(map(str.islower, text))


def last_lines(log: str, *, lines: int = LINES, size: int = SIZE) -> str:
    """The end of a log in whole lines, at most ``lines`` of them and ``size`` characters, redacted.

    Colours are gone, and of a progress bar that overwrote itself only its last state is there.
    """
    clean = _ESCAPE.sub("", log).rstrip()
    kept = [_settle(line) for line in clean.split("\n")[-lines:]]
    kept = redact("\n".join(kept)).split("\n")
    total = sum(map(len, kept)) + len(kept) - 1
    while total > size and len(kept) > 1:
        total -= len(kept.pop(0)) + 1
    return "\n".join(kept)[-size:]


def _settle(line: str) -> str:
    """What a terminal would show of one line after its carriage returns; no control characters."""
    states = [state for state in line.split("\r") if state.strip()]
    return _CONTROL.sub("", states[-1]).rstrip() if states else ""
