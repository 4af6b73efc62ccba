"""The agent's figures, in Prometheus' format. Names and labels are a contract: docs/metrics.md lists them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

PREFIX = "launch_agent"


class Metrics:
    """One registry per agent; nothing is global."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        options: dict[str, Any] = {"registry": self.registry, "namespace": PREFIX}
        self.items = Gauge("items", "Items that the agent holds, by state.", ["state"], **options)
        self.foreign = Gauge("foreign_workloads", "Workloads of W&B's own agent that use slots.", **options)
        self.slots = Gauge("slots", "Places for running items (max_jobs); -1 is unlimited.", **options)
        self.is_leader = Gauge("is_leader", "1 while this agent may take items, 0 while it stands by.", **options)
        self.popped = Counter("items_popped", "Items taken from queues.", ["queue"], **options)
        self.launched = Counter("items_launched", "Workloads created.", ["resource"], **options)
        self.ended = Counter("items_ended", "Items that ended, by how.", ["outcome"], **options)
        self.polls = Counter("polls", "Polls of the queues, by outcome.", ["outcome"], **options)
        self.deferred = Counter("actions_deferred", "Steps put off because a peer was away.", ["action"], **options)
        self.wandb_requests = Counter("wandb_requests", "Requests to W&B's API.", ["outcome"], **options)
        self.loop_restarts = Counter("loop_restarts", "Loops started again after an error.", ["loop"], **options)
        self.loop_beat = Gauge(
            "loop_last_beat_seconds", "When each loop last did its work, epoch.", ["loop"], **options
        )
        self.watch_contact = Gauge(
            "watch_last_contact_seconds", "When each watch last heard from the API server, epoch.",
            ["kind", "target_namespace", "cluster"], **options,
        )  # fmt: skip
        self.launch_seconds = Histogram(
            "launch_seconds", "From the pop of an item to its workload's creation.",
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300), **options,
        )  # fmt: skip

    def forget(self) -> None:
        """Drop what is true of a running agent only: this one has handed its items over."""
        for gauge in (self.items, self.loop_beat, self.watch_contact):
            gauge.clear()
        self.foreign.set(0)


class Merged(Collector):
    """The figures of several shards as one: each with a label ``shard``, but for a key without text."""

    def __init__(self, find: Callable[[], Mapping[str, Metrics]]) -> None:
        self._find = find

    def collect(self) -> Iterator[Metric]:
        """Families of the same name are one."""
        families: dict[str, Metric] = {}
        for shard, metrics in sorted(self._find().items()):
            for family in metrics.registry.collect():
                name = family.name
                whole = families.setdefault(name, Metric(name, family.documentation, family.type))
                for sample in family.samples:
                    labels = {**sample.labels, "shard": shard} if shard else sample.labels
                    whole.samples.append(sample._replace(labels=labels))
        yield from families.values()


def merge(find: Callable[[], Mapping[str, Metrics]]) -> CollectorRegistry:
    """A registry of what ``find`` gives at each look."""
    registry = CollectorRegistry()
    registry.register(Merged(find))
    return registry
