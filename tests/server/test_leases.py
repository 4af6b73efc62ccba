"""The life of an item, as a table of values."""

import pytest

from launch_server import leases
from launch_server.leases import ErrorSource, Item, ItemState
from launch_server.run_states import RunState, describe_end, end_state

PENDING, LEASED, CLAIMED = ItemState.PENDING, ItemState.LEASED, ItemState.CLAIMED
FAILED, FINISHED = ItemState.FAILED, ItemState.FINISHED


@pytest.mark.parametrize(
    ("item", "run", "accepted", "state", "reason"),
    [
        pytest.param(Item(LEASED, 1), "r", True, CLAIMED, "", id="in its lease"),
        pytest.param(Item(PENDING, 1), "r", True, CLAIMED, "", id="late, nobody popped it again"),
        pytest.param(Item(LEASED, 2), "r", True, CLAIMED, "", id="popped again: the first ack wins"),
        pytest.param(Item(CLAIMED, 1, "r"), "r", True, None, "", id="the same run id again"),
        pytest.param(Item(FINISHED, 1, "r"), "r", True, None, "", id="the same run id after its end"),
        pytest.param(Item(CLAIMED, 1, "x"), "r", False, None, "before, for run 'x'", id="another run has it"),
        pytest.param(Item(PENDING, 0), "r", False, None, "not popped", id="never popped"),
        pytest.param(Item(FAILED, 1), "r", False, None, "FAILED already", id="failed before"),
    ],
)
def test_an_ack_is_accepted_from_the_first_run_that_asks(
    item: Item, run: str, accepted: bool, state: ItemState | None, reason: str
) -> None:
    decision = leases.acknowledge(item, run, now=5.0)
    assert decision.accepted is accepted
    assert decision.changes.get("state") == state
    assert reason in decision.reason


@pytest.mark.parametrize(
    ("item", "accepted", "changes"),
    [
        pytest.param(Item(LEASED, 1), True, True, id="leased"),
        pytest.param(Item(CLAIMED, 1, "r"), True, True, id="claimed"),
        pytest.param(Item(PENDING, 1), True, True, id="its lease lapsed"),
        pytest.param(Item(PENDING, 0), False, False, id="never popped"),
        pytest.param(Item(FINISHED, 1, "r"), False, False, id="finished"),
        pytest.param(Item(FAILED, 1, "r", ErrorSource.AGENT), True, False, id="said again"),
        pytest.param(Item(FAILED, 1, "r", ErrorSource.RUN), True, True, id="the agent knows more than the run"),
    ],
)
def test_an_agent_may_fail_what_it_popped(item: Item, accepted: bool, changes: bool) -> None:
    decision = leases.fail(item, "no such image", "run", now=5.0)
    assert decision.accepted is accepted
    assert bool(decision.changes) is changes
    if changes:
        assert decision.changes["state"] is FAILED
        assert decision.changes["error_message"] == "no such image"


@pytest.mark.parametrize(
    ("item", "run_state", "code", "state", "message"),
    [
        (Item(CLAIMED, 1, "r"), RunState.RUNNING, None, None, None),
        (Item(CLAIMED, 1, "r"), RunState.PREEMPTING, None, None, None),
        (Item(CLAIMED, 1, "r"), RunState.FINISHED, 0, FINISHED, None),
        (Item(CLAIMED, 1, "r"), RunState.FAILED, 1, FAILED, "the run failed: exit code 1"),
        (Item(CLAIMED, 1, "r"), RunState.KILLED, 255, FAILED, "the run was stopped on request: exit code 255"),
        (Item(CLAIMED, 1, "r"), RunState.PREEMPTED, 1, FAILED, "the run was preempted: exit code 1"),
        (Item(CLAIMED, 1, "r"), RunState.CRASHED, None, FAILED, "stopped sending heartbeats"),
        (Item(FAILED, 1, "r", ErrorSource.RUN), RunState.RUNNING, None, CLAIMED, None),
        (Item(FAILED, 1, "r", ErrorSource.AGENT), RunState.RUNNING, None, None, None),
        (Item(FINISHED, 1, "r"), RunState.RUNNING, None, None, None),
    ],
)
def test_a_claimed_item_follows_its_run(
    item: Item, run_state: RunState, code: int | None, state: ItemState | None, message: str | None
) -> None:
    decision = leases.follow_run(item, run_state, code, now=5.0)
    assert decision.changes.get("state") == state
    assert (message or "") in (decision.changes.get("error_message") or "")
    assert bool(message) == bool(decision.changes.get("error_message"))


@pytest.mark.parametrize(
    ("code", "stop", "preempting", "state"),
    [
        (0, False, False, RunState.FINISHED),
        (0, True, False, RunState.FINISHED),
        (1, False, False, RunState.FAILED),
        (255, True, False, RunState.KILLED),
        (1, False, True, RunState.PREEMPTED),
    ],
)
def test_the_exit_code_decides_how_a_run_ended(code: int, stop: bool, preempting: bool, state: RunState) -> None:
    assert end_state(code, stop_requested=stop, preempting=preempting) is state


def test_a_run_that_goes_on_is_no_failure() -> None:
    assert [state for state in RunState if not describe_end(state, None)] == [
        RunState.PENDING,
        RunState.RUNNING,
        RunState.FINISHED,
        RunState.PREEMPTING,
    ]
