"""The operators that `ci/operators` runs: programs, manifests of the same module, what is changed in them."""

import json
from dataclasses import dataclass, field
from typing import Any

from localcluster.binaries import pinned_version
from localcluster.network import REGISTRY

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """One Deployment and the program of ours that it runs.

    `path` is where its maker's image has the program (the manifests may rely on its entrypoint), `image` the name under
    which the manifests ask for that image, `changes` a JSON patch of the Deployment.
    """

    binary: str
    image: str
    deployment: str
    path: str = "/manager"
    changes: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator whose `module` is pinned in `ci/tools/<name>`; `manifests` is a path in that module.

    `left_out` are (kind, name) of objects that are not applied; `probe` is an object that is created in a dry-run until
    the webhooks answer; `helper` says that the operator puts containers of its own into the pods, `is_wide` that its
    webhooks judge other operators' objects too, `certificate` is (Secret, Service) of a key pair that it wants.
    """

    name: str
    about: str
    module: str
    manifests: str
    namespace: str
    parts: tuple[Part, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    probe: Json = field(default_factory=dict)
    helper: bool = False
    is_wide: bool = False
    certificate: tuple[str, str] | None = None

    @property
    def version(self) -> str:
        """The pinned version of its module."""
        return pinned_version(self.name, self.module)


HELPER = f"{REGISTRY}/operators/helper:1"
"""An image with a shell and `nslookup`, for the init containers that training-operator puts into workers."""

_RESOURCES = "/spec/template/spec/containers/0/resources"
_ARGUMENTS = "/spec/template/spec/containers/0/args"
# The makers ask for up to half a processor each; the test machine's two are for the jobs.
_SMALL: Json = {"op": "remove", "path": _RESOURCES}
# Stand-ins for Ray answer none of its probes and have no `ray` with which a worker waits for the head.
_NO_RAY: Json = {
    "op": "add",
    "path": "/spec/template/spec/containers/0/env",
    "value": [
        {"name": "ENABLE_PROBES_INJECTION", "value": "false"},
        {"name": "ENABLE_INIT_CONTAINER_INJECTION", "value": "false"},
    ],
}
_SCRATCH: Json = {"name": "klog-sock", "emptyDir": {}}
_CONTAINER: Json = {"name": "main", "image": "none"}
_TEMPLATE: Json = {"spec": {"restartPolicy": "Never", "containers": [_CONTAINER]}}


def _probe(version: str, kind: str, spec: Json) -> Json:
    metadata = {"name": "launch-agent-probe", "namespace": "default"}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _schemes() -> list[str]:
    """All kinds of training-operator but MPIJob v1: the MPI operator has the same CRD, at v2beta1."""
    kinds = ("tfjob", "pytorchjob", "xgboostjob", "paddlejob", "jaxjob")
    return [f"--enable-scheme={kind}" for kind in kinds]


_JOB_SET = Operator(
    "jobset",
    "JobSet (jobset.x-k8s.io)",
    "sigs.k8s.io/jobset",
    "config/default",
    "jobset-system",
    (
        Part(
            "jobset",
            "us-central1-docker.pkg.dev/k8s-staging-images/jobset/jobset",
            "jobset-controller-manager",
            changes=(_SMALL,),
        ),
    ),
    probe=_probe(
        "jobset.x-k8s.io/v1alpha2",
        "JobSet",
        {"replicatedJobs": [{"name": "one", "replicas": 1, "template": {"spec": {"template": _TEMPLATE}}}]},
    ),
)
_TRAINING = Operator(
    "training-operator",
    "Kubeflow's PyTorchJob, TFJob, XGBoostJob, PaddleJob, JAXJob (kubeflow.org/v1)",
    "github.com/kubeflow/training-operator",
    "manifests/overlays/standalone",
    "kubeflow",
    (
        Part(
            "training-operator",
            "kubeflow/training-operator",
            "training-operator",
            changes=(
                {"op": "add", "path": _ARGUMENTS, "value": [f"--pytorch-init-container-image={HELPER}", *_schemes()]},
            ),
        ),
    ),
    left_out=(("CustomResourceDefinition", "mpijobs.kubeflow.org"),),
    probe=_probe(
        "kubeflow.org/v1",
        "PyTorchJob",
        {
            "pytorchReplicaSpecs": {
                "Master": {"replicas": 1, "template": {"spec": {"containers": [{**_CONTAINER, "name": "pytorch"}]}}}
            }
        },
    ),
    helper=True,
)
_RAY = Operator(
    "kuberay",
    "KubeRay's RayJob, RayCluster, RayService (ray.io/v1)",
    "github.com/ray-project/kuberay/ray-operator",
    "config/default",
    "default",
    (Part("kuberay", "quay.io/kuberay/operator", "kuberay-operator", changes=(_SMALL, _NO_RAY)),),
)
_KUEUE = Operator(
    "kueue",
    "Kueue: quotas and queues for Jobs and custom resources (kueue.x-k8s.io)",
    "sigs.k8s.io/kueue",
    "config/default",
    "kueue-system",
    (
        Part(
            "kueue",
            "us-central1-docker.pkg.dev/k8s-staging-images/kueue/kueue",
            "kueue-controller-manager",
            changes=(_SMALL,),
        ),
    ),
    probe=_probe("batch/v1", "Job", {"template": _TEMPLATE}),
    is_wide=True,
)
_MPI = Operator(
    "mpi-operator",
    "MPIJob (kubeflow.org/v2beta1)",
    "github.com/kubeflow/mpi-operator",
    "manifests/overlays/standalone",
    "mpi-operator",
    (Part("mpi-operator", "mpioperator/mpi-operator", "mpi-operator", path="/opt/mpi-operator"),),
)
_PULL: Json = {"op": "replace", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": "IfNotPresent"}
_VOLCANO = Operator(
    "volcano",
    "Volcano's Job, its gang scheduler and queues (batch.volcano.sh)",
    "volcano.sh/volcano",
    "installer/volcano-development.yaml",
    "volcano-system",
    (
        Part(
            "volcano-webhook-manager", "docker.io/volcanosh/vc-webhook-manager", "volcano-admission", changes=(_PULL,)
        ),
        Part(
            "volcano-controller-manager",
            "docker.io/volcanosh/vc-controller-manager",
            "volcano-controllers",
            changes=(_PULL,),
        ),
        Part(
            "volcano-scheduler",
            "docker.io/volcanosh/vc-scheduler",
            "volcano-scheduler",
            # a folder of the machine, for its debug socket
            changes=(_PULL, {"op": "replace", "path": "/spec/template/spec/volumes/1", "value": _SCRATCH}),
        ),
    ),
    left_out=(("Job", "volcano-admission-init"),),
    probe=_probe(
        "batch.volcano.sh/v1alpha1",
        "Job",
        {"minAvailable": 1, "tasks": [{"name": "one", "replicas": 1, "template": _TEMPLATE}]},
    ),
    is_wide=True,
    certificate=("volcano-admission-secret", "volcano-admission-service"),
)
OPERATORS = {one.name: one for one in (_JOB_SET, _TRAINING, _RAY, _MPI, _KUEUE, _VOLCANO)}
"""By name, in the order they are applied: those whose webhooks judge everybody's objects come last."""


def overlay_of(operator: Operator, source: str) -> str:
    """The kustomization (JSON is YAML) that puts our images and changes over the manifests at `source`."""
    images = [
        {"name": part.image, "newName": image_of(part), "newTag": operator.version.removeprefix("v")}
        for part in operator.parts
    ]
    patches = [
        {"target": {"kind": "Deployment", "name": part.deployment}, "patch": json.dumps(part.changes)}
        for part in operator.parts
        if part.changes
    ]
    patches += [
        {"target": {"kind": kind, "name": name}, "patch": json.dumps(_removal(kind, name))}
        for kind, name in operator.left_out
    ]
    return json.dumps({"resources": [source], "images": images, "patches": patches}, indent=1)


def image_of(part: Part) -> str:
    """The repository of the part's image in the cluster's registry."""
    return f"{REGISTRY}/operators/{part.binary}"


def _removal(kind: str, name: str) -> Json:
    versions = {"CustomResourceDefinition": "apiextensions.k8s.io/v1", "Job": "batch/v1"}
    return {"$patch": "delete", "apiVersion": versions[kind], "kind": kind, "metadata": {"name": name}}
