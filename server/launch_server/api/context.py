"""What resolvers work with while one document is answered."""

from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLResolveInfo
from sqlalchemy import Connection, Row

from launch_server.errors import ForbiddenError, NotFoundError
from launch_server.metrics import Metrics
from launch_server.settings import Settings
from launch_server.store import accounts, queues
from launch_server.store.accounts import User
from launch_server.store.bootstrap import Secrets


@dataclass(slots=True)
class Context:
    """One document's transaction, caller and moment, with what was looked up so far."""

    connection: Connection
    user: User
    now: float
    settings: Settings
    secrets: Secrets
    metrics: Metrics
    base_url: str
    heard_agents: set[int] = field(default_factory=set)
    leases_released: bool = False
    _projects: dict[tuple[str, str], Row[Any] | None] = field(default_factory=dict)
    _queues: dict[tuple[str, str, str], Row[Any]] = field(default_factory=dict)

    def may_use(self, entity: str) -> bool:
        """Whether the caller works in this entity."""
        return self.user.is_admin or entity in self.user.entities

    def entity(self, name: str | None) -> str:
        """The entity that a caller names, or her default one.

        Raises:
            ForbiddenError: she does not work in it.

        """
        chosen = name or self.user.default_entity
        if not self.may_use(chosen):
            raise ForbiddenError(
                f"user {self.user.username!r} has no access to entity {chosen!r}", "Ask an admin for a key for it."
            )
        return chosen

    def project(self, entity: str, name: str) -> Row[Any] | None:
        """The project, when it is there and the caller may see it."""
        if not self.may_use(entity):
            return None
        place = (entity, name)
        if place not in self._projects:
            self._projects[place] = accounts.find_project(self.connection, entity, name)
        return self._projects[place]

    def queue(self, entity: str, project: str, name: str) -> Row[Any]:
        """The queue of this name.

        Raises:
            ForbiddenError: the caller does not work in the entity.
            NotFoundError: there is no such queue; the text lists those that are.

        """
        place = (self.entity(entity), project, name)
        if place not in self._queues:
            found = queues.find_queue(self.connection, *place)
            if found is None:
                raise self._no_queue(*place)
            self._queues[place] = found
        return self._queues[place]

    def _no_queue(self, entity: str, project: str, name: str) -> NotFoundError:
        known = ", ".join(queue.name for queue in queues.list_queues(self.connection, entity, project)) or "none"
        return NotFoundError(
            f"queue {name!r} does not exist in entity {entity!r}, project {project!r}", f"Queues there: {known}."
        )


# What resolvers are given beside their arguments; `info.context` is the document's Context.
Info = GraphQLResolveInfo[Context]
