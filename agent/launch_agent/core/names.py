"""Names of objects and values of labels: valid whatever the parts are called, the same each time, unique by a hash."""

from __future__ import annotations

import hashlib
import re

from launch_agent.core.models import MANIFEST_PATH
from launch_agent.errors import SpecError

NAME_LIMIT = 63
"""Characters of a DNS-1123 label, of a label's value, and so of a Job's name (its pods carry it as a label)."""

OBJECT_LIMIT = 253
"""Characters of a DNS-1123 subdomain."""

JOB_LIMIT = 57
"""Characters of a name that we make: pods add ``-`` and five letters, an indexed Job's pods their number."""

HASH_LENGTH = 10
"""Hexadecimal digits of SHA-256 in a name: 40 bits."""

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*[-.]?")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def object_name(
    item_id: str,
    entity: str,
    project: str,
    prefix: str = "",
    *,
    limit: int = JOB_LIMIT,
    path: str = f"{MANIFEST_PATH}.metadata.generateName",
) -> str:
    """The name of an item's workload: ``launch-<entity>-<project>-<hash>``, or the user's ``prefix`` and the hash.

    A valid DNS label of at most ``limit`` characters, with parts of both names where they are long.
    Raises SpecError with ``path`` if ``prefix`` (a ``metadata.generateName``) can not begin a name.
    """
    digest = short_hash(item_id)
    if prefix:
        return _check_prefix(prefix, path)[: limit - HASH_LENGTH] + digest
    parts = [part for part in (slug(entity), slug(project)) if part]
    room = limit - HASH_LENGTH - len("launch--") - max(len(parts) - 1, 0)
    return "-".join(["launch", *_shorten(parts, room), digest])


def _check_prefix(prefix: str, path: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise SpecError(
            path,
            "can not begin a name in Kubernetes.",
            resolution="Use small letters, digits and dashes, and begin with a letter or a digit.",
        )
    return prefix


def _shorten(parts: list[str], room: int) -> list[str]:
    """The parts in ``room`` characters; a short one leaves its share to the other."""
    if sum(map(len, parts)) <= room:
        return parts
    if len(parts) == 1:
        return [parts[0][:room].rstrip("-")]
    first, second = parts
    half = room // 2
    share = max(half, room - len(second)) if len(first) > half else len(first)
    return [first[:share].rstrip("-"), second[: room - share].rstrip("-")]


def check_name(name: str, path: str) -> str:
    """A name that the user chose for a Job. Raises SpecError at ``path`` if Kubernetes would turn it down."""
    if len(name) > NAME_LIMIT:
        raise SpecError(
            path,
            f"is too long for a name: {len(name)} characters, {NAME_LIMIT} are allowed.",
            resolution="Shorten it, or leave it out for a generated name.",
        )
    if not is_object_name(name):
        raise SpecError(
            path,
            "is not a valid name in Kubernetes.",
            resolution="Use small letters, digits and dashes, begin and end with a letter or a digit; "
            "or leave it out for a generated name.",
        )
    return name


def is_object_name(name: str) -> bool:
    """Whether most kinds of object may be called so: a DNS-1123 subdomain."""
    return len(name) <= OBJECT_LIMIT and _NAME.fullmatch(name) is not None


def is_namespace(name: str) -> bool:
    """Whether a namespace may be called so: a DNS-1123 label."""
    return len(name) <= NAME_LIMIT and _LABEL.fullmatch(name) is not None


def check_namespace(name: str, path: str) -> str:
    """The name of a namespace. Raises SpecError at ``path`` if no namespace can be called so."""
    if not is_namespace(name):
        raise SpecError(
            path,
            "is not a valid name of a namespace.",
            resolution="Use at most 63 small letters, digits and dashes, and begin and end with a letter or a digit.",
        )
    return name


def secret_name(run_id: str, prefix: str = "wandb-api-key-", resume_count: int = 0) -> str:
    """A Secret of one run: ``wandb-api-key-<run id>``, ``regcred-<run id>`` (protocol 7.3.3), made valid.

    A run that goes on after a preemption has Secrets of its own: those of before may just be going.
    """
    if resume_count:
        run_id = f"{run_id}-r{resume_count}"
    room = NAME_LIMIT - len(prefix)
    if len(run_id) <= room and _LABEL.fullmatch(run_id):
        return prefix + run_id
    short = slug(run_id)[: room - HASH_LENGTH - 1].rstrip("-")
    return prefix + "-".join(part for part in (short, short_hash(run_id)) if part)


def item_label(item_id: str) -> str:
    """The value of the label ``launch-agent/item``, one for each item."""
    return label_value(item_id)


def label_value(value: str) -> str:
    """The text as a label's value: itself where that is valid, else what can be kept of it and a hash."""
    if not value or (len(value) <= NAME_LIMIT and _LABEL_VALUE.fullmatch(value)):
        return value
    kept = re.sub(r"[^-A-Za-z0-9_.]+", "-", value)[: NAME_LIMIT - HASH_LENGTH - 1].strip("-_.")
    return "-".join(part for part in (kept, short_hash(value)) if part)


def slug(value: str) -> str:
    """The text in small letters, digits and single dashes; empty where nothing of it is left."""
    return re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")


def short_hash(value: str) -> str:
    """Ten hexadecimal digits that stand for the text."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:HASH_LENGTH]
