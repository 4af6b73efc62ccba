"""Makes the agent known to W&B: who are we, do our queues exist, what is our name (protocol 2.1)."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.client import Client
from launch_agent.errors import WandbDenied, WandbRejected

log = logging.getLogger(__name__)

PROJECT = "model-registry"
"""The fixed project that queues live in (protocol section 1)."""


@dataclass(frozen=True, slots=True)
class Agent:
    """What W&B knows of us."""

    id: str
    name: str
    entity: str
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """What we say of ourselves."""

    entity: str | None
    queues: tuple[str, ...]
    hostname: str
    config: Mapping[str, Any]
    version: str


class Registration:
    """The agent's registration, made once and made again if W&B forgot it (W9)."""

    def __init__(self, client: Client, identity: Identity) -> None:
        self._client = client
        self._identity = identity
        self._agent: Agent | None = None
        self._lock = threading.Lock()
        self.is_accepted = False
        """Whether W&B ever took this key and these queues; one that it forgot later stays accepted."""

    @property
    def agent(self) -> Agent:
        """The registered agent. Registers first where that was not done yet; raises WandbError.

        Several threads may ask while W&B is away: one of them registers.
        """
        if (known := self._agent) is not None:
            return known
        with self._lock:
            if (known := self._agent) is None:
                known = self._agent = self.register()
                self.is_accepted = True
            return known

    @property
    def is_done(self) -> bool:
        """Whether W&B knows us."""
        return self._agent is not None

    def renew(self) -> None:
        """Register again at the next use: W&B does not know our agent id any more."""
        self._agent = None

    def check(self) -> None:
        """Whether W&B knows the key and has the queues. Changes nothing there; raises as `register` does."""
        self._find_queues(self._find_entity(), may_create=False)

    def register(self) -> Agent:
        """Check the key and the queues, then create the agent and learn its name.

        Raises WandbDenied for a key without a user, WandbRejected for queues that do not exist.
        """
        entity = self._find_entity()
        ids = self._find_queues(entity, may_create=True)
        me = self._identity
        config = json.dumps({**me.config, "entity": entity, "queues": list(me.queues)})
        created = self._client.ask(
            operations.create_agent(entity, PROJECT, [ids[name] for name in me.queues], me.hostname, config, me.version)
        )
        agent_id = str(created["launchAgentId"])
        found = self._client.ask(operations.agent(agent_id)) or {}
        agent = Agent(agent_id, str(found.get("name") or ""), entity, me.queues)
        log.info("registered as agent %s of %s, for queues %s", agent.name, entity, ", ".join(me.queues))
        return agent

    def _find_entity(self) -> str:
        viewer = self._client.ask(operations.viewer())
        if not viewer:
            raise WandbDenied(
                "W&B does not know this API key.",
                resolution="Set WANDB_API_KEY to a key of the server that WANDB_BASE_URL names.",
            )
        entity = self._identity.entity or viewer.get("entity")
        if not entity:
            raise WandbRejected(
                "No entity is named, and the key's owner has no default one.",
                resolution="Set entity in launch-config.yaml, or give --entity.",
            )
        return str(entity)

    def _find_queues(self, entity: str, *, may_create: bool) -> dict[str, str]:
        project = self._client.ask(operations.project_queues(entity, PROJECT))
        if project is None:
            raise WandbRejected(
                f"The entity {entity!r} has no launch project, or this key may not see it.",
                resolution="Check the entity's spelling, and that the key's owner is a member of it.",
            )
        listed = project.get("runQueues") or []
        if not listed and not may_create:
            listed = [{"name": "default", "id": ""}]  # the one that registering would create
        if not listed:
            self._client.ask(operations.create_queue(entity, PROJECT, "default"))
            listed = (self._client.ask(operations.project_queues(entity, PROJECT)) or {}).get("runQueues") or []
        ids = {str(one["name"]): str(one["id"]) for one in listed}
        missing = [name for name in self._identity.queues if name not in ids]
        if missing:
            raise WandbRejected(
                f"{entity} has no queue {', '.join(map(repr, missing))}.",
                detail=f"Its queues are: {', '.join(sorted(ids)) or 'none'}.",
                resolution="Create the queue first, or correct queues in launch-config.yaml or -q.",
            )
        return ids
