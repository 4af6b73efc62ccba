"""Every right that the configuration needs, asked of the API server: one line for each namespace and resource."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from launch_agent.adapters.kubernetes.client import Client
from launch_agent.checks.effort import ask
from launch_agent.checks.report import Area, Check, Status
from launch_agent.checks.trials import fail
from launch_agent.core.permissions import Feature, Permission, Scope, list_permissions
from launch_agent.errors import LaunchAgentError
from launch_agent.settings import Settings

EVERYWHERE = ""
"""The namespace that stands for all."""


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource in one namespace; ``name`` where it is needed for one object only."""

    namespace: str
    group: str
    resource: str
    verb: str
    name: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class Rights:
    """What was answered."""

    checks: tuple[Check, ...]
    refused: frozenset[tuple[str, str, str]]
    """(namespace, resource, verb)"""

    def has(self, namespace: str, resource: str, verb: str) -> bool:
        """Whether it was granted; what was granted everywhere, or not asked for, counts as granted."""
        return not {(namespace, resource, verb), (EVERYWHERE, resource, verb)} & self.refused


def list_rights(settings: Settings, *, home: str | None, targets: Iterable[str]) -> list[Right]:
    """What is needed: in ``home`` (the agent's namespace, None outside of a pod) and in each target."""
    features = {Feature.RECORDS, Feature.JOBS} | ({Feature.LEASE} if settings.lease else set())
    if settings.lease and settings.replicas > 1:
        features |= {Feature.SHARDS, Feature.REPLICAS}
    key_secret = settings.key_secret.name if settings.key_secret else ""
    rows = list_permissions(features, lease=settings.lease or "", key_secret=key_secret)
    rights = [] if home is None else _spread(rows, Scope.AGENT, home)
    for namespace in targets:
        rights += _spread(rows, Scope.TARGET, namespace)
    return rights


def _spread(rows: Iterable[Permission], scope: Scope, namespace: str) -> list[Right]:
    return [
        Right(namespace, row.group, row.resource, verb, name, scope)
        for row in rows
        if row.scope is scope
        for verb in row.verbs
        for name in row.names or ("",)
    ]


def try_rights(client: Client, rights: Sequence[Right]) -> Rights:
    """Ask for all of them at once."""
    calls = [partial(client.may, one.namespace, one.verb, one.group, one.resource, name=one.name) for one in rights]
    answers = dict(zip(rights, ask(calls), strict=True))
    lines: dict[tuple[str, str], list[Right]] = {}
    for right in rights:
        lines.setdefault((right.namespace, right.resource), []).append(right)
    refused = {(one.namespace, one.resource, one.verb) for one, answer in answers.items() if answer is not True}
    return Rights(tuple(_judge(line, answers) for line in lines.values()), frozenset(refused))


def _judge(line: Sequence[Right], answers: dict[Right, bool | LaunchAgentError]) -> Check:
    first = line[0]
    name = f"{first.resource} in {first.namespace or 'all namespaces'}"
    missing: list[Right] = []
    for right in line:
        answer = answers[right]
        if isinstance(answer, LaunchAgentError):
            return fail(name, Area.PERMISSIONS, answer)
        if not answer:
            missing.append(right)
    if not missing:
        return Check(name, Area.PERMISSIONS, Status.OK, ", ".join(_show(one) for one in line))
    words = ", ".join(_show(one) for one in missing)
    return Check(name, Area.PERMISSIONS, Status.FAIL, f"the account may not {words}", _cure(missing))


def _show(right: Right) -> str:
    return f"{right.verb} {right.name}" if right.name else right.verb


def _cure(missing: Sequence[Right]) -> str:
    """The value of the chart, or the rule."""
    first = missing[0]
    rules = []
    for name in dict.fromkeys(one.name for one in missing):
        verbs = ", ".join(one.verb for one in missing if one.name == name)
        names = f", resourceNames: [{name}]" if name else ""
        group = first.group or '""'
        rules.append(f"{{apiGroups: [{group}], resources: [{first.resource}]{names}, verbs: [{verbs}]}}")
    if not first.namespace:
        value, role = "rbac.clusterWide", "its ClusterRole"
    elif first.scope is Scope.TARGET:
        value, role = f"{first.namespace} in additionalTargetNamespaces", f"its Role in {first.namespace}"
    else:
        value, role = "rbac.create", f"its Role in {first.namespace}"
    return f"Set {value} (chart), or add to {role}: {', '.join(rules)}"
