"""The Lease's loop on a store that may be away, and what it lets the rest of the agent do."""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from launch_agent.adapters.wandb.operation import Operation, Result
from launch_agent.core.leadership import DEADLINE, DURATION, Candidate
from launch_agent.core.models import Manifest
from launch_agent.errors import (
    KubernetesConflict,
    KubernetesDenied,
    KubernetesError,
    KubernetesMissing,
    KubernetesUnavailable,
    WandbUnavailable,
)
from launch_agent.runtime.clock import read_clock
from launch_agent.runtime.guard import Alone, GuardedRunner
from launch_agent.runtime.lease import SILENT, LeaseGuard
from launch_agent.runtime.metrics import Metrics
from tests.support.waiting import wait_until

AWAY = KubernetesUnavailable("The API server does not answer.")


class Shelf:
    """The API server's one Lease: versions, conflicts, and an outage before or after a change took effect."""

    namespace = "ns"
    name = "rel"

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.calls: list[str] = []
        self.made = 0
        self.error: KubernetesError | None = None
        self.loses_answer = False

    @property
    def holder(self) -> str:
        """Who holds it."""
        return str(((self.lease or {}).get("spec") or {}).get("holderIdentity", ""))

    def read(self) -> dict[str, Any] | None:
        self._note("read")
        return copy.deepcopy(self.lease)

    def create(self, body: Manifest) -> dict[str, Any]:
        self._note("create")
        if self.lease is not None:
            raise KubernetesConflict("it is there", status=409)
        self.made += 1
        uid = f"uid-{self.made}"
        return self._put({**body, "metadata": {**body["metadata"], "uid": uid}}, 1)

    def update(self, body: Manifest) -> dict[str, Any]:
        self._note("update")
        if self.lease is None:
            raise KubernetesMissing("it is gone", status=404)
        if body["metadata"]["resourceVersion"] != self.lease["metadata"]["resourceVersion"]:
            raise KubernetesConflict("it was changed", status=409)
        return self._put(body, int(self.lease["metadata"]["resourceVersion"]) + 1)

    def edit(self, **spec: Any) -> None:
        """Somebody else changes it."""
        assert self.lease is not None
        self.lease["spec"].update(spec)
        self.lease["metadata"]["resourceVersion"] += "1"

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    def _put(self, body: Manifest, version: int) -> dict[str, Any]:
        metadata = {**body["metadata"], "resourceVersion": str(version)}
        self.lease = copy.deepcopy({**body, "metadata": metadata})
        if self.loses_answer:
            self.loses_answer = False
            raise AWAY
        return copy.deepcopy(self.lease)


class Pod:
    """One agent's side of the Lease, with a clock of its own."""

    def __init__(self, shelf: Shelf, name: str, mark: str = "1") -> None:
        self.now = 1000.0
        self.held = 0
        self.lost: list[str] = []
        self.replaced = 0
        self.guard = LeaseGuard(
            shelf,
            Candidate(name, mark),
            metrics=Metrics(),
            on_held=self._count,
            on_lost=self.lost.append,
            on_replaced=self._count_replaced,
            clock=lambda: self.now,
            jitter=lambda: 0.0,
        )

    def _count(self) -> None:
        self.held += 1

    def _count_replaced(self) -> None:
        self.replaced += 1

    def turn(self, after: float = 0.0) -> bool:
        """One turn ``after`` so many seconds; whether the Lease is held then."""
        self.now += after
        self.guard.turn()
        return self.guard.is_held


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def pod(shelf: Shelf) -> Iterator[Pod]:
    """One that holds the Lease."""
    one = Pod(shelf, "pod-a")
    assert one.turn()
    yield one
    one.guard.leave(is_quiet=False)


def test_a_free_lease_costs_one_look_and_one_write_and_then_one_write_a_renewal(shelf: Shelf) -> None:
    pod = Pod(shelf, "pod-a")
    assert pod.guard.begin(threading.Event())
    pod.guard.leave(is_quiet=False)
    assert shelf.calls == ["read", "create"]
    assert pod.held == 1
    again = Pod(shelf, "pod-a", mark="2")
    assert again.guard.begin(threading.Event())
    again.guard.leave(is_quiet=True)
    assert shelf.calls == ["read", "create", "read", "update", "update"]
    assert shelf.holder == ""


def test_a_holder_renews_without_looking(shelf: Shelf, pod: Pod) -> None:
    shelf.calls.clear()
    assert [pod.turn(after=3.0) for _ in range(3)] == [True, True, True]
    assert shelf.calls == ["update"] * 3


def test_who_comes_second_stands_by_and_says_whom_it_waits_for(shelf: Shelf, pod: Pod) -> None:
    second = Pod(shelf, "pod-b")
    assert not second.turn()
    assert second.guard.note == "stands by: the Lease ns/rel is held by pod-a_1"
    assert (second.guard.troubles(), second.guard.has_held, second.held) == ([], False, 0)
    with pytest.raises(KubernetesUnavailable, match="does not hold the Lease ns/rel now"):
        second.guard.check()


def test_while_the_holder_renews_nobody_takes_over(shelf: Shelf, pod: Pod) -> None:
    second = Pod(shelf, "pod-b")
    for _ in range(20):
        pod.turn(after=3.0)
        assert not second.turn(after=3.0)
    assert shelf.holder == "pod-a_1"


def test_a_holder_that_is_gone_is_succeeded_after_the_lease_s_time(shelf: Shelf, pod: Pod) -> None:
    second = Pod(shelf, "pod-b")
    assert not second.turn()
    assert not second.turn(after=DURATION - 0.1)
    assert second.turn(after=0.1)
    assert (shelf.holder, second.held, second.guard.note) == ("pod-b_1", 1, "")


def test_a_released_lease_is_taken_at_the_next_look(shelf: Shelf, pod: Pod) -> None:
    second = Pod(shelf, "pod-b")
    assert not second.turn()
    pod.guard.leave(is_quiet=True)
    assert not pod.guard.is_held
    assert second.turn(after=2.0)


def test_an_outage_beyond_the_deadline_closes_the_gate_and_its_end_opens_it(
    shelf: Shelf, pod: Pod, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shelf.error = AWAY
    assert pod.turn(after=3.0)
    assert pod.turn(after=DEADLINE - 3.1)
    assert pod.guard.troubles() == []
    assert not pod.turn(after=0.1)
    assert not pod.turn(after=1000.0)
    assert pod.guard.troubles() == ["the Lease ns/rel can not be renewed; nothing is taken until it is"]
    with pytest.raises(KubernetesUnavailable):
        pod.guard.check()
    shelf.error = None
    assert pod.turn(after=1.0)
    assert (pod.held, pod.lost) == (1, [])
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the Lease ns/rel can not be renewed",
        "the Lease ns/rel was not renewed for 10 s",
        "the Lease ns/rel is renewed again and was nobody else's meanwhile; going on",
    ]


@pytest.mark.parametrize("error", [KubernetesDenied("forbidden", status=403), KubernetesMissing("no", status=404)])
def test_a_right_that_is_taken_away_and_given_back_is_an_outage_too(
    shelf: Shelf, pod: Pod, error: KubernetesError
) -> None:
    shelf.error = error
    assert not pod.turn(after=DEADLINE)
    shelf.error = None
    assert pod.turn(after=1.0)


def test_who_was_paused_does_not_think_that_it_still_holds_the_lease(shelf: Shelf, pod: Pod) -> None:
    second = Pod(shelf, "pod-b")
    second.turn()
    assert second.turn(after=DURATION)
    pod.now += DURATION  # nothing of it ran in between: no turn
    assert not pod.guard.is_held
    assert not pod.turn()
    assert pod.lost == ["pod-b_1"]


def test_who_lost_the_lease_never_writes_again(shelf: Shelf, pod: Pod) -> None:
    shelf.edit(holderIdentity="pod-b_1")
    assert not pod.turn(after=3.0)
    assert pod.lost == ["pod-b_1"]
    shelf.calls.clear()
    pod.guard.leave(is_quiet=True)
    assert (shelf.calls, shelf.holder) == ([], "pod-b_1")


def test_a_renewal_whose_answer_was_lost_is_found_again(shelf: Shelf, pod: Pod) -> None:
    shelf.loses_answer = True
    assert pod.turn(after=3.0)
    assert pod.turn(after=1.0)
    pod.now += DEADLINE - 0.1
    assert pod.guard.is_held
    assert pod.lost == []


class SlowShelf(Shelf):
    """Each call lasts 4 s of its caller's time."""

    caller: Pod | None = None

    def _note(self, call: str) -> None:
        super()._note(call)
        if self.caller is not None:
            self.caller.now += 4.0


def test_a_renewal_counts_from_when_it_was_asked_for() -> None:
    shelf = SlowShelf()
    pod = shelf.caller = Pod(shelf, "pod-a")
    assert pod.turn()  # the look ends after 4 s, the write begins there and ends after 8 s
    pod.now += DEADLINE - 4.1
    assert pod.guard.is_held
    pod.now += 0.2
    assert not pod.guard.is_held


def test_a_lease_that_was_annotated_or_deleted_stays_its_holder_s(shelf: Shelf, pod: Pod) -> None:
    shelf.edit(strategy=None)
    assert pod.turn(after=3.0)
    shelf.lease = None
    assert pod.turn(after=3.0)
    assert shelf.holder == "pod-a_1"


def test_a_lease_that_is_gone_and_may_not_be_made_closes_the_gate_at_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Denied(Shelf):
        def create(self, body: Manifest) -> dict[str, Any]:
            raise KubernetesDenied("There is no Lease ns/rel, and the agent's account may not create it.", status=403)

    shelf = Denied()
    shelf.lease = {"metadata": {"name": "rel", "namespace": "ns", "resourceVersion": "1"}}
    pod = Pod(shelf, "pod-a")
    assert pod.turn()
    shelf.lease = None
    assert not pod.turn(after=3.0)
    assert "There is no Lease ns/rel" in caplog.text
    shelf.lease = {"metadata": {"name": "rel", "namespace": "ns", "resourceVersion": "1"}}
    assert pod.turn(after=1.0)
    assert (shelf.holder, pod.held, pod.lost) == ("pod-a_1", 1, [])


@pytest.mark.parametrize("is_changed", [False, True])
def test_leaving_empties_the_lease_though_somebody_annotated_it(shelf: Shelf, pod: Pod, is_changed: bool) -> None:
    if is_changed:
        shelf.edit(strategy=None)
    pod.guard.leave(is_quiet=True)
    assert shelf.holder == ""
    assert not pod.guard.is_held


def test_with_steps_under_way_the_lease_is_left_to_lapse(shelf: Shelf, pod: Pod) -> None:
    pod.guard.leave(is_quiet=False)
    assert (shelf.holder, pod.guard.is_held) == ("pod-a_1", False)


def test_leaving_while_the_api_server_is_away_says_that_the_lease_lapses(
    shelf: Shelf, pod: Pod, caplog: pytest.LogCaptureFixture
) -> None:
    shelf.error = AWAY
    pod.guard.leave(is_quiet=True)
    assert "can not be released and lapses in 15 s" in caplog.text


def test_who_stands_by_leaves_the_lease_alone(shelf: Shelf, pod: Pod) -> None:
    second = Pod(shelf, "pod-b")
    second.turn()
    shelf.calls.clear()
    second.guard.leave(is_quiet=True)
    assert shelf.calls == []


def test_who_stands_by_and_hears_nothing_is_not_ready(shelf: Shelf, pod: Pod) -> None:
    second = Pod(shelf, "pod-b")
    second.turn()
    shelf.error = AWAY
    second.turn(after=SILENT)
    assert second.guard.troubles() == []
    second.turn(after=0.1)
    assert second.guard.troubles() == ["the Lease ns/rel can not be read: the API server does not answer"]


def test_of_two_that_reach_for_a_free_lease_one_gets_it(shelf: Shelf) -> None:
    first = Pod(shelf, "pod-a")

    class Race(Shelf):
        """The other one creates it between the look and the write."""

        def read(self) -> dict[str, Any] | None:
            found = shelf.read()
            first.turn()
            return found

        def create(self, body: Manifest) -> dict[str, Any]:
            return shelf.create(body)

    second = Pod(Race(), "pod-b")
    assert [second.turn(), second.turn()] == [False, False]
    assert first.guard.is_held
    assert shelf.holder == "pod-a_1"


def test_an_api_server_that_says_no_ends_the_start_and_one_that_is_away_is_waited_for(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    pod = Pod(shelf, "pod-a")
    shelf.error = KubernetesDenied("The API server forbids: get leases/rel in namespace ns.", status=403)
    with pytest.raises(KubernetesDenied):
        pod.guard.begin(threading.Event())
    shelf.error = AWAY
    starter = threading.Thread(target=pod.guard.begin, args=(threading.Event(),))
    starter.start()
    wait_until(lambda: "can not be read; next attempt" in caplog.text, 10, "the first attempt")
    shelf.error = None
    starter.join(10)
    assert pod.guard.is_held
    pod.guard.leave(is_quiet=True)


def test_an_agent_that_is_told_to_stop_while_the_api_server_is_away_goes(shelf: Shelf) -> None:
    shelf.error = AWAY
    stop = threading.Event()
    stop.set()
    pod = Pod(shelf, "pod-a")
    assert not pod.guard.begin(stop)
    pod.guard.leave(is_quiet=True)
    assert shelf.calls == []


def test_the_loop_renews_by_itself(shelf: Shelf) -> None:
    pod = Pod(shelf, "pod-a")
    assert pod.guard.begin(threading.Event())
    wait_until(lambda: shelf.calls.count("update"), 10, "a renewal")
    assert pod.guard.stuck() == []
    pod.guard.leave(is_quiet=True)


class Wandb:
    """W&B, reached or not."""

    def __init__(self) -> None:
        self.batches = 0

    def run(self, batch: Sequence[Operation], /) -> list[Result]:
        self.batches += 1
        return []


def test_wandb_is_told_nothing_without_the_lease(shelf: Shelf, pod: Pod) -> None:
    wandb = Wandb()
    runner = GuardedRunner(wandb, pod.guard)
    assert runner.run([]) == []
    pod.now += DEADLINE
    with pytest.raises(WandbUnavailable, match="does not hold the Lease"):
        runner.run([])
    assert wandb.batches == 1


def test_without_a_lease_an_agent_may_always_act() -> None:
    alone = Alone()
    alone.check()
    assert alone.begin(threading.Event())
    assert (alone.is_held, alone.has_held, alone.note, alone.troubles(), alone.stuck()) == (True, True, "", [], [])
    alone.leave(is_quiet=True)
    assert GuardedRunner(Wandb(), alone).run([]) == []


def test_w_and_b_is_not_asked_of_items_before_it_accepted_the_agent() -> None:
    accepted: list[bool] = []
    runner = GuardedRunner(Wandb(), Alone(), lambda: bool(accepted))
    with pytest.raises(WandbUnavailable, match="not registered"):
        runner.run([])
    accepted.append(True)
    assert runner.run([]) == []


def test_the_clock_goes_on() -> None:
    assert read_clock() <= read_clock()


def test_a_lease_made_anew_under_its_holder_is_told_of_once_and_owns_from_then_on(shelf: Shelf, pod: Pod) -> None:
    first = pod.guard.reference
    assert first is not None
    assert pod.turn(3)
    assert (pod.replaced, pod.guard.reference) == (0, first)
    shelf.lease = None
    assert pod.turn(3)
    assert pod.turn(3)
    assert pod.replaced == 1
    assert (first["uid"], pod.guard.reference) == ("uid-1", {**first, "uid": "uid-2"})
