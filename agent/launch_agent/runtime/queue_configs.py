"""What a queue's own config is: asked of W&B, kept for a while, and never a reason to fail an item."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from launch_agent.adapters.wandb import operations
from launch_agent.errors import WandbError, WandbRejected, WandbUnavailable
from launch_agent.runtime.batcher import Runner
from launch_agent.runtime.registration import PROJECT, Agent

log = logging.getLogger(__name__)

FRESH = 60.0
"""Seconds for which a config counts as current: a privilege that was taken out of a queue is gone after that."""

AHEAD = 30.0
"""Seconds before that in which it is asked for between two polls, so that no item waits for it."""

AGAIN = 2.0
"""Seconds between two questions for an item that what is known does not let pass: the queue may just have changed."""

LAST_KNOWN = 600.0
"""Seconds for which what was known is used while W&B does not answer."""

Config = Mapping[str, Any]


class Registered(Protocol):
    """Who knows what W&B calls us."""

    @property
    def agent(self) -> Agent:
        """The registered agent."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A config, when it was read, when W&B was last asked, and why there is none."""

    config: Config | None = None
    read_at: float = 0.0
    asked_at: float = 0.0
    trouble: str = ""


class QueueConfigs:
    """The configs of the agent's queues. Used on the intake's thread only."""

    def __init__(self, client: Runner, registration: Registered, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds."""
        self._client = client
        self._registration = registration
        self._clock = clock
        self._known: dict[str, _Known] = {}

    def get(self, queue: str, *, is_doubted: bool = False) -> Config | None:
        """The queue's config (``{"resource": …, "resource_args": {…}}``), None where W&B does not tell it.

        Never raises.
        ``is_doubted``: an item does not fit what is known, so it is asked for anew unless that was just done.
        """
        known = self._known.get(queue)
        wait = AGAIN if is_doubted or (known and known.trouble) else FRESH
        if known is None or self._clock() >= known.asked_at + wait:
            self._refresh([queue])
        return self._known[queue].config

    def keep_fresh(self) -> None:
        """Ask for what is soon too old; for when nothing waits. Never raises."""
        now = self._clock()
        try:
            names = self._registration.agent.queues
        except WandbError:  # the next poll tells
            return
        due = [name for name in names if name not in self._known or now >= self._known[name].asked_at + FRESH - AHEAD]
        if due:
            self._refresh(due)

    def _refresh(self, queues: Sequence[str]) -> None:
        now = self._clock()
        answers: Sequence[Config | WandbError]
        try:
            answers = self._ask(queues)
        except WandbError as error:
            answers = [error] * len(queues)
        for queue, found in zip(queues, answers, strict=True):
            before = self._known.get(queue, _Known())
            if not isinstance(found, WandbError):
                self._known[queue] = _Known(found, now, now)
                continue
            trouble = str(found)
            is_away = isinstance(found, WandbUnavailable) and now < before.read_at + LAST_KNOWN
            self._known[queue] = _Known(before.config if is_away else None, before.read_at, now, trouble)
            if not is_away and trouble != before.trouble:
                log.warning(
                    "the config of queue %s can not be read, so all of its items counts as written by their "
                    "submitters: %s",
                    queue,
                    trouble,
                )

    def _ask(self, queues: Sequence[str]) -> list[Config | WandbError]:
        answers = ask_configs(self._client, self._registration.agent.entity, queues)
        return [_read(one) if isinstance(one, Mapping) else one or {} for one in answers]


def ask_configs(client: Runner, entity: str, queues: Sequence[str]) -> list[Mapping[str, Any] | WandbError | None]:
    """Each queue's default resource config as W&B tells it (protocol 3.4); None for a queue that has none.

    Two questions for all of them: where the configs are, and what is in them. Raises WandbError without an answer.
    """
    found: dict[str, Mapping[str, Any] | WandbError | None] = dict.fromkeys(queues)
    ids: dict[str, str] = {}
    heads = client.run([operations.queue(entity, PROJECT, name) for name in queues])
    for name, result in zip(queues, heads, strict=True):
        head = _member(result.value, "runQueue")
        if result.error is not None:
            found[name] = result.error
        elif head is None:
            found[name] = WandbRejected("W&B does not show the queue to this key.")
        elif head.get("defaultResourceConfigID"):
            ids[name] = str(head["defaultResourceConfigID"])
    bodies = client.run([operations.default_config(entity, one) for one in ids.values()]) if ids else []
    for name, result in zip(ids, bodies, strict=True):
        found[name] = result.error or _member(result.value, "defaultResourceConfig") or {}
    return [found[name] for name in queues]


def _read(found: Mapping[str, Any]) -> Config | WandbError:
    """The config in W&B's answer: an object, or one as text."""
    config = found.get("config")
    if isinstance(config, str):
        try:
            config = json.loads(config)
        except (ValueError, RecursionError):
            return WandbRejected("W&B's answer holds no JSON.")
    if not isinstance(config, Mapping):
        return WandbRejected("W&B does not show the config to this key.")
    return {**config, "resource": found["resource"]} if found.get("resource") else config


def _member(value: Any, name: str) -> Mapping[str, Any] | None:
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, Mapping) else None
