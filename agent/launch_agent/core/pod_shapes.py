"""The shapes of a batch/v1 Job and its pods, as far as the agent works on them (Kubernetes API reference)."""

from __future__ import annotations

from launch_agent.core.shapes import Each, Object, Texts, anything, boolean, natural, scalar, text

OBJECT = Object()

OBJECT_META = Object(
    {
        "name": text,
        "generateName": text,
        "namespace": text,
        "labels": Texts(),
        "annotations": Texts(),
        "finalizers": Each(text, "texts"),
        "ownerReferences": Each(OBJECT, "objects"),
    }
)

ENVIRONMENT_VARIABLE = Object({"name": text, "value": scalar, "valueFrom": OBJECT}, required=("name",))

SECURITY_CONTEXT = Object(
    {
        "allowPrivilegeEscalation": anything,  # core/strictness.py judges the values
        "capabilities": anything,
        "seccompProfile": anything,
        "privileged": anything,
    }
)

CONTAINER = Object(
    {
        "name": text,
        "image": text,
        "imagePullPolicy": text,
        "workingDir": text,
        "command": Each(scalar, "texts"),
        "args": Each(scalar, "texts"),
        "env": Each(ENVIRONMENT_VARIABLE, "objects with `name` and `value`"),
        "envFrom": Each(OBJECT, "objects"),
        "ports": Each(OBJECT, "objects"),
        "volumeMounts": Each(OBJECT, "objects"),
        "resources": Object({"requests": OBJECT, "limits": OBJECT}),
        "securityContext": SECURITY_CONTEXT,
    }
)

POD_SPEC = Object(
    {
        "containers": Each(CONTAINER, "container objects"),
        "initContainers": Each(CONTAINER, "container objects"),
        "restartPolicy": text,
        "serviceAccountName": text,
        "serviceAccount": text,
        "priorityClassName": text,
        "nodeName": text,
        "schedulerName": text,
        "runtimeClassName": text,
        "nodeSelector": Texts(),
        "volumes": Each(OBJECT, "objects"),
        "tolerations": Each(OBJECT, "objects"),
        "imagePullSecrets": Each(OBJECT, "objects with `name`"),
        "affinity": OBJECT,
        "securityContext": SECURITY_CONTEXT,
        "activeDeadlineSeconds": natural,
        "terminationGracePeriodSeconds": natural,
        "hostPID": boolean,
        "hostIPC": boolean,
        "hostNetwork": boolean,
        "hostUsers": boolean,
        "shareProcessNamespace": boolean,
        "automountServiceAccountToken": boolean,
    }
)

TEMPLATE = Object({"metadata": OBJECT_META, "spec": POD_SPEC})
"""A pod template, wherever its kind has one."""

NAMES = Object({"apiVersion": text, "kind": text})
"""What says the kind of an object."""

JOB = Object(
    {
        **NAMES.members,
        "metadata": OBJECT_META,
        "spec": Object(
            {
                "backoffLimit": natural,
                "ttlSecondsAfterFinished": natural,
                "activeDeadlineSeconds": natural,
                "completions": natural,
                "parallelism": natural,
                "completionMode": text,
                "suspend": boolean,
                "template": TEMPLATE,
            }
        ),
    }
)

POD = Object({**NAMES.members, **TEMPLATE.members})

ANY_KIND = Object({**NAMES.members, "metadata": OBJECT_META, "spec": OBJECT})
"""Other kinds: only what every object has is looked at. Their pod templates are read where the kind is known."""
