"""`launch-agent drain`: how far a drain is, and what the command does about it, with boards and clocks of the test."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from launch_agent.cli import main
from launch_agent.cli.drain import UNDONE, Wait
from launch_agent.core import draining, shares
from launch_agent.core.draining import Answer, Outlook, Seen
from launch_agent.core.marks import DRAIN_ANNOTATION, DRAIN_ANSWER_ANNOTATION, SHARE_ANNOTATION
from launch_agent.core.shares import Posting, Terms
from launch_agent.errors import KubernetesConflict, KubernetesMissing, KubernetesUnavailable
from launch_agent.runtime.drains import ATTEMPTS, FileBoard, LeaseBoard
from launch_agent.runtime.ledger import DirectoryLedger
from tests.support.records import make_record
from tests.unit.runtime.test_lease import Pod, Shelf

MARK = "2026-11-23T12:00:00.000000Z"
FOLDER = Path(".local/state/launch-agent")


def answer(left: int, mark: str = MARK) -> str:
    return draining.write_answer(Answer(mark, left))


@pytest.mark.parametrize(
    ("seen", "silence", "records", "outlook"),
    [
        (Seen(MARK, answer(0)), 0, None, Outlook(True, 0, "no items are left")),
        (Seen(MARK, answer(0)), 99, None, Outlook(True, 0, "no items are left")),
        (Seen(MARK, answer(1)), 0, None, Outlook(False, 1, "1 item is not over")),
        (Seen(MARK, answer(3)), 0, None, Outlook(False, 3, "3 items are not over")),
        (Seen(MARK, answer(0, "earlier")), 0, None, Outlook(False, None, "waiting for the agent to answer")),
        (Seen(MARK, "{", "pod-a_1"), 0, None, Outlook(False, None, "waiting for pod-a_1 to answer")),
        (Seen(MARK, ""), 20, 0, Outlook(True, 0, "no agent runs, and no items are left")),
    ],
)
def test_a_drain_is_over_when_the_agent_says_so_or_no_agent_and_no_record_is_there(
    seen: Seen, silence: float, records: int | None, outlook: Outlook
) -> None:
    assert draining.judge(seen, silence, records) == outlook


@pytest.mark.parametrize("seen", [Seen(MARK, ""), Seen(MARK, answer(2)), Seen(MARK, "", "pod-a_1", "beat")])
def test_records_of_an_agent_that_is_gone_are_waited_for(seen: Seen) -> None:
    outlook = draining.judge(seen, 20, 2)
    assert (outlook.is_over, outlook.left) == (False, 2)
    assert outlook.text.startswith("no agent runs, and 2 items are not over")


def test_an_agent_that_is_gone_leaves_what_it_said_last_where_the_records_were_not_asked_for() -> None:
    assert draining.judge(Seen(MARK, answer(2)), 20, None).left == 2


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"mark":"m"}', '{"mark":"m","left":"x"}', '{"mark":"n","left":0}']
)
def test_what_is_no_answer_to_the_mark_is_none(text: str) -> None:
    assert draining.read_answer(text, "m") is None


def test_an_annotation_is_set_and_taken_away_beside_others() -> None:
    lease = {"metadata": {"name": "x", "annotations": {"a": "1"}}, "spec": {}}
    marked = draining.annotate(lease, {DRAIN_ANNOTATION: MARK})
    assert marked["metadata"]["annotations"] == {"a": "1", DRAIN_ANNOTATION: MARK}
    assert draining.annotate(marked, {DRAIN_ANNOTATION: "", DRAIN_ANSWER_ANNOTATION: ""}) == lease


# ── waiting ──


@dataclass
class Stage:
    """A board that shows one thing after the other, a second each."""

    scenes: list[Seen | tuple[Seen, ...] | Exception]
    now: float = 0.0
    told: list[str] = field(default_factory=list)
    title: str = "a board"

    def look(self) -> tuple[Seen, ...]:
        scene = self.scenes.pop(0) if len(self.scenes) > 1 else self.scenes[0]
        if isinstance(scene, Exception):
            raise scene
        return scene if isinstance(scene, tuple) else (scene,)

    def put(self, mark: str) -> None:
        raise AssertionError(mark)

    def clear(self) -> None:
        raise AssertionError

    def pause(self, seconds: float) -> None:
        self.now += seconds

    def wait(self, folder: Path, timeout: float | None = None) -> Wait:
        return Wait(self, DirectoryLedger(folder), timeout, self.told.append, lambda: self.now, self.pause)


def test_progress_is_told_once_for_each_change(tmp_path: Path) -> None:
    away = KubernetesUnavailable("it is away")
    two, none = Seen(MARK, answer(2)), Seen(MARK, answer(0))
    stage = Stage([Seen(MARK), Seen(MARK), two, away, away, two, none])
    assert stage.wait(tmp_path).run()
    assert stage.told == [
        "waiting for the agent to answer",
        "2 items are not over",
        "the API server does not answer: it is away",
        "2 items are not over",
        "no items are left",
    ]


def test_the_time_is_kept_also_while_the_api_server_is_away(tmp_path: Path) -> None:
    stage = Stage([Seen(MARK, answer(2)), KubernetesUnavailable("it is away")])
    wait = stage.wait(tmp_path, 5)
    assert not wait.run()
    assert (stage.now, wait.outlook.left) == (5.0, 2)


def test_a_mark_that_is_taken_away_ends_the_wait(tmp_path: Path) -> None:
    wait = Stage([Seen(MARK, answer(2)), Seen()]).wait(tmp_path)
    assert not wait.run()
    assert wait.outlook is UNDONE


def test_without_an_agent_the_records_decide(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path)
    ledger.create(make_record("item-1"))
    stage = Stage([Seen(MARK)])
    assert not stage.wait(tmp_path, 30).run()
    assert stage.told[-1].startswith("no agent runs, and 1 item is not over")
    ledger.delete("item-1")
    assert stage.wait(tmp_path, 30).run()
    assert stage.now == pytest.approx(30 + draining.SILENT)


def test_a_record_that_can_not_be_read_is_left_over_too(tmp_path: Path) -> None:
    (tmp_path / "broken.record").write_text("{")
    assert not Stage([Seen(MARK)]).wait(tmp_path, 30).run()


def test_several_shards_are_over_when_the_last_one_is_and_are_counted_together(tmp_path: Path) -> None:
    one, two, none = (Seen(MARK, answer(left)) for left in (1, 2, 0))
    stage = Stage([(two, Seen(MARK, "", "pod-b")), (two, one), (none, one), (none, none)])
    assert stage.wait(tmp_path).run()
    assert stage.told == [
        "waiting for pod-b to answer",
        "3 items are not over",
        "1 item is not over",
        "no items are left",
    ]


def test_the_records_decide_for_a_shard_that_no_agent_holds(tmp_path: Path) -> None:
    ledger = DirectoryLedger(tmp_path)
    ledger.create(make_record("item-1"))
    stage = Stage([(Seen(MARK, answer(0)), Seen(MARK))])
    assert not stage.wait(tmp_path, 30).run()
    assert stage.told[-1].startswith("no agent runs, and 1 item is not over")
    ledger.delete("item-1")
    assert stage.wait(tmp_path, 30).run()


# ── boards ──


def test_a_shard_is_waited_for_that_is_held_or_has_something_left() -> None:
    main, held, left, clean, absent = Shelf(), Shelf(), Shelf(), Shelf(), Shelf()
    for shelf, used, holder in ((held, 0, "pod_1"), (left, 2, ""), (clean, 0, "")):
        posting = shares.write(Posting(Terms(4, 9), used, "pod_1"))
        shelf.create({"metadata": {"annotations": {SHARE_ANNOTATION: posting}}, "spec": {"holderIdentity": holder}})
    Pod(main, "pod-a").turn()
    board = LeaseBoard(main, (held, left, clean, absent))
    board.put(MARK)
    assert [one.holder.partition("_")[0] for one in board.look()] == ["pod-a", "pod", ""]
    assert {one.mark for one in board.look()} == {MARK}


def test_a_mark_on_the_lease_is_seen_and_answered_by_its_holder_with_the_next_renewal() -> None:
    shelf = Shelf()
    pod = Pod(shelf, "pod-a")
    assert pod.turn()
    board = LeaseBoard(shelf)
    board.put(MARK)
    assert (pod.guard.mark, board.look()[0].mark) == ("", MARK)
    assert pod.turn(3)
    assert pod.guard.mark == MARK
    assert not pod.guard.answer(answer(1))
    assert pod.turn(3)
    assert pod.guard.answer(answer(1))
    assert board.look()[0].answer == answer(1)
    board.put("another")
    assert board.look()[0].mark == MARK
    board.clear()
    pod.guard.answer("")
    assert pod.turn(3)
    assert (pod.guard.mark, board.look()[0].mark, board.look()[0].answer) == ("", "", "")


def test_a_pod_that_takes_the_lease_over_knows_the_mark_and_drops_the_other_s_answer() -> None:
    shelf = Shelf()
    first, second = Pod(shelf, "pod-a"), Pod(shelf, "pod-b")
    assert first.turn()
    LeaseBoard(shelf).put(MARK)
    first.turn(3)
    first.guard.answer(answer(4))
    assert first.turn(3)
    first.guard.leave(is_quiet=True)
    assert second.turn()
    assert second.guard.mark == MARK
    assert LeaseBoard(shelf).look()[0].answer == ""


def test_a_lease_that_is_made_anew_by_its_holder_keeps_the_mark() -> None:
    shelf = Shelf()
    pod = Pod(shelf, "pod-a")
    pod.turn()
    LeaseBoard(shelf).put(MARK)
    pod.turn(3)
    shelf.lease = None
    assert pod.turn(3)
    assert LeaseBoard(shelf).look()[0].mark == MARK


class Contested(Shelf):
    """Somebody else writes before each of the first ``losses`` updates."""

    losses = 0

    def read(self) -> dict[str, object] | None:
        found = super().read()
        if self.losses:
            self.losses -= 1
            self.edit(leaseTransitions=self.losses)
        return found


@pytest.mark.parametrize("losses", [1, ATTEMPTS - 1])
def test_a_mark_that_meets_renewals_is_written_in_the_end(losses: int) -> None:
    shelf = Contested()
    Pod(shelf, "pod-a").turn()
    shelf.losses = losses
    LeaseBoard(shelf).put(MARK)
    assert LeaseBoard(shelf).look()[0].mark == MARK


def test_a_lease_that_always_changes_is_given_up() -> None:
    shelf = Contested()
    Pod(shelf, "pod-a").turn()
    shelf.losses = 99
    with pytest.raises(KubernetesConflict):
        LeaseBoard(shelf).put(MARK)


def test_a_lease_that_is_not_there_is_told_of() -> None:
    with pytest.raises(KubernetesMissing, match="There is no Lease ns/rel"):
        LeaseBoard(Shelf()).look()


def test_a_file_is_a_mark_whatever_is_in_it(tmp_path: Path) -> None:
    board = FileBoard(tmp_path)
    assert board.mark == ""
    (tmp_path / "drain").write_bytes(b"")
    assert board.mark == "drain"
    (tmp_path / "drain").write_bytes(b"\xff\n")
    assert board.mark == "\ufffd"


def test_an_answer_in_a_file_is_written_again_to_show_that_the_agent_lives(tmp_path: Path) -> None:
    now = [0.0]
    board = FileBoard(tmp_path, lambda: now[0])

    def seen() -> Seen:
        return board.look()[0]

    assert board.answer(answer(1))
    (tmp_path / "drain-answer").unlink()
    assert board.answer(answer(1))
    assert seen().answer == ""
    now[0] = 5.0
    assert board.answer(answer(1))
    assert seen().answer == answer(1)
    assert board.answer("")
    assert seen() == Seen()


# ── the command ──


def test_outside_of_kubernetes_the_mark_is_a_file_beside_the_records(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drain", "--no-wait", "--output", "json"], {}, tmp_path) == 0
    since = json.loads(capsys.readouterr().out)["since"]
    assert (tmp_path / FOLDER / "drain").read_text() == f"{since}\n"
    assert main(["drain", "--no-wait", "--output", "json"], {}, tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["since"] == since
    (tmp_path / FOLDER / "drain-answer").write_text(answer(0, since))
    assert main(["drain"], {}, tmp_path) == 0
    assert capsys.readouterr().out == "drained\n"
    assert main(["drain", "--undo"], {}, tmp_path) == 0
    assert sorted(path.name for path in (tmp_path / FOLDER).iterdir()) == []


def test_an_agent_that_says_that_items_are_left_is_not_drained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    FileBoard(tmp_path / FOLDER).put(MARK)
    FileBoard(tmp_path / FOLDER).answer(answer(2))
    assert main(["drain", "--timeout", "0s"], {}, tmp_path) == 8
    assert capsys.readouterr().out == "not drained: 2 items are not over\n"


@pytest.mark.parametrize("text", ["", "soon", "-1s", "5d", "1h30m"])
def test_a_time_that_is_none_is_refused(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drain", f"--timeout={text}"], {}, tmp_path) == 2
    assert "allowed is a time such as `90s`, `10m` or `2h`" in capsys.readouterr().err


def test_a_folder_that_can_not_be_written_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / ".local").write_text("a file")
    assert main(["drain", "--no-wait"], {}, tmp_path) == 4
    assert "drain can not be written: Not a directory" in capsys.readouterr().err
