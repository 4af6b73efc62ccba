"""Additional services: made before the workload, waited for, and told by name where they do not come."""

from __future__ import annotations

import time
from collections.abc import Callable

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import diagnosis, status
from launch_agent.core.models import Manifest, ObjectRef, Plan
from launch_agent.errors import (
    KubernetesConflict,
    KubernetesDenied,
    KubernetesInvalid,
    KubernetesMissing,
    KubernetesUnavailable,
    RefusedError,
)
from launch_agent.targets.kubernetes.ownership import find_own, ref_of, refuse_taken
from launch_agent.targets.kubernetes.preflight import explain_refusal

PAUSE = 1.0
"""Seconds between two looks at services that are not ready."""


class Services:
    """The additional services of items that are being created. May be asked from several threads."""

    def __init__(self, *, image_pull_grace: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace = image_pull_grace
        self._clock = clock
        self._since: dict[str, float] = {}

    def ensure(self, client: Client, plan: Plan, item_id: str) -> None:
        """Create what is missing, and see whether all is ready.

        KubernetesUnavailable while it is not; RefusedError once the plan's patience is over or one failed.
        """
        if not plan.services:
            return
        if item_id not in self._since:
            for body in plan.services:
                create(client, body)
            self._since[item_id] = self._clock()
        if plan.service_wait is None:
            self.forget(item_id)
            return
        waiting = [text for body in plan.services if (text := self._judge(client, ref_of(body)))]
        if waiting and self._clock() - self._since[item_id] >= plan.service_wait:
            self.forget(item_id)
            raise RefusedError(
                f"Additional services were not ready after {plan.service_wait:g} s: {' '.join(waiting)}",
                resolution="Cure the cause, or raise wait_timeout in the queue's config.",
            )
        if waiting:
            error = KubernetesUnavailable(f"Additional services are not ready yet: {' '.join(waiting)}")
            error.retry_after = PAUSE
            raise error
        self.forget(item_id)

    def forget(self, item_id: str) -> None:
        """Nothing is waited for any more."""
        self._since.pop(item_id, None)

    def _judge(self, client: Client, ref: ObjectRef) -> str:
        """Why a service is not ready; empty where it is. RefusedError if it can never be."""
        if ref.kind not in {"Pod", "Deployment"}:
            return ""  # it is ready with the pods behind it
        found = client.get(ref.api_version, ref.kind, ref.namespace, ref.name)
        if found is None:
            raise RefusedError(
                f"The additional service {ref.kind} {ref.name} was deleted by somebody else.",
                resolution="Push the item again.",
            )
        return self._judge_pod(found, ref) if ref.kind == "Pod" else _judge_deployment(found, ref)

    def _judge_pod(self, pod: Manifest, ref: ObjectRef) -> str:
        phase = status.phase_of(pod)
        if phase == "Succeeded" or (phase == "Running" and "Ready" in status.true_conditions(pod)):
            return ""
        reason = diagnosis.from_pod(pod, image_pull_grace=self._grace)
        text = f"Pod {ref.name}: {reason.text if reason else (phase or 'Pending') + '.'}"
        if phase == "Failed":
            raise RefusedError(
                f"An additional service failed. {text}", resolution="Correct additional_services, and push it again."
            )
        return text


def create(client: Client, body: Manifest) -> None:
    """Create one service; one that is there must be the item's own."""
    try:
        client.create(body)
    except KubernetesConflict:
        if find_own(client, body) is None:
            raise refuse_taken(ref_of(body)) from None
    except (KubernetesDenied, KubernetesMissing, KubernetesInvalid) as error:
        raise RefusedError(
            f"The additional service {body['kind']} {body['metadata']['name']} can not be made.",
            detail=str(explain_refusal(error, body)),
        ) from error


def _judge_deployment(body: Manifest, ref: ObjectRef) -> str:
    state = body.get("status") or {}
    wanted = (body.get("spec") or {}).get("replicas", 1)
    is_current = (state.get("observedGeneration") or 0) >= (body["metadata"].get("generation") or 0)
    ready = state.get("readyReplicas") or 0
    if is_current and ready >= wanted:
        return ""
    conditions = state.get("conditions") or ()
    reasons = [
        str(one.get("message"))
        for one in conditions
        if one.get("message") and (one.get("type") == "ReplicaFailure" or one.get("status") == "False")
    ]
    return f"Deployment {ref.name}: {ready} of {wanted} pods are ready. {' '.join(reasons)}".strip()
