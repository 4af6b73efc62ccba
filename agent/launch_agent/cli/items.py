"""``launch-agent items``: the records of items in work, for whoever is on call."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

from launch_agent.cli import sites
from launch_agent.cli.parsing import Parser, add_output, one_of
from launch_agent.cli.world import World
from launch_agent.core import item_table, ledger_format
from launch_agent.core.models import Record, Step
from launch_agent.errors import UsageError
from launch_agent.settings.redaction import MASK, mask_log

_VARIABLE = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
_ENTRY = re.compile(
    r"(api[_-]?key|access[_-]?key|private[_-]?key|password|passwd|secret|token|credentials?)$", re.IGNORECASE
)
"""Variables whose value is hidden, and entries whose text is; ``tokenizer`` and ``secretName`` are shown."""


def main(arguments: Sequence[str], world: World) -> int:
    """List the records, or show one with its run spec."""
    words = list(arguments)
    if words[:1] == ["show"]:
        return sites.answer(lambda: _show(words[1:], world), world)
    return sites.answer(lambda: _list(words, world), world)


def _list(arguments: Sequence[str], world: World) -> int:
    found = parser().read(arguments)
    site = sites.find(found, world)
    records = site.ledger.list()
    rows = item_table.list_rows(records, time.time(), queues=found.queue, steps=found.step)
    unreadable = [mask_log(text) for text in site.ledger.unreadable]
    if found.output != "table":
        items = [item_table.describe_row(row) for row in rows]
        world.stdout.write(_dump({"place": site.title, "items": items, "unreadable": unreadable}, found.output))
        return 0
    if rows:
        world.stdout.write(item_table.write_table(rows))
    else:
        chosen = " of these queues and steps" if found.queue or found.step else ""
        world.stderr.write(f"no items{chosen} in work ({site.title})\n")
    for text in unreadable:
        world.stderr.write(f"unreadable: {text}\n")
    return 0


def _show(arguments: Sequence[str], world: World) -> int:
    found = show_parser().read(arguments)
    site = sites.find(found, world)
    record = _choose(site, found.item)
    value = {**item_table.describe_record(record, time.time()), "runSpec": mask_spec(record.run_spec)}
    world.stdout.write(_dump(value, found.output))
    return 0


def _choose(site: sites.Site, word: str) -> Record:
    """The record of an item, named by its id or by its run's."""
    records = site.ledger.list()
    chosen = [one for one in records if word in {one.item_id, one.run_id}]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        ids = ", ".join(one.item_id for one in chosen)
        raise UsageError(f"{len(chosen)} records are of {word}: {ids}.", resolution="name the item by its id")
    raise UsageError(
        f"There is no record of an item or run {word} ({site.title}).",
        resolution="`launch-agent items` lists those that are in work; one that is over has no record",
    )


def mask_spec(value: Any) -> Any:
    """The run spec without what is or may be a key: by the name of a variable or an entry, or by its look."""
    if isinstance(value, str):
        return mask_log(value)
    if isinstance(value, list):
        return [mask_spec(one) for one in value]
    if not isinstance(value, Mapping):
        return value
    name = value.get("name")
    is_secret = isinstance(name, str) and _VARIABLE.search(name) is not None
    return {
        key: MASK if (is_secret and key == "value") or _is_hidden(key, one) else mask_spec(one)
        for key, one in value.items()
    }


def _is_hidden(key: str, value: Any) -> bool:
    return isinstance(value, str) and _ENTRY.search(key) is not None and value != ledger_format.MARKER


def _dump(value: Mapping[str, Any], output: str) -> str:
    if output == "json":
        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    import yaml  # 60 ms, only where it is wanted

    text: str = yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=False, width=120, allow_unicode=True)
    return text


def parser() -> Parser:
    """The flags of the list."""
    result = Parser(
        "launch-agent items",
        usage="launch-agent items [flags]\n       launch-agent items show ITEM [flags]",
        description="List the records of items in work: what was taken from a queue and is not over, oldest first.\n"
        "Nothing is changed. Where the agent has no namespace, its records are files, and those are listed.",
        epilog=f"""\
steps:
  claimed     popped; whether W&B gave it to us is not known yet
  acked       ours, its workload is not made yet (seldom seen)
  created     its workload is made and followed
  requeueing  preempted, on its way back into its queue

examples:
  kubectl -n wandb exec deploy/launch-agent-RELEASE -- launch-agent items
      those of this release, with the rights that the agent has
  launch-agent items --namespace wandb --release RELEASE
      the same with your own kubeconfig; without --release: those of all releases there
  launch-agent items --queue gpu --step created --output json
  launch-agent items show ITEM
      one of them (named by its item or run) with its run spec, secrets masked

exit codes:
  0  listed; records that can not be read are told of on stderr, or as `unreadable`
{sites.CODES}
""",
    )
    result.add_argument(
        "-q", "--queue", metavar="NAME", action="append", default=[], help="only of this queue; may be repeated"
    )
    steps = tuple(step.value for step in Step)
    result.add_argument(
        "--step", metavar="|".join(steps), type=one_of(*steps), action="append", default=[], help="only at this step"
    )
    add_output(result, "table", "json", "yaml", help_text="for people, or for machines")
    sites.add_site(result)
    return result


def show_parser() -> Parser:
    """The flags beside the item."""
    result = Parser(
        "launch-agent items show",
        usage="launch-agent items show ITEM [flags]",
        description="Print one record with its run spec. ITEM is the id of an item or of its run.\n"
        "What is or looks like a key is masked.",
        epilog=f"exit codes:\n  0  shown\n{sites.CODES}",
    )
    result.add_argument("item", metavar="ITEM", help="the id of an item or of its run")
    add_output(result, "yaml", "json", help_text="for people, or for machines")
    sites.add_site(result)
    return result
