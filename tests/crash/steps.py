"""The named steps: every class of request that the agent makes, and the items that make it do so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Match = str | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """A class of requests. ``label``: as the control endpoint counts it; ``match``: as a rule finds it."""

    name: str
    peer: str
    label: str
    match: Match
    items: tuple[str, ...] = ("finish",)
    """Flavours that lead there; all agents do at their start what needs none."""
    is_rare: bool = False
    """Whether it may not come at all in a run, as what is asked only after a fault."""

    @property
    def rule(self) -> dict[str, Any]:
        """What a rule's ``match`` says."""
        return {"operation": self.match} if isinstance(self.match, str) else {"dry_run": False, **self.match}


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb of the API server on one resource."""

    verb: str
    resource: str
    items: tuple[str, ...] = ("finish",)
    subresource: str = ""
    is_dry_run: bool = False
    is_rare: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def step(self) -> Step:
        """The step of it."""
        where = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        label = f"{self.verb} {where}" + (" (dry run)" if self.is_dry_run else "")
        match = {
            "verb": self.verb, "resource": self.resource, "subresource": self.subresource, "dry_run": self.is_dry_run,
        }  # fmt: skip
        return Step(label, "kube", label, match, self.items, self.is_rare)


ALL_ENDS = ("fail", "early", "stop", "removed")
WANDB = (
    Step("who am I", "wandb", "viewer.id", "viewer"),
    Step("find the queues", "wandb", "project.runQueues", "project.runQueues"),
    Step("register", "wandb", "createLaunchAgent", "createLaunchAgent"),
    Step("tell the status", "wandb", "updateLaunchAgent", "updateLaunchAgent"),
    Step("ask for orders", "wandb", "launchAgent.id", "launchAgent", ("stop",)),
    Step("pop", "wandb", "popFromRunQueue", "popFromRunQueue"),
    Step("ack", "wandb", "ackRunQueueItem", "ackRunQueueItem"),
    Step("ask for the run's state", "wandb", "project.run", "project.run.state", ("finish", *ALL_ENDS)),
    Step("ask for stop requests", "wandb", "project.run", "project.run.stopped", ("stop",)),
    Step("fail the item", "wandb", "failRunQueueItem", "failRunQueueItem", ("early", "refused")),
    Step("warn on the item", "wandb", "updateRunQueueItemWarning", "updateRunQueueItemWarning", ("preempt",)),
    Step("find a queue's config", "wandb", "project.runQueue", "project.runQueue.defaultResourceConfigID"),
    Step("read a queue's config", "wandb", "entity.defaultResourceConfig", "entity.defaultResourceConfig"),
    Step("read the item", "wandb", "project.runQueue", "project.runQueue.runQueueItem", ("preempt",)),
    Step(
        "look for the copy", "wandb", "project.runQueue", "project.runQueue.runQueueItems", ("preempt",), is_rare=True
    ),
    Step("put back", "wandb", "pushToRunQueueByName", "pushToRunQueueByName", ("preempt",)),
)
KUBE = tuple(
    one.step
    for one in (
        Verb("get", "leases"),
        Verb("create", "leases", is_rare=True),
        Verb("update", "leases"),
        Verb("list", "configmaps"),
        Verb("create", "configmaps"),
        Verb("patch", "configmaps"),
        Verb("delete", "configmaps"),
        Verb("create", "secrets", ("key",)),
        Verb("patch", "secrets", ("key",)),
        Verb("create", "jobs", is_dry_run=True),
        Verb("create", "jobs"),
        Verb("get", "jobs"),
        Verb("patch", "jobs"),
        Verb("delete", "jobs", ("stop", "preempt")),
        Verb("list", "jobs"),
        Verb("watch", "jobs"),
        Verb("list", "pods"),
        Verb("watch", "pods"),
        Verb("get", "pods", ("early",), subresource="log"),
    )
)
STEPS = (*WANDB, *KUBE)
