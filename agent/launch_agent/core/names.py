"""Valid, stable names. Kubernetes: DNS-1123 names (labels) of at most 63 characters, label values likewise.

An item's objects are named after its id, so that creating twice is creating once (design section 3).
"""

from __future__ import annotations

import hashlib
import re

NAME_LIMIT = 63
PREFIX_LIMIT = 52
"""What is left of a Job's name before its hash: its pods add a dash and five characters, its label has 63."""

HASH = 10
_INVALID = re.compile(r"[^a-z0-9]+")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")


def digest(text: str, length: int = HASH) -> str:
    """The first characters of a hash in hexadecimal: valid in every name."""
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def slug(text: str, limit: int) -> str:
    """The valid characters of a text, lower case, single dashes between; may be empty."""
    return _INVALID.sub("-", text.lower()).strip("-")[:limit].strip("-")


def object_name(item_id: str, entity: str, project: str) -> str:
    """``launch-<entity>-<project>-<hash of the item's id>``: parts of both, digits kept."""
    room = PREFIX_LIMIT - len("launch-") - 1
    first = slug(entity, room)
    second = slug(project, room)
    half = room // 2
    if len(first) + len(second) > room:
        first = first[: max(half, room - len(second))].strip("-")
        second = second[: room - len(first)].strip("-")
    return "-".join(part for part in ("launch", first, second, digest(item_id)) if part)


def prefixed_name(prefix: str, item_id: str) -> str:
    """A user's ``generateName`` with the item's hash instead of chance."""
    kept = prefix[:PREFIX_LIMIT].rstrip(".")
    return f"{kept}{digest(item_id)}"


def is_valid_name(name: str) -> bool:
    """Whether a Job may be called so: a DNS subdomain of at most 63 characters (its pods' label holds it)."""
    return len(name) <= NAME_LIMIT and _NAME.fullmatch(name) is not None


def is_valid_namespace(name: str) -> bool:
    """Whether a namespace may be called so: a DNS label."""
    return is_valid_name(name) and "." not in name


def item_label(item_id: str) -> str:
    """An item's id as a label value: itself where that is valid, else its hash."""
    return item_id if len(item_id) <= NAME_LIMIT and _LABEL.fullmatch(item_id) else digest(item_id, 40)


def label_value(text: str) -> str:
    """A text as a label value: itself where valid, else its valid characters and a hash, so that two stay two."""
    if not text or (len(text) <= NAME_LIMIT and _LABEL.fullmatch(text)):
        return text
    return f"{slug(text, NAME_LIMIT - HASH - 1)}-{digest(text)}".lstrip("-")


def key_secret_name(run_id: str) -> str:
    """The Secret of one run's own key: W&B's name where the run id is a valid one."""
    name = f"wandb-api-key-{run_id}"
    return name if is_valid_name(name) else f"wandb-api-key-{slug(run_id, 30)}-{digest(run_id)}".replace("--", "-")
