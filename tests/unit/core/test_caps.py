"""How much an item asks for, counted."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from launch_agent.core import caps
from launch_agent.core.policy import Caps
from launch_agent.errors import SpecError

ALL = Caps(Decimal(1), Decimal(1), Decimal(1))


def limits(**values: Any) -> dict[str, Any]:
    return {"resources": {"limits": {key.replace("gpu", "nvidia.com/gpu"): value for key, value in values.items()}}}


def pod(containers: list[Any], **fields: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": containers, **fields}}}}


TEMPLATE = ("spec", "template")


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (pod([limits(cpu="500m")]), {"cpu": "0.5"}),
        (pod([limits(cpu=2)]), {"cpu": "2"}),
        (pod([limits(cpu="1e3")]), {"cpu": "1000"}),
        (pod([limits(cpu="2k")]), {"cpu": "2000"}),
        (pod([limits(cpu=0.5), limits(cpu="250m")]), {"cpu": "0.75"}),
        (pod([limits(memory="1Gi")]), {"memory": "1073741824"}),
        (pod([limits(memory="1G")]), {"memory": "1000000000"}),
        (pod([limits(gpu=2), limits(gpu="1")]), {"gpu": "3"}),
        (pod([{}]), {"gpu": "0"}),
        (pod([{"resources": {"limits": {"nvidia.com/mig-1g.5gb": 2, "amd.com/gpu": 1}}}]), {"gpu": "3"}),
        (pod([{"resources": {"limits": {"nvidia.com/gpu.shared": 4, "example.com/nic": 9}}}]), {"gpu": "4"}),
        (pod([{"resources": {"limits": {"cpu": 1}, "requests": {"cpu": 3}}}]), {"cpu": "3"}),
        # one init container after the other, the others together
        (pod([limits(cpu=1)], initContainers=[limits(cpu=4), limits(cpu=3)]), {"cpu": "4"}),
        (pod([limits(cpu=3), limits(cpu=3)], initContainers=[limits(cpu=4)]), {"cpu": "6"}),
        # sidecars go on
        (pod([limits(cpu=1)], initContainers=[{**limits(cpu=2), "restartPolicy": "Always"}]), {"cpu": "3"}),
        (
            pod([limits(cpu=1)], initContainers=[{**limits(cpu=2), "restartPolicy": "Always"}, limits(cpu=5)]),
            {"cpu": "7"},
        ),
        # the pod's own limits stand for all containers
        (pod([{}], **limits(cpu=8)), {"cpu": "8"}),
    ],
)
def test_what_a_pod_takes_at_most(body: dict[str, Any], wanted: dict[str, str]) -> None:
    only = Caps(**{name: Decimal(1) for name in wanted})
    (found,) = caps.count(body, (TEMPLATE,), only, "x")
    assert found.amounts == {name: Decimal(value) for name, value in wanted.items()}


def nested(*steps: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {"spec": {"containers": [{}]}}
    for key, fields in reversed(steps):
        body = {key: body, **fields}
    return body


@pytest.mark.parametrize(
    ("body", "path", "count"),
    [
        (pod([{}]), TEMPLATE, 1),
        ({"spec": {**pod([{}])["spec"], "parallelism": 4}}, TEMPLATE, 4),
        ({"spec": {**pod([{}])["spec"], "parallelism": 4, "completions": 2}}, TEMPLATE, 2),
        ({"spec": {**pod([{}])["spec"], "parallelism": 0}}, TEMPLATE, 0),
        (
            {"spec": {"tasks": [{"replicas": 3, "template": {"spec": {"containers": []}}}]}},
            ("spec", "tasks", 0, "template"),
            3,
        ),
        (
            nested(("spec", {}), ("pytorchReplicaSpecs", {}), ("Worker", {}), ("template", {"replicas": 5})),
            ("spec", "pytorchReplicaSpecs", "Worker", "template"),
            5,
        ),
        (
            nested(
                ("spec", {}),
                ("pytorchReplicaSpecs", {"elasticPolicy": {"maxReplicas": 9}}),
                ("Worker", {}),
                ("template", {"replicas": 5}),
            ),
            ("spec", "pytorchReplicaSpecs", "Worker", "template"),
            9,
        ),
        (
            {
                "spec": {
                    "replicatedJobs": [
                        {
                            "replicas": 2,
                            "template": {"spec": {"parallelism": 4, "template": {"spec": {"containers": []}}}},
                        }
                    ]
                }
            },
            ("spec", "replicatedJobs", 0, "template", "spec", "template"),
            8,
        ),
        (
            {
                "spec": {
                    "workerGroupSpecs": [{"replicas": 2, "maxReplicas": 6, "numOfHosts": 2, "template": {"spec": {}}}]
                }
            },
            ("spec", "workerGroupSpecs", 0, "template"),
            12,
        ),
        (
            {"spec": {"replicas": 3, "leaderWorkerTemplate": {"size": 4, "workerTemplate": {"spec": {}}}}},
            ("spec", "leaderWorkerTemplate", "workerTemplate"),
            12,
        ),
        (
            {
                "spec": {
                    "replicas": 3,
                    "leaderWorkerTemplate": {"size": 4, "leaderTemplate": {"spec": {}}, "workerTemplate": {"spec": {}}},
                }
            },
            ("spec", "leaderWorkerTemplate", "workerTemplate"),
            9,
        ),
        (
            {
                "spec": {
                    "replicas": 3,
                    "leaderWorkerTemplate": {"size": 4, "leaderTemplate": {"spec": {}}, "workerTemplate": {"spec": {}}},
                }
            },
            ("spec", "leaderWorkerTemplate", "leaderTemplate"),
            3,
        ),
        (
            {"spec": {"trainer": {"numNodes": 4, "resourcesPerNode": {"limits": {"nvidia.com/gpu": 8}}}}},
            ("spec", "trainer"),
            4,
        ),
    ],
)
def test_how_many_pods_a_template_makes(body: dict[str, Any], path: tuple[str | int, ...], count: int) -> None:
    (found,) = caps.count(body, (path,), Caps(gpu=Decimal(1)), "x")
    assert found.count == count


def test_a_trainer_s_resources_are_those_of_each_node() -> None:
    body = {"spec": {"trainer": {"numNodes": 4, "resourcesPerNode": {"limits": {"nvidia.com/gpu": 8}}}}}
    (found,) = caps.count(body, (("spec", "trainer"),), Caps(gpu=Decimal(1)), "x")
    assert found.amounts == {"gpu": Decimal(8)}


def test_a_group_that_grows_without_limit_can_not_be_counted() -> None:
    body = {"spec": {"enableInTreeAutoscaling": True, "workerGroupSpecs": [{"replicas": 1, "template": {"spec": {}}}]}}
    with pytest.raises(caps.Uncounted) as caught:
        caps.count(body, (("spec", "workerGroupSpecs", 0, "template"),), Caps(gpu=Decimal(1)), "x")
    assert caught.value.path == ("spec", "workerGroupSpecs", 0, "maxReplicas")


@pytest.mark.parametrize("name", ["cpu", "memory"])
def test_a_container_without_a_limit_can_not_be_counted(name: str) -> None:
    with pytest.raises(caps.Uncounted):
        caps.count(pod([{"resources": {"requests": {name: 1}}}]), (TEMPLATE,), Caps(**{name: Decimal(1)}), "x")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (pod([limits(cpu="many")]), "x.spec.template.spec.containers[0].resources.limits.cpu"),
        (pod([limits(cpu=True)]), "x.spec.template.spec.containers[0].resources.limits.cpu"),
        (pod([limits(cpu="-1")]), "x.spec.template.spec.containers[0].resources.limits.cpu"),
        ({"spec": {**pod([limits(cpu=1)])["spec"], "parallelism": "4"}}, "x.spec.parallelism"),
        ({"spec": {**pod([limits(cpu=1)])["spec"], "parallelism": -4}}, "x.spec.parallelism"),
        ({"spec": {**pod([limits(cpu=1)])["spec"], "replicas": 1.5}}, "x.spec.replicas"),
    ],
)
def test_what_is_no_number_is_malformed(body: dict[str, Any], path: str) -> None:
    with pytest.raises(SpecError) as caught:
        caps.count(body, (TEMPLATE,), Caps(cpu=Decimal(1)), "x")
    assert caught.value.path == path


@pytest.mark.parametrize(
    "body",
    [
        {"spec": {"template": "text"}},
        {"spec": {"template": {"spec": "text"}}},
        {"spec": {"template": {"spec": {"containers": "text", "resources": "text"}}}},
        {"spec": {"template": {"spec": {"containers": ["text"], "initContainers": {"a": 1}}}}},
        {"spec": {"template": {"spec": {"containers": [{"resources": "text"}]}}}},
        {"spec": {"elasticPolicy": "text", "template": {"spec": {"containers": [{"resources": {"limits": []}}]}}}},
    ],
)
def test_strange_shapes_are_no_tracebacks(body: dict[str, Any]) -> None:
    (found,) = caps.count(body, (TEMPLATE,), Caps(gpu=Decimal(1)), "x")
    assert found.amounts == {"gpu": Decimal(0)}
