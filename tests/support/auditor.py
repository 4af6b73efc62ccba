"""Counts what became of pushed items: by the queue server's database and the API server's audit log, not by the agent.

It knows no agent: items are followed by a token in their pod template, so W&B's own agent can be judged as well.

    python -m tests.support.auditor --database queue.db --audit-log audit.log --namespace NAME --pushed pushed.json
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.audit_log import JobEvent, read_audit_log, token_of

FINISHED, FAILED = "FINISHED", "FAILED"
OVER = frozenset({FINISHED, FAILED})


@dataclass(frozen=True, slots=True)
class Pushed:
    """An item as it was pushed: how it has to end, and how often its work may be created."""

    token: str
    ends: str = FINISHED
    creations: int = 1
    """The most Jobs that may be created for it: one, and one more for each preemption; 0 for a refused item."""
    may_fail: bool = False
    """Whether FAILED is an honest end, too: it is counted as ``unresumed``."""
    may_repeat: bool = False
    """Whether its Job may be made again after somebody deleted it before its run began: counted as ``repeated``."""


@dataclass(frozen=True, slots=True)
class Item:
    """An item as the queue server has it."""

    number: int
    token: str
    state: str
    run: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, each as a sentence with its evidence; and how much was looked at."""

    items: int
    creations: int
    lost: tuple[str, ...] = ()
    twice: tuple[str, ...] = ()
    contradicted: tuple[str, ...] = ()
    stuck: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    unresumed: tuple[str, ...] = ()
    """Preempted and failed with a reason instead of put back; no loss, so it is told beside."""
    repeated: tuple[str, ...] = ()
    """Deleted by somebody before the run began and made again, one after the other."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.twice or self.contradicted or self.stuck or self.leftovers)

    @property
    def summary(self) -> str:
        """The counts on one line."""
        return (
            f"{self.items} items, {self.creations} Jobs created: {len(self.lost)} lost, {len(self.twice)} twice, "
            f"{len(self.contradicted)} contradicted, {len(self.stuck)} stuck slots, {len(self.leftovers)} left over "
            f"(beside: {len(self.unresumed)} preempted unseen, {len(self.repeated)} made again after a deletion)"
        )

    def __str__(self) -> str:
        parts = (self.lost, self.twice, self.contradicted, self.stuck, self.leftovers)
        return "\n".join([self.summary, *(line for part in parts for line in part[:20])])


@dataclass(slots=True)
class _Trail:
    """All that is known of one token."""

    items: list[Item] = field(default_factory=list)
    created: list[JobEvent] = field(default_factory=list)
    deleted: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def audit(
    pushed: Sequence[Pushed],
    items: Sequence[Item],
    events: Sequence[JobEvent],
    *,
    stuck: Sequence[str] = (),
    leftovers: Sequence[str] = (),
) -> Verdict:
    """Judge each pushed item. What is not seen from the two logs (slots, leftovers) is handed in."""
    trails: dict[str, _Trail] = defaultdict(_Trail)
    for item in items:
        trails[item.token].items.append(item)
    token_by_job = {event.name: event.token for event in events if event.verb == "create"}
    for event in events:
        if event.verb == "create":
            trails[event.token].created.append(event)
        else:
            trails[token_by_job.get(event.name, "")].deleted[event.name].append(event.at)
    lost: list[str] = []
    twice: list[str] = []
    contradicted: list[str] = []
    unresumed: list[str] = []
    repeated: list[str] = []
    for one in pushed:
        trail = trails[one.token]
        lost += _find_loss(one, trail)
        twice += _find_overlaps(one, trail)
        (repeated if one.may_repeat else twice).extend(_find_repeats(one, trail))
        (unresumed if one.may_fail else contradicted).extend(_find_contradiction(one, trail))
    known = {one.token for one in pushed}
    strange = [event for event in events if event.verb == "create" and event.token not in known]
    twice += [f"Job {event.name} was created at {event.at} for no item that was pushed" for event in strange]
    creations = sum(1 for event in events if event.verb == "create")
    return Verdict(
        len(pushed),
        creations,
        tuple(lost),
        tuple(twice),
        tuple(contradicted),
        tuple(stuck),
        tuple(leftovers),
        tuple(unresumed),
        tuple(repeated),
    )


def _find_loss(one: Pushed, trail: _Trail) -> list[str]:
    """Each item is over, with a reason where it failed, or waits in the queue. At quiet nothing is between."""
    if not trail.items:
        return [f"{one.token}: the queue server has no such item"]
    failed = [item for item in trail.items if item.state == FAILED and not item.error]
    still = [item for item in find_open(trail.items) if item.state != "PENDING"]
    return [f"{one.token}: item {item.number} is FAILED without a reason" for item in failed] + [
        f"{one.token}: item {item.number} is {item.state} for run {item.run or 'none'}; {_tell(trail)}"
        for item in still
    ]


def find_open(items: Sequence[Item]) -> list[Item]:
    """The items that are not over, of any tokens.

    An item whose run goes on with a copy of it is the copy's business: what becomes of the run is told there.
    """
    newest = {item.token: item for item in sorted(items, key=lambda item: item.number)}
    return [
        item
        for item in items
        if item.state not in OVER and (item is newest[item.token] or item.run != newest[item.token].run or not item.run)
    ]


def _find_repeats(one: Pushed, trail: _Trail) -> list[str]:
    if len(trail.created) <= one.creations:
        return []
    return [f"{one.token}: {len(trail.created)} Jobs, {one.creations} allowed: {_tell(trail)}"]


def _find_overlaps(one: Pushed, trail: _Trail) -> list[str]:
    """More items than there may be, and Jobs that were created while the one before had not been deleted."""
    found = []
    if len(trail.items) > max(1, one.creations):
        numbers = [item.number for item in trail.items]
        found.append(f"{one.token}: {len(trail.items)} items {numbers}, {max(1, one.creations)} allowed")
    for before, after in zip(trail.created, trail.created[1:], strict=False):
        ended = [at for at in trail.deleted.get(before.name, []) if before.at <= at <= after.at]
        if not ended:
            found.append(f"{one.token}: {after.name} was created at {after.at} beside {before.name} of {before.at}")
    return found


def _find_contradiction(one: Pushed, trail: _Trail) -> list[str]:
    """The last word on an item is what happened to it."""
    if not trail.items:
        return []
    newest = max(trail.items, key=lambda item: item.number)
    if newest.state in OVER and newest.state != one.ends:
        return [f"{one.token}: item {newest.number} is {newest.state} ({newest.error[:300]}), not {one.ends}"]
    return []


def _tell(trail: _Trail) -> str:
    return "; ".join(f"{event.name} at {event.at} run {event.run_id}" for event in trail.created) or "no Job"


def read_items(database: Path) -> list[Item]:
    """All items of the queue server that bear a token, from its SQLite file."""
    query = "SELECT id, spec, state, run_name, error_message FROM items ORDER BY id"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as connection:
        rows = connection.execute(query).fetchall()
    found = [Item(row[0], token_in_spec(json.loads(row[1])), row[2], row[3] or "", row[4] or "") for row in rows]
    return [item for item in found if item.token]


def token_in_spec(spec: Mapping[str, Any]) -> str:
    """The token that a run spec carries."""
    return token_of((spec.get("resource_args") or {}).get("kubernetes") or {})


def count_states(items: Sequence[Item]) -> Counter[str]:
    """How many items are in each state."""
    return Counter(item.state for item in items)


def main(arguments: Sequence[str]) -> int:
    """Audit from files; 0 if all is well."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.auditor", description=__doc__)
    parser.add_argument("--database", type=Path, required=True, help="the queue server's SQLite file")
    parser.add_argument("--audit-log", type=Path, required=True, help="the API server's audit log")
    parser.add_argument("--namespace", required=True, help="where the Jobs go")
    parser.add_argument("--pushed", type=Path, required=True, help='JSON: [{"token", "ends", "creations"}]')
    options = parser.parse_args(arguments)
    pushed = [Pushed(**one) for one in json.loads(options.pushed.read_text())]
    verdict = audit(pushed, read_items(options.database), read_audit_log(options.audit_log, options.namespace))
    print(verdict)
    return 0 if verdict.is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
