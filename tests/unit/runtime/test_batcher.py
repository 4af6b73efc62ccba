"""What waits for W&B goes together, in order, in documents of few sizes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.operation import Operation, Result
from launch_agent.errors import WandbDenied, WandbError, WandbRejected, WandbUnavailable
from launch_agent.runtime.batcher import Batcher
from launch_agent.runtime.metrics import Metrics


class Server:
    """Answers each operation with its item's id; or with an error."""

    def __init__(self, error: WandbError | None = None) -> None:
        self.documents: list[list[Operation]] = []
        self.error = error

    def run(self, batch: Sequence[Operation], /) -> list[Result]:
        self.documents.append(list(batch))
        if self.error is not None:
            raise self.error
        return [Result(value=one.arguments[0].value) for one in batch]


def send(server: Server, batch: Sequence[Operation]) -> list[tuple[Any, WandbError | None]]:
    batcher, answers = Batcher(server, Metrics()), []
    for operation in batch:
        batcher.submit(operation, lambda value, error: answers.append((value, error)))
    while len(answers) < len(batch):
        batcher.turn(patience=0)
    return answers


@pytest.mark.parametrize(
    ("waiting", "sizes"),
    [(1, [1]), (7, [5, 2]), (100, [100]), (137, [100, 20, 10, 5, 2]), (250, [100, 100, 50])],
)
def test_what_waits_goes_in_documents_of_few_sizes(waiting: int, sizes: list[int]) -> None:
    server = Server()
    answers = send(server, [operations.ack(str(number), "run") for number in range(waiting)])
    assert [len(document) for document in server.documents] == sizes
    assert [value for value, _ in answers] == [str(number) for number in range(waiting)]


def test_questions_and_changes_go_in_documents_of_their_own() -> None:
    server = Server()
    send(server, [operations.ack("1", "r"), operations.run_state("e", "p", "r"), operations.ack("2", "r")])
    assert [[one.kind for one in document] for document in server.documents] == [["mutation", "mutation"], ["query"]]


@pytest.mark.parametrize("error", [WandbUnavailable("no answer"), WandbRejected("no")])
def test_an_error_of_a_document_is_told_to_all_of_it(error: WandbError, caplog: pytest.LogCaptureFixture) -> None:
    answers = send(Server(error), [operations.ack("1", "r"), operations.ack("2", "r")])
    assert answers == [(None, error), (None, error)]
    assert "2 operations" in caplog.text


class Outage:
    """A server that is away until told; then it takes all, or all but some."""

    def __init__(self) -> None:
        self.error: WandbError | None = WandbUnavailable("away")
        self.refused: dict[str, WandbError] = {}
        self.taken: list[str] = []
        self.asked = 0

    def run(self, batch: Sequence[Operation], /) -> list[Result]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        results = []
        for one in batch:
            item_id = one.arguments[0].value
            error = self.refused.get(item_id)
            results.append(Result(error=error) if error else Result(value=item_id))
            if error is None:
                self.taken.append(f"{one.name} {item_id}")
        return results


def keep(batcher: Batcher, *operations_: Operation) -> list[tuple[Any, WandbError | None]]:
    answers: list[tuple[Any, WandbError | None]] = []
    for one in operations_:
        batcher.submit(one, lambda value, error: answers.append((value, error)), is_kept=True)
    return answers


@pytest.mark.parametrize("error", [WandbUnavailable("away"), WandbDenied("an expired key")])
def test_reports_are_kept_in_order_while_wandb_takes_none(error: WandbError) -> None:
    now, server = [0.0], Outage()
    server.error = error
    batcher = Batcher(server, Metrics(), clock=lambda: now[0], jitter=lambda: 0.0)
    answers = keep(batcher, operations.warn("1", "slow", "run"), operations.fail("2", "broken", "run"))
    for _ in range(100):
        now[0] += 60.0
        batcher.turn(patience=0)
    answers += keep(batcher, operations.fail("1", "broken", "run"))
    assert batcher.kept == (2, 6000.0)
    assert answers == []
    server.error = None
    now[0] += 60.0
    batcher.turn(patience=0)
    batcher.turn(patience=0)
    assert server.taken == ["updateRunQueueItemWarning 1", "failRunQueueItem 2", "failRunQueueItem 1"]
    assert batcher.kept == (0, 0.0)


def test_wandb_is_not_asked_for_each_report_while_it_is_away() -> None:
    now, server = [0.0], Outage()
    batcher = Batcher(server, Metrics(), clock=lambda: now[0], jitter=lambda: 1.0)
    keep(batcher, *(operations.fail(str(number), "broken", "run") for number in range(500)))
    for _ in range(3600):
        now[0] += 1.0
        batcher.turn(patience=0)
    assert server.asked < 80


def test_what_got_no_answer_stays_and_what_was_refused_is_told() -> None:
    now, server = [0.0], Outage()
    server.error = None
    server.refused = {"2": WandbUnavailable("lost"), "3": WandbRejected("no such item")}
    batcher = Batcher(server, Metrics(), clock=lambda: now[0], jitter=lambda: 0.0)
    answers = keep(batcher, *(operations.fail(str(number), "broken", "run") for number in range(1, 6)))
    batcher.turn(patience=0)
    assert [value or str(error) for value, error in answers] == ["1", "no such item", "4", "5"]
    assert batcher.kept[0] == 1
    server.refused = {}
    now[0] += 60.0
    batcher.turn(patience=0)
    assert answers[-1] == ("2", None)


def test_other_operations_do_not_wait_for_reports() -> None:
    server = Outage()
    batcher = Batcher(server, Metrics(), clock=lambda: 0.0)
    keep(batcher, operations.fail("1", "broken", "run"))
    batcher.turn(patience=0)
    server.error = None
    acked: list[Any] = []
    batcher.submit(operations.ack("2", "run"), lambda value, _error: acked.append(value))
    batcher.turn(patience=0)
    assert acked == ["2"]
    assert batcher.kept[0] == 1


def test_a_report_that_has_to_wait_says_so_once() -> None:
    server = Server(WandbUnavailable("away"))
    now = [0.0]
    batcher = Batcher(server, Metrics(), clock=lambda: now[0])
    told: list[str] = []
    for name in ("first", "second"):
        batcher.submit(operations.ack(name, "r"), lambda *_: None, is_kept=True, put_off=partial(told.append, name))
        for _ in range(2):
            now[0] += 1000.0
            batcher.turn(patience=0)
    assert told == ["first", "second"]
    server.error = None
    now[0] += 1000.0
    batcher.turn(patience=0)
    batcher.submit(operations.ack("third", "r"), lambda *_: None, is_kept=True, put_off=lambda: told.append("third"))
    batcher.turn(patience=0)
    assert told == ["first", "second"]
