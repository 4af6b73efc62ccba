"""What both HTTP clients share: no repeats of urllib3's own, why there is no answer, and when to ask again."""

from __future__ import annotations

import socket
import time
import warnings
from collections.abc import Callable, Mapping

import urllib3
from urllib3 import exceptions

NO_RETRIES = urllib3.Retry(total=False, redirect=False)
"""Made once: urllib3 makes a new object for each call that names a number or a truth value."""

SOCKET_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *((socket.IPPROTO_TCP, getattr(socket, name), value) for name, value in (
        ("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)
    ) if hasattr(socket, name)),
)  # fmt: skip
"""A peer that vanished without a word is noticed after a minute, also under a stream that is silent by nature."""

LONGEST_WAIT = 300.0
"""Seconds that a server may put its callers off for; a longer wish is cut to this."""


def accept_unverified() -> None:
    """Silence urllib3, which would warn at each request: the owner chose so, and is warned once where it is read."""
    warnings.simplefilter("ignore", exceptions.InsecureRequestWarning)


def explain(error: exceptions.HTTPError) -> str:
    """Why there was no answer, in words that hold no address's secrets."""
    match error:
        case exceptions.NameResolutionError():
            return "its name can not be resolved"
        case exceptions.NewConnectionError():
            return f"no connection: {_last_part(error)}"
        case exceptions.ConnectTimeoutError():
            return "no connection within the time limit"
        case exceptions.ReadTimeoutError():
            return "no answer within the time limit"
        case exceptions.SSLError():
            return f"TLS: {_last_part(error)}"
        case exceptions.ProxyError():
            return "the proxy does not let it through"
        case exceptions.ProtocolError():
            return "the connection was cut"
    return type(error).__name__


def _last_part(error: Exception) -> str:
    return str(error).rpartition("] ")[2].partition(" (_ssl")[0]


def read_wait(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """Seconds to wait by ``Retry-After`` (seconds or a date), or by an exhausted ``RateLimit`` (protocol 3.2)."""
    text = headers.get("Retry-After") or ""
    if not text and headers.get("RateLimit-Remaining") == "0":
        text = headers.get("RateLimit-Reset") or ""
    if not text:
        return None
    seconds = _number(text)
    if seconds is None:
        seconds = _until(text, now())
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_WAIT)


def _number(text: str) -> float | None:
    try:
        return float(text) if text.strip()[:1].isdigit() else None
    except ValueError:
        return None


def _until(text: str, now: float) -> float | None:
    from email.utils import parsedate_to_datetime  # a rare form

    try:
        return parsedate_to_datetime(text).timestamp() - now
    except (ValueError, OverflowError):
        return None
