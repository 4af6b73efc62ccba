"""Kubernetes, tried: reached, namespaces, records and Lease, the Secret of the key, a sample Job for each queue."""

from __future__ import annotations

import base64
import binascii
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.checks.report import Area, Check, Status
from launch_agent.checks.rights import EVERYWHERE, Rights
from launch_agent.checks.samples import NAME, RUN_ID, Queue, make_run_spec
from launch_agent.checks.trials import Trial, fail
from launch_agent.core import admission, clusters, kinds, leadership, manifest, places, refusals
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import KeySecret, Manifest, Plan, QueueItem
from launch_agent.errors import (
    ItemError,
    KubernetesConflict,
    KubernetesDenied,
    KubernetesError,
    KubernetesInvalid,
    KubernetesMissing,
)

TIMEOUT = 10.0
"""Seconds that one question to the API server may last."""

OLDEST_MINOR = 29
"""Of Kubernetes 1; what is older is not tested."""

NETWORK = "Check the server's address in the kubeconfig, and what stands between"
REFUSED = "Change the queue's config, or what refuses it"
LOOK = "Look at the queue's config"


@dataclass(frozen=True, slots=True)
class Sample:
    """A queue and what an item of it would become: a plan, a fault, or, without a config of the queue's, neither."""

    queue: Queue
    plan: Plan | None = None
    fault: ItemError | None = None
    templates: tuple[Manifest, ...] = ()

    @property
    def namespace(self) -> str:
        """Where its workload would be in the agent's own cluster; empty where there is none."""
        return str(self.plan.workload["metadata"]["namespace"]) if self.plan and not self.plan.cluster else ""


def plan_samples(queues: Iterable[Queue], context: LaunchContext, *, secure_mode: bool) -> list[Sample]:
    """A sample for each queue whose config launches Jobs, planned as real items are. The key in it is none."""
    return [_plan(queue, context, secure_mode) for queue in queues if queue.may_be_kubernetes]


def _plan(queue: Queue, context: LaunchContext, secure_mode: bool) -> Sample:
    if queue.resource is None:
        return Sample(queue)
    run_spec = make_run_spec(queue, context.entity)
    try:
        spec = specs.parse(run_spec)
        refusals.check(spec, secure_mode=secure_mode)
        # the queue's config is all there is of it; its image may be one that no item would have
        admission.admit(spec, RUN_ID, replace(context, policy=context.policy.without_images()), run_spec)
        item = QueueItem(f"{NAME}-{queue.name}", queue.name, run_spec)
        plan = manifest.plan(item, spec, RUN_ID, context, api_key=NAME)
    except ItemError as error:
        return Sample(queue, fault=error)
    return Sample(queue, plan, templates=_find_templates(plan.workload, context.kinds))


def _find_templates(workload: Manifest, known: kinds.Kinds) -> tuple[Manifest, ...]:
    """The pod templates of a workload, each different one once; a Pod is none."""
    kind = known.find(workload["apiVersion"], workload["kind"], workload)
    if kind.is_pod:
        return ()
    found = [places.get(workload, path) for path, _ in kinds.find_templates(kind, workload)]
    return tuple(one for index, one in enumerate(found) if one.get("spec") and one not in found[:index])


def try_reach(client: Client, server: str) -> Check:
    """The API server's version."""
    began = time.monotonic()
    try:
        found = client.version()
    except KubernetesDenied as error:
        return fail("API server", Area.KUBERNETES, error)
    except KubernetesError as error:
        return fail("API server", Area.KUBERNETES, error, resolution=NETWORK)
    version = str(found.get("gitVersion") or "of an unknown version")
    detail = f"{version} at {server} answers after {time.monotonic() - began:.2f} s"
    minor = re.match(r"\d+", str(found.get("minor") or ""))
    if found.get("major") == "1" and minor and int(minor[0]) < OLDEST_MINOR:
        cure = f"Use Kubernetes 1.{OLDEST_MINOR} or newer"
        return Check("API server", Area.KUBERNETES, Status.WARN, f"{detail}: older than what is tested", cure)
    return Check("API server", Area.KUBERNETES, Status.OK, detail)


# ── namespaces, records, Lease, Secret ──────────────────────────────────────────────────────────────────────────────


def list_trials(
    client: Client,
    rights: Rights,
    *,
    home: str | None,
    targets: Sequence[str],
    lease: str | None,
    key_secret: KeySecret | None,
) -> list[Trial]:
    """What is tried besides sample Jobs, by dry-run where something would be created."""
    trials = []
    if home is not None:
        records = partial(_try_object, client, rights, f"records in {home}", _make("v1", "ConfigMap", home))
        trials.append(Trial(f"records in {home}", Area.KUBERNETES, records))
    if home is not None and lease:
        trials.append(Trial(f"Lease {lease}", Area.KUBERNETES, partial(_try_lease, client, rights, home, lease)))
    for namespace in targets:
        if namespace == EVERYWHERE:
            continue
        name = f"namespace {namespace}"
        call = partial(_try_object, client, rights, name, _make("v1", "Secret", namespace))
        trials.append(Trial(name, Area.KUBERNETES, call))
        if key_secret is not None:
            name = f"Secret {key_secret.name} in {namespace}"
            trials.append(Trial(name, Area.JOBS, partial(_try_secret, client, rights, name, namespace, key_secret)))
    return trials


RESOURCES = {"ConfigMap": "configmaps", "Secret": "secrets"}


def _make(api_version: str, kind: str, namespace: str) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": NAME, "namespace": namespace}}


def _try_object(client: Client, rights: Rights, name: str, body: Manifest) -> Check:
    """A dry-run says whether the namespace is there and takes objects; reading namespaces needs a cluster right."""
    kind, namespace = body["kind"], body["metadata"]["namespace"]
    if not rights.has(namespace, RESOURCES[kind], "create"):
        why = "no right to create anything there: it can not be told whether the namespace exists"
        return Check(name, Area.KUBERNETES, Status.SKIP, why)
    try:
        warnings = client.try_create(body)
    except KubernetesConflict:
        warnings = ()
    except KubernetesMissing:
        cure = f"Create it (kubectl create namespace {namespace}), or correct additionalTargetNamespaces or the queue"
        return Check(name, Area.KUBERNETES, Status.FAIL, f"the namespace {namespace} does not exist", cure)
    except (KubernetesDenied, KubernetesInvalid) as error:
        what = f"a {kind} is refused there: {error.detail or error.summary}"
        return Check(name, Area.KUBERNETES, Status.FAIL, what, "Change what refuses it")
    if warnings:
        return Check(name, Area.KUBERNETES, Status.WARN, "; ".join(warnings))
    return Check(name, Area.KUBERNETES, Status.OK, f"a {kind} would be created")


def _try_lease(client: Client, rights: Rights, namespace: str, lease: str) -> Check:
    name = f"Lease {lease}"
    if not rights.has(namespace, "leases", "get"):
        return Check(name, Area.KUBERNETES, Status.SKIP, "no right to read it")
    found = client.get(leadership.API_VERSION, leadership.KIND, namespace, lease)
    if found is None:
        cure = "Run helm upgrade: the chart makes it (or unset LAUNCH_AGENT_LEASE)"
        return Check(name, Area.KUBERNETES, Status.FAIL, f"is not in namespace {namespace}", cure)
    holder = leadership.read_holder(found.get("spec") or {})
    return Check(name, Area.KUBERNETES, Status.OK, f"is held by {holder}" if holder else "is free")


def _try_secret(client: Client, rights: Rights, name: str, namespace: str, wanted: KeySecret) -> Check:
    """Whether jobs find their API key. What it is, is neither compared nor shown."""
    if not rights.has(namespace, "secrets", "get"):
        return Check(name, Area.JOBS, Status.SKIP, "no right to read it")
    found = client.get("v1", "Secret", namespace, wanted.name)
    cure = f"Put the API key into it as `{wanted.key}`"
    if found is None:
        cure = f"Create it with the API key as `{wanted.key}`; the chart does so from agent.apiKey"
        return Check(name, Area.JOBS, Status.FAIL, "is not there, and every job takes its API key from it", cure)
    data = found.get("data") or {}
    if wanted.key not in data:
        others = ", ".join(sorted(data)) or "none"
        return Check(name, Area.JOBS, Status.FAIL, f"has no key `{wanted.key}`; its keys: {others}", cure)
    if not _decode(str(data[wanted.key])).strip():
        return Check(name, Area.JOBS, Status.FAIL, f"`{wanted.key}` in it is empty", cure)
    return Check(name, Area.JOBS, Status.OK, f"has the key `{wanted.key}`")


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


# ── sample Jobs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def list_sample_trials(client: Client, rights: Rights, samples: Iterable[Sample]) -> list[Trial]:
    """A dry-run of each sample's objects, in the order in which an item's are created."""
    return [
        Trial(_name(one), Area.JOBS, partial(_try_sample, client, rights, one))  #
        for one in samples
    ]


def _name(sample: Sample) -> str:
    return f"sample Job of queue {sample.queue.name}"


def _try_sample(client: Client, rights: Rights, sample: Sample) -> Check:
    name, plan, namespace = _name(sample), sample.plan, sample.namespace
    if sample.fault is not None:
        return fail(name, Area.JOBS, sample.fault, resolution=REFUSED)
    if plan is None:
        return Check(name, Area.JOBS, Status.SKIP, "the queue has no config: each item brings its own")
    if plan.cluster:
        where = clusters.describe(plan.cluster)
        return Check(name, Area.JOBS, Status.SKIP, f"it is for another cluster, which is not tried: {where}")
    is_job = kinds.group_of(plan.workload["apiVersion"]) == "batch" and plan.workload["kind"] == "Job"
    if is_job and not rights.has(namespace, "jobs", "create"):
        return Check(name, Area.JOBS, Status.SKIP, f"no right to create jobs in namespace {namespace}")
    warnings = list(plan.warnings)
    for body in plan.objects:
        try:
            warnings += client.try_create(body)
        except KubernetesConflict:
            warnings.append(
                f"a {body['kind']} {body['metadata']['name']} exists: all items of the queue have one name, so only "
                "one can run at a time; put ${run_id} into metadata.name, or leave it out"
            )
        except (KubernetesMissing, KubernetesDenied, KubernetesInvalid) as error:
            what = f"refused in namespace {namespace}: {error.detail or error.summary}"
            return Check(name, Area.JOBS, Status.FAIL, what, REFUSED)
    for template in sample.templates:
        if fault := _try_pod(client, namespace, template, warnings):
            what = f"its pods are refused in namespace {namespace}: {fault}"
            return Check(name, Area.JOBS, Status.FAIL, what, REFUSED)
    if warnings:
        return Check(name, Area.JOBS, Status.WARN, f"namespace {namespace}: {'; '.join(warnings)}", LOOK)
    return Check(name, Area.JOBS, Status.OK, f"would be created in namespace {namespace}")


def _try_pod(client: Client, namespace: str, template: Manifest, warnings: list[str]) -> str:
    """Why a template's pods would be refused, where the account may ask: the agent itself has no right to create pods.

    A quota that is used up is a warning: the workload waits for it.
    """
    if not client.may(namespace, "create", "", "pods"):
        return ""
    metadata = {**(template.get("metadata") or {}), "name": NAME, "namespace": namespace}
    try:
        told = client.try_create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    except KubernetesConflict:
        return ""
    except (KubernetesMissing, KubernetesDenied, KubernetesInvalid) as error:
        if "exceeded quota" not in error.detail:
            return error.detail or error.summary
        told = (f"its pods have to wait: {error.detail}",)
    warnings += [one for one in told if one not in warnings]
    return ""
