"""Whether an item stays under the owner's caps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from launch_agent.core import caps, kinds, places
from launch_agent.core.entries import walk
from launch_agent.core.hands import Hand, Hands
from launch_agent.core.kinds import Kind
from launch_agent.core.places import Path
from launch_agent.core.policy import Caps, Policy, Rules
from launch_agent.errors import RefusedError

Object = tuple[Mapping[str, Any], str, Hands, Kind]
"""A body, what its paths begin with, who wrote it, what it is."""

WORDS = {caps.CPU: "processors", caps.MEMORY: "bytes of memory", caps.GPU: "GPUs"}


def check_caps(objects: Sequence[Object], policy: Policy) -> None:
    """Raise RefusedError where a pod, or all pods of the item together, may take more than the owner allows."""
    for name, rules, hand in (
        ("policy", policy.both, None),
        ("policy.queue", policy.queue, Hand.QUEUE),
        ("policy.submitter", policy.submitter, Hand.SUBMITTER),
    ):
        if rules.per_pod != Caps() or rules.per_item != Caps():
            _check(objects, rules, hand, f"{name}.resources")


def _check(objects: Sequence[Object], rules: Rules, hand: Hand | None, setting: str) -> None:
    """``hand`` None: the caps hold for both. The submitter's hold where anything that counts is the submitter's."""
    pods = []
    for body, base, hands, kind in objects:
        for pod in _count(body, base, kind, rules, setting):
            pods.append((pod, base, hands))
    writer = Hand.QUEUE
    for pod, _, hands in pods:
        if any(hands.of(path) is Hand.SUBMITTER for path in (*pod.counted, (*pod.path, "spec", "containers"))):
            writer = Hand.SUBMITTER
    if hand not in {None, writer}:
        return
    for pod, base, _ in pods:
        _compare(pod.amounts, rules.per_pod, f"{setting}.perPod", f"{base}.{places.text(pod.path)}", "each pod")
    totals = {
        name: sum((pod.amounts.get(name, Decimal(0)) * pod.count for pod, _, _ in pods), Decimal(0)) for name in WORDS
    }
    number = sum((pod.count for pod, _, _ in pods), Decimal(0))
    base = objects[0][1]
    _compare(totals, rules.per_item, f"{setting}.perItem", base, f"all {number} pods together")


def _compare(amounts: Mapping[str, Decimal], most: Caps, setting: str, path: str, who: str) -> None:
    for name, word in WORDS.items():
        cap: Decimal | None = getattr(most, name)
        wanted = amounts.get(name, Decimal(0))
        if cap is not None and wanted > cap:
            raise RefusedError(
                f"{path.rstrip('.')} asks for too much: {who} may take {_show(wanted)} {word}.",
                detail=f"The agent's owner allows {_show(cap)} ({setting}.{name} in launch-config.yaml).",
                resolution="Ask for less, or ask the agent's owner.",
            )


def _count(body: Mapping[str, Any], base: str, kind: Kind, rules: Rules, setting: str) -> list[caps.Pod]:
    wanted = Caps(*(_any(rules, name) for name in WORDS))
    try:
        templates = tuple(_find_templates(body, kind))
        is_counted = kind.is_known or rules.per_item == Caps()
        if not is_counted or (not templates and (kind.containers or not kind.is_known)):
            raise caps.Uncounted((), f"how many pods a {kind.kind} makes can not be counted")
        return caps.count(body, templates, wanted, base)
    except caps.Uncounted as error:
        path = ".".join(part for part in (base, places.text(error.path)) if part)
        raise RefusedError(
            f"{path} is not allowed: {error.why}, and the agent's owner caps what an item may take.",
            detail=f"The rule is {setting} in launch-config.yaml.",
            resolution="Give a limit there; for a kind that can not be counted, ask the agent's owner.",
        ) from None


def _any(rules: Rules, name: str) -> Decimal | None:
    first: Decimal | None = getattr(rules.per_pod, name)
    second: Decimal | None = getattr(rules.per_item, name)
    return first if first is not None else second


def _find_templates(body: Mapping[str, Any], kind: Kind) -> Iterator[Path]:
    """Pod templates: those of the kind's table, and whatever looks like one elsewhere."""
    known = [path for path, _ in kinds.find_templates(kind, body)]
    known += [path for path in kinds.find_containers(kind, body) if places.get(body, (*path, "resourcesPerNode"))]
    shaped = [
        entry.path[:-2]
        for entry in walk(body)
        if entry.key == "containers" and entry.path[-2:-1] == ("spec",) and isinstance(entry.value, (list, tuple))
    ]
    yield from dict.fromkeys([*known, *shaped])


def _show(amount: Decimal) -> str:
    return format(amount.normalize(), "f")
