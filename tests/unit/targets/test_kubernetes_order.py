"""Two watches are never in step: what one of them says alone must not become a wrong reason."""

from __future__ import annotations

from typing import Any

from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import names
from launch_agent.core.events import Observed, Vanished
from launch_agent.core.marks import ITEM_LABEL
from launch_agent.core.models import JobState, ObjectRef, Resource
from launch_agent.targets.base import Notice
from launch_agent.targets.kubernetes import KubernetesTarget, OwnCluster

ITEM = "item-1"
REF = ObjectRef("batch/v1", "Job", "team", "launch-1", "uid-launch-1")


def _target() -> KubernetesTarget:
    nowhere = Client(ClusterAccess(server="https://127.0.0.1:1"))
    target = KubernetesTarget(
        OwnCluster(nowhere), watch=lambda _cluster, _version, _kind, _namespace: None, image_pull_grace=60.0
    )
    target.follow(ITEM, REF)
    return target


def _body(name: str, status: dict[str, Any]) -> dict[str, Any]:
    labels = {ITEM_LABEL: names.item_label(ITEM)}
    metadata = {"name": name, "namespace": "team", "uid": f"uid-{name}", "labels": labels}
    return {"metadata": metadata, "spec": {"backoffLimit": 0, "containers": [{"name": "launch0"}]}, "status": status}


def _synced(kind: str, *bodies: dict[str, Any]) -> Notice:
    return Notice(
        Resource.KUBERNETES, kind, "team", "SYNCED", bodies, api_version="v1" if kind == "Pod" else "batch/v1"
    )


FAILED_JOB = _body("launch-1", {"failed": 1, "conditions": [{"type": "Failed", "status": "True",
                                                             "reason": "BackoffLimitExceeded"}]})  # fmt: skip
ENDED = {"terminated": {"exitCode": 3, "reason": "Error"}}
FAILED_POD = _body("pod-1", {"phase": "Failed", "containerStatuses": [{"name": "launch0", "state": ENDED}]})


def test_a_failed_job_whose_pods_were_not_heard_of_is_looked_at_before_it_is_believed() -> None:
    assert list(_target().absorb(_synced("Job", FAILED_JOB))) == [(ITEM, Vanished())]


def test_a_failed_job_after_its_pods_is_judged_with_their_exit_code() -> None:
    target = _target()
    assert list(target.absorb(_synced("Pod", FAILED_POD))) == []
    ((item_id, event),) = target.absorb(_synced("Job", FAILED_JOB))
    assert item_id == ITEM
    assert isinstance(event, Observed)
    assert event.observation.state is JobState.FAILED
    assert event.observation.diagnosis is not None
    assert "exit code 3" in event.observation.diagnosis.summary
