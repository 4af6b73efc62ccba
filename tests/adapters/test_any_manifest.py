"""Whatever a queue's config says, a real API server takes what the agent makes of it, and nothing written is lost.

The strategies draw manifests that Kubernetes takes once they are completed; the last test puts a value of a wrong type
into one of them. Nothing is created: the API server only says whether it would.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import manifest
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import KeySecret, Manifest, Plan, QueueItem
from launch_agent.errors import ItemError, KubernetesInvalid, KubernetesMissing
from tests.support import live, losses
from tests.support.random_manifests import Json, bare_pods, job_sets, jobs, run_specs, services, unknown_kinds

pytestmark = pytest.mark.apiserver
NAMESPACE = live.name_namespace("any")
RUN_ID = "run12345"
CONTEXT = LaunchContext(
    base_url="https://api.example.org",
    entity="team",
    agent_name="agent-7",
    installation="launch-agent.wandb",
    default_namespace=NAMESPACE,
    key_secret=KeySecret("wandb-api-key-launch-agent"),
)
BOUNDED = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
    print_blob=False,
)


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """The API server, with a namespace in which pods are admitted and the kinds that the strategies use."""
    with live.open_client() as one, live.open_namespace(one, NAMESPACE, admits_pods=True):
        live.define_kinds(one, ("jobset.x-k8s.io/v1alpha2", "JobSet"), ("example.com/v1", "Training"))
        yield one


def refuse(client: Client, body: Manifest) -> str:
    """ "told" where the API server refuses it and says what it refuses, the empty text where it takes it."""
    try:
        client.try_create(body)
    except (KubernetesInvalid, KubernetesMissing) as error:
        return "told" if error.detail or error.summary else "refused without a word"
    return ""


def make_plan(run_spec: Json) -> Plan | ItemError:
    """What the agent makes of it, under an owner's policy that lets everything pass; or why it does not."""
    item = QueueItem("item-1", "gpu", run_spec)
    try:
        return manifest.plan(item, specs.parse(run_spec), RUN_ID, CONTEXT, api_key=None)
    except ItemError as error:
        return error


def check(client: Client, run_spec: Json) -> None:
    """The property. A name that no object can have is the one thing that these strategies draw to be refused."""
    before = copy.deepcopy(run_spec)
    plan = make_plan(run_spec)
    assert run_spec == before, "the run spec was changed in place"
    if isinstance(plan, ItemError):
        assert "metadata.name" in str(plan) or "metadata.generateName" in str(plan), str(plan)
        return
    for body in plan.objects:
        note(str(body))
        client.try_create(body)
    assert losses.find(run_spec, plan.workload, RUN_ID) == []
    again = make_plan(run_spec)
    assert isinstance(again, Plan)
    assert again.objects == plan.objects


@settings(BOUNDED, max_examples=120)
@given(run_spec=run_specs(jobs()))
def test_any_job_is_taken_by_the_api_server_and_nothing_of_it_is_lost(client: Client, run_spec: Json) -> None:
    check(client, run_spec)


@settings(BOUNDED, max_examples=40)
@given(run_spec=run_specs(bare_pods()))
def test_any_pod_is_taken_by_the_api_server_and_nothing_of_it_is_lost(client: Client, run_spec: Json) -> None:
    check(client, run_spec)


@settings(BOUNDED, max_examples=40)
@given(run_spec=run_specs(job_sets()))
def test_any_job_set_is_taken_by_the_api_server_and_nothing_of_it_is_lost(client: Client, run_spec: Json) -> None:
    check(client, run_spec)


@settings(BOUNDED, max_examples=40)
@given(run_spec=run_specs(unknown_kinds()))
def test_any_unknown_kind_is_taken_by_the_api_server_and_nothing_of_it_is_lost(client: Client, run_spec: Json) -> None:
    check(client, run_spec)


@settings(BOUNDED, max_examples=40)
@given(run_spec=run_specs(st.just({})), additional=services())
def test_any_services_are_taken_by_the_api_server_and_nothing_of_them_is_lost(
    client: Client, run_spec: Json, additional: list[Json]
) -> None:
    plan = make_plan({**run_spec, "additional_services": additional})
    assert isinstance(plan, Plan), plan
    assert [body["kind"] for body in plan.services] == [one["config"]["kind"] for one in additional]
    for one, body in zip(additional, plan.services, strict=True):
        note(str(body))
        client.try_create(body)
        as_manifest = {**run_spec, "resource_args": {"kubernetes": one["config"]}, "overrides": {}}
        assert losses.find(as_manifest, body, RUN_ID) == []


JUNK = st.sampled_from(["x", "", 7, -1, 1.5, True, [], ["x"], [None], {}, {"x": "y"}, "é" * 300, None])


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The paths of all values below, objects and lists too."""
    if path:
        yield path
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in steps:
        yield from leaves(one, (*path, key))


@settings(BOUNDED, max_examples=120)
@given(data=st.data())
def test_a_broken_value_is_refused_with_a_path_or_taken(client: Client, data: st.DataObject) -> None:
    run_spec = copy.deepcopy(data.draw(run_specs(st.one_of(jobs(), bare_pods(), job_sets()))))
    config = run_spec["resource_args"]["kubernetes"]
    places = sorted(leaves(config), key=str)
    if not places:
        return
    path = data.draw(st.sampled_from(places))
    target = config
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = data.draw(JUNK)
    plan = make_plan(run_spec)
    note(f"{path} = {target[path[-1]]!r}")
    if isinstance(plan, ItemError):
        assert "resource_args.kubernetes" in str(plan), str(plan)
        return
    for body in plan.objects:
        assert refuse(client, body) in {"", "told"}
