"""What manifests are made of, as far as the settings know it."""

from __future__ import annotations

from launch_agent import __version__
from launch_agent.core.context import LaunchContext
from launch_agent.core.kinds import Kinds
from launch_agent.settings.model import Settings


def make_context(settings: Settings, *, entity: str, agent_name: str, namespace: str | None) -> LaunchContext:
    """``namespace`` is the one of the kubeconfig's context, None without a cluster.

    A pod has no context whose namespace counts: W&B's default there is ``default``, not the agent's own (7.3.1).
    """
    has_context = bool(settings.kubeconfig) or not settings.in_cluster
    return LaunchContext(
        base_url=settings.base_url,
        entity=entity,
        agent_name=agent_name,
        installation=settings.installation,
        default_namespace=namespace if namespace and has_context else "default",
        macros=settings.macros,
        key_secret=settings.key_secret,
        kinds=Kinds(settings.custom_resources),
        policy=settings.policy,
        protected=settings.protected,
        version=__version__,
        max_resume_count=settings.max_resume_count,
    )
