"""The Kubernetes target: creates workloads of any kind, looks at them, and lets them go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import diagnosis, observation, places, status
from launch_agent.core.events import Event
from launch_agent.core.kinds import Kind, Kinds
from launch_agent.core.marks import ITEM_ANNOTATION
from launch_agent.core.models import (
    SERVICES_PATH,
    Diagnosis,
    JobState,
    Manifest,
    ObjectRef,
    Observation,
    Plan,
    Resource,
)
from launch_agent.errors import (
    ConfigError,
    KubernetesConflict,
    KubernetesDenied,
    KubernetesError,
    KubernetesInvalid,
    KubernetesMissing,
    KubernetesUnavailable,
    RefusedError,
)
from launch_agent.targets.base import Clusters, Notice
from launch_agent.targets.kubernetes.following import Following, Watch
from launch_agent.targets.kubernetes.happenings import Happenings
from launch_agent.targets.kubernetes.ownership import delete_own, find_own, own, ref_of, refuse_taken
from launch_agent.targets.kubernetes.pods import find_pods
from launch_agent.targets.kubernetes.preflight import Preflight, explain_refusal
from launch_agent.targets.kubernetes.services import Services

TAIL_LINES = 50
TAIL_BYTES = 16_384
PODLESS = frozenset({JobState.UNKNOWN, JobState.STARTING})


class OwnCluster:
    """The only cluster of an agent that reaches no other."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def client(self, key: str) -> Client:
        """The API server of the agent's own cluster. ConfigError for any other key."""
        if key:
            raise ConfigError(
                f"This agent reaches no other cluster than its own ({key}).",
                resolution="Leave configFile and context out.",
            )
        return self._client


class KubernetesTarget:
    """Workloads on the clusters that ``clusters`` reaches."""

    resource = Resource.KUBERNETES

    def __init__(
        self, clusters: Clusters, *, watch: Watch, image_pull_grace: float, kinds: Kinds | None = None
    ) -> None:
        self._clusters = clusters
        self._kinds = kinds or Kinds()
        self._grace = image_pull_grace
        self._preflight = Preflight()
        self._happenings = Happenings()
        self._services = Services(image_pull_grace=image_pull_grace)
        self._following = Following(self._kinds, watch, image_pull_grace)

    # ── before and at the creation ──

    def find(self, plan: Plan, item_id: str) -> ObjectRef | None:
        """The workload that was made for the item before; None where it is gone, or the name is another's by now.

        What belongs to it is handed over to it: perhaps that was not done yet.
        """
        ref, client = ref_of(plan.workload, plan.cluster), self._clusters.client(plan.cluster)
        try:
            found = client.get(ref.api_version, ref.kind, ref.namespace, ref.name)
        except KubernetesMissing:  # the cluster does not know the kind any more
            return None
        is_ours = found is not None and (found["metadata"].get("annotations") or {}).get(ITEM_ANNOTATION) == item_id
        if found is None or not is_ours:
            return None
        ref = replace(ref, uid=found["metadata"]["uid"])
        for body in (*plan.secrets, *plan.services):
            own(client, body, ref)
        return ref

    def prepare(self, plan: Plan) -> tuple[str, ...]:
        """Ask the API server whether it would take the workload and its services, then create the Secrets."""
        client = self._clusters.client(plan.cluster)
        warnings = self._preflight.check(client, plan.cluster, plan.workload)
        warnings += self._check_services(client, plan)
        for body in plan.secrets:
            try:
                client.create(body)
            except KubernetesConflict:
                self._renew(client, body)
        return warnings

    def _check_services(self, client: Client, plan: Plan) -> tuple[str, ...]:
        found: list[str] = []
        for index, body in enumerate(plan.services):
            place = f"{SERVICES_PATH}[{index}].config"
            try:
                warnings = self._preflight.check(client, plan.cluster, body)
            except KubernetesUnavailable:
                raise
            except (KubernetesError, RefusedError) as error:
                raise RefusedError(
                    f"{place}: the cluster does not take this {body['kind']}.", detail=str(error)
                ) from error
            found += [f"{place}: {text}" for text in warnings]
        return tuple(found)

    def _renew(self, client: Client, body: Manifest) -> None:
        """A Secret that is there: the item's own from an attempt before, whose content may have changed since."""
        change = {"op": "add", "path": "/data", "value": body.get("data") or {}}
        if find_own(client, body, change) is None:
            raise refuse_taken(ref_of(body))

    def discard(self, plan: Plan) -> None:
        """Delete the Secrets and services of ``plan``, as far as they are the item's own."""
        client = self._clusters.client(plan.cluster)
        for body in (*plan.services, *plan.secrets):
            delete_own(client, body)

    def create(self, plan: Plan, item_id: str) -> ObjectRef:
        """Create the services, then the workload, or find the one made before; it gets all that belongs to it."""
        client = self._clusters.client(plan.cluster)
        self._services.ensure(client, plan, item_id)
        made: Manifest
        try:
            made = client.create(plan.workload)
        except KubernetesConflict:
            made = _find_workload(client, ref_of(plan.workload), item_id)
        except (KubernetesDenied, KubernetesMissing, KubernetesInvalid) as error:
            raise explain_refusal(error, plan.workload) from error
        ref = ref_of({**plan.workload, "metadata": made["metadata"]}, plan.cluster)
        for body in (*plan.secrets, *plan.services):
            own(client, body, ref)
        return ref

    # ── looking ──

    def look(self, ref: ObjectRef, *, is_late: bool = False) -> Observation:
        """Ask for the workload and its pods, live."""
        client = self._clusters.client(ref.cluster)
        try:
            body = client.get(ref.api_version, ref.kind, ref.namespace, ref.name)
        except KubernetesMissing:  # the cluster does not know the kind any more
            body = None
        if body is None or (ref.uid and body["metadata"]["uid"] != ref.uid):
            return Observation(JobState.MISSING)
        kind = self._kinds.find(ref.api_version, ref.kind, body)
        pods, is_polled = find_pods(client, kind, body)
        seen = observation.observe(kind, body, pods, image_pull_grace=self._grace)
        seen = replace(seen, is_polled=is_polled)
        if pods or kind.is_pod or seen.state not in PODLESS:
            return seen
        return self._look_without_pods(kind, body, ref, seen, is_late=is_late)

    def _look_without_pods(
        self, kind: Kind, body: Manifest, ref: ObjectRef, seen: Observation, *, is_late: bool
    ) -> Observation:
        told = self.explain(ref)
        if told is not None:
            return replace(seen, diagnosis=told)
        if is_late and seen.diagnosis is None:
            return replace(seen, diagnosis=diagnosis.without_pods(kind, body))
        return seen

    def explain(self, ref: ObjectRef) -> Diagnosis | None:
        """Why the workload has no pods, by the events of it and of what was made of it."""
        return diagnosis.from_events(self._happenings.find(self._clusters.client(ref.cluster), ref))

    def tail(self, ref: ObjectRef, seen: Observation) -> str:
        """The last lines of the container that the observation names."""
        return self._clusters.client(ref.cluster).logs(
            ref.namespace, seen.pod, container=seen.container, tail_lines=TAIL_LINES, limit_bytes=TAIL_BYTES
        )

    # ── letting go ──

    def release(self, ref: ObjectRef, after: int | None) -> None:
        """Give the finished object the time to live that was held back until now; None keeps it."""
        kind = self._kinds.find(ref.api_version, ref.kind)
        if after is None or not kind.ttl:
            return
        patch = places.put({}, places.path_of(kind.ttl), after)
        try:
            self._clusters.client(ref.cluster).patch(ref.api_version, ref.kind, ref.namespace, ref.name, patch)
        except KubernetesMissing:
            return

    def delete(self, ref: ObjectRef) -> None:
        """Delete the workload after its pods: none is left behind (W43)."""
        client = self._clusters.client(ref.cluster)
        try:
            client.delete(ref.api_version, ref.kind, ref.namespace, ref.name, propagation="Foreground", uid=ref.uid)
        except KubernetesMissing:  # the cluster does not know the kind any more
            return

    # ── the picture: the tracker's thread only ──

    def follow(self, item_id: str, ref: ObjectRef) -> Iterable[tuple[str, Event]]:
        """Watch the namespace, and tell what is known of the workload already."""
        return self._following.follow(item_id, ref)

    def awaits(self, item_id: str) -> bool:
        """Whether the first list of the workload's kind is still to come."""
        return self._following.awaits(item_id)

    def forget(self, item_id: str) -> None:
        """Drop what is known of the item."""
        self._following.forget(item_id)
        self._services.forget(item_id)

    def absorb(self, notice: Notice) -> Iterable[tuple[str, Event]]:
        """Observations of the items that the notice touches; those that did not change are left out."""
        return self._following.absorb(notice)


def _find_workload(client: Client, ref: ObjectRef, item_id: str) -> Manifest:
    found = client.get(ref.api_version, ref.kind, ref.namespace, ref.name)
    if found is None:
        raise KubernetesUnavailable(f"{ref.kind} {ref.namespace}/{ref.name} was there a moment ago and is not.")
    if (found["metadata"].get("annotations") or {}).get(ITEM_ANNOTATION) != item_id:
        if status.is_deleted(found):  # such as the workload of the item that this one continues after a preemption
            raise KubernetesUnavailable(f"{ref.kind} {ref.namespace}/{ref.name} is another item's, and being deleted.")
        raise refuse_taken(ref)
    return found
