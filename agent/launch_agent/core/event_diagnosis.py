"""Why a workload has no pods: the API server refused them, and only events tell so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from launch_agent.core import quantities
from launch_agent.core.categories import Category, clip
from launch_agent.core.models import Diagnosis, Manifest

MISSING_GRACE = 60.0
"""Seconds that a service account or a priority class that pods need may take to appear."""

_REASONS = re.compile(r"FailedCreate|FailedToCreate|JobCreationFailed|CreateFailed")
"""Reasons that controllers give for a pod or a child that could not be created (Job, JobSet, Kubeflow, KubeRay …)."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """Words of a refusal, what they mean, the cure, and after how many seconds they are final (None: never)."""

    words: re.Pattern[str]
    category: Category
    summary: str
    cure: str
    fails_after: float | None = 0.0


_RULES: tuple[_Rule, ...] = (
    _Rule(
        re.compile(r"violates PodSecurity"),
        Category.ADMISSION,
        "Pod Security of the namespace forbids the pods.",
        "Meet the level in the queue's configuration (its securityContext, volumes, host settings), or launch into "
        "another namespace.",
    ),
    _Rule(
        re.compile(r"admission webhook .* denied|ValidatingAdmissionPolicy .* denied"),
        Category.ADMISSION,
        "A policy of the cluster forbids the pods.",
        "Meet it in the queue's configuration; who runs the cluster knows the policy.",
    ),
    _Rule(
        re.compile(r"failed quota: .*must specify"),
        Category.PODS_REFUSED,
        "The namespace's quota wants resources named that the pods do not name.",
        "Set these requests and limits in the queue's configuration.",
    ),
    _Rule(
        re.compile(r"(maximum|minimum) \S+ usage per|max limit to request ratio per"),
        Category.PODS_REFUSED,
        "The namespace's LimitRange forbids the pods.",
        "Keep the requests and limits of the queue's configuration within it, or raise it.",
    ),
    _Rule(
        re.compile(
            r"serviceaccount \S+ not found|no PriorityClass with name|no RuntimeClass|RuntimeClass \S+ not found"
        ),
        Category.CONFIG_MISSING,
        "Something that the pods need is not there.",
        "Create it, or correct its name in the queue's configuration.",
        MISSING_GRACE,
    ),
    _Rule(
        re.compile(r"\bis invalid: "),
        Category.ADMISSION,
        "The API server takes the pods for invalid.",
        "Correct the pod template in the queue's configuration.",
    ),
)


def from_events(events: Sequence[Manifest]) -> Diagnosis | None:
    """Why a workload has no pods, by its events and those of its children; None if none of them tells.

    ``fails_after`` is 0 where no later attempt can do better: Pod Security, a policy's refusal, a quota below what a
    single pod asks for. A quota that is only full now is waited for.
    """
    refused = [event for event in events if _REASONS.match(str(event.get("reason"))) and event.get("message")]
    if not refused:
        return None
    message = str(max(refused, key=_told_at)["message"])
    if "exceeded quota" in message:
        return _explain_quota(message)
    for rule in _RULES:
        if rule.words.search(message):
            return Diagnosis(rule.category, rule.summary, clip(message), rule.cure, rule.fails_after)
    return Diagnosis(
        Category.PODS_REFUSED,
        "The pods are refused by the API server; the workload waits.",
        clip(message),
        "It is tried again and again. Correct what is named.",
    )


def _told_at(event: Manifest) -> str:
    """RFC 3339 in UTC, which sorts as text."""
    series = event.get("series") or {}
    return str(series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime") or "")


def _explain_quota(message: str) -> Diagnosis:
    beyond = _find_beyond(message)
    if beyond:
        return Diagnosis(
            Category.PODS_REFUSED,
            f"A single pod asks for more than the namespace's quota allows at all ({', '.join(beyond)}).",
            clip(message),
            "Ask for less in the queue's configuration, or raise the quota.",
            fails_after=0.0,
        )
    return Diagnosis(
        Category.PODS_REFUSED,
        "The namespace's quota is used up; the workload waits until something is given back.",
        clip(message),
        "It starts by itself then. To start it now, raise the quota.",
    )


_AMOUNTS = re.compile(r"requested: (?P<requested>.*?), used: .*?, limited: (?P<limited>.*)$")


def _find_beyond(message: str) -> list[str]:
    """The resources of which one pod asks for more than the quota's whole."""
    found = _AMOUNTS.search(message)
    if found is None:
        return []
    limited = _read_amounts(found["limited"])
    requested = _read_amounts(found["requested"])
    return [name for name, amount in requested.items() if name in limited and amount > limited[name]]


def _read_amounts(text: str) -> Mapping[str, Decimal]:
    """``limits.cpu=2,limits.memory=1Gi`` as numbers; what is none is left out."""
    amounts: dict[str, Decimal] = {}
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            amounts[name] = quantities.parse(value.rstrip("."))
        except ValueError:
            continue
    return amounts
