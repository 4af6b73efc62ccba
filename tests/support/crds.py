"""Custom resource definitions for tests: the kinds' real names, with schemas that check the places that matter."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "integer", "format": "int32"}
ANY: Json = {"x-kubernetes-preserve-unknown-fields": True}


def an_object(required: tuple[str, ...] = (), /, **properties: Json) -> Json:
    """An object; fields that are not named pass."""
    made = {"type": "object", "properties": properties, "x-kubernetes-preserve-unknown-fields": True}
    return {**made, "required": list(required)} if required else made


def a_list(items: Json, **more: Any) -> Json:
    return {"type": "array", "items": items, **more}


VARIABLE = an_object(("name",), name=TEXT, value=TEXT, valueFrom=an_object())
CONTAINER = an_object(
    ("name",),
    name={**TEXT, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
    image=TEXT,
    command=a_list(TEXT),
    args=a_list(TEXT),
    env=a_list(VARIABLE, **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}),
    envFrom=a_list(an_object()),
    volumeMounts=a_list(an_object(("name", "mountPath"), name=TEXT, mountPath=TEXT)),
    resources=an_object(),
    securityContext=an_object(allowPrivilegeEscalation={"type": "boolean"}, capabilities=an_object()),
    tty={"type": "boolean"},
)
CONTAINERS = a_list(CONTAINER, **{"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]})
TEXTS: Json = {"type": "object", "additionalProperties": TEXT}
TEMPLATE = an_object(
    metadata=an_object(labels=TEXTS, annotations=TEXTS),
    spec=an_object(("containers",), containers=CONTAINERS, initContainers=CONTAINERS, restartPolicy=TEXT),
)


def define(group: str, version: str, kind: str, plural: str, spec: Json) -> Json:
    """The definition of a namespaced kind with a status."""
    schema = {"type": "object", "properties": {"spec": spec, "status": an_object()}}
    versions = [
        {
            "name": version,
            "served": True,
            "storage": True,
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}},
        }
    ]
    names = {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {"group": group, "scope": "Namespaced", "names": names, "versions": versions},
    }


_JOB = an_object(("template",), template=TEMPLATE, backoffLimit=NUMBER, parallelism=NUMBER)
_REPLICATED = an_object(
    ("name", "template"), name=TEXT, replicas=NUMBER, template=an_object(metadata=an_object(labels=TEXTS), spec=_JOB)
)
JOB_SET = define(
    "jobset.x-k8s.io",
    "v1alpha2",
    "JobSet",
    "jobsets",
    an_object(
        replicatedJobs=a_list(_REPLICATED),
        suspend={"type": "boolean"},
        ttlSecondsAfterFinished={**NUMBER, "minimum": 0},
    ),
)
_ROLE = an_object(replicas=NUMBER, restartPolicy=TEXT, template=TEMPLATE)
PYTORCH_JOB = define(
    "kubeflow.org",
    "v1",
    "PyTorchJob",
    "pytorchjobs",
    an_object(
        ("pytorchReplicaSpecs",),
        pytorchReplicaSpecs={"type": "object", "additionalProperties": _ROLE},
        runPolicy=an_object(),
    ),
)
RAY_CLUSTER = define(
    "ray.io",
    "v1",
    "RayCluster",
    "rayclusters",
    an_object(
        headGroupSpec=an_object(("rayStartParams",), rayStartParams=TEXTS, template=TEMPLATE),
        workerGroupSpecs=a_list(an_object(template=TEMPLATE)),
    ),
)
TRAINING = define(
    "example.com",
    "v1",
    "Training",
    "trainings",
    an_object(leader=TEMPLATE, groups={"type": "object", "additionalProperties": an_object(pod=TEMPLATE)}, mode=TEXT),
)
CRDS = (JOB_SET, PYTORCH_JOB, RAY_CLUSTER, TRAINING)
