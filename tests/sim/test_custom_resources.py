"""Every kind of custom resource: made by the agent, its operator's words written into its status, the item told.

The operators do not run here: what they would write is in `tests.support.kind_statuses` (real ones: tests/operators).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from launch_agent.core.models import JobState
from tests.support import crds, custom_kinds
from tests.support.backend import Json, image_spec, texts
from tests.support.cluster import Cluster
from tests.support.kind_manifests import manifest_of
from tests.support.kind_statuses import SEQUENCES, SUSPENDED, Step
from tests.support.place import IMAGE, PROJECT, Place
from tests.support.servers import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sim

Key = tuple[str, str]
ENDLESS = {"RayCluster", "LeaderWorkerSet"}
NATIVE = {("batch/v1", "Job"), ("v1", "Pod")}
ALL = [key for key in SEQUENCES if key not in NATIVE]
NAMES = {(version, "Job" if name == "VolcanoJob" else name): name for name, (version, _) in custom_kinds.KINDS.items()}
NAMES["kubeflow.org/v1", "MPIJob"] = "MPIJob"


def _definitions() -> Iterator[Json]:
    """One definition for each kind, with all versions that the agent may be given."""
    bodies: dict[str, Json] = {}
    for key in ALL:
        group, _, version = key[0].partition("/")
        plural = custom_kinds.KINDS[NAMES[key]][1]
        body = crds.define(group, version, key[1], plural, crds.an_object())
        first = bodies.setdefault(f"{plural}.{group}", body)
        if first is not body:
            first["spec"]["versions"] += [{**one, "storage": False} for one in body["spec"]["versions"]]
    yield from bodies.values()


@pytest.fixture(scope="module")
def shared(server: Server, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The kinds' definitions, and an agent that launches items of them."""
    for body in _definitions():
        cluster.ensure("CustomResourceDefinition", "", body)
    wait_until(lambda: all(cluster.serves(NAMES[key]) for key in ALL), 30, "all kinds to be served")
    own = Place(server, cluster, tmp_path_factory.mktemp("place"))
    own.start()
    yield own
    own.close()


def launch(place: Place, key: Key, **extra: object) -> tuple[str, str]:
    """An item of this kind: its id, and the name of the object that the agent makes of it."""
    spec = image_spec(place.backend.entity, PROJECT, IMAGE, **({"max_runtime": "10m"} if key[1] in ENDLESS else {}))
    spec |= {"resource_args": {"kubernetes": manifest_of(*key)}, **extra}
    item_id = place.backend.push(place.name, spec)
    item = wait_until(
        lambda: place.item(item_id),
        20,
        "the item to be claimed",
        until=lambda one: one["associatedRunId"] or one["error"],
    )
    assert not item["error"], item
    label = f"wandb.ai/run-id={item['associatedRunId']}"
    found = wait_until(lambda: place.cluster.find(NAMES[key], place.name, label), 20, f"the {key[1]}")
    return item_id, str(found[0]["metadata"]["name"])


def write(place: Place, key: Key, name: str, step: Step) -> None:
    """What the operator would write, and what somebody wrote into the spec before it."""
    if step.spec:
        place.cluster.patch(NAMES[key], place.name, name, {"spec": dict(step.spec)})
    status = dict.fromkeys(_KEYS) | dict(step.status)
    place.cluster.patch(NAMES[key], place.name, name, {"status": status}, subresource="status")


_KEYS = ("conditions", "phase", "state", "applicationState", "jobStatus", "jobDeploymentStatus", "replicaStatuses")


def _first(key: Key, state: JobState, category: str = "") -> Step | None:
    """The first moment without pods in which the object alone tells this state."""
    found = (step for step in SEQUENCES[key] if step.state is state and not step.is_deleted and step.status)
    fits = [step for step in found if step.category == category or state is JobState.FINISHED]
    return next((step for step in fits if not step.pods or state is JobState.FINISHED), None)


def _all_with(state: JobState, category: str = "") -> list[object]:
    return [pytest.param(key, step, id="-".join(key)) for key in ALL if (step := _first(key, state, category))]


@pytest.mark.parametrize(("key", "step"), _all_with(JobState.FINISHED))
def test_what_the_operator_calls_done_finishes_the_item(shared: Place, key: Key, step: Step) -> None:
    item_id, name = launch(shared, key)
    if running := _first(key, JobState.RUNNING):
        write(shared, key, name, running)
    run_id = shared.item(item_id)["associatedRunId"]
    shared.backend.start_run(PROJECT, run_id)
    shared.backend.end_run(PROJECT, run_id, 0)
    write(shared, key, name, step)
    item = shared.wait_for_item(item_id, "FINISHED")
    # A manifest whose images are its own is told that the item's is not used; nothing else is said.
    assert all("names the image" in warning["message"] for warning in item["warnings"]), texts(item)
    assert not item["error"]


@pytest.mark.parametrize(("key", "step"), _all_with(JobState.FAILED, "WorkloadFailed"))
def test_what_the_operator_calls_failed_fails_the_item_with_its_words(shared: Place, key: Key, step: Step) -> None:
    item_id, name = launch(shared, key)
    write(shared, key, name, step)
    item = shared.wait_for_item(item_id, "FAILED")
    message = item["error"]["message"]
    assert f"{key[1]} {name}" in message
    assert "failed" in message.lower()
    for words in _messages(step.status):
        assert words in message


@pytest.mark.parametrize(("key", "step"), _all_with(JobState.UNKNOWN, SUSPENDED))
def test_a_workload_that_is_held_back_waits_and_says_so(shared: Place, key: Key, step: Step) -> None:
    item_id, name = launch(shared, key)
    write(shared, key, name, step)
    told = wait_until(
        lambda: texts(shared.item(item_id)), 30, "the suspension on the item", until=lambda text: "suspended" in text
    )
    assert name in told
    assert shared.item(item_id)["state"] == "CLAIMED"
    shared.cluster.delete(NAMES[key], shared.name, name)


@pytest.mark.parametrize("key", [pytest.param(key, id=key[1]) for key in ALL if key[1] in ENDLESS])
def test_a_kind_that_never_ends_is_refused_without_a_time_and_ends_after_it(shared: Place, key: Key) -> None:
    spec = image_spec(shared.backend.entity, PROJECT, IMAGE)
    spec["resource_args"] = {"kubernetes": manifest_of(*key)}
    refused = shared.wait_for_item(shared.backend.push(shared.name, spec), "FAILED")
    assert "max_runtime" in refused["error"]["message"]
    assert refused["associatedRunId"] is None
    item_id, name = launch(shared, key, max_runtime="2s")
    shared.backend.start_run(PROJECT, shared.item(item_id)["associatedRunId"])
    wait_until(
        lambda: shared.cluster.get(NAMES[key], shared.name, name), 30, "it to be deleted", until=lambda one: one is None
    )
    shared.backend.end_run(PROJECT, shared.item(item_id)["associatedRunId"], 0)
    shared.wait_for_item(item_id, "FINISHED")


def _messages(status: object) -> Iterator[str]:
    """The operator's own words of the failure."""
    if isinstance(status, dict):
        if status.get("type", "Failed") == "Failed":
            yield from (str(status[key]) for key in ("message", "errorMessage") if status.get(key))
        for value in status.values():
            yield from _messages(value)
    elif isinstance(status, list):
        for value in status:
            yield from _messages(value)
