"""Events of a workload and its children: the only place that tells why it has no pods."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import diagnosis
from launch_agent.core.kinds import Kinds
from tests.support.kind_statuses import condition


def event(reason: str, message: str, at: str = "2026-01-01T00:00:00Z") -> dict[str, Any]:
    return {"reason": reason, "message": message, "lastTimestamp": at}


QUOTA = 'pods "run-1-abcde" is forbidden: exceeded quota: gpus, requested: {}, used: {}, limited: {}'


@pytest.mark.parametrize(
    ("message", "category", "fails_after"),
    [
        (
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false',
            "Admission",
            0.0,
        ),
        ('admission webhook "policy.example.com" denied the request: no GPUs on Fridays', "Admission", 0.0),
        (
            "pods \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no latest",
            "Admission",
            0.0,
        ),
        ('Pod "x" is invalid: spec.containers[0].image: Required value', "Admission", 0.0),
        ('pods "x" is forbidden: failed quota: q: must specify limits.cpu for: c', "PodsRefused", 0.0),
        ('pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi', "PodsRefused", 0.0),
        ('pods "x" is forbidden: minimum cpu usage per Pod is 1, but request is 100m', "PodsRefused", 0.0),
        (
            'pods "x" is forbidden: error looking up service account ns/x: serviceaccount "x" not found',
            "ConfigMissing",
            60.0,
        ),
        ('pods "x" is forbidden: no PriorityClass with name high was found', "ConfigMissing", 60.0),
        (
            QUOTA.format("requests.nvidia.com/gpu=8", "requests.nvidia.com/gpu=0", "requests.nvidia.com/gpu=4"),
            "PodsRefused",
            0.0,
        ),
        (
            QUOTA.format("requests.nvidia.com/gpu=2", "requests.nvidia.com/gpu=4", "requests.nvidia.com/gpu=4"),
            "PodsRefused",
            None,
        ),
        (QUOTA.format("pods=1", "pods=0", "pods=0"), "PodsRefused", 0.0),
        (QUOTA.format("pods=1", "pods=5", "pods=5"), "PodsRefused", None),
        (QUOTA.format("limits.memory=2Gi", "limits.memory=0", "limits.memory=1500Mi"), "PodsRefused", 0.0),
        (
            QUOTA.format(
                "limits.cpu=500m,limits.memory=3Gi", "limits.cpu=0,limits.memory=0", "limits.cpu=1,limits.memory=2Gi"
            ),
            "PodsRefused",
            0.0,
        ),
        (
            QUOTA.format(
                "limits.cpu=1,limits.memory=1Gi", "limits.cpu=1,limits.memory=2Gi", "limits.cpu=1,limits.memory=2Gi"
            ),
            "PodsRefused",
            None,
        ),
        (QUOTA.format("cpu=odd", "cpu=0", "cpu=1"), "PodsRefused", None),
        ("exceeded quota: q", "PodsRefused", None),
        ('Internal error: failed calling webhook "x": context deadline exceeded', "PodsRefused", None),
        ("something else", "PodsRefused", None),
    ],
)
@pytest.mark.parametrize("reason", ["FailedCreate", "FailedCreatePod", "FailedToCreateHeadPod", "JobCreationFailed"])
def test_a_refusal_is_final_only_where_no_later_attempt_can_do_better(
    message: str, category: str, fails_after: float | None, reason: str
) -> None:
    found = diagnosis.from_events([event(reason, message)])
    assert found is not None
    assert (found.category, found.fails_after) == (category, fails_after)
    assert found.detail == f"{message}."
    assert found.summary.endswith(".")
    assert found.resolution.endswith(".")


def test_the_latest_refusal_is_told() -> None:
    found = diagnosis.from_events(
        [
            event("FailedCreate", "exceeded quota: old", "2026-01-01T00:00:00Z"),
            event("FailedCreate", "exceeded quota: new", "2026-01-01T00:01:00Z"),
            event("Suspended", "Job suspended", "2026-01-01T00:02:00Z"),
        ]
    )
    assert found is not None
    assert found.detail == "exceeded quota: new."
    assert "quota" in found.resolution


def test_an_impossible_quota_names_the_resource() -> None:
    message = QUOTA.format(
        "limits.cpu=1,limits.memory=3Gi", "limits.cpu=0,limits.memory=0", "limits.cpu=1,limits.memory=2Gi"
    )
    found = diagnosis.from_events([event("FailedCreate", message)])
    assert found is not None
    assert "(limits.memory)" in found.summary


def test_events_in_a_series_are_as_late_as_their_last() -> None:
    late = {**event("FailedCreate", "late"), "series": {"lastObservedTime": "2026-01-01T02:00:00.000000Z"}}
    found = diagnosis.from_events([late, event("FailedCreate", "soon", "2026-01-01T01:00:00Z")])
    assert found is not None
    assert found.detail == "late."


def test_other_events_are_no_trouble() -> None:
    assert diagnosis.from_events([event("SuccessfulCreate", "Created pod: x")]) is None
    assert diagnosis.from_events([event("FailedScheduling", "0/3 nodes")]) is None
    assert diagnosis.from_events([{"reason": "FailedCreate"}, {}]) is None
    assert diagnosis.from_events([]) is None


@pytest.mark.parametrize(
    ("api_version", "kind", "extra", "category", "words"),
    [
        ("jobset.x-k8s.io/v1alpha2", "JobSet", {}, "NoPods", "the controller of JobSet (jobset.x-k8s.io)"),
        ("batch/v1", "Job", {}, "NoPods", "the controller of Job (batch)"),
        ("batch.volcano.sh/v1alpha1", "Job", {"status": {"state": {"phase": "Pending"}}}, "NoPods", "Pending"),
        ("batch/v1", "Job", {"spec": {"suspend": True}}, "Suspended", "is suspended"),
        ("example.com/v1", "Thing", {"status": {"conditions": [condition("Queued")]}}, "NoPods", "Queued"),
    ],
)
def test_a_workload_that_still_has_no_pods_says_what_is_known(
    api_version: str, kind: str, extra: dict[str, Any], category: str, words: str
) -> None:
    found = diagnosis.without_pods(Kinds().find(api_version, kind), {"metadata": {"name": "run-1"}, **extra})
    assert (found.category, found.fails_after) == (category, None)
    assert words in found.text
    assert f"The {kind} run-1" in found.summary
