"""Programs that misbehave on purpose, and a client of their control endpoint (docs/conformance.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from tests.support.processes import BIN, Program, clean_environment
from tests.support.servers import Server, start_server
from tests.support.waiting import wait_until

Json = dict[str, Any]
Script = Mapping[str, Any] | str
"""A script of faults: as a dictionary, or as YAML or JSON text."""

At = Literal["before", "after"]
Then = Literal["continue", "drop"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a request; ``more`` has what only some phases have."""

    number: int
    time: float
    request: int
    operation: str
    rule: str
    fault: str
    phase: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hold:
    """A request that is held."""

    id: int
    request: int
    rule: str
    operation: str
    at: str
    arguments: Mapping[str, str]


class Faults:
    """A program's control endpoint."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, timeout=60.0, trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def replace(self, script: Script) -> None:
        """Put another script into force; counts of rules and clocks begin anew. Fails the test if it is wrong."""
        self._post("/rules", content=script if isinstance(script, str) else json.dumps(script))

    def holds(self) -> list[Hold]:
        """The requests that are held now, oldest first."""
        keys = ("id", "request", "rule", "operation", "at", "arguments")
        return [Hold(**{key: one[key] for key in keys}) for one in self._get("/holds")["holds"]]

    def wait_for_hold(self, timeout: float = 30.0, rule: str | None = None) -> Hold:
        """The oldest request that is held (by this rule); waits until there is one."""
        found = wait_until(
            lambda: [one for one in self.holds() if rule in (None, one.rule)], timeout, f"a held request ({rule})"
        )
        return found[0]

    def release(self, hold: Hold | int, then: Then | None = None) -> None:
        """Let a held request go on, or drop its connection; None: what its rule says. Fails if it is not held."""
        number = hold.id if isinstance(hold, Hold) else hold
        self._post(f"/release/{number}", params={"then": then} if then else {})

    def release_all(self, then: Then | None = None) -> int:
        """Release all that are held now; how many."""
        held = self.holds()
        for one in held:
            self.release(one, then)
        return len(held)

    def cut_streams(self) -> int:
        """Cut all watches that are open now; how many."""
        return int(self._post("/cut")["cut"])

    def counts(self) -> dict[str, int]:
        """How many requests of each operation came since the start, whatever befell them."""
        operations: dict[str, int] = self._get("/requests")["operations"]
        return operations

    def rules(self) -> dict[str, dict[str, int]]:
        """How often each rule of the script matched and bit: ``{name: {"matched": n, "bitten": n}}``."""
        rules: dict[str, dict[str, int]] = self._get("/requests")["rules"]
        return rules

    def events(self, since: int = 0, wait: float = 0.0) -> list[Event]:
        """Events after a number; waits up to so many seconds for the first."""
        page = self._get("/events", since=since, wait=wait)
        assert page["lost"] == 0, f"{page['lost']} events are gone: ask for them more often"
        return [_event(one) for one in page["events"]]

    def wait_for_event(
        self, *, rule: str | None = None, phase: str | None = None, timeout: float = 30.0, since: int = 0
    ) -> Event:
        """The first event of this rule and phase."""

        def look() -> list[Event]:
            return [one for one in self.events(since) if rule in (None, one.rule) and phase in (None, one.phase)]

        return wait_until(look, timeout, f"an event {phase} of {rule}")[0]

    def _get(self, path: str, **query: Any) -> Json:
        answer = self._http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    def _post(self, path: str, **options: Any) -> Json:
        answer = self._http.post(path, **options)
        if answer.status_code != 200:
            pytest.fail(f"{path}: {answer.status_code} {answer.text}")
        found: Json = answer.json()
        return found


def _event(told: Json) -> Event:
    known = {key: told[key] for key in Event.__dataclass_fields__ if key in told}
    return Event(**known, more={key: value for key, value in told.items() if key not in known})


def hold_at(
    what: str | Mapping[str, Any],
    *,
    nth: int = 1,
    at: At = "before",
    timeout: float = 60.0,
    then: Then = "drop",
    name: str = "",
) -> Json:
    """A rule that holds the nth request: of an operation of W&B's API, or of what a ``match`` says.

    Dry runs, as the agent's before each new template, count only where the match has ``dry_run``.
    """
    match = {"operation": what} if isinstance(what, str) else {"dry_run": False, **what}
    label = name or f"hold {nth} {at} {json.dumps(match)}"
    return {"name": label, "match": match, "nth": nth, "fault": {"hold": {"at": at, "timeout": timeout, "then": then}}}


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running reverse proxy. ``kubeconfig`` points to it, if it was made for one."""

    program: Program
    url: str
    kubeconfig: Path | None
    faults: Faults


@contextmanager
def faulty_server(folder: Path, script: Script, *arguments: str, **options: Any) -> Iterator[tuple[Server, Faults]]:
    """`launch-server serve --faults`; further arguments and options are ``start_server``'s."""
    flags = ["--faults", write_script(folder, script), "--control", "127.0.0.1:0"]
    server = start_server(folder, *flags, *arguments, **options)
    faults = Faults(_control_of(server.program))
    try:
        yield server, faults
    finally:
        faults.close()
        server.stop()


@contextmanager
def faulty_proxy(
    folder: Path, script: Script, *arguments: str, kubeconfig: Path | None = None, upstream: str | None = None
) -> Iterator[Proxy]:
    """`launch-server proxy --faults` before a kubeconfig's API server, or before the server at an address."""
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "proxied.yaml" if kubeconfig else None
    command = [str(BIN / "launch-server"), "proxy", "--faults", write_script(folder, script)]
    command += ["--control", "127.0.0.1:0", *arguments]
    if kubeconfig:
        command += ["--kubeconfig", str(kubeconfig), "--write-kubeconfig", str(written)]
    else:
        command += ["--upstream", str(upstream)]
    log = folder / f"proxy-{len(list(folder.glob('proxy-*')))}.log"
    program = Program(command, clean_environment(folder / "home"), log)
    try:
        found = wait_until(
            lambda: re.search(r"listens on (\S+)", program.log) or program.exit_code or program.log,
            120,  # seconds: on a busy machine
            "the proxy to listen",
            until=lambda seen: not isinstance(seen, str),
        )
        assert isinstance(found, re.Match), program.log
        wait_until(lambda: "startup complete" in program.log, 120, "the proxy to serve")
        faults = Faults(_control_of(program))
        yield Proxy(program, found[1], written, faults)
        faults.close()
    finally:
        program.stop()


def write_script(folder: Path, script: Script) -> str:
    """A file with the script; its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "faults.yaml"
    path.write_text(script if isinstance(script, str) else json.dumps(script, indent=2))
    return str(path)


def _control_of(program: Program) -> str:
    found = re.search(r"faults are controlled at (\S+)", program.log)
    assert found is not None, program.log
    return found[1]
