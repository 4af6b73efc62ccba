"""Run specs, contexts and plans for tests of the core."""

from __future__ import annotations

from typing import Any

from launch_agent.core import manifest, refusals
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import KeySecret, Plan, QueueItem

KEY = "f" * 40
CONTEXT = LaunchContext(
    base_url="https://api.example.org",
    entity="team",
    agent_name="agent-7",
    installation="launch-agent.wandb",
    default_namespace="jobs",
)
RELEASED = LaunchContext(
    base_url="https://api.example.org",
    entity="team",
    agent_name="agent-7",
    installation="launch-agent.wandb",
    default_namespace="jobs",
    key_secret=KeySecret("wandb-api-key-launch-agent"),
)
PATH = "resource_args.kubernetes"


def make_spec(manifest: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A run spec for Kubernetes with an image; a change to None takes a key away."""
    values = {
        "entity": "team",
        "project": "vision",
        "resource": "kubernetes",
        "docker": {"docker_image": "registry/train:1"},
        "resource_args": {"kubernetes": manifest or {}},
        **changes,
    }
    return {key: value for key, value in values.items() if value is not None}


def make_pod(**pod: Any) -> dict[str, Any]:
    """A Job's manifest with this pod spec."""
    return {"spec": {"template": {"spec": pod}}}


def make_plan(
    run_spec: dict[str, Any],
    *,
    item_id: str = "item-1",
    run_id: str = "run12345",
    context: LaunchContext = CONTEXT,
    api_key: str | None = KEY,
) -> Plan:
    """Parse, check and plan, as the agent does."""
    spec = specs.parse(run_spec)
    refusals.check(spec, secure_mode=False)
    return manifest.plan(QueueItem(item_id, "gpu", run_spec), spec, run_id, context, api_key=api_key)


def pod_of(plan: Plan) -> dict[str, Any]:
    """The pod spec of the planned Job."""
    pod: dict[str, Any] = plan.workload["spec"]["template"]["spec"]
    return pod


def env_of(plan: Plan, container: int = 0) -> dict[str, Any]:
    """The variables of one container: name → text, or the whole entry where it is no text."""
    entries = pod_of(plan)["containers"][container].get("env", [])
    assert len({entry["name"] for entry in entries}) == len(entries), "a name stands twice"
    return {entry["name"]: entry.get("value", entry) for entry in entries}
