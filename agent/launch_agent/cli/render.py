"""``launch-agent render``: the objects that a popped item would become. Nothing is contacted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch_agent.cli import item_file
from launch_agent.cli.parsing import Parser, add_common, add_output
from launch_agent.cli.world import World
from launch_agent.core import admission, clusters, manifest, refusals, rendering
from launch_agent.core import spec as specs
from launch_agent.core.context import LaunchContext
from launch_agent.core.models import Manifest, Plan, QueueItem
from launch_agent.errors import ItemError
from launch_agent.settings import Flags, Need, Settings, load
from launch_agent.settings.context import make_context

FIRST = ("apiVersion", "kind", "metadata", "type", "data", "spec")

AGENT_NAME = "agent-name"
"""Stands for the name that W&B gives an agent when it registers."""

ENTITY = "default-entity"
"""Stands for the default entity of the API key's owner, which only W&B knows."""


def main(arguments: Sequence[str], world: World) -> int:
    """Print the objects in the order of their creation, secrets masked; warnings go to stderr."""
    flags = parser().read(arguments)
    settings = load(
        Flags(config=flags.config), world.environ, home=world.home, need=Need.FILE if flags.config else Need.NOTHING
    )
    item = item_file.read(flags.item)
    queue_config = item_file.read_queue_config(flags.queue_config) if flags.queue_config else None
    try:
        spec, plan = _plan(item, settings, queue_config)
    except ItemError as error:
        raise item_file.as_problem(error, flags.item) from error
    for warning in (*settings.warnings, *(f"warning: {text}" for text in plan.warnings)):
        world.stderr.write(f"{warning}\n")
    if plan.cluster:
        world.stderr.write(f"note: launched in {clusters.describe(plan.cluster)}\n")
    secrets = [secret for secret in (settings.api_key.reveal(), spec.api_key) if secret]
    world.stdout.write(_write(rendering.mask(plan), flags.output, secrets))
    return 0


def _plan(item: QueueItem, settings: Settings, queue_config: Mapping[str, Any] | None) -> tuple[specs.RunSpec, Plan]:
    """What the agent does with an item before it claims it. Without the queue's own config all of it counts as that."""
    spec = specs.parse(item.run_spec)
    refusals.check(spec, secure_mode=settings.secure_mode)
    run_id = spec.run_id or item_file.stable_run_id(item.id)
    key = settings.api_key.reveal() or rendering.MASK
    context = _context(settings)
    admission.admit(spec, run_id, context, item.run_spec if queue_config is None else queue_config)
    return spec, manifest.plan(item, spec, run_id, context, api_key=key)


def parser() -> Parser:
    """The flags."""
    result = Parser(
        "launch-agent render",
        description="Print the objects that an item would become, secrets masked. Nothing is contacted.\n"
        "The run id is the spec's, or eight characters made of the item's id (a real claim draws them at random).",
        epilog='An item is what a queue hands out: {"runQueueItemId": "…", "queue": "…", "runSpec": {…}}.',
    )
    add_common(result)
    result.add_argument("--item", metavar="FILE", type=Path, required=True, help="the item, as JSON")
    result.add_argument(
        "--queue-config",
        metavar="FILE",
        type=Path,
        help="the queue's own config, as W&B shows it: what differs from it is judged as the submitter's",
    )
    add_output(result, "yaml", "json", help_text="YAML documents, or one JSON list")
    return result


def _context(settings: Settings) -> LaunchContext:
    return make_context(settings, entity=settings.entity or ENTITY, agent_name=AGENT_NAME, namespace=None)


def _write(objects: Sequence[Manifest], output: str, secrets: Sequence[str]) -> str:
    plain = [_in_order(body) for body in json.loads(json.dumps(objects))]
    if output == "json":
        text = json.dumps(plain, indent=2, ensure_ascii=False) + "\n"
    else:
        import yaml

        text = yaml.safe_dump_all(plain, sort_keys=False, explicit_start=True, width=120, allow_unicode=True)
    for secret in secrets:
        text = text.replace(secret, rendering.MASK)  # also where a submitter wrote it out
    return text


def _in_order(body: Manifest) -> Manifest:
    """The keys as people write them; what is not among ``FIRST`` follows."""
    return {key: body[key] for key in (*FIRST, *body) if key in body}
