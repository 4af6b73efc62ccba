"""Many questions at once: answers in order, errors as values, nothing waits for what hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from launch_agent.checks.effort import WORKERS, ask
from launch_agent.checks.report import Area, Check, Status
from launch_agent.checks.trials import Trial, perform
from launch_agent.errors import LaunchAgentError, WandbUnavailable


def fail_with(error: Exception) -> Callable[[], str]:
    def call() -> str:
        raise error

    return call


def test_answers_come_in_the_order_of_the_questions() -> None:
    assert ask([lambda number=number: number for number in range(50)]) == list(range(50))  # type: ignore[misc] # a lambda


def test_no_question_needs_no_answer() -> None:
    assert ask([]) == []


def test_an_error_is_an_answer_and_the_others_go_on() -> None:
    error = WandbUnavailable("away")
    assert ask([lambda: "a", fail_with(error), lambda: "b"]) == ["a", error, "b"]


def test_a_mistake_of_ours_is_an_answer_too(capsys: pytest.CaptureFixture[str]) -> None:
    (found,) = ask([fail_with(KeyError("kind"))])
    assert isinstance(found, LaunchAgentError)
    assert found.summary == "An unexpected KeyError: 'kind'"
    assert "Traceback" not in capsys.readouterr().err


def test_as_many_are_asked_at_once_as_there_are_workers() -> None:
    together = threading.Barrier(WORKERS)
    assert len(ask([lambda: together.wait(10) for _ in range(WORKERS)], within=10)) == WORKERS


def test_what_hangs_is_told_in_time_and_keeps_nobody() -> None:
    never = threading.Event()
    began = time.monotonic()
    found = ask([lambda: "a", lambda: str(never.wait(30)), lambda: "b"], within=0.2)
    assert time.monotonic() - began < 5
    never.set()
    assert (found[0], found[2]) == ("a", "b")
    assert isinstance(found[1], LaunchAgentError)
    assert "No answer within" in found[1].summary


def test_a_trial_that_raises_is_a_failed_check_with_the_errors_words() -> None:
    error = LaunchAgentError("It is away.", detail="(refused)", resolution="Wait.")
    trials = [
        Trial("a", Area.JOBS, lambda: Check("a", Area.JOBS, Status.OK)),
        Trial("b", Area.WANDB, fail_with(error)),  # type: ignore[arg-type] # it returns nothing
    ]
    assert perform(trials) == [
        Check("a", Area.JOBS, Status.OK),
        Check("b", Area.WANDB, Status.FAIL, "It is away. (refused)", "Wait."),
    ]
