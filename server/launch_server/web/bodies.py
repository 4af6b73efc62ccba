"""Bodies of requests: limited, unpacked, parsed."""

import json
import zlib
from typing import Any

from starlette.requests import Request

from launch_server.errors import RequestError, TooLargeError


async def read_body(request: Request, limit: int) -> bytes:
    """The body, unpacked when it is gzip.

    Raises:
        TooLargeError: it is longer than `limit` bytes, packed or unpacked.
        RequestError: it is packed in another way, or broken.

    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    packed = bytearray()
    async for chunk in request.stream():
        packed += chunk
        if len(packed) > limit:
            raise _too_large(limit)
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("identity", ""):
        return bytes(packed)
    if encoding in ("gzip", "x-gzip"):
        return _unpack(bytes(packed), limit)
    raise RequestError(f"Content-Encoding {encoding[:40]!r} is not supported", "Send gzip, or no encoding.")


def _unpack(packed: bytes, limit: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    try:
        body = unpacker.decompress(packed, limit + 1)
    except zlib.error as error:
        raise RequestError(f"the body is not valid gzip: {error}") from None
    if len(body) > limit:
        raise _too_large(limit)
    if not unpacker.eof:
        raise RequestError("the body is not valid gzip: it ends too early")
    return body


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"the body is larger than {limit} bytes", "Send it in parts.")


def parse_json(body: bytes) -> Any:
    """The JSON value of a body.

    Raises:
        RequestError: it is not UTF-8, not JSON, nested too deeply, or has half a character in a text.

    """
    try:
        value = json.loads(body)
    except UnicodeDecodeError:
        raise RequestError("the body is not valid UTF-8") from None
    except RecursionError:
        raise RequestError("the body is nested too deeply") from None
    except ValueError as error:
        raise RequestError(f"the body is not valid JSON: {error}") from None
    if b"\\u" in body:
        _check_characters(value)
    return value


def _check_characters(value: Any) -> None:
    """Escapes can write half a character, which no database keeps."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise RequestError("the body has half a character (a lone surrogate) in a text") from None
