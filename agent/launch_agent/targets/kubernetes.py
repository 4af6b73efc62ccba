"""The Kubernetes target: batch/v1 Jobs, seen through one watch per (kind, namespace)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import diagnosis, names, observation, status
from launch_agent.core.events import Event, Observed, Vanished
from launch_agent.core.kinds import Kinds
from launch_agent.core.models import JobState, Manifest, ObjectRef, Observation, Plan, Resource
from launch_agent.errors import (
    KubernetesConflict,
    KubernetesDenied,
    KubernetesMissing,
    KubernetesUnavailable,
    RefusedError,
)
from launch_agent.targets.base import Notice, Post

ITEM_LABEL = "launch-agent/item"
ITEM_ANNOTATION = "launch-agent/item-id"
WATCHED = (("batch/v1", "Job"), ("v1", "Pod"))
JOB = Kinds().find("batch/v1", "Job")
REASON_IN_A_POD = frozenset({JobState.FAILED, JobState.PREEMPTED})
TAIL_LINES = 50
TAIL_BYTES = 16_384

Watch = Callable[[str, str, str], None]
"""See to it that (apiVersion, kind, namespace) is watched; asking twice is asking once."""


class Picture:
    """The followed objects of all namespaces, trimmed to what is judged. Owned by one thread."""

    def __init__(self) -> None:
        self.jobs: dict[tuple[str, str], Manifest] = {}
        self.pods: dict[tuple[str, str], dict[str, Manifest]] = {}

    def clear(self, kind: str, namespace: str) -> None:
        """Forget all of one kind in one namespace, before a complete list of it is put in."""
        store: dict[tuple[str, str], Any] = self.jobs if kind == "Job" else self.pods
        for key in [key for key in store if key[0] == namespace]:
            del store[key]

    def put(self, kind: str, item: Manifest) -> tuple[str, str] | None:
        """Take one object in; its (namespace, item label), or None if it is not an item's."""
        key = _key(item)
        if key is None:
            return None
        if kind == "Job":
            self.jobs[key] = item
        else:
            self.pods.setdefault(key, {})[item["metadata"]["name"]] = item
        return key

    def drop(self, kind: str, item: Manifest) -> tuple[str, str] | None:
        """Take one object out; its key as for `put`."""
        key = _key(item)
        if key is None:
            return None
        if kind == "Job":
            self.jobs.pop(key, None)
        else:
            self.pods.get(key, {}).pop(item["metadata"]["name"], None)
        return key


class KubernetesTarget:
    """Jobs on the cluster that ``client`` reaches."""

    resource = Resource.KUBERNETES

    def __init__(self, client: Client, *, watch: Watch, image_pull_grace: float) -> None:
        self._client = client
        self._watch = watch
        self._grace = image_pull_grace
        self._picture = Picture()
        self._followed: dict[tuple[str, str], str] = {}
        self._keys: dict[str, tuple[str, str]] = {}
        self._last: dict[str, Observation] = {}

    # ── input and output ──

    def locate(self, plan: Plan) -> ObjectRef:
        """Where the Job of ``plan`` will be."""
        return _ref(plan.workload)

    def prepare(self, plan: Plan) -> None:
        """Create the Secrets of ``plan``; one that is there is left as it is, for it is the item's own."""
        for body in plan.secrets:
            try:
                self._client.create(body)
            except KubernetesConflict:
                continue

    def discard(self, plan: Plan) -> None:
        """Delete the Secrets of ``plan``."""
        for body in plan.secrets:
            ref = _ref(body)
            self._client.delete(ref.api_version, ref.kind, ref.namespace, ref.name)

    def create(self, plan: Plan, item_id: str) -> ObjectRef:
        """Create the Job, or find the one made before; its Secrets are handed to it, so that they go with it."""
        made: Manifest
        try:
            made = self._client.create(plan.workload)
        except KubernetesConflict:
            made = self._find_own(_ref(plan.workload), item_id)
        ref = _ref({**plan.workload, "metadata": made["metadata"]})
        for body in plan.secrets:
            self._hand_over(body, ref)
        return ref

    def _find_own(self, ref: ObjectRef, item_id: str) -> Manifest:
        found = self._client.get(ref.api_version, ref.kind, ref.namespace, ref.name)
        if found is None:
            raise KubernetesUnavailable(f"{ref.kind} {ref.namespace}/{ref.name} was there a moment ago and is not.")
        owner = (found["metadata"].get("annotations") or {}).get(ITEM_ANNOTATION)
        if owner != item_id:
            raise RefusedError(
                f"The {ref.kind} {ref.namespace}/{ref.name} exists already and is not this item's.",
                resolution="Put a macro such as ${run_id} into metadata.name of the queue's config, or leave it out.",
            )
        return found

    def _hand_over(self, secret: Manifest, owner: ObjectRef) -> None:
        reference = {"apiVersion": owner.api_version, "kind": owner.kind, "name": owner.name, "uid": owner.uid}
        ref = _ref(secret)
        patch = {"metadata": {"ownerReferences": [reference]}}
        self._client.patch(ref.api_version, ref.kind, ref.namespace, ref.name, patch)

    def look(self, ref: ObjectRef) -> Observation:
        """Ask for the Job and its pods, live."""
        job = self._client.get(ref.api_version, ref.kind, ref.namespace, ref.name)
        if job is None or (ref.uid and job["metadata"]["uid"] != ref.uid):
            return Observation(JobState.MISSING)
        label = (job["metadata"].get("labels") or {}).get(ITEM_LABEL, "")
        pods, _ = self._client.list("v1", "Pod", ref.namespace, label_selector=f"{ITEM_LABEL}={label}")
        seen = observation.observe(JOB, job, pods, image_pull_grace=self._grace)
        if seen.state is JobState.UNKNOWN and not pods and seen.diagnosis is None:
            return replace(seen, diagnosis=diagnosis.from_events(self._events_of(ref)))
        return seen

    def _events_of(self, ref: ObjectRef) -> list[Manifest]:
        """What the cluster told of the Job itself."""
        query = urlencode({"fieldSelector": f"involvedObject.kind={ref.kind},involvedObject.name={ref.name}"})
        try:
            found = self._client.request("GET", f"{self._client.path('v1', 'Event', ref.namespace)}?{query}")
        except KubernetesDenied:
            return []  # without this right only the reason is missing
        return list(found.get("items") or ())

    def tail(self, ref: ObjectRef, seen: Observation) -> str:
        """The last lines of the container that the observation names."""
        return self._client.logs(
            ref.namespace, seen.pod, container=seen.container, tail_lines=TAIL_LINES, limit_bytes=TAIL_BYTES
        )

    def release(self, ref: ObjectRef, after: int | None) -> None:
        """Give the finished Job the time to live that was held back until now; None keeps it."""
        if after is None:
            return
        try:
            patch = {"spec": {"ttlSecondsAfterFinished": after}}
            self._client.patch(ref.api_version, ref.kind, ref.namespace, ref.name, patch)
        except KubernetesMissing:
            return

    def delete(self, ref: ObjectRef) -> None:
        """Delete the Job and, with it, its pods: never orphan them (W43)."""
        self._client.delete(ref.api_version, ref.kind, ref.namespace, ref.name, propagation="Background", uid=ref.uid)

    # ── the picture: the tracker's thread only ──

    def follow(self, item_id: str, ref: ObjectRef) -> None:
        """Watch the namespace, and tell ``item_id`` of what happens to its Job."""
        key = (ref.namespace, names.item_label(item_id))
        self._followed[key] = item_id
        self._keys[item_id] = key
        for api_version, kind in WATCHED:
            self._watch(api_version, kind, ref.namespace)

    def forget(self, item_id: str) -> None:
        """Drop what is known of the item."""
        key = self._keys.pop(item_id, None)
        self._last.pop(item_id, None)
        if key is not None:
            self._followed.pop(key, None)
            self._picture.jobs.pop(key, None)
            self._picture.pods.pop(key, None)

    def absorb(self, notice: Notice) -> Iterable[tuple[str, Event]]:
        """Observations of the items that the notice touches; those that did not change are left out."""
        if notice.change == "SYNCED":
            return self._absorb_list(notice)
        body = notice.objects[0]
        if notice.change == "DELETED":
            key = self._picture.drop(notice.kind, body)
        else:
            key = self._picture.put(notice.kind, body)
        item_id = self._followed.get(key) if key is not None else None
        if key is None or item_id is None:
            return ()
        if notice.kind == "Job" and notice.change == "DELETED":
            return ((item_id, Observed(Observation(JobState.MISSING))),)
        return self._judge(item_id, key)

    def _absorb_list(self, notice: Notice) -> list[tuple[str, Event]]:
        self._picture.clear(notice.kind, notice.namespace)
        for body in notice.objects:
            self._picture.put(notice.kind, body)
        events: list[tuple[str, Event]] = []
        for key, item_id in self._followed.items():
            if key[0] != notice.namespace:
                continue
            if notice.kind == "Job" and key not in self._picture.jobs:
                events.append((item_id, Vanished()))
            else:
                events.extend(self._judge(item_id, key))
        return events

    def _judge(self, item_id: str, key: tuple[str, str]) -> Iterable[tuple[str, Event]]:
        job = self._picture.jobs.get(key)
        if job is None:
            return ()
        pods = tuple(self._picture.pods.get(key, {}).values())
        seen = observation.observe(JOB, job, pods, image_pull_grace=self._grace)
        if self._last.get(item_id) == seen:
            return ()
        if seen.state in REASON_IN_A_POD and not any(status.phase_of(pod) == "Failed" for pod in pods):
            # The two watches are not in step: of a Job's end one can hear before that of its pods, which say why.
            return ((item_id, Vanished()),)
        self._last[item_id] = seen
        return ((item_id, Observed(seen)),)


class NoticeSink:
    """Turns what a watch says into notices, trimmed on the watch's own thread."""

    def __init__(self, kind: str, namespace: str, post: Post) -> None:
        self._kind = kind
        self._namespace = namespace
        self._post = post

    def synced(self, _key: object, objects: list[dict[str, Any]]) -> None:
        """A complete list."""
        self._send("SYNCED", tuple(trim(body) for body in objects))

    def changed(self, _key: object, change: str, body: dict[str, Any]) -> None:
        """One change."""
        self._send(change, (trim(body),))

    def _send(self, change: str, objects: tuple[dict[str, Any], ...]) -> None:
        self._post(Notice(Resource.KUBERNETES, self._kind, self._namespace, change, objects))


KEPT_METADATA = ("name", "namespace", "uid", "labels", "annotations", "creationTimestamp", "deletionTimestamp")
KEPT_SPEC = ("suspend", "completions", "parallelism", "backoffLimit", "completionMode", "nodeName")


def trim(body: dict[str, Any]) -> dict[str, Any]:
    """What is judged of an object: names, labels, a few fields of the spec, the whole status."""
    metadata = body.get("metadata") or {}
    spec = body.get("spec") or {}
    kept = {key: spec[key] for key in KEPT_SPEC if key in spec}
    for key in ("containers", "initContainers"):
        if key in spec:
            kept[key] = [{"name": one.get("name"), "image": one.get("image")} for one in spec[key]]
    return {
        "metadata": {key: metadata[key] for key in KEPT_METADATA if key in metadata},
        "spec": kept,
        "status": body.get("status") or {},
    }


def _key(item: Manifest) -> tuple[str, str] | None:
    metadata = item["metadata"]
    label = (metadata.get("labels") or {}).get(ITEM_LABEL)
    return (metadata.get("namespace", ""), label) if label else None


def _ref(body: Manifest) -> ObjectRef:
    metadata = body["metadata"]
    return ObjectRef(
        body["apiVersion"], body["kind"], metadata.get("namespace", ""), metadata["name"], metadata.get("uid", "")
    )
