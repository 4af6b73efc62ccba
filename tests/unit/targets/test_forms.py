"""What is kept of watched objects is enough: the same is seen in it as in the objects whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from launch_agent.adapters.kubernetes.answers import Shape
from launch_agent.core.kinds import Kind, Kinds
from launch_agent.core.marks import AUXILIARY_LABEL, ITEM_LABEL, LEADING_ANNOTATION, MAIN_ANNOTATION
from launch_agent.core.observation import INDEXES, observe
from launch_agent.targets.kubernetes.forms import CUSTOM, JOB, POD, shape_of, trim
from launch_agent.targets.kubernetes.ownership import item_of
from tests.support.kind_statuses import SEQUENCES, Step, condition

Json = dict[str, Any]
KINDS = Kinds()
CASES = [
    pytest.param(*names, step, id=f"{names[0]}-{names[1]}-{number}")
    for names, steps in SEQUENCES.items()
    for number, step in enumerate(steps)
]
NOISE = {"managedFields": [{"manager": "kubelet", "fieldsV1": {"f:a": {}}}], "ownerReferences": [{"uid": "u"}]}


def keep(shape: Shape[Json], *bodies: Json) -> list[Json]:
    """As one list would have them."""
    keeper = shape.make_keep()
    return [keeper(shape.read(msgspec.Raw(json.dumps(body).encode()))) for body in bodies]


def assert_same(kind: Kind, shape: Shape[Json], body: Json, pods: Sequence[Json]) -> None:
    (kept,), trimmed = keep(shape, body), keep(POD, *pods)
    assert observe(kind, kept, trimmed, image_pull_grace=60.0) == observe(kind, body, pods, image_pull_grace=60.0)
    assert [item_of(one) for one in (kept, *trimmed)] == [item_of(one) for one in (body, *pods)]


# ── recorded lives, and mixtures of their parts ──


@pytest.mark.parametrize(("api_version", "kind", "step"), CASES)
def test_each_recorded_moment_is_understood_from_what_is_kept(api_version: str, kind: str, step: Step) -> None:
    assert_same(
        KINDS.find(api_version, kind), shape_of(api_version, kind), step.body(api_version, kind), list(step.pods)
    )


REASONS = ["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError", "CrashLoopBackOff", "PodInitializing"]
TEXTS = st.sampled_from(["", "why", "runAsNonRoot", "DisruptionTarget"])
MAYBE = st.none() | TEXTS
MOMENTS = st.sampled_from([None, "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"])
FLAGS = st.sampled_from(["True", "False", "Unknown"])


def some(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """An object with some of the members."""
    return st.fixed_dictionaries({}, optional=members)


STATES = some(
    waiting=some(reason=st.sampled_from(REASONS), message=TEXTS),
    running=st.just({"startedAt": "2026-01-01T00:00:00Z"}),
    terminated=some(
        exitCode=st.sampled_from([0, 1, 137]),
        reason=st.sampled_from(["Error", "OOMKilled", "StartError", "Completed"]),
        message=MAYBE,
        finishedAt=MOMENTS,
        containerID=TEXTS,
    ),
)
NAMES = st.sampled_from(["launch0", "helper", "main"])
CONTAINERS = st.lists(
    st.fixed_dictionaries({"name": NAMES}, optional={"image": MAYBE, "env": st.just([{"name": "A"}])}),
    max_size=3,
    unique_by=lambda one: str(one["name"]),
)
STATUSES = st.lists(
    st.fixed_dictionaries(
        {"name": NAMES},
        optional={"image": MAYBE, "state": STATES, "lastState": STATES, "imageID": TEXTS, "ready": st.booleans()},
    ),
    max_size=3,
    unique_by=lambda one: str(one["name"]),
)


def conditions(*names: str) -> st.SearchStrategy[Any]:
    one = st.fixed_dictionaries(
        {"type": st.sampled_from(names), "status": FLAGS},
        optional={"reason": MAYBE | st.sampled_from(FAILURES), "message": MAYBE, "lastTransitionTime": MOMENTS},
    )
    return st.none() | st.lists(one, max_size=3)


FAILURES = [
    "BackoffLimitExceeded", "DeadlineExceeded", "PodFailurePolicy", "SchedulingGated", "PreemptionByScheduler",
]  # fmt: skip
LABELS = st.dictionaries(
    st.sampled_from([ITEM_LABEL, AUXILIARY_LABEL, "job-role", "training.kubeflow.org/job-role", *INDEXES]),
    st.sampled_from(["0", "1", "master", "item-1"]),
)
ANNOTATIONS = st.dictionaries(
    st.sampled_from([MAIN_ANNOTATION, LEADING_ANNOTATION, "launch-agent/receipt", *INDEXES]),
    st.sampled_from(["true", "helper", "1"]),
)
METADATA = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b"]),
        "uid": st.sampled_from(["u1", "u2"]),
        **{k: st.just(NOISE[k]) for k in NOISE},
    },
    optional={
        "labels": st.none() | LABELS,
        "annotations": st.none() | ANNOTATIONS,
        "creationTimestamp": MOMENTS,
        "deletionTimestamp": MOMENTS,
    },
)
PODS = st.fixed_dictionaries(
    {"metadata": METADATA},
    optional={
        "spec": some(
            nodeName=st.just("n1"), containers=CONTAINERS, initContainers=st.none() | CONTAINERS, volumes=st.just([1])
        ),
        "status": some(
            phase=st.sampled_from(["Pending", "Running", "Succeeded", "Failed", "Unknown"]),
            reason=st.sampled_from(["Evicted", "DeadlineExceeded", "OutOfcpu"]),
            message=MAYBE,
            conditions=conditions("PodScheduled", "Ready", "DisruptionTarget"),
            containerStatuses=st.none() | STATUSES,
            initContainerStatuses=STATUSES,
            podIP=st.just("10.0.0.1"),
        ),
    },
)
JOBS = st.fixed_dictionaries(
    {"metadata": METADATA},
    optional={
        "spec": some(suspend=st.none() | st.booleans(), template=st.just({"spec": {}}), completions=st.just(1)),
        "status": some(
            conditions=conditions(
                "Complete", "SuccessCriteriaMet", "Failed", "FailureTarget", "Suspended", "QuotaReserved"
            ),
            ready=st.sampled_from([None, 0, 1]),
            succeeded=st.sampled_from([None, 0, 1]),
            active=st.just(1),
        ),
    },
)


@given(JOBS, st.lists(PODS, max_size=3))
def test_a_job_and_its_pods_look_the_same_in_what_is_kept(body: Json, pods: list[Json]) -> None:
    assert_same(KINDS.find("batch/v1", "Job"), JOB, body, pods)


@given(PODS)
def test_a_pod_that_is_a_workload_looks_the_same_in_what_is_kept(body: Json) -> None:
    assert_same(KINDS.find("v1", "Pod"), POD, body, [])


@given(st.lists(PODS, max_size=3))
def test_the_leading_pod_of_many_roles_is_the_same_in_what_is_kept(pods: list[Json]) -> None:
    body = {"metadata": {"name": "a", "uid": "u1"}, "status": {"conditions": [condition("Running")]}}
    assert_same(KINDS.find("kubeflow.org/v1", "PyTorchJob"), CUSTOM, body, pods)


# ── what is kept ──


def test_of_a_job_and_a_pod_only_what_is_judged_is_kept() -> None:
    job = {
        "metadata": {"name": "a", "labels": {"x": "y"}, "annotations": {"launch-agent/receipt": "long"}, **NOISE},
        "spec": {"suspend": True, "template": {"spec": {"containers": []}}},
        "status": {"ready": 1, "active": 1},
    }
    assert keep(JOB, job) == [
        {"metadata": {"name": "a", "labels": {"x": "y"}}, "spec": {"suspend": True}, "status": {"ready": 1}}
    ]
    pod = {"metadata": {}, "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i", "env": [1]}]}}
    assert keep(POD, pod)[0]["spec"] == {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]}


def test_equal_parts_of_a_list_are_kept_once() -> None:
    status = {"phase": "Running", "conditions": [{**condition("Ready"), "lastTransitionTime": "then"}]}
    later = {"phase": "Running", "conditions": [{**condition("Ready"), "lastTransitionTime": "later"}]}
    first, second = keep(
        POD, {"metadata": {"name": "a"}, "status": status}, {"metadata": {"name": "b"}, "status": later}
    )
    assert first["metadata"]["name"] == "a"
    assert second["metadata"]["name"] == "b"
    assert first["status"] is second["status"]


def test_an_object_that_is_not_of_its_kind_s_form_is_read_whole() -> None:
    odd = {"metadata": {"name": "a"}, "status": {"phase": "Failed", "conditions": "none"}}
    assert keep(POD, odd)[0]["status"] == odd["status"]


def test_of_a_custom_resource_the_small_values_of_its_spec_and_its_whole_status_are_kept() -> None:
    spec = {
        "suspend": True,
        "runPolicy": {"suspend": False, "schedulingPolicy": {"queue": "q", "deep": {"deeper": 1}}},
        "tasks": [{"big": 1}],
        "template": {"spec": {}},
    }
    status = {"conditions": [condition("Running")], "phase": "Running", "nodes": {"many": 1}}
    assert trim({"metadata": {"name": "a"}, "spec": spec, "status": status}) == {
        "metadata": {"name": "a"},
        "spec": {"suspend": True, "runPolicy": {"suspend": False, "schedulingPolicy": {"queue": "q"}}},
        "status": {"conditions": [condition("Running")], "phase": "Running"},
    }


def test_an_object_without_spec_and_status_is_no_trouble() -> None:
    nothing = {"metadata": None, "spec": None}
    assert trim(nothing) == {"metadata": {}, "spec": {}, "status": {}}
    assert keep(JOB, nothing) == [{"metadata": {}, "spec": {}, "status": {}}]
