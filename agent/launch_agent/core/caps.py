"""How much an item asks for, counted for an owner's caps: a pod's containers, and all pods of the item.

A pod counts as the scheduler counts it: its containers and those init containers that go on (``restartPolicy:
Always``) together, or one init container where that needs more. What counts is the limit; processors and memory without
one are as much as the node has, so under a cap they are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from launch_agent.core import places, quantities
from launch_agent.core.entries import as_object, list_objects
from launch_agent.core.places import Path
from launch_agent.core.policy import Caps
from launch_agent.errors import SpecError

CPU, MEMORY, GPU = "cpu", "memory", "gpu"

REPLICAS = ("replicas", "parallelism", "instances", "numOfHosts", "size", "numNodes")
"""Fields of the objects around a pod template that say how many pods it makes; they multiply."""

Amounts = dict[str, Decimal]


class Uncounted(Exception):
    """What is wanted can not be told: ``path`` and why, in words."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(why)
        self.path = path
        self.why = why


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod template: what a pod of it takes at most, how many there are, and the paths that were counted."""

    path: Path
    amounts: Mapping[str, Decimal]
    count: Decimal
    counted: tuple[Path, ...]


def count(body: Mapping[str, Any], templates: tuple[Path, ...], caps: Caps, base: str) -> list[Pod]:
    """All pods of an object, its pod templates given by path. Raises Uncounted, and SpecError for bad quantities.

    ``base`` is what paths in errors begin with.
    """
    names = {name for name in (CPU, MEMORY, GPU) if getattr(caps, name) is not None}
    return [_count_template(body, path, names, base) for path in templates]


def _count_template(body: Mapping[str, Any], path: Path, names: set[str], base: str) -> Pod:
    counted: list[Path] = []
    holder = as_object(places.get(body, path))
    around = path
    if holder.get("resourcesPerNode"):  # a TrainJob's trainer
        amounts = _read({"resources": holder["resourcesPerNode"]}, path, names, counted, base)
    else:
        amounts = _count_pod(as_object(holder.get("spec")), (*path, "spec"), names, counted, base)
        around = path[:-1]
    number = Decimal(1)
    for where, factor in _factors(body, around, "leaderTemplate" in path, base):
        counted.append(where)
        number *= factor
    return Pod(path, amounts, number, tuple(counted))


# ── one pod ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _count_pod(pod: Mapping[str, Any], path: Path, names: set[str], counted: list[Path], base: str) -> Amounts:
    if GPU in names and pod.get("resourceClaims"):
        raise Uncounted((*path, "resourceClaims"), "devices by claim can not be counted")
    limits = as_object(as_object(pod.get("resources")).get("limits"))
    whole = _read(pod, path, {name for name in names if name in limits}, counted, base)
    running = dict.fromkeys(names, Decimal(0))
    peak = dict.fromkeys(names, Decimal(0))
    missing = names - whole.keys()
    for index, container in enumerate(list_objects(pod.get("initContainers"))):
        amounts = _read(container, (*path, "initContainers", index), missing, counted, base)
        if container.get("restartPolicy") == "Always":
            running = _add(running, amounts)
        else:
            peak = _most(peak, _add(running, amounts))
    for index, container in enumerate(list_objects(pod.get("containers"))):
        running = _add(running, _read(container, (*path, "containers", index), missing, counted, base))
    return {**_most(peak, running), **whole}


def _read(holder: Mapping[str, Any], path: Path, names: set[str], counted: list[Path], base: str) -> Amounts:
    """A container's limits; the larger one where a request is above its limit."""
    result: Amounts = {}
    resources = as_object(holder.get("resources"))
    for name in names:
        found = [
            (where, amount)
            for field in ("limits", "requests")
            for where, amount in _amounts(resources.get(field), (*path, "resources", field), name, base)
        ]
        if name != GPU and not any("limits" in where for where, _ in found):
            raise Uncounted((*path, "resources", "limits", name), "it is missing, so there is no limit")
        counted += [where for where, _ in found]
        limits = sum((amount for where, amount in found if "limits" in where), Decimal(0))
        requests = sum((amount for where, amount in found if "requests" in where), Decimal(0))
        result[name] = max(limits, requests)
    return result


def _amounts(values: Any, path: Path, name: str, base: str) -> Iterator[tuple[Path, Decimal]]:
    if not isinstance(values, Mapping):
        return
    for key, value in values.items():
        if (is_gpu(str(key)) if name == GPU else key == name) and value is not None:
            where = (*path, str(key))
            try:
                amount = quantities.parse(value)
            except ValueError as error:
                raise SpecError(f"{base}.{places.text(where)}", f"{error}.", resolution="Write it as `2`.") from None
            if amount < 0:
                raise SpecError(f"{base}.{places.text(where)}", "is less than nothing.", resolution="Correct it.")
            yield where, amount


def is_gpu(resource: str) -> bool:
    """Whether an extended resource counts as a GPU: ``<vendor>/gpu``, shares and slices of one, other accelerators."""
    domain, slash, name = resource.partition("/")
    if not slash:
        return False
    begins = name.startswith(("gpu", "mig-", "gaudi", "tpu", "neuron"))
    return begins or domain.startswith("gpu.") or domain.endswith(".gpu")


def _add(left: Amounts, right: Mapping[str, Decimal]) -> Amounts:
    return {name: left.get(name, Decimal(0)) + right.get(name, Decimal(0)) for name in left.keys() | right.keys()}


def _most(left: Amounts, right: Mapping[str, Decimal]) -> Amounts:
    return {name: max(left.get(name, Decimal(0)), right.get(name, Decimal(0))) for name in left.keys() | right.keys()}


# ── how many of it ──────────────────────────────────────────────────────────────────────────────────────────────────


def _factors(body: Mapping[str, Any], path: Path, is_leader: bool, base: str) -> Iterator[tuple[Path, Decimal]]:
    """The numbers of the objects from the top to the path that multiply what a template makes."""
    elastic: Any = None
    grows = False
    for depth in range(len(path) + 1):
        where = path[:depth]
        around = places.get(body, where)
        if not isinstance(around, Mapping):
            continue
        elastic = as_object(around.get("elasticPolicy")).get("maxReplicas", elastic)  # Kubeflow's workers grow to it
        grows = grows or bool(around.get("enableInTreeAutoscaling"))  # Ray's worker groups grow to theirs
        if grows and where and isinstance(where[-1], int) and around.get("maxReplicas") is None:
            raise Uncounted((*where, "maxReplicas"), "it is missing, so the group grows without limit")
        for key in REPLICAS:
            if around.get(key) is not None and not (key == "size" and is_leader):
                yield (*where, key), _find_number(around, key, (*where, key), elastic, base)


def _find_number(around: Mapping[str, Any], key: str, path: Path, elastic: Any, base: str) -> Decimal:
    number = _integer(around[key], path, base)
    if key == "parallelism" and around.get("completions") is not None:
        number = min(number, _integer(around["completions"], (*path[:-1], "completions"), base))
    if key == "size" and around.get("leaderTemplate"):
        number = max(number - 1, Decimal(0))
    if key == "replicas":
        for most in (around.get("maxReplicas"), elastic):
            if most is not None:
                number = max(number, _integer(most, (*path[:-1], "maxReplicas"), base))
    return number


def _integer(value: Any, path: Path, base: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value) or value < 0:
        raise SpecError(f"{base}.{places.text(path)}", "is no whole number from 0 on.", resolution="Correct it.")
    return Decimal(int(value))
