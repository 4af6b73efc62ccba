"""W&B, tried: reached, the key known, the entity seen, each queue there and of a resource that is launched here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.client import Client
from launch_agent.checks.report import Area, Check, Status
from launch_agent.checks.samples import Queue, read_queue
from launch_agent.checks.trials import fail
from launch_agent.core.refusals import TARGETS
from launch_agent.errors import WandbDenied, WandbError
from launch_agent.runtime.connections import connect_wandb
from launch_agent.runtime.registration import PROJECT
from launch_agent.settings import Settings

TIMEOUT = 10.0
"""Seconds that one question to W&B may last."""

NETWORK = "Check WANDB_BASE_URL, the proxy and what stands between; an authority of your own belongs in SSL_CERT_FILE"


@dataclass(slots=True)
class Findings:
    """What W&B said. ``queues`` None: they could not be asked for."""

    checks: list[Check] = field(default_factory=list)
    entity: str = ""
    queues: tuple[Queue, ...] | None = None

    def add(self, name: str, status: Status, detail: str = "", resolution: str = "") -> None:
        """One more check."""
        self.checks.append(Check(name, Area.WANDB, status, detail, resolution))


def try_wandb(settings: Settings) -> Findings:
    """Everything about W&B, one after the other; what depends on a failed step is skipped."""
    client = connect_wandb(replace(settings, http_timeout=min(settings.http_timeout, TIMEOUT)))
    found = Findings()
    try:
        _ask(client, settings, found)
    except WandbError as error:
        found.checks.append(fail("queues", Area.WANDB, error, resolution=NETWORK))
    finally:
        client.close()
    return found


def _ask(client: Client, settings: Settings, found: Findings) -> None:
    viewer = _find_viewer(client, settings, found)
    if viewer is None:
        for name in ("entity", "queues"):
            found.add(name, Status.SKIP, "W&B did not say who the key belongs to")
        return
    found.entity = str(settings.entity or viewer.get("entity") or "")
    if not found.entity:
        cure = "Set entity in launch-config.yaml, or give --entity"
        found.add("entity", Status.FAIL, "none is named, and the key's owner has no default one", cure)
        found.add("queues", Status.SKIP, "the entity is not known")
        return
    project = client.ask(operations.project_queues(found.entity, PROJECT))
    name = f"entity {found.entity}"
    if project is None:
        cure = "Check its spelling, and that the key's owner is a member of it"
        found.add(name, Status.FAIL, "has no launch project, or this key may not see it", cure)
        found.add("queues", Status.SKIP, "the entity is not seen")
        return
    found.add(name, Status.OK)
    listed = [str(one["name"]) for one in project.get("runQueues") or ()]
    found.queues = tuple(_find_queues(client, settings, listed, found))


def _find_viewer(client: Client, settings: Settings, found: Findings) -> Mapping[str, Any] | None:
    """Whoever the key belongs to; adds the lines on the address and on the key."""
    began = time.monotonic()
    try:
        viewer = client.ask(operations.viewer())
    except WandbDenied as error:
        found.add(settings.base_url, Status.OK, "reached")
        found.checks.append(fail("API key", Area.WANDB, error))
        return None
    except WandbError as error:
        found.checks.append(fail(settings.base_url, Area.WANDB, error, resolution=NETWORK))
        found.add("API key", Status.SKIP, "W&B is not reached")
        return None
    found.add(settings.base_url, Status.OK, f"answers after {time.monotonic() - began:.2f} s")
    if not viewer:
        cure = "Set WANDB_API_KEY to a key of the server that WANDB_BASE_URL names"
        found.add("API key", Status.FAIL, "W&B does not know it", cure)
        return None
    who = viewer.get("username") or viewer.get("entity") or "an account without a name"
    found.add("API key", Status.OK, f"belongs to {who}")
    return dict(viewer)


def _find_queues(client: Client, settings: Settings, listed: list[str], found: Findings) -> list[Queue]:
    """The queues that are there, with their configs; a line for each that is wanted."""
    wanted = [name for name in settings.queues if name in listed]
    queues = {one.name: one for one in _read_queues(client, found.entity, wanted)}
    for name in settings.queues:
        queue = queues.get(name)
        if queue is not None:
            _judge(queue, found)
        elif not listed and settings.queues == ("default",):
            queues[name] = Queue(name)
            found.add(f"queue {name}", Status.OK, "is not there yet: the agent makes it when it starts")
        else:
            others = ", ".join(sorted(listed)) or "none"
            cure = "Create it, or correct queues in launch-config.yaml or -q"
            found.add(f"queue {name}", Status.FAIL, f"{found.entity} has no such queue, but: {others}", cure)
    return [queues[name] for name in settings.queues if name in queues]


def _read_queues(client: Client, entity: str, wanted: list[str]) -> list[Queue]:
    """Two questions for all of them: where their configs are, and what is in them."""
    if not wanted:
        return []
    found = client.run([operations.queue(entity, PROJECT, name) for name in wanted])
    heads = [((one.value or {}).get("runQueue") or {}) if one.error is None else {} for one in found]
    ids = {name: str(head["defaultResourceConfigID"]) for name, head in zip(wanted, heads, strict=True) if _has(head)}
    configs: dict[str, Mapping[str, Any]] = {}
    if ids:
        answers = client.run([operations.default_config(entity, one) for one in ids.values()])
        for name, answer in zip(ids, answers, strict=True):
            configs[name] = (answer.value or {}).get("defaultResourceConfig") or {}
    return [read_queue(name, configs.get(name)) for name in wanted]


def _has(head: Mapping[str, Any]) -> bool:
    return bool(head.get("defaultResourceConfigID"))


def _judge(queue: Queue, found: Findings) -> None:
    name = f"queue {queue.name}"
    if queue.resource is None:
        found.add(name, Status.OK, "has no config of its own: each item brings one")
    elif queue.resource in TARGETS:
        found.add(name, Status.OK, f"launches on {queue.resource}")
    else:
        cure = "Take it out of this agent's queues, or leave it to W&B's own agent"
        what = f"its items are for {queue.resource}, and this agent launches on {', '.join(TARGETS)} only"
        found.add(name, Status.FAIL, what, cure)
