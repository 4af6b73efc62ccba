"""A small manifest of every kind that the agent knows, with more than one role where the kind has roles."""

from __future__ import annotations

import copy
from typing import Any

from launch_agent.core import places
from launch_agent.core.kinds import Kind, Kinds, find_containers, find_templates

Body = dict[str, Any]

REFUSED = (
    ("batch/v1", "CronJob"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "ReplicationController"),
    ("v1", "ConfigMap"),
    ("ray.io/v1", "RayService"),
)
"""Kinds that are never launched: what runs on without an end of its own, makes others, or runs nothing."""


def template(name: str = "main", **container: Any) -> Body:
    """A pod template with the job's container and a helper beside it."""
    return {"spec": {"containers": [{"name": name, **container}, {"name": "helper", "image": "helper:1"}]}}


def _replicas(main: str, *roles: str) -> Body:
    return {role: {"replicas": 1, "template": template(main)} for role in roles}


_RAY = {
    "headGroupSpec": {"rayStartParams": {}, "template": template("ray-head")},
    "workerGroupSpecs": [
        {"groupName": "small", "replicas": 1, "rayStartParams": {}, "template": template("ray-worker")}
    ],
}

MANIFESTS: dict[tuple[str, str], Body] = {
    ("batch/v1", "Job"): {"template": template()},
    ("v1", "Pod"): template()["spec"],
    ("jobset.x-k8s.io/v1alpha2", "JobSet"): {
        "replicatedJobs": [
            {"name": "driver", "template": {"spec": {"template": template()}}},
            {"name": "workers", "replicas": 2, "template": {"spec": {"template": template()}}},
        ]
    },
    ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"): {
        "leaderWorkerTemplate": {"size": 2, "leaderTemplate": template(), "workerTemplate": template()}
    },
    ("kubeflow.org/v1", "PyTorchJob"): {"pytorchReplicaSpecs": _replicas("pytorch", "Worker", "Master")},
    ("kubeflow.org/v1", "TFJob"): {"tfReplicaSpecs": _replicas("tensorflow", "PS", "Worker", "Chief")},
    ("kubeflow.org/v1", "XGBoostJob"): {"xgbReplicaSpecs": _replicas("xgboost", "Worker", "Master")},
    ("kubeflow.org/v1", "PaddleJob"): {"paddleReplicaSpecs": _replicas("paddle", "Worker")},
    ("kubeflow.org/v1", "JAXJob"): {"jaxReplicaSpecs": _replicas("jax", "Worker")},
    ("kubeflow.org/v1", "MPIJob"): {"mpiReplicaSpecs": _replicas("mpi", "Worker", "Launcher")},
    ("kubeflow.org/v2beta1", "MPIJob"): {"mpiReplicaSpecs": _replicas("mpi", "Worker", "Launcher")},
    ("trainer.kubeflow.org/v1alpha1", "TrainJob"): {"runtimeRef": {"name": "torch"}, "trainer": {"numNodes": 2}},
    ("batch.volcano.sh/v1alpha1", "Job"): {
        "minAvailable": 1,
        "tasks": [
            {"name": "master", "replicas": 1, "template": template()},
            {"name": "worker", "replicas": 2, "template": template()},
        ],
    },
    ("ray.io/v1", "RayJob"): {"entrypoint": "python run.py", "rayClusterSpec": _RAY},
    ("ray.io/v1", "RayCluster"): _RAY,
    ("argoproj.io/v1alpha1", "Workflow"): {
        "entrypoint": "train",
        "templates": [
            {"name": "train", "container": {"image": "a:1"}},
            {"name": "report", "script": {"image": "b:1", "source": "print(1)"}},
        ],
    },
    ("sparkoperator.k8s.io/v1beta2", "SparkApplication"): {
        "type": "Python",
        "sparkVersion": "3.5.0",
        "mainApplicationFile": "local:///run.py",
        "driver": {"cores": 1},
        "executor": {"instances": 2},
    },
}
"""(apiVersion, kind) → its spec."""

LEADING: dict[tuple[str, str], str] = {
    ("batch/v1", "Job"): "spec.template",
    ("v1", "Pod"): "",
    ("jobset.x-k8s.io/v1alpha2", "JobSet"): "spec.replicatedJobs[0].template.spec.template",
    ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"): "spec.leaderWorkerTemplate.leaderTemplate",
    ("kubeflow.org/v1", "PyTorchJob"): "spec.pytorchReplicaSpecs.Master.template",
    ("kubeflow.org/v1", "TFJob"): "spec.tfReplicaSpecs.Chief.template",
    ("kubeflow.org/v1", "XGBoostJob"): "spec.xgbReplicaSpecs.Master.template",
    ("kubeflow.org/v1", "PaddleJob"): "spec.paddleReplicaSpecs.Worker.template",
    ("kubeflow.org/v1", "JAXJob"): "spec.jaxReplicaSpecs.Worker.template",
    ("kubeflow.org/v1", "MPIJob"): "spec.mpiReplicaSpecs.Launcher.template",
    ("kubeflow.org/v2beta1", "MPIJob"): "spec.mpiReplicaSpecs.Launcher.template",
    ("trainer.kubeflow.org/v1alpha1", "TrainJob"): "spec.trainer",
    ("batch.volcano.sh/v1alpha1", "Job"): "spec.tasks[0].template",
    ("ray.io/v1", "RayJob"): "spec.rayClusterSpec.headGroupSpec.template",
    ("ray.io/v1", "RayCluster"): "spec.headGroupSpec.template",
    ("argoproj.io/v1alpha1", "Workflow"): "spec.templates[0].container",
    ("sparkoperator.k8s.io/v1beta2", "SparkApplication"): "spec.driver",
}
"""(apiVersion, kind) → where the run's id belongs: a template, or a container in none."""


def manifest_of(api_version: str, kind: str, **spec: Any) -> Body:
    """The whole manifest; ``spec`` is laid over its spec."""
    body = copy.deepcopy(MANIFESTS[api_version, kind])
    return {"apiVersion": api_version, "kind": kind, "spec": {**body, **spec}}


def mains_of(body: Body, kinds: Kinds | None = None) -> dict[str, Body]:
    """The job's containers, which are the first ones here: place → container, the leading one first."""
    kind: Kind = (kinds or Kinds()).find(body["apiVersion"], body["kind"], body)
    found = {
        places.text(path): places.get(body, (*path, "spec", "containers", 0)) for path, _ in find_templates(kind, body)
    }
    return {**found, **{places.text(path): places.get(body, path) for path in find_containers(kind, body)}}
