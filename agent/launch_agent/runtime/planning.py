"""From an item to its plan: what the agent knows of itself, of its clusters and of its registry goes in."""

from __future__ import annotations

from dataclasses import replace

from launch_agent.adapters.kubernetes.clusters import Clusters
from launch_agent.core import clusters as keys
from launch_agent.core import ledger_format, manifest
from launch_agent.core import spec as specs
from launch_agent.core.models import LaunchContext, Plan, QueueItem, Record, Resource
from launch_agent.errors import RefusedError
from launch_agent.runtime.registration import Registration
from launch_agent.settings import Settings
from launch_agent.settings.context import make_context


class Planner:
    """Plans items, new ones and those of an earlier start. ``clusters`` is None where the agent has none."""

    def __init__(self, settings: Settings, registration: Registration, clusters: Clusters | None) -> None:
        self._settings = settings
        self._registration = registration
        self._clusters = clusters

    def plan(self, item: QueueItem, spec: specs.RunSpec, run_id: str) -> Plan:
        """The plan of an item. Raises ItemError for what the item got wrong."""
        context = self._context(spec)
        return manifest.plan(item, spec, run_id, context, api_key=self._settings.api_key.reveal())

    def replan(self, record: Record) -> Plan:
        """The plan of a record from an earlier start. Its Secrets were created before the record was written."""
        has_marker = record.run_spec.get(ledger_format.API_KEY) == ledger_format.MARKER
        if has_marker and record.resource is not Resource.KUBERNETES:
            raise RefusedError(
                "The agent was started anew before this process was; the item's own API key is not kept on disk.",
                resolution="Push the item again.",
            )
        item = QueueItem(record.item_id, record.queue, record.run_spec)
        plan = self.plan(item, specs.parse(record.run_spec), record.run_id)
        return replace(plan, secrets=()) if has_marker else plan

    def _context(self, spec: specs.RunSpec) -> LaunchContext:
        agent = self._registration.agent
        context = make_context(
            self._settings, entity=agent.entity, agent_name=agent.name, namespace=self._own_namespace()
        )
        cluster = keys.key(spec.agent_args) if spec.resource is Resource.KUBERNETES else keys.OWN
        if self._clusters is not None and cluster != keys.OWN:
            context = replace(context, default_namespace=self._clusters.namespace(cluster))
        return context

    def _own_namespace(self) -> str | None:
        return self._clusters.client(keys.OWN).namespace if self._clusters else None
