"""All checks of one configuration, in order: settings, W&B beside Kubernetes, rights, then what rights allow to try."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.checks import cluster
from launch_agent.checks.cluster import Sample
from launch_agent.checks.effort import ask
from launch_agent.checks.registry import try_registry
from launch_agent.checks.report import Area, Check, Status
from launch_agent.checks.rights import EVERYWHERE, list_rights, try_rights
from launch_agent.checks.samples import NAME
from launch_agent.checks.trials import fail, perform
from launch_agent.checks.wandb import Findings, try_wandb
from launch_agent.core.models import Resource
from launch_agent.errors import ConfigError, LaunchAgentError
from launch_agent.runtime.connections import find_cluster
from launch_agent.settings import ConfigProblems, Problem, Settings
from launch_agent.settings.context import make_context

NOT_BUILT = "not checked: this agent builds no images yet"


@dataclass(frozen=True, slots=True)
class _Reached:
    """A cluster, and the line on it."""

    access: ClusterAccess
    client: Client
    check: Check


def inspect(settings: Settings, environ: Mapping[str, str], home: Path) -> list[Check]:
    """Try everything; nothing is changed anywhere, and nothing is raised for what fails."""
    checks = _describe(settings)
    steps: list[Callable[[], Findings | _Reached | Check | None]] = [
        lambda: try_wandb(settings),
        lambda: _reach(settings, environ, home),
        lambda: try_registry(settings, environ),
    ]
    wandb, reached, registry = ask(steps)
    checks += _describe_registry(registry)
    if not isinstance(wandb, Findings):
        wandb = Findings([fail(settings.base_url, Area.WANDB, _as_error(wandb))])
    checks += wandb.checks
    if isinstance(reached, LaunchAgentError):
        area = Area.CONFIGURATION if isinstance(reached, ConfigError) else Area.KUBERNETES
        checks += [fail("cluster", area, reached), *_skip("Kubernetes could not be tried")]
    elif isinstance(reached, _Reached):
        checks += _try_cluster(settings, wandb, reached)
        reached.client.close()
    else:
        checks += _do_without(settings, wandb)
    return checks


def describe_problems(error: ConfigProblems) -> list[Check]:
    """The checks for a configuration that can not be used: nothing else can be tried then."""
    checks = [_describe_problem(one, Status.FAIL) for one in error.problems]
    checks += [_describe_problem(one, Status.WARN) for one in error.warnings]
    why = "the configuration can not be used"
    return [*checks, Check("W&B", Area.WANDB, Status.SKIP, why), *_skip(why)]


def _describe_problem(problem: Problem, status: Status) -> Check:
    detail = f"{problem.path}: {problem.summary}" if problem.path else problem.summary
    return Check(problem.where, Area.CONFIGURATION, status, detail, problem.cure)


def _describe(settings: Settings) -> list[Check]:
    area = Area.CONFIGURATION
    name = str(settings.config_path) if settings.config_path else "flags and environment"
    checks = [Check(name, area, Status.OK, f"queues {', '.join(settings.queues)}")]
    for text in settings.warnings:
        detail, _, cure = text.partition(" → ")
        where, _, detail = detail.partition(": warning: ")
        checks.append(Check(where, area, Status.WARN, detail, cure))
    if settings.pod_namespace is None:
        checks.append(_try_folder(settings.records))
    return checks


def _describe_registry(found: object) -> list[Check]:
    """The registry's line, where one is configured, and one for what is not built yet."""
    area = Area.CONFIGURATION
    if found is None:
        return [Check("registry, bucket, builder", area, Status.SKIP, NOT_BUILT)]
    line = found if isinstance(found, Check) else fail("registry", area, _as_error(found))
    return [line, Check("bucket, builder", area, Status.SKIP, NOT_BUILT)]


def _try_folder(folder: Path) -> Check:
    """Whether records could be written there; the agent makes the folder when it needs it."""
    nearest = next((one for one in (folder, *folder.parents) if one.exists()), folder)
    name = "records"
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check(name, Area.CONFIGURATION, Status.OK, f"would be kept in {folder}")
    what = f"{nearest} is no folder" if not nearest.is_dir() else f"{nearest} can not be written"
    cure = "Name another folder by `records` in launch-config.yaml, or make this one writable"
    return Check(name, Area.CONFIGURATION, Status.FAIL, f"can not be kept in {folder}: {what}", cure)


def _as_error(found: object) -> LaunchAgentError:
    return found if isinstance(found, LaunchAgentError) else LaunchAgentError("No answer.")


def _skip(why: str) -> list[Check]:
    """A line for each area that needs a cluster."""
    return [
        Check("API server", Area.KUBERNETES, Status.SKIP, why),
        Check("rights", Area.PERMISSIONS, Status.SKIP, why),
        Check("sample Jobs", Area.JOBS, Status.SKIP, why),
    ]


# ── Kubernetes ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _reach(settings: Settings, environ: Mapping[str, str], home: Path) -> _Reached | None:
    """The cluster with its line; None where none is configured. Raises ConfigError for one that can not be used."""
    access = find_cluster(settings, environ, home)
    if access is None:
        return None
    client = Client(access, timeout=cluster.TIMEOUT)
    return _Reached(access, client, cluster.try_reach(client, access.server))


def _do_without(settings: Settings, wandb: Findings) -> list[Check]:
    """No cluster is configured: fine where no queue needs one."""
    why = "no cluster is configured: there is no kubeconfig, and this is no pod"
    needing = [one.name for one in wandb.queues or () if one.resource == Resource.KUBERNETES]
    checks = _skip(why)
    if needing or settings.lease:
        what = f"queue {needing[0]} launches in Kubernetes" if needing else "LAUNCH_AGENT_LEASE names a Lease"
        cure = "Name a cluster by --kubeconfig or KUBECONFIG, or run the agent in one"
        checks[0] = Check("API server", Area.KUBERNETES, Status.FAIL, f"{what}, but {why}", cure)
    return checks


def _try_cluster(settings: Settings, wandb: Findings, reached: _Reached) -> list[Check]:
    queues = wandb.queues
    needs_jobs = not queues or any(one.may_be_kubernetes for one in queues)  # what is not known may need them
    home = settings.pod_namespace
    if not needs_jobs and home is None:
        return _skip("no queue launches in Kubernetes")
    if reached.check.status is Status.FAIL:
        return [reached.check, *_skip("the API server is not reached")[1:]]
    context = make_context(settings, entity=wandb.entity or NAME, agent_name=NAME, namespace=reached.client.namespace)
    samples = cluster.plan_samples(queues or (), context, secure_mode=settings.secure_mode)
    targets = _list_targets(settings, samples, context.default_namespace) if needs_jobs else []
    rights = try_rights(reached.client, list_rights(settings, home=home, targets=targets))
    trials = cluster.list_trials(
        reached.client,
        rights,
        home=home,
        targets=_list_places(targets, samples),
        lease=settings.lease,
        key_secret=settings.key_secret,
    )
    trials += cluster.list_sample_trials(reached.client, rights, samples)
    checks = [reached.check, *_judge_lease(settings), *rights.checks, *perform(trials)]
    if queues is None:
        checks.append(Check("sample Jobs", Area.JOBS, Status.SKIP, "W&B did not say what is in the queues"))
    return checks


def _judge_lease(settings: Settings) -> list[Check]:
    if settings.lease is None or settings.pod_namespace is not None:
        return []
    what = f"LAUNCH_AGENT_LEASE names the Lease {settings.lease}, but there is no namespace for it"
    cure = "Set POD_NAMESPACE, or unset LAUNCH_AGENT_LEASE"
    return [Check("Lease", Area.CONFIGURATION, Status.FAIL, what, cure)]


def _list_targets(settings: Settings, samples: Sequence[Sample], default: str) -> list[str]:
    """The namespaces whose rights are asked for: those that are told, and those that queues name."""
    named = [one.namespace for one in samples if one.namespace]
    if settings.target_namespaces == ("*",):
        return [EVERYWHERE]
    if settings.target_namespaces:
        return list(dict.fromkeys([*settings.target_namespaces, *named]))
    return list(dict.fromkeys(named or [default]))


def _list_places(targets: Sequence[str], samples: Sequence[Sample]) -> list[str]:
    """The namespaces that are tried: where rights hold everywhere, those that queues name."""
    if EVERYWHERE not in targets:
        return list(targets)
    return list(dict.fromkeys(one.namespace for one in samples if one.namespace))


def find_secrets(settings: Settings) -> tuple[str, ...]:
    """What must never be shown."""
    return tuple(filter(None, [settings.api_key.reveal()]))
