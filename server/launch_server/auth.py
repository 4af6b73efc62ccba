"""API keys: made, hashed, and read from requests (protocol section 3.1)."""

import base64
import binascii
import hashlib
import hmac
import re
import secrets

from launch_server.errors import UnauthenticatedError, UsageError

_KEY = re.compile(r"(?:[A-Za-z0-9]+-)?[\w-]{40,128}", re.ASCII)


def make_key() -> str:
    """A new key: 40 hexadecimal digits (160 random bits), the form W&B's client accepts."""
    return secrets.token_hex(20)


def hash_key(key: str) -> str:
    """What is stored of a key. Keys are random and long, so one round of SHA-256 is enough."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def keys_match(stored_hash: str, presented_hash: str) -> bool:
    """Compare two hashes in constant time."""
    return hmac.compare_digest(stored_hash, presented_hash)


def check_key_form(key: str) -> None:
    """Refuse a key that W&B's client would refuse.

    Raises:
        UsageError: it is shorter than 40 characters or has others than letters, digits, `_` and `-`.

    """
    if not _KEY.fullmatch(key):
        raise UsageError(
            "the API key must have 40 to 128 characters out of letters, digits, '_' and '-'",
            "W&B's client refuses shorter ones; `openssl rand -hex 20` makes one.",
        )


def read_key(authorization: str | None) -> str:
    """The key in an Authorization header: `Basic base64(api:<key>)` or `Bearer <key>`.

    Raises:
        UnauthenticatedError: there is none.

    """
    scheme, _, rest = (authorization or "").strip().partition(" ")
    if scheme.lower() == "bearer" and rest.strip():
        return rest.strip()
    if scheme.lower() == "basic":
        try:
            _, _, key = base64.b64decode(rest.strip(), validate=True).decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            key = ""
        if key:
            return key
    raise UnauthenticatedError(
        "the request carries no API key", "Set WANDB_API_KEY (sent as Basic auth with user name 'api'), or log in."
    )
