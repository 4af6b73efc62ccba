"""``admit``: judge an item as it came, by the policy in its context and the queue's own config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from launch_agent.core import hands, judgement, macros, verdicts
from launch_agent.core.context import LaunchContext
from launch_agent.core.merging import unwrap
from launch_agent.core.models import MANIFEST_PATH, SERVICES_PATH, Resource
from launch_agent.core.profiles import LOCAL_PROCESS
from launch_agent.core.spec import RunSpec


def admit(spec: RunSpec, run_id: str, context: LaunchContext, queue: Mapping[str, Any] | None) -> None:
    """Raise RefusedError for an item that the owner's policy does not let pass, SpecError for what has no meaning.

    ``queue`` is the queue's config as W&B has it (``{"resource": …, "resource_args": {…}}``), None where it is not
    known. What two hands wrote is compared as written; what is judged has its macros filled in, as it will be sent.
    """
    if spec.resource is Resource.LOCAL_PROCESS:
        _admit_process(context, queue)
    if spec.resource is not Resource.KUBERNETES:
        return
    values = macros.collect(spec, run_id, context)
    filled = replace(
        spec,
        resource_args=macros.fill(spec.resource_args, values, MANIFEST_PATH),
        additional_services=tuple(macros.fill(spec.additional_services, values, SERVICES_PATH)),
    )
    judgement.check(
        filled,
        hands.split(find_arguments(spec.raw) or {}, find_arguments(queue)),
        context.policy,
        context.protected,
        context.kinds,
        default_namespace=context.default_namespace,
    )


def _admit_process(context: LaunchContext, queue: Mapping[str, Any] | None) -> None:
    """A command on the agent's machine: what it is for on a person's own, but not in a pod that holds its keys."""
    if context.protected.namespace is None:
        return
    is_queues = queue is not None and queue.get("resource") == Resource.LOCAL_PROCESS
    hand = hands.Hand.QUEUE if is_queues else hands.Hand.SUBMITTER
    if context.policy.of(hand).profile in LOCAL_PROCESS.refused_by:
        raise verdicts.refuse_field("resource", LOCAL_PROCESS, hand, context.policy, is_queue_known=queue is not None)


def find_arguments(config: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The arguments for Kubernetes of a run spec or of a queue's config, as written; None where there is no config.

    A config without them has none of what came: an empty object, not an unknown one.
    """
    if config is None:
        return None
    arguments = config.get("resource_args")
    found = arguments.get(Resource.KUBERNETES) if isinstance(arguments, Mapping) else None
    return unwrap(found, Resource.KUBERNETES) if isinstance(found, Mapping) else {}
