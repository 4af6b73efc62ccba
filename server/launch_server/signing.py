"""Signed addresses for run files: uploads and downloads carry no Authorization header (protocol section 3.9)."""

import hashlib
import hmac
from urllib.parse import quote, urlencode

from launch_server.errors import ForbiddenError


def sign(secret: str, method: str, path: str, expires: int) -> str:
    """The signature of one method on one path until a moment (Unix seconds)."""
    message = f"{method}\n{path}\n{expires}".encode()
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def signed_url(base: str, secret: str, method: str, path: str, expires: int) -> str:
    """The whole address; `path` is not quoted yet and starts with a slash."""
    query = urlencode({"expires": expires, "signature": sign(secret, method, path, expires)})
    return f"{base.rstrip('/')}{quote(path)}?{query}"


def check_signature(secret: str, method: str, path: str, query: dict[str, str], now: float) -> None:
    """Refuse an address that was not signed here for this method, or whose time is over.

    Raises:
        ForbiddenError: so it is.

    """
    expires = query.get("expires", "")
    number = int(expires) if expires.isascii() and expires.isdigit() and len(expires) < 16 else 0
    good = hmac.compare_digest(sign(secret, method, path, number), query.get("signature", ""))
    if not good:
        raise ForbiddenError("the address of this file is not signed by this server")
    if number < now:
        raise ForbiddenError("the address of this file has expired", "Ask for a new one.")
