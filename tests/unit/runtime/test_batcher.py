"""What waits for W&B goes together, in order, in documents of few sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.operation import Operation, Result
from launch_agent.errors import WandbError, WandbRejected, WandbUnavailable
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
