"""The rights that the agent needs in its cluster: the one table that chart, documentation and ``check`` are held to."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from launch_agent.core.shares import MOST, name_lease


class Feature(StrEnum):
    """What a right is for. The last three are needed only where their values are set."""

    RECORDS = "records"
    LEASE = "lease"
    SHARDS = "shards"
    JOBS = "jobs"
    CUSTOM_RESOURCES = "custom-resources"
    ADDITIONAL_SERVICES = "additional-services"
    REPLICAS = "replicas"


class Scope(StrEnum):
    """Where a right is needed: in the agent's namespace, or in each one that jobs are launched in."""

    AGENT = "agent"
    TARGET = "target"


class Name(StrEnum):
    """What a name in the table stands for."""

    LEASE = "<lease>"
    SHARDS = "<lease>-<n>"
    API_KEY = "<api-key>"


@dataclass(frozen=True, slots=True)
class Permission:
    """Verbs on one resource (``jobs``, ``pods/log``) of one API group; without ``names``, on all of its objects."""

    feature: Feature
    scope: Scope
    group: str
    resource: str
    verbs: tuple[str, ...]
    why: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomResource:
    """A kind, besides Jobs, that the installer lets jobs be made of."""

    group: str
    resource: str


TABLE: tuple[Permission, ...] = (
    Permission(
        Feature.RECORDS,
        Scope.AGENT,
        "",
        "configmaps",
        ("create", "list", "patch", "delete"),
        "One ConfigMap for each item in work, so that a restart loses nothing; listed when the agent starts, and by "
        "`items` and `drain`.",
    ),
    Permission(
        Feature.LEASE,
        Scope.AGENT,
        "coordination.k8s.io",
        "leases",
        ("get", "update"),
        "The release's Lease decides which of its pods takes items; the chart makes it, the agent renews it.",
        (Name.LEASE,),
    ),
    Permission(
        Feature.SHARDS,
        Scope.AGENT,
        "coordination.k8s.io",
        "leases",
        ("get", "update"),
        "With `agent.replicas`, each further shard of the work has a Lease of its own; what a larger number left is "
        "followed to its end after the number is made smaller.",
        (Name.SHARDS,),
    ),
    Permission(
        Feature.JOBS,
        Scope.TARGET,
        "batch",
        "jobs",
        ("create", "get", "list", "watch", "patch", "delete"),
        "Launched, followed, given back their time to live once their outcome is reported, deleted when stopped.",
    ),
    Permission(
        Feature.JOBS,
        Scope.TARGET,
        "",
        "pods",
        ("list", "watch"),
        "They say why a job waits or failed.",
    ),
    Permission(
        Feature.JOBS,
        Scope.TARGET,
        "",
        "pods/log",
        ("get",),
        "The last lines of a job that failed.",
    ),
    Permission(
        Feature.JOBS,
        Scope.TARGET,
        "",
        "events",
        ("list",),
        "Why a job has no pods: a quota, an admission webhook.",
    ),
    Permission(
        Feature.JOBS,
        Scope.TARGET,
        "",
        "secrets",
        ("create", "patch", "delete"),
        "The API key of an item that brings its own, and what images of the configured registry are pulled with: "
        "made, handed to its job, renewed, deleted if the job can't be made.",
    ),
    Permission(
        Feature.JOBS,
        Scope.TARGET,
        "",
        "secrets",
        ("get",),
        "`launch-agent check` sees whether the Secret that jobs take the API key from is there and has the key.",
        (Name.API_KEY,),
    ),
)
"""What the agent does, and nothing else. Secrets are never listed or watched."""

REPLICAS = Permission(
    Feature.REPLICAS,
    Scope.AGENT,
    "coordination.k8s.io",
    "leases",
    ("create",),
    "The Leases of further shards are made when they are first needed. Kubernetes can't limit `create` to names.",
)

MADE = ("create", "patch", "delete")
SERVICES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("", "services", MADE),
    ("", "pods", ("get", *MADE)),
    ("", "configmaps", MADE),
    ("apps", "deployments", ("get", *MADE)),
    ("networking.k8s.io", "networkpolicies", MADE),
)
"""(group, resource, verbs) of what a job's ``additional_services`` may be (protocol 7.3.7); two are waited for."""

WAITED = " The job is not made before they are ready."


def list_permissions(
    features: Collection[Feature],
    *,
    lease: str = Name.LEASE,
    key_secret: str = Name.API_KEY,
    custom_resources: Sequence[CustomResource] = (),
) -> tuple[Permission, ...]:
    """The rights for these features, in the table's order, with names filled in; an empty name leaves its right out."""
    filled = {Name.LEASE: (lease,), Name.API_KEY: (key_secret,), Name.SHARDS: _name_shards(lease)}
    rows = [*TABLE, *_list_custom(custom_resources), *_list_services(), REPLICAS]
    named = [
        replace(row, names=tuple(one for name in row.names for one in filled[Name(name)]))
        for row in rows
        if row.feature in features
    ]
    return tuple(row for row in named if all(row.names))


def _name_shards(lease: str) -> tuple[str, ...]:
    """The Leases of all further shards that there may be; the table's own name for the table's own Lease."""
    if lease in {"", Name.LEASE}:
        return (Name.SHARDS.value if lease else "",)
    return tuple(name_lease(lease, shard) for shard in range(1, MOST))


def _list_custom(resources: Sequence[CustomResource]) -> list[Permission]:
    verbs = ("create", "get", "list", "watch", "patch", "delete")
    why = "Launched and followed as Jobs are; deleted one by one, when stopped or when `max_runtime` is over."
    return [
        Permission(Feature.CUSTOM_RESOURCES, Scope.TARGET, one.group, one.resource, verbs, why) for one in resources
    ]


def _list_services() -> list[Permission]:
    why = "What `additional_services` of a job name: made before it, handed to it, deleted if it can't be made."
    whys = {True: why + WAITED, False: why}
    return [
        Permission(Feature.ADDITIONAL_SERVICES, Scope.TARGET, group, resource, verbs, whys["get" in verbs])
        for group, resource, verbs in SERVICES
    ]
