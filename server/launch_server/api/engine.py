"""Answers GraphQL documents: prepare, one transaction, reply."""

import logging
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ariadne import graphql_sync
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    Source,
    parse,
    validate,
)

from launch_server import tracking
from launch_server.api.context import Context
from launch_server.api.limits import check_document, check_size
from launch_server.api.schema import build_schema
from launch_server.errors import LaunchServerError, TooLargeError, UnauthenticatedError
from launch_server.log import log
from launch_server.metrics import Metrics
from launch_server.settings import Settings
from launch_server.store import accounts, agents
from launch_server.store.accounts import User
from launch_server.store.adapter import Database
from launch_server.store.bootstrap import read_secrets

# ariadne logs every error with a traceback; here refusals are a line each, and what was not foreseen is logged once
_unheard = logging.getLogger("launch_server.unheard")
_unheard.disabled = True
_CACHE_CHARACTERS = 1_000_000
_MOST_ERRORS = 10

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Request:
    """One GraphQL request."""

    query: str
    variables: dict[str, Any]
    operation_name: str | None = None
    base_url: str = ""


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A document that was parsed and validated, or why it cannot be answered."""

    document: DocumentNode | None
    errors: tuple[GraphQLError, ...] = ()
    unknown: bool = False


class InternalError(Exception):
    """A resolver met what it was not made for; the transaction is taken back."""


class Engine:
    """Answers documents on one database."""

    def __init__(self, database: Database, settings: Settings, clock: Clock = time.time) -> None:
        self.database = database
        self.settings = settings
        self.clock = clock
        self.metrics = Metrics()
        self._schema: GraphQLSchema = build_schema()
        self._cache: OrderedDict[str, _Prepared] = OrderedDict()
        self._cached_characters = 0
        self._cache_lock = threading.Lock()
        self._next_sweep = 0.0
        with database.read() as connection:
            self.secrets = read_secrets(connection)

    def identify(self, key: str) -> User:
        """The user whose key this is.

        Raises:
            UnauthenticatedError: it is unknown or revoked.

        """
        with self.database.read() as connection:
            user = accounts.authenticate(connection, key)
        if user is None:
            raise UnauthenticatedError(
                "the API key is unknown or revoked",
                "`launch-server key create` makes a new one; check WANDB_BASE_URL too.",
            )
        return user

    def answer(self, user: User, request: Request) -> dict[str, Any]:
        """The reply to a document: `data`, `errors: [{message}]` or both. What it changes is kept wholly or not at all.

        Raises:
            InternalError: something unforeseen; nothing was kept.

        """
        prepared = self._prepare(request.query)
        operation = _find_operation(prepared.document, request.operation_name)
        name = _name_of(operation, request.operation_name)
        if prepared.errors:
            self._note_refusal(prepared, request, name)
            return {"errors": [{"message": _quote(error.message)} for error in prepared.errors]}
        self.sweep_if_due()
        with self.metrics.seconds.time():
            if operation is not None and operation.operation is OperationType.MUTATION:
                reply = self._execute(user, request, prepared, write=True)
            else:
                reply = self._execute(user, request, prepared, write=False)
        self.metrics.operations.labels(name, "errors" if "errors" in reply else "ok").inc()
        return reply

    def _execute(self, user: User, request: Request, prepared: _Prepared, *, write: bool) -> dict[str, Any]:
        now = self.clock()
        transaction = self.database.write() if write else self.database.read()
        unforeseen: list[BaseException] = []

        def show(error: GraphQLError, _debug: bool) -> dict[str, Any]:
            cause = error.original_error
            if isinstance(cause, LaunchServerError):
                log.info("%s refused: %s", (error.path or ["document"])[0], error.message)
            elif cause is not None and not isinstance(cause, GraphQLError):
                unforeseen.append(cause)
            return _show(error)

        with transaction as connection:
            context = Context(connection, user, now, self.settings, self.secrets, self.metrics, request.base_url)
            _, reply = graphql_sync(
                self._schema,
                {"query": request.query, "variables": request.variables, "operationName": request.operation_name},
                context_value=context,
                query_document=prepared.document,
                query_validator=_already_validated,
                error_formatter=show,
                logger=_unheard,
            )
            if unforeseen:
                raise InternalError("a resolver failed") from unforeseen[0]
            if write and context.heard_agents:
                agents.note_heartbeats(connection, frozenset(context.heard_agents), now)
        if not write and context.heard_agents:
            with self.database.write() as connection:
                agents.note_heartbeats(connection, frozenset(context.heard_agents), now)
        return dict(reply)

    def sweep_if_due(self) -> None:
        """Let lapsed leases and silent runs have their effect; looked for at most five times a second."""
        now = self.clock()
        if now < self._next_sweep:
            return
        self._next_sweep = now + 0.2
        with self.database.read() as connection:
            due = tracking.is_due(connection, now, self.settings.run_timeout)
        if due:
            with self.database.write() as connection:
                changed = tracking.sweep(connection, now, self.settings.run_timeout)
            log.info("%d leases lapsed or runs fell silent", changed)

    def _prepare(self, query: str) -> _Prepared:
        with self._cache_lock:
            found = self._cache.get(query)
            if found is not None:
                self._cache.move_to_end(query)
                return found
        prepared = self._parse(query)
        with self._cache_lock:
            if query not in self._cache:
                self._cache[query] = prepared
                self._cached_characters += len(query)
            while self._cached_characters > _CACHE_CHARACTERS and len(self._cache) > 1:
                dropped, _ = self._cache.popitem(last=False)
                self._cached_characters -= len(dropped)
        return prepared

    def _parse(self, query: str) -> _Prepared:
        limits = self.settings.limits
        if len(query) > limits.document_characters:
            text = f"the document has {len(query)} characters; at most {limits.document_characters} are allowed"
            return _Prepared(None, (GraphQLError(text),))
        try:
            document = parse(Source(query), no_location=True, max_tokens=limits.document_tokens)
            check_size(document, limits)
            errors = validate(self._schema, document, max_errors=_MOST_ERRORS)
            if not errors:
                check_document(document, limits)
        except GraphQLError as error:
            return _Prepared(None, (error,))
        except TooLargeError as error:
            return _Prepared(None, (GraphQLError(str(error)),))
        except RecursionError:
            return _Prepared(None, (GraphQLError("the document is nested too deeply"),))
        return _Prepared(document, tuple(errors), unknown=bool(errors))

    def _note_refusal(self, prepared: _Prepared, request: Request, name: str) -> None:
        messages = "; ".join(error.message for error in prepared.errors[:3])
        names = ", ".join(sorted(request.variables)) or "none"
        log.warning("operation %s refused: %s (its variables: %s)", name, messages, names)
        if prepared.unknown:
            self.metrics.unknown_operations.labels(name).inc()
        self.metrics.operations.labels(name, "refused").inc()


def _already_validated(*_arguments: object, **_named: object) -> list[GraphQLError]:
    return []


def _find_operation(document: DocumentNode | None, name: str | None) -> OperationDefinitionNode | None:
    nodes = [] if document is None else document.definitions
    operations = [node for node in nodes if isinstance(node, OperationDefinitionNode)]
    if name:
        operations = [node for node in operations if node.name is not None and node.name.value == name]
    return operations[0] if operations else None


def _name_of(operation: OperationDefinitionNode | None, given: str | None) -> str:
    if operation is not None and operation.name is not None:
        return operation.name.value[:80]
    return (given or "unnamed")[:80]


def _show(error: GraphQLError) -> dict[str, Any]:
    shown: dict[str, Any] = {"message": error.message}
    if error.path:
        shown["path"] = list(error.path)
    return shown


def _quote(message: str) -> str:
    """Names in double quotes, as W&B's API writes them: its client looks for such texts (protocol section 3.2)."""
    return re.sub(r"'([^']*)'", r'"\1"', message)
