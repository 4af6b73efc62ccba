"""Takes items: one mutation pops as many as there are free slots, over all queues in turn, and each is planned."""

from __future__ import annotations

import hashlib
import json
import logging
import queue
import string
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.operation import Operation
from launch_agent.core import refusals
from launch_agent.core import spec as specs
from launch_agent.core.events import Refused
from launch_agent.core.models import Plan, QueueItem, Record, Resource, Stage
from launch_agent.errors import ItemError, RefusedError, WandbError
from launch_agent.runtime.batcher import Runner
from launch_agent.runtime.inbox import Claim, Inbox, Polled
from launch_agent.runtime.registration import PROJECT, Agent

log = logging.getLogger(__name__)

RUN_ID_LETTERS = string.ascii_lowercase + string.digits
STATUS_INTERVAL = 30.0
"""Seconds after which the agent's status is sent again with a poll though it did not change."""

LEASE_INTERVAL = 0.2
"""Seconds between two looks whether items may be taken again."""

Planner = Callable[[QueueItem, specs.RunSpec, str], Plan]


class ItemJudge(Protocol):
    """Who knows what the agent's owner lets items ask for."""

    def check(self, item: QueueItem, spec: specs.RunSpec, run_id: str, /) -> None:
        """Raise ItemError for an item that must not be launched."""

    def rest(self) -> None:
        """Called when a poll is answered and nothing waits."""


class Registered(Protocol):
    """Who knows what W&B calls us."""

    @property
    def agent(self) -> Agent:
        """The registered agent."""


class Intake:
    """The loop that asks for items when the tracker says how many."""

    def __init__(
        self,
        *,
        client: Runner,
        registration: Registered,
        inbox: Inbox,
        planners: Mapping[Resource, Planner],
        secure_mode: bool,
        clock: Callable[[], float],
        judge: ItemJudge,
        may_take: Callable[[], bool] = lambda: True,
        installation: str = "",
    ) -> None:
        """``installation`` makes the run ids that are drawn here others than those of another one's agents.

        ``may_take`` is false while another agent may be the one that takes items; a poll waits for it.
        """
        self._client = client
        self._registration = registration
        self._inbox = inbox
        self._planners = planners
        self._secure_mode = secure_mode
        self._clock = clock
        self._judge = judge
        self._may_take = may_take
        self._installation = installation
        self._requests: queue.SimpleQueue[tuple[int, bool]] = queue.SimpleQueue()
        self._turn = 0
        self._sent_status = ("", 0.0)
        self.last_success = 0.0

    def poll(self, slots: int, is_busy: bool) -> None:
        """Ask for up to ``slots`` items; the answer arrives in the inbox as `Polled`."""
        self._requests.put((slots, is_busy))

    def run(self, stop: threading.Event, beat: Callable[[], None]) -> None:
        """Serve polls until stopped. An error answers the poll, so that the tracker asks again."""
        while not stop.is_set():
            beat()
            try:
                slots, is_busy = self._requests.get(timeout=1.0)
            except queue.Empty:
                continue
            while not self._may_take() and not stop.wait(LEASE_INTERVAL):
                beat()
            self.serve(slots, is_busy)

    def serve(self, slots: int, is_busy: bool) -> None:
        """One poll. It is answered whatever happens: the tracker asks again only after an answer."""
        claims: tuple[Claim, ...] = ()
        is_ok = False
        try:
            claims = self._pop(slots, "RUNNING" if is_busy else "POLLING")
            is_ok = True
        except WandbError as error:
            log.warning("W&B can not be polled: %s", error)
        finally:
            self._inbox.put(Polled(claims, is_ok))
        if is_ok:
            self._judge.rest()

    def _pop(self, slots: int, status: str) -> tuple[Claim, ...]:
        now = self._clock()
        agent = self._registration.agent
        chosen = self._choose_queues(slots)
        batch: list[Operation] = [operations.pop(agent.entity, PROJECT, name, agent.id) for name in chosen]
        is_due = self._sent_status[0] != status or now - self._sent_status[1] >= STATUS_INTERVAL
        if is_due:
            batch.append(operations.update_agent(agent.id, status))
        if not batch:
            return ()
        results = self._client.run(batch)
        self.last_success = now
        if is_due:
            self._sent_status = (status, now)
        claims = []
        errors = set()
        for name, result in zip(chosen, results, strict=False):
            if result.error is not None:
                errors.add(f"queue {name}: {result.error}")
            elif result.value:
                claims.append(self._claim(name, result.value, now))
        for text in sorted(errors):
            log.error("%s", text)
        return tuple(claims)

    def _choose_queues(self, slots: int) -> list[str]:
        """The queues to pop from, in turn; the turn goes on where the last poll left it."""
        names = self._registration.agent.queues
        chosen = [names[(self._turn + offset) % len(names)] for offset in range(slots)]
        self._turn = (self._turn + max(slots, 1)) % len(names)
        return chosen

    # ── from an item to a claim ──

    def _claim(self, queue_name: str, value: Mapping[str, Any], now: float) -> Claim:
        item_id = str(value["runQueueItemId"])
        try:
            run_spec = _read_spec(value["runSpec"])
            item = QueueItem(item_id, queue_name, run_spec)
            spec = specs.parse(run_spec)
            refusals.check(spec, secure_mode=self._secure_mode)
            planner = self._find_planner(spec.resource)
            run_id = spec.run_id or new_run_id(f"{self._installation}/{item_id}")
            self._judge.check(item, spec, run_id)
            plan = planner(item, spec, run_id)
        except ItemError as error:
            return self._refuse(item_id, queue_name, str(error), now, stage=Stage(error.stage))
        except Exception as error:  # the per-item boundary: one bad item must not stop the others
            log.exception("item %s can not be planned", item_id)
            text = f"The agent can not read this item ({type(error).__name__}). This is an error of the agent's."
            return self._refuse(item_id, queue_name, text, now)
        return Claim(
            Record(
                item_id=item_id,
                queue=queue_name,
                queue_entity=self._registration.agent.entity,
                run_id=run_id,
                run_entity=spec.entity,
                run_project=spec.project,
                resource=Resource(spec.resource),
                run_spec=run_spec,
                claimed_at=now,
                release_after=plan.release_after,
                max_runtime=plan.own_deadline,
                is_endless=plan.is_endless,
                max_resume_count=plan.max_resume_count,
            ),
            plan=plan,
        )

    def _find_planner(self, resource: str) -> Planner:
        planner = self._planners.get(Resource(resource))
        if planner is None:
            raise RefusedError(
                f"This agent can not launch on {resource}.",
                resolution="Start the agent in a Kubernetes cluster, or name one with --kubeconfig.",
            )
        return planner

    def _refuse(self, item_id: str, queue_name: str, text: str, now: float, *, stage: Stage = Stage.AGENT) -> Claim:
        record = Record(
            item_id=item_id,
            queue=queue_name,
            queue_entity=self._registration.agent.entity,
            run_id="",
            run_entity="",
            run_project="",
            resource=Resource.KUBERNETES,
            run_spec={},
            claimed_at=now,
        )
        return Claim(record, refused=Refused(text, stage))


def new_run_id(seed: str) -> str:
    """A run id: 8 characters of ``[a-z0-9]`` (protocol 2.3), the first a letter, always the same for a seed.

    W&B's own example names a PyTorchJob ``${run_id}-pytorch-job``, and Kubeflow's webhook takes no digit in front. An
    item that is popped again after a crash meets the Secret that was made for it, instead of leaving it behind.
    """
    number = int(hashlib.sha256(seed.encode()).hexdigest(), 16)
    number, first = divmod(number, 26)
    letters = [string.ascii_lowercase[first]]
    for _ in range(7):
        number, place = divmod(number, len(RUN_ID_LETTERS))
        letters.append(RUN_ID_LETTERS[place])
    return "".join(letters)


def _read_spec(value: Any) -> Mapping[str, Any]:
    """The run spec as an object; W&B sends an object from a pop, a string from a push (protocol 14.6)."""
    try:
        spec = json.loads(value) if isinstance(value, str) else value
    except ValueError as error:
        raise RefusedError(f"The run spec is no JSON: {error}.", resolution="Push the item again.") from error
    if not isinstance(spec, Mapping):
        raise RefusedError(f"The run spec is no JSON object but a {type(spec).__name__}.")
    return spec
