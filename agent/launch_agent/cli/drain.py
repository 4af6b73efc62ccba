"""``launch-agent drain``: a running agent takes no more items; wait until those it has are over."""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from launch_agent.cli import sites
from launch_agent.cli.parsing import Parser, add_output
from launch_agent.cli.world import World
from launch_agent.core import draining
from launch_agent.core.draining import Outlook, Seen
from launch_agent.errors import KubernetesUnavailable, UsageError
from launch_agent.runtime.drains import Board
from launch_agent.runtime.ledger import Ledger
from launch_agent.settings.problems import show

INTERVAL = 1.0
"""Seconds between two looks."""

LEFT = 8
"""Exit code when the time is over and items are left."""

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|)")
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


UNSEEN = Outlook(False, None, "not looked at yet")
UNDONE = Outlook(False, None, "the mark was taken away: items are taken again")


@dataclass(slots=True)
class Wait:
    """Looks at a drain until it is over or undone, or ``timeout`` seconds are over (None: for ever)."""

    board: Board
    ledger: Ledger
    timeout: float | None
    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float], None] = time.sleep
    outlook: Outlook = UNSEEN
    _since: dict[Seen, float] = field(default_factory=dict)

    def run(self) -> bool:
        """Whether nothing is left. Raises KubernetesError and LedgerError, but not for an API server that is away."""
        end = None if self.timeout is None else self.clock() + self.timeout
        told = ""
        while True:
            self.outlook = self._look()
            if self.outlook.text != told:
                told = self.outlook.text
                self.tell(told)
            if self.outlook.is_over:
                return True
            if self.outlook is UNDONE or (end is not None and self.clock() >= end):
                return False
            self.pause(INTERVAL)

    def _look(self) -> Outlook:
        try:
            seen = self.board.look()
            now = self.clock()
            self._since = {one: self._since.get(one, now) for one in seen}
            is_silent = any(now - since >= draining.SILENT for since in self._since.values())
            records = self._count_records() if is_silent else None
        except KubernetesUnavailable as error:
            return Outlook(False, self.outlook.left, f"the API server does not answer: {error.summary}")
        if not seen[0].mark:
            return UNDONE
        return draining.combine([draining.judge(one, now - self._since[one], records) for one in seen], records)

    def _count_records(self) -> int:
        """Also those that can not be read: they are somebody's."""
        return len(self.ledger.list()) + len(self.ledger.unreadable)


def main(arguments: Sequence[str], world: World) -> int:
    """Set the mark and wait, or take it away."""
    found = parser().read(arguments)
    return sites.answer(lambda: _perform(found, world), world)


def _perform(found: argparse.Namespace, world: World) -> int:
    site = sites.find(found, world)
    if site.board is None:
        raise UsageError(
            f"Which agent? In {site.title} every release has a Lease of its own.",
            resolution="name it by --release NAME, or run this in its pod (kubectl exec)",
        )
    if found.undo:
        site.board.clear()
        _tell(world, f"{site.board.title} is no longer marked: items are taken again by the agent that runs, if any")
        _finish(world, found.output, None, {"draining": False})
        return 0
    site.board.put(draining.make_mark(time.time()))
    mark = site.board.look()[0].mark
    _tell(world, f"draining since {mark} ({site.board.title}); running jobs go on, `--undo` takes items again")
    if found.no_wait:
        _finish(world, found.output, None, {"draining": True, "since": mark})
        return 0
    began = time.monotonic()
    wait = Wait(site.board, site.ledger, found.timeout, lambda text: _tell(world, text))
    is_over = wait.run()
    values = {"draining": True, "since": mark, "seconds": round(time.monotonic() - began, 1)}
    _finish(world, found.output, wait.outlook, values)
    return 0 if is_over else LEFT


def _tell(world: World, text: str) -> None:
    """Progress: on stderr, at once."""
    world.stderr.write(f"{text}\n")
    world.stderr.flush()


def _finish(world: World, output: str, outlook: Outlook | None, values: dict[str, object]) -> None:
    """The result on stdout."""
    if output == "json":
        told = {} if outlook is None else {"drained": outlook.is_over, "left": outlook.left, "text": outlook.text}
        world.stdout.write(json.dumps({**values, **told}) + "\n")
    elif outlook is not None:
        world.stdout.write("drained\n" if outlook.is_over else f"not drained: {outlook.text}\n")


def read_duration(text: str) -> float:
    """``90``, ``90s``, ``10m``, ``2h`` in seconds."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise argparse.ArgumentTypeError(f"found {show(text)}; allowed is a time such as `90s`, `10m` or `2h`")
    return float(found[1]) * _SECONDS[found[2]]


def parser() -> Parser:
    """The flags."""
    result = Parser(
        "launch-agent drain",
        description="Make the running agent of an installation take no more items, and wait until those that it has\n"
        "are over and reported. Running jobs are never touched; what is in the queue stays there.\n"
        "\n"
        "The mark stays (an annotation of the release's Lease; without a Lease a file beside the records): an agent\n"
        "that is started again, or another pod of the release, takes nothing either, until --undo. Interrupting this\n"
        "command, or its --timeout, leaves the mark; call it again to go on waiting. An agent in a pod stays when it\n"
        "is drained, idle and ready (it would only be started again); any other one ends with 0.",
        epilog=f"""\
examples:
  kubectl -n wandb exec deploy/launch-agent-RELEASE -- launch-agent drain --timeout 2h
      drain this release, with the rights that the agent has
  launch-agent drain --namespace wandb --release RELEASE && helm uninstall RELEASE
      the same with your own kubeconfig (to get and update the Lease, to list ConfigMaps)
  launch-agent drain --undo
      take items again
  launch-agent drain -c launch-config.yaml
      on a plain machine, with the configuration of the agent that runs there

exit codes:
  0  nothing is left (with --undo and --no-wait: the mark is as wanted)
{sites.CODES}
  8  the time is over and items are left, or somebody took the mark away
""",
    )
    result.add_argument(
        "--timeout", metavar="TIME", type=read_duration, help="wait at most so long: 90s, 10m, 2h (default: for ever)"
    )
    result.add_argument("--no-wait", action="store_true", help="set the mark and return")
    result.add_argument("--undo", action="store_true", help="take the mark away: the agent takes items again")
    add_output(result, "text", "json", help_text="the result in words, or as one JSON object; progress is on stderr")
    sites.add_site(result)
    return result
