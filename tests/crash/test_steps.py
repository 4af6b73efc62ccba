"""The table of steps is whole: what the agent asks for is in it, and all of it is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crash.steps import STEPS
from tests.support.kill_items import FLAVOURS
from tests.support.kills import open_arena

pytestmark = [pytest.mark.crash, pytest.mark.sim, pytest.mark.timeout(240)]


@pytest.mark.long
def test_every_request_of_an_agent_belongs_to_a_named_step(tmp_path: Path) -> None:
    with open_arena(tmp_path) as arena:
        for peer in ("wandb", "kube"):
            rules = [{"name": one.name, "match": one.rule, "fault": "pass"} for one in STEPS if one.peer == peer]
            arena.side(peer).replace({"rules": rules})
        arena.push(*FLAVOURS, "preempt")
        arena.launch()
        arena.wait_until_over()
        arena.kill()
        arena.push("finish", "key")
        arena.launch()
        arena.wait_until_over()
        problems = []
        for peer in ("wandb", "kube"):
            counts, rules_seen = arena.side(peer).counts(), arena.side(peer).rules()
            for label, count in counts.items():
                known = sum(rules_seen[one.name]["bitten"] for one in STEPS if one.label == label and one.peer == peer)
                if known < count:
                    problems.append(f"{peer}: {count - known} of {count} requests {label!r} belong to no step")
            unseen = [
                one.name for one in STEPS if one.peer == peer and not one.is_rare and not rules_seen[one.name]["bitten"]
            ]
            problems += [f"{peer}: nobody asked for {name!r}" for name in unseen]
        assert not problems, "\n".join(problems)
