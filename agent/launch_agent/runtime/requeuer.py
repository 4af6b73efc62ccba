"""Puts an item back into its queue, unless it is there already."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.operation import Operation
from launch_agent.core import ledger_format, requeues, template_values
from launch_agent.core.models import Record
from launch_agent.errors import RefusedError, WandbError, WandbRejected
from launch_agent.runtime.batcher import Runner
from launch_agent.runtime.queue_configs import ask_configs
from launch_agent.runtime.registration import PROJECT

log = logging.getLogger(__name__)


PAGES = 200
"""Pages of a hundred items that are looked through."""


class Requeuer:
    """Used from several threads."""

    def __init__(self, client: Runner, records: Callable[[], Sequence[Record]]) -> None:
        """``records`` are those of the installation: the item may have been taken out of the queue again already."""
        self._client = client
        self._records = records

    def put_back(self, record: Record, *, is_repeat: bool) -> str:
        """The id of the item that continues ``record``'s: the one that is there, else a new one.

        ``is_repeat``: it may have been put back before, by an attempt whose answer was lost or before a restart.
        Raises WandbUnavailable where it is not known what happened; WandbRejected and RefusedError for good.
        """
        done = self._find(record) if is_repeat else ""
        if done:
            log.info("item %s was queued again as %s already", record.item_id, done)
            return done
        if record.run_spec.get(ledger_format.API_KEY) == ledger_format.MARKER:
            raise RefusedError(
                "The agent was started anew since the item was launched, and the API key that it brought is in its "
                "Secret only.",
                resolution="Push the item again.",
            )
        spec = json.dumps(requeues.make_spec(record))
        values, priority = self._read_values(record), self._read_priority(record)
        for known in ((values, priority), ({}, priority), ({}, None)):
            try:
                return self._push(record, spec, *known)
            except WandbRejected as error:  # an older server, or values that do not fit the queue any more
                refusal = error
        raise refusal

    def _push(self, record: Record, spec: str, values: Mapping[str, Any], priority: int | None) -> str:
        pushed = self._ask(
            operations.push(
                record.queue_entity, PROJECT, record.queue, spec, priority=priority, template_values=values or None
            )
        )
        return str((pushed or {}).get("runQueueItemId") or "")

    def _find(self, record: Record) -> str:
        own = ({"id": one.item_id, "runSpec": one.run_spec} for one in self._records())
        if found := requeues.find(own, record):
            return found
        after = None
        for _ in range(PAGES):
            try:
                answer = self._ask(operations.items(record.queue_entity, PROJECT, record.queue, after))
            except WandbRejected:  # a server that shows no specs
                return ""
            page = _dig(answer, "runQueue", "runQueueItems")
            if found := requeues.find([_dig(edge, "node") for edge in page.get("edges") or ()], record):
                return found
            info = _dig(page, "pageInfo")
            after = info.get("endCursor") if info.get("hasNextPage") else None
            if not after:
                return ""
        log.warning("queue %s is too long to be looked through for item %s", record.queue, record.item_id)
        return ""

    def _read_priority(self, record: Record) -> int | None:
        try:
            answer = self._ask(operations.priority(record.queue_entity, PROJECT, record.queue, record.item_id))
        except WandbRejected:
            return None
        value = _dig(answer, "runQueue", "runQueueItem").get("priority")
        return value if isinstance(value, int) else None

    def _read_values(self, record: Record) -> dict[str, Any]:
        """The template variables' values, found again from what they filled."""
        (found,) = ask_configs(self._client, record.queue_entity, [record.queue])
        if isinstance(found, WandbError) and not isinstance(found, WandbRejected):
            raise found
        if not isinstance(found, Mapping):
            return {}
        config = template_values.read_json(found.get("config"))
        schemas = {
            str(one.get("name")): template_values.read_json(one.get("schema"))
            for one in found.get("templateVariables") or ()
        }
        arguments, template = record.run_spec.get("resource_args"), config.get("resource_args")
        return template_values.derive(arguments, template, schemas)

    def _ask(self, operation: Operation) -> Any:
        (result,) = self._client.run([operation])
        if result.error is not None:
            raise result.error
        return result.value


def _dig(value: Any, *keys: str) -> Mapping[str, Any]:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}
