"""A drain inside of the agent: what the tracker does about the mark, and what the drainer says and when it ends."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from launch_agent.core.draining import Answer, write_answer
from launch_agent.core.events import Refused
from launch_agent.core.models import Stage, Step
from launch_agent.runtime.drains import Drainer
from launch_agent.runtime.inbox import Claim, Draining, Found, Inbox, Polled
from tests.unit.runtime.test_tracker import bench, record

# ── the tracker ──


def test_while_draining_no_item_is_asked_for_and_wandb_still_hears_of_the_agent() -> None:
    it = bench()
    it.inbox.put(Draining("m"))
    it.say(Found(()))
    assert it.hands.polls == [(0, False)]
    assert not it.tracker.wants_items
    it.inbox.put(Draining(""))
    it.say(Polled(()))
    it.clock.now += 4
    it.tracker.turn(0)
    assert it.hands.polls == [(0, False), (2, False)]


def test_what_is_left_is_not_known_before_the_records_are_read() -> None:
    it = bench()
    it.inbox.put(Draining("m"))
    it.tracker.turn(0)
    assert it.tracker.drained is None
    it.say(Found((record("a", Step.CREATED), record("b", Step.CREATED))))
    assert it.tracker.drained == Answer("m", 2)


def test_a_record_that_can_not_be_read_is_left_over_until_somebody_sees_to_it() -> None:
    it = bench()
    it.inbox.put(Draining("m"))
    it.say(Found((), unreadable=1))
    assert it.tracker.drained == Answer("m", 1)


def test_a_poll_that_was_on_its_way_may_still_bring_items_and_they_count() -> None:
    it = bench()
    it.say(Found(()))
    assert it.hands.polls == [(2, False)]
    it.inbox.put(Draining("m"))
    it.tracker.turn(0)
    assert it.tracker.drained is None
    it.say(Claim(record("a"), refused=Refused("no", Stage.AGENT)))
    assert it.tracker.drained == Answer("m", 1)


def test_a_mark_that_was_taken_away_and_set_again_is_answered_by_its_own_name() -> None:
    it = bench()
    it.inbox.put(Draining("m"))
    it.say(Found(()))
    assert it.tracker.drained == Answer("m", 0)
    it.inbox.put(Draining(""))
    it.inbox.put(Draining("n"))
    it.tracker.turn(0)
    assert it.tracker.drained == Answer("n", 0)


def test_the_status_line_says_why_nothing_is_taken() -> None:
    it = bench()
    it.inbox.put(Draining("m"))
    it.say(Found(()))
    it.clock.now += 1
    it.tracker.turn(0)
    assert it.tracker.summary == "0 of 2 slots used; draining, no items are taken"


# ── the drainer ──


@dataclass
class Marks:
    """A mark and what is answered to it; ``reaches`` is whether an answer gets there at once."""

    mark: str = ""
    said: list[str] = field(default_factory=list)
    reaches: bool = True

    def answer(self, text: str) -> bool:
        self.said.append(text)
        return self.reaches


@dataclass
class Side:
    """An agent's drainer, with all that it touches."""

    marks: Marks = field(default_factory=Marks)
    inbox: Inbox = field(default_factory=Inbox)
    drained: Answer | None = None
    left: int = 0
    drainer: Drainer = field(init=False)

    def __post_init__(self) -> None:
        self.drainer = Drainer(self.marks, self.inbox, lambda: self.drained, self._leave)

    def _leave(self) -> None:
        self.left += 1

    def turn(self, drained: Answer | None = None) -> None:
        self.drained = drained
        self.drainer.turn()


def test_an_agent_without_a_mark_says_nothing() -> None:
    side = Side()
    side.turn()
    assert (side.inbox.empty(), side.marks.said, side.drainer.note, side.left) == (True, [], "", 0)


def test_a_drain_goes_from_the_mark_over_what_is_left_to_the_end() -> None:
    side = Side(Marks("m"))
    side.turn()
    assert side.inbox.get_nowait() == Draining("m")
    assert side.drainer.note == "draining since m: no items are taken until `launch-agent drain --undo`"
    side.turn(Answer("m", 2))
    assert side.drainer.note.startswith("draining since m, 2 items left: ")
    side.turn(Answer("m", 0))
    side.turn(Answer("m", 0))
    assert side.marks.said == ["", *(write_answer(Answer("m", left)) for left in (2, 0, 0))]
    assert side.left == 1
    assert side.inbox.empty()


@pytest.mark.parametrize("drained", [None, Answer("before", 0), Answer("m", 1)])
def test_the_agent_stays_as_long_as_this_mark_has_something_left(drained: Answer | None) -> None:
    side = Side(Marks("m"))
    side.turn(drained)
    assert side.left == 0


def test_the_agent_stays_until_its_answer_is_there() -> None:
    side = Side(Marks("m", reaches=False))
    side.turn(Answer("m", 0))
    assert side.left == 0
    side.marks.reaches = True
    side.turn(Answer("m", 0))
    assert side.left == 1


def test_an_undone_drain_takes_items_and_its_answer_away() -> None:
    side = Side(Marks("m"))
    side.turn(Answer("m", 1))
    side.marks.mark = ""
    side.turn()
    assert [side.inbox.get_nowait(), side.inbox.get_nowait()] == [Draining("m"), Draining("")]
    assert side.marks.said[-1] == ""
    assert side.drainer.note == ""


def test_an_agent_that_is_drained_twice_ends_once_for_each() -> None:
    side = Side(Marks("m"))
    side.turn(Answer("m", 0))
    side.marks.mark = ""
    side.turn()
    side.marks.mark = "n"
    side.turn(Answer("m", 0))
    assert side.left == 1
    side.turn(Answer("n", 0))
    assert side.left == 2
