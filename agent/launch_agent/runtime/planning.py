"""From an item to its plan: what the agent knows of itself, of its clusters and of its registry goes in."""

from __future__ import annotations

from dataclasses import replace

from launch_agent.adapters.kubernetes.clusters import Clusters
from launch_agent.core import clusters as keys
from launch_agent.core import ledger_format, manifest
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import Plan, QueueItem, Record, Resource
from launch_agent.errors import ConfigError, KubernetesUnavailable, RefusedError
from launch_agent.registries.base import CredentialError
from launch_agent.registries.credentials import PullCredentials
from launch_agent.runtime.pull_secrets import find_credential
from launch_agent.runtime.queue_configs import Registered
from launch_agent.settings import Settings
from launch_agent.settings.context import make_context


class Planner:
    """Plans items, new ones and those of an earlier start. ``clusters`` is None where the agent has none."""

    def __init__(
        self,
        settings: Settings,
        registration: Registered,
        clusters: Clusters | None,
        credentials: PullCredentials | None = None,
        *,
        shard: int = 0,
    ) -> None:
        """``credentials`` are those of the configured registry, None where it needs none."""
        self._settings = settings
        self._registration = registration
        self._clusters = clusters
        self._credentials = credentials
        self._shard = shard
        self._last: tuple[object, LaunchContext] | None = None

    def plan(self, item: QueueItem, spec: specs.RunSpec, run_id: str) -> Plan:
        """The plan of an item. Raises ItemError for what the item got wrong."""
        try:
            return self._plan(item, spec, run_id)
        except (CredentialError, ConfigError) as error:
            raise RefusedError(error.summary, detail=error.detail, resolution=error.resolution) from error

    def replan(self, record: Record) -> Plan:
        """The plan of a record from an earlier start.

        Its Secrets were created before the record was written: they are only handed over to the workload, so it does
        not matter that the key itself is not in the record.
        Raises KubernetesUnavailable where its cluster's file or the registry's credential is not to be had now: it was
        when the item was taken, and its workload may be there.
        """
        has_marker = record.run_spec.get(ledger_format.API_KEY) == ledger_format.MARKER
        if has_marker and record.resource is not Resource.KUBERNETES:
            raise RefusedError(
                "The agent was started anew before this process was; the item's own API key is not kept on disk.",
                resolution="Push the item again.",
            )
        item = QueueItem(record.item_id, record.queue, record.run_spec)
        try:
            return self._plan(item, specs.parse(record.run_spec), record.run_id)
        except (CredentialError, ConfigError) as error:
            raise KubernetesUnavailable(error.summary, detail=error.detail, resolution=error.resolution) from error

    def _plan(self, item: QueueItem, spec: specs.RunSpec, run_id: str) -> Plan:
        credential = find_credential(self._credentials, spec)
        context = replace(self._find_context(spec), pull_credential=credential)
        return manifest.plan(item, spec, run_id, context, api_key=self._settings.api_key.reveal())

    def context(self, spec: specs.RunSpec) -> LaunchContext:
        """What the item's manifest is made of, without a pull credential: nothing is contacted for it.

        Raises RefusedError for a cluster that the item names wrongly.
        """
        try:
            return self._find_context(spec)
        except ConfigError as error:
            raise RefusedError(error.summary, detail=error.detail, resolution=error.resolution) from error

    def _find_context(self, spec: specs.RunSpec) -> LaunchContext:
        context = self._own_context()
        cluster = keys.key(spec.agent_args) if spec.resource is Resource.KUBERNETES else keys.OWN
        if self._clusters is not None and cluster != keys.OWN:
            context = replace(context, default_namespace=self._clusters.namespace(cluster))
        return context

    def outline(self) -> LaunchContext:
        """The same without a default namespace: no file that an item names is read for it."""
        return replace(self._own_context(), default_namespace="")

    def _own_context(self) -> LaunchContext:
        agent = self._registration.agent
        namespace = self._clusters.client(keys.OWN).namespace if self._clusters else None
        asked = (agent.entity, agent.name, namespace)
        last = self._last
        if last is None or last[0] != asked:  # each item asks several times, and the answer hardly ever changes
            made = make_context(self._settings, entity=agent.entity, agent_name=agent.name, namespace=namespace)
            last = self._last = (asked, replace(made, shard=self._shard))
        return last[1]
