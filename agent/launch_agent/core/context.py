"""What an agent knows about itself when it plans an item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from launch_agent.core.kinds import Kinds
from launch_agent.core.models import MAX_RESUME_COUNT, KeySecret
from launch_agent.core.policy import Policy, Protected
from launch_agent.core.pull_secrets import PullCredential


@dataclass(frozen=True, slots=True)
class LaunchContext:
    """What a manifest is made of besides the run spec; everything an agent knows about itself.

    ``installation`` is stable over restarts (release and namespace), ``shard`` the part of it (`shares`).
    ``macros`` are environment variables that the owner allows in ``${…}``. ``key_secret`` is the Secret that jobs take
    the agent's own key from; None: the agent makes one for each job. ``pull_credential`` is what images of the
    configured registry are pulled with; None: nodes and the queue's config see to it.
    """

    base_url: str
    entity: str
    agent_name: str
    installation: str
    default_namespace: str = "default"
    macros: Mapping[str, str] = field(default_factory=dict)
    key_secret: KeySecret | None = None
    kinds: Kinds = field(default_factory=Kinds)
    policy: Policy = field(default_factory=Policy)
    protected: Protected = field(default_factory=Protected)
    pull_credential: PullCredential | None = None
    version: str = ""
    max_resume_count: int = MAX_RESUME_COUNT
    shard: int = 0
