"""Whether a name fits a pattern of an owner's list, by what the name is of."""

from __future__ import annotations

import posixpath
import re
from fnmatch import fnmatchcase

from launch_agent.core.policy import Subject

PAIRS = frozenset({Subject.NODE_SELECTORS, Subject.TOLERATIONS, Subject.LABELS, Subject.ANNOTATIONS})
"""Subjects whose values are ``key=value``; a pattern without ``=`` means every value of the key."""

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r":[^:/@]*$")
_HOST = re.compile(r"localhost(:\d+)?|[\w-]+(\.[\w-]+)*\.[A-Za-z]{2,}(:\d+)?|\d+(\.\d+){3}(:\d+)?", re.ASCII)


def is_allowed(subject: Subject, value: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns of an ``allow`` list lets the value pass."""
    if subject is Subject.HOST_PATHS:
        return any(is_within(value, pattern) for pattern in patterns)
    if subject is Subject.IMAGES:
        return any(is_image(value, pattern) for pattern in patterns)
    if subject in PAIRS and value.endswith("=*"):  # reaches any value: only an entry for all of them lets it pass
        return any(_pair(pattern).endswith("=*") and fnmatchcase(value, _pair(pattern)) for pattern in patterns)
    return any(fnmatchcase(value, _pair(pattern) if subject in PAIRS else pattern) for pattern in patterns)


def is_denied(subject: Subject, value: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns of a ``deny`` list stops the value: also where it only reaches what is denied."""
    if not patterns:
        return False
    if subject is Subject.HOST_PATHS:
        is_devious = ".." in value.split("/") or not value.startswith("/")
        return is_devious or any(is_within(value, one) or is_within(one, value) for one in patterns)
    if subject is Subject.IMAGES:
        return any(is_image(value, pattern) for pattern in patterns)
    if subject in PAIRS and value.endswith("=*"):
        key = value.partition("=")[0]
        return any(key == "*" or fnmatchcase(key, _pair(pattern).partition("=")[0]) for pattern in patterns)
    return is_allowed(subject, value, patterns)


def _pair(pattern: str) -> str:
    return pattern if "=" in pattern else f"{pattern}=*"


# ── host paths ──────────────────────────────────────────────────────────────────────────────────────────────────────


def is_within(path: str, folder: str) -> bool:
    """Whether an absolute path is the folder or lies in it. Paths with ``..`` and relative ones lie nowhere."""
    if not path.startswith("/") or ".." in path.split("/"):
        return False
    inner, outer = _steps(path), _steps(folder)
    return inner[: len(outer)] == outer


def _steps(path: str) -> list[str]:
    return [step for step in posixpath.normpath("/" + path.lstrip("/")).split("/") if step]


# ── images ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_image(image: str, pattern: str) -> bool:
    """Whether an image is of a repository (``ghcr.io/acme``, all below it), of one tag, or of a digest (``sha256:…``).

    Both are read as Docker reads them: ``ubuntu`` is ``docker.io/library/ubuntu``.
    """
    name, _, digest = image.strip().partition("@")
    if DIGEST.fullmatch(pattern):
        return digest == pattern
    wanted, _, wanted_digest = pattern.partition("@")
    if wanted_digest and digest != wanted_digest:
        return False
    full = _read(name)
    return any(_begins(full, start) for start in _starts(wanted))


def has_digest(image: str) -> bool:
    """Whether the image is named by what it holds, so that it can not change."""
    return DIGEST.fullmatch(image.strip().partition("@")[2]) is not None


def _begins(full: str, start: str) -> bool:
    if any(letter in start for letter in "*?["):
        return fnmatchcase(full, start) or fnmatchcase(_TAG.sub("", full), start)
    return full == start or full.startswith((f"{start}/", f"{start}:"))


def _starts(pattern: str) -> tuple[str, ...]:
    """What the images begin with that a pattern means: a registry, an owner in it, or a repository."""
    plain = pattern.rstrip("/")
    host, slash, _ = plain.partition("/")
    if plain.startswith("*") or (not slash and (_HOST.fullmatch(host) or (_is_host(host) and pattern != plain))):
        return (_spell(host) + plain[len(host) :],)
    if pattern != plain:
        return (_spell(host) + plain[len(host) :] if _is_host(host) else f"docker.io/{plain}",)
    return (_read(plain), f"docker.io/{plain.partition('/')[2]}") if _spell(host) == "docker.io" else (_read(plain),)


def _read(name: str) -> str:
    """The name with its registry and owner; the registry in small letters."""
    host, slash, rest = name.partition("/")
    if not slash or not _is_host(host):
        host, rest = "docker.io", name
    host = _spell(host)
    return f"{host}/library/{rest}" if host == "docker.io" and "/" not in rest else f"{host}/{rest}"


def _is_host(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost" or text != text.lower()


def _spell(host: str) -> str:
    small = host.lower()
    return "docker.io" if small in {"index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"} else small
