"""Would the API server take it? Asked once for each template, before an item is claimed."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import marks
from launch_agent.core.models import Manifest
from launch_agent.errors import (
    KubernetesConflict,
    KubernetesDenied,
    KubernetesError,
    KubernetesInvalid,
    KubernetesMissing,
    KubernetesUnavailable,
    RefusedError,
)

TRUST = 600.0
"""Seconds for which an answer holds: a quota, a webhook or a kind may change."""

PATIENCE = 60.0
"""Seconds to wait for another item's question that is under way."""

LIMIT = 5000
"""Templates that are remembered."""

STORED = 1_500_000
"""Bytes of an object that etcd takes: 1.5 MiB for the whole request, by default."""

WARNINGS = 5
"""Warnings of the API server that are passed on."""

VARYING = (marks.WANDB, marks.OWN)
"""Labels and annotations of these prefixes are each item's own."""

WORDS = frozenset({"args", "command"})
"""Lists of texts that mean nothing to the API server."""

NO_DRY_RUN = "does not support dry run"
NO_RIGHT = " cannot "
"""What RBAC says where a right is missing: `User "a" cannot create resource "jobs" …`."""


@dataclass(slots=True)
class _Question:
    """One dry-run under way; others wait for its answer."""

    done: threading.Event = field(default_factory=threading.Event)
    warnings: tuple[str, ...] = ()
    error: KubernetesError | RefusedError | None = None


class Preflight:
    """What the API server said about templates. May be asked from several threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._passed: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asked: dict[str, _Question] = {}

    def check(self, client: Client, cluster: str, workload: Manifest) -> tuple[str, ...]:
        """The API server's warnings about a workload. Raises its refusal in its own words; a refusal is not kept."""
        check_size(workload)
        key = make_key(cluster, workload)
        with self._lock:
            known = self._passed.get(key)
            if known is not None and self._clock() < known[0]:
                return known[1]
            question = self._asked.get(key)
            is_first = question is None
            if question is None:
                question = self._asked[key] = _Question()
        if is_first:
            return self._ask(client, workload, key, question)
        if not question.done.wait(PATIENCE):
            raise KubernetesUnavailable("The API server has not judged this item's template yet.")
        if question.error is not None:
            raise question.error
        return question.warnings

    def _ask(self, client: Client, workload: Manifest, key: str, question: _Question) -> tuple[str, ...]:
        try:
            question.warnings = try_create(client, workload)
        except (KubernetesError, RefusedError) as error:
            question.error = error
            raise
        else:
            with self._lock:
                if len(self._passed) >= LIMIT:
                    self._passed.clear()
                self._passed[key] = (self._clock() + TRUST, question.warnings)
            return question.warnings
        finally:
            with self._lock:
                del self._asked[key]
            question.done.set()


def check_size(workload: Manifest) -> None:
    """Whether the cluster can store it. A dry-run does not tell: it ends before the storage."""
    size = len(json.dumps(workload, separators=(",", ":"), default=str))
    if size > STORED:
        raise RefusedError(
            f"The {workload['kind']} is too large: {size} bytes as JSON, the cluster stores up to {STORED}.",
            resolution="Put large values into an artifact or a file that the job reads, not into the run spec.",
        )


def try_create(client: Client, workload: Manifest) -> tuple[str, ...]:
    """One dry-run: the server's warnings. A name that is taken, and a webhook that knows no dry-run, are for later."""
    try:
        return client.try_create(workload)[:WARNINGS]
    except KubernetesConflict:
        return ()
    except (KubernetesInvalid, KubernetesDenied, KubernetesMissing) as error:
        if NO_DRY_RUN in error.detail:
            return ()
        raise explain_refusal(error, workload) from error


def explain_refusal(error: KubernetesError, body: Manifest) -> KubernetesError | RefusedError:
    """The API server's refusal of an object, with the cure that fits: 403 is also what quotas and webhooks say."""
    what = f"{body['kind']} in namespace {body['metadata'].get('namespace') or '(none)'}"
    if isinstance(error, KubernetesMissing) and "namespaces" in error.detail:
        return RefusedError(
            f"There is no namespace for this {what}.",
            detail=error.detail,
            resolution="Create the namespace, or correct it in the queue's config.",
        )
    if not isinstance(error, KubernetesDenied) or error.status != 403 or NO_RIGHT in error.detail:
        return error
    is_quota = "exceeded quota" in error.detail
    cure = "Raise the quota, or wait until objects are gone." if is_quota else "Meet the rule in the queue's config."
    return RefusedError(
        f"The cluster's rules refuse this {what}.", detail=error.detail, resolution=f"{cure} Then push the item again."
    )


def make_key(cluster: str, workload: Manifest) -> str:
    """What is the same for all items of one template: all but names, ids, values of variables, and words."""
    metadata = workload.get("metadata") or {}
    own = [
        text
        for text in (
            metadata.get("name"),
            (metadata.get("annotations") or {}).get(marks.ITEM_ANNOTATION),
            (metadata.get("labels") or {}).get(marks.RUN_LABEL),
        )
        if text
    ]
    text = json.dumps(_normalise(workload), sort_keys=True, default=str)
    for word in sorted(own, key=len, reverse=True):
        text = text.replace(json.dumps(word)[1:-1], "*")
    return hashlib.sha256(f"{cluster}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()


def _normalise(value: Any, key: str = "") -> Any:
    if isinstance(value, Mapping):
        if key in {"labels", "annotations"}:
            return {name: _normalise(entry) for name, entry in value.items() if not str(name).startswith(VARYING)}
        if isinstance(value.get("name"), str) and isinstance(value.get("value"), str):
            return {name: "" if name == "value" else _normalise(entry, name) for name, entry in value.items()}
        return {name: _normalise(entry, name) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        if key in WORDS and all(isinstance(entry, str) for entry in value):
            return bool(value)
        return [_normalise(entry) for entry in value]
    return value
