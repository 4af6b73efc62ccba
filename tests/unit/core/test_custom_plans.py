"""What becomes of a queue's manifest, for every kind: variables, key, labels, image, command, names."""

from __future__ import annotations

from typing import Any

import pytest

from launch_agent.core import names, places
from launch_agent.core.kind_table import BUILT_IN
from launch_agent.core.kinds import Entry, Kinds, find_name_limit, find_templates, group_of
from launch_agent.core.marks import LEADING_ANNOTATION
from launch_agent.core.models import Plan
from launch_agent.errors import ItemError, SpecError
from tests.support.kind_manifests import LEADING, MANIFESTS, REFUSED, mains_of, manifest_of
from tests.support.specs import KEY, make_plan, make_spec

KINDS = Kinds()
EVERY = [pytest.param(*key, id=f"{group_of(key[0]) or 'core'}-{key[1]}-{key[0].split('/')[-1]}") for key in MANIFESTS]
TEMPLATED = [
    pytest.param(*key, id=f"{group_of(key[0]) or 'core'}-{key[1]}-{key[0].split('/')[-1]}")
    for key in MANIFESTS
    if KINDS.find(*key).templates
]


def plan(api_version: str, kind: str, spec: dict[str, Any] | None = None, **changes: Any) -> Plan:
    body = manifest_of(api_version, kind, **(spec or {}))
    if KINDS.find(api_version, kind).is_endless:
        body["max_runtime"] = 3600
    return make_plan(make_spec(body, **changes))


def mains(made: Plan) -> dict[str, dict[str, Any]]:
    return mains_of(dict(made.workload))


def env(container: dict[str, Any]) -> dict[str, Any]:
    entries = container.get("env") or []
    assert len({entry["name"] for entry in entries}) == len(entries), "a name stands twice"
    return {entry["name"]: entry.get("value", entry) for entry in entries}


def texts_of(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in texts_of(one)]
    if isinstance(value, (list, tuple)):
        return [text for one in value for text in texts_of(one)]
    return [value] if isinstance(value, str) else []


def test_there_is_a_manifest_of_every_kind_that_is_launched() -> None:
    known = {(group_of(api_version), kind) for api_version, kind in MANIFESTS}
    assert known == {(kind.group, kind.kind) for kind in BUILT_IN if not kind.refusal}


@pytest.mark.parametrize(("api_version", "kind"), EVERY)
def test_each_main_container_gets_the_run_s_variables_and_no_helper_does(api_version: str, kind: str) -> None:
    made = plan(api_version, kind)
    for container in mains(made).values():
        assert env(container)["WANDB_PROJECT"] == "vision"
    for path, _ in find_templates(KINDS.find(api_version, kind), made.workload):
        helper = places.get(made.workload, (*path, "spec", "containers", 1))
        assert helper.get("env", []) == []


@pytest.mark.parametrize(("api_version", "kind"), EVERY)
def test_the_leading_container_alone_gets_the_run_s_id(api_version: str, kind: str) -> None:
    found = {path: env(one).get("WANDB_RUN_ID") for path, one in mains(plan(api_version, kind)).items()}
    assert {path: run for path, run in found.items() if run is not None} == {LEADING[api_version, kind]: "run12345"}


@pytest.mark.parametrize(("api_version", "kind"), EVERY)
def test_the_key_is_a_reference_and_never_in_the_workload(api_version: str, kind: str) -> None:
    made = plan(api_version, kind)
    for container in mains(made).values():
        reference = env(container)["WANDB_API_KEY"]["valueFrom"]["secretKeyRef"]
        assert reference["name"] == made.secrets[0]["metadata"]["name"]
    assert not [text for text in texts_of(made.workload) if KEY in text]


@pytest.mark.parametrize(("api_version", "kind"), EVERY)
def test_the_object_and_each_template_carry_the_labels_that_find_them(api_version: str, kind: str) -> None:
    made = plan(api_version, kind)
    found = KINDS.find(api_version, kind)
    holders = [made.workload["metadata"]]
    holders += [places.get(made.workload, (*path, "metadata")) for path, _ in find_templates(found, made.workload)]
    for pattern in found.pod_metadata:
        single = places.path_of(pattern)
        holders.append(places.get(made.workload, single))
    for metadata in holders:
        labels = metadata["labels"]
        assert labels["wandb.ai/run-id"] == "run12345"
        assert labels["wandb.ai/monitor"] == "true"
        assert labels["launch-agent/item"] == names.item_label("item-1")


@pytest.mark.parametrize(("api_version", "kind"), EVERY)
def test_a_generated_name_fits_what_derives_from_it(api_version: str, kind: str) -> None:
    made = plan(api_version, kind, project="a-project-of-a-very-long-name-" * 3, entity="entity-" * 9)
    name = made.workload["metadata"]["name"]
    assert len(name) <= find_name_limit(KINDS.find(api_version, kind), made.workload)
    assert names.is_object_name(name)
    assert "generateName" not in made.workload["metadata"]


@pytest.mark.parametrize(("api_version", "kind"), EVERY)
def test_what_the_user_wrote_stays(api_version: str, kind: str) -> None:
    made = plan(api_version, kind, {"ourOwn": {"kept": [1, {"a": None}]}})
    if kind != "Pod":
        assert made.workload["spec"]["ourOwn"] == {"kept": [1, {"a": None}]}
    assert made.workload["apiVersion"] == api_version
    assert made.workload["kind"] == kind
    assert "max_runtime" not in made.workload


@pytest.mark.parametrize(("api_version", "kind"), TEMPLATED)
def test_the_image_goes_into_the_main_containers_that_have_none(api_version: str, kind: str) -> None:
    made = plan(api_version, kind)
    assert {container["image"] for container in mains(made).values()} == {"registry/train:1"}
    for path, _ in find_templates(KINDS.find(api_version, kind), made.workload):
        assert places.get(made.workload, (*path, "spec", "containers", 1, "image")) == "helper:1"


@pytest.mark.parametrize(("api_version", "kind"), EVERY)
def test_a_command_goes_where_the_kind_takes_it_or_is_refused(api_version: str, kind: str) -> None:
    found = KINDS.find(api_version, kind)
    overrides = {"entry_point": ["python", "train.py"], "args": ["--lr", "0.1"]}
    if found.entry is Entry.NOWHERE:
        with pytest.raises(ItemError) as caught:
            plan(api_version, kind, overrides=overrides)
        assert kind in str(caught.value)
        return
    made = plan(api_version, kind, overrides=overrides)
    given = {path: (one.get("command"), one.get("args")) for path, one in mains(made).items()}
    whole = (["python", "train.py"], ["--lr", "0.1"])
    if found.entry is Entry.TEXT:
        assert places.get(made.workload, places.path_of(found.entrypoint)) == "python train.py --lr 0.1"
        assert set(given.values()) == {(None, None)}
    elif found.entry is Entry.LEAD:
        assert {path for path, one in given.items() if one == whole} == {LEADING[api_version, kind]}
    else:
        assert [one for one in given.values() if one != whole] == []


@pytest.mark.parametrize(("api_version", "kind"), TEMPLATED)
def test_of_several_templates_the_leading_one_is_marked(api_version: str, kind: str) -> None:
    made = plan(api_version, kind)
    found = find_templates(KINDS.find(api_version, kind), made.workload)
    marks = [
        (places.get(made.workload, (*path, "metadata", "annotations"), {})).get(LEADING_ANNOTATION) for path, _ in found
    ]
    assert marks == (["true", *[None] * (len(found) - 1)] if len(found) > 1 else marks)


@pytest.mark.parametrize(
    ("api_version", "kind"), [("ray.io/v1", "RayCluster"), ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet")]
)
def test_a_kind_that_never_ends_needs_a_limit(api_version: str, kind: str) -> None:
    with pytest.raises(ItemError, match="max_runtime"):
        make_plan(make_spec(manifest_of(api_version, kind)))
    made = make_plan(make_spec({**manifest_of(api_version, kind), "max_runtime": "2h"}))
    assert made.max_runtime == 7200.0


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [*REFUSED, ("v1", "Secret")],
)
def test_kinds_that_are_not_launched_are_refused_by_name(api_version: str, kind: str) -> None:
    body = {"apiVersion": api_version, "kind": kind, "spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}}
    with pytest.raises(ItemError) as caught:
        make_plan(make_spec(body))
    assert kind in str(caught.value)


@pytest.mark.parametrize(("api_version", "kind"), TEMPLATED)
def test_containers_that_are_no_list_are_refused_with_their_path(api_version: str, kind: str) -> None:
    body = manifest_of(api_version, kind)
    if KINDS.find(api_version, kind).is_endless:
        body["max_runtime"] = 60
    for path, _ in find_templates(KINDS.find(api_version, kind), body):
        broken = places.put(body, (*path, "spec", "containers"), "none")
        with pytest.raises(SpecError) as caught:
            make_plan(make_spec(broken))
        assert places.text((*path, "spec", "containers")) in str(caught.value)


def test_an_unknown_kind_is_planned_by_its_shape() -> None:
    pod = {"spec": {"containers": [{"name": "a"}]}}
    body = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "spec": {"lead": {"template": pod}, "more": [pod, {"x": 1}]},
    }
    made = make_plan(make_spec(body))
    assert list(mains_of(dict(made.workload))) == ["spec.lead.template", "spec.more[0]"]
    assert env(mains(made)["spec.lead.template"])["WANDB_RUN_ID"] == "run12345"
    assert made.workload["spec"]["more"][1] == {"x": 1}
