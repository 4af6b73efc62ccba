"""Who an object is: its defaults, its name and namespace, its labels and annotations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launch_agent.core import marks, names, places, pod_shapes
from launch_agent.core.kinds import find_name_limit
from launch_agent.core.merging import merge
from launch_agent.core.models import MANIFEST_PATH
from launch_agent.core.shapes import Object, mismatch
from launch_agent.core.transforms.facts import Body, Facts
from launch_agent.core.transforms.roles import find_way, list_roles, list_templates, show
from launch_agent.errors import SpecError

JOB_DEFAULTS: Mapping[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {},
    "spec": {"backoffLimit": 0, "template": {"metadata": {}, "spec": {"restartPolicy": "Never"}}},
}
POD_DEFAULTS: Mapping[str, Any] = {"metadata": {}, "spec": {"restartPolicy": "Never"}}
FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
"""The fields that a Job has at its top."""

MISPLACED: Mapping[str, str] = {
    "backOffLimit": "spec.backoffLimit",
    "`backOffLimit`": "spec.backoffLimit",
    "backoffLimit": "spec.backoffLimit",
    "ttlSecondsAfterFinished": "spec.ttlSecondsAfterFinished",
    "securityContext": "spec.template.spec.containers[].securityContext",
}
"""Fields that W&B's documentation shows in a Job's ``spec.template``, and where Kubernetes has them."""


def fill_defaults(body: Body, facts: Facts) -> Body:
    """Lay a Job's or Pod's manifest over W&B's defaults; other kinds have none. A Job keeps only its own fields."""
    if facts.kind.is_job:
        return _fill_job(body)
    if facts.kind.is_pod:
        return _with_container(merge(POD_DEFAULTS, body), ())
    if facts.kind.templates or not facts.kind.containers:
        return merge({"metadata": {}}, body)
    place = facts.kind.containers[0]
    missing = None if places.find(body, place) else find_way(body, place)
    return merge({"metadata": {}}, body if missing is None else places.put(body, missing, {}))


def _fill_job(body: Body) -> Body:
    result = merge(JOB_DEFAULTS, {key: value for key, value in body.items() if key in FIELDS})
    result["apiVersion"] = JOB_DEFAULTS["apiVersion"]
    template = {key: value for key, value in result["spec"]["template"].items() if key not in MISPLACED}
    kept = {key: value for key, value in result["spec"].items() if key != "backOffLimit"}
    return _with_container({**result, "spec": {**kept, "template": template}}, ("spec", "template"))


def _with_container(body: Body, path: places.Path) -> Body:
    place = (*path, "spec", "containers")
    return body if places.get(body, place) else places.put(body, place, [{}])


def read_templates(body: Body, facts: Facts) -> Body:
    """Hold every pod template to a pod's shape. SpecError with the path of what has the wrong type or is missing."""
    _check_places(body, facts)
    for role in list_roles(body, facts.kind):
        shape = pod_shapes.TEMPLATE if role.is_template else pod_shapes.CONTAINER
        template = shape(places.get(body, role.path), show(role.path))
        if role.is_template and not (template.get("spec") or {}).get("containers"):
            raise SpecError(
                f"{show(role.path)}.spec.containers",
                "is missing: a pod has at least one container.",
                resolution="Add the job's container there.",
            )
        body = places.put(body, role.path, template)
    if facts.kind.pod_spec:
        path = places.path_of(facts.kind.pod_spec)
        body = places.put(body, path, _SHARED(places.get(body, path, {}), show(path)))
    if not list_roles(body, facts.kind) and (facts.kind.templates or facts.kind.containers):
        wanted = facts.kind.templates[0].path if facts.kind.templates else facts.kind.containers[0]
        raise SpecError(
            f"{MANIFEST_PATH}.{wanted}",
            f"is missing: a {facts.kind.kind} without it starts no container that could be the job's.",
            resolution="Add it to the queue's config.",
        )
    return body


_SHARED = Object({field: pod_shapes.POD_SPEC.members[field] for field in ("imagePullSecrets", "securityContext")})
"""What transforms read of the part that all pods of a kind share (`Kind.pod_spec`)."""


def _check_places(body: Body, facts: Facts) -> None:
    kind = facts.kind
    for pattern in (*(template.path for template in kind.templates), *kind.containers, *kind.pod_metadata):
        for path, value in places.find(body, pattern):
            if not isinstance(value, Mapping):
                raise mismatch(show(path), "an object", value)


def name_containers(body: Body, facts: Facts) -> Body:
    """Give each container without a name the one that the operator wants, ``launch<position>``, or the next free."""
    for role in list_templates(body, facts.kind):
        path = (*role.path, "spec", "containers")
        pod = places.get(body, (*role.path, "spec"), {})
        taken = {one.get("name") for field in ("containers", "initContainers") for one in pod.get(field) or ()}
        body = places.put(body, path, _name(places.get(body, path, []), taken, role.main))
    return body


def _name(containers: list[Body], taken: set[Any], wanted: str) -> list[Body]:
    result = []
    number = 0
    for index, container in enumerate(containers):
        if container.get("name"):
            result.append(container)
            continue
        number = max(number, index)
        while f"launch{number}" in taken:
            number += 1
        name = wanted if wanted and wanted not in taken else f"launch{number}"
        taken.add(name)
        result.append({"name": name, **{key: value for key, value in container.items() if key != "name"}})
    return result


def set_name(body: Body, facts: Facts) -> Body:
    """Name and namespace: the user's, or the name that the item's id gives. ``generateName`` is never sent."""
    given = body["metadata"]
    if name := given.get("name"):
        name = names.check_name(name, f"{MANIFEST_PATH}.metadata.name")
    else:
        spec, prefix = facts.spec, given.get("generateName") or ""
        name = names.object_name(
            facts.item.id, spec.entity, spec.project, prefix, limit=find_name_limit(facts.kind, body)
        )
    rest = {key: value for key, value in given.items() if key not in {"name", "generateName", "namespace"}}
    return {**body, "metadata": {"name": name, "namespace": find_namespace(body, facts), **rest}}


def find_namespace(body: Mapping[str, Any], facts: Facts) -> str:
    """``metadata.namespace``, else the key ``namespace`` beside the manifest, else the agent's default."""
    if name := body["metadata"].get("namespace"):
        return names.check_namespace(name, f"{MANIFEST_PATH}.metadata.namespace")
    if name := facts.spec.agent_args.get("namespace"):
        return names.check_namespace(name, f"{MANIFEST_PATH}.namespace")
    return facts.context.default_namespace


def mark(body: Body, facts: Facts) -> Body:
    """Put W&B's labels and ours on the object and on its pods, and the item's facts into annotations of the object."""
    labels = make_labels(facts)
    main = places.get(body, ("metadata", "annotations", marks.MAIN_ANNOTATION))
    roles = list_templates(body, facts.kind)
    for role in roles:
        annotations = {marks.LEADING_ANNOTATION: "true"} if role.leads and len(roles) > 1 else {}
        if main is not None and role.path and _has_container(body, role.path, main):
            annotations = {marks.MAIN_ANNOTATION: main, **annotations}
        body = _with_metadata(body, (*role.path, "metadata"), labels=labels, annotations=annotations)
    for pattern in facts.kind.pod_metadata:
        for path, _ in places.find(body, pattern):
            body = _with_metadata(body, path, labels=labels)
        if not places.find(body, pattern) and (way := find_way(body, pattern)) is not None:
            body = _with_metadata(body, way, labels=labels)
    annotations = {
        marks.ITEM_ANNOTATION: facts.item.id,
        marks.QUEUE_ANNOTATION: facts.item.queue,
        marks.RUN_ANNOTATION: f"{facts.spec.entity}/{facts.spec.project}/{facts.run_id}",
    }
    return _with_metadata(body, ("metadata",), labels=labels, annotations=annotations)


def _has_container(body: Body, path: places.Path, name: object) -> bool:
    return any(one.get("name") == name for one in places.get(body, (*path, "spec", "containers"), ()))


def make_labels(facts: Facts) -> dict[str, str]:
    """The labels that an object and its pods share."""
    return {
        marks.RUN_LABEL: names.label_value(facts.run_id),
        marks.MONITOR_LABEL: "true",
        marks.AGENT_LABEL: names.label_value(facts.context.agent_name),
        marks.INSTALLATION_LABEL: names.label_value(facts.context.installation),
        marks.ITEM_LABEL: names.item_label(facts.item.id),
        **({marks.SHARD_LABEL: str(facts.context.shard)} if facts.context.shard else {}),
    }


def _with_metadata(body: Body, path: places.Path, **changes: Mapping[str, str]) -> Body:
    """Labels or annotations laid over those that are there; nothing is added where there is nothing to add."""
    for field, values in changes.items():
        if values:
            given = places.get(body, (*path, field), {})
            if not isinstance(given, Mapping):
                raise mismatch(show((*path, field)), "an object of texts", given)
            body = places.put(body, (*path, field), {**given, **values})
    return body
