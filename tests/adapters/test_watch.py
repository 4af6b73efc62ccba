"""The watch against a scripted API server: the finite parts by themselves, then the loop around them."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from launch_agent.adapters.kubernetes.access import ClusterAccess
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.adapters.kubernetes.watch import Watch
from launch_agent.errors import ConfigError, KubernetesGone, KubernetesUnavailable
from launch_agent.targets.kubernetes import shape_of
from tests.adapters.conftest import Connect, Serve
from tests.adapters.scripted import Reply, Request, Script
from tests.support.waiting import wait_until

KEY = ("v1", "Pod", "ml")


def pod(name: str, version: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "resourceVersion": version, "managedFields": [{"manager": "kubelet"}]}}


def line(change: str, body: dict[str, Any]) -> bytes:
    return json.dumps({"type": change, "object": body}).encode() + b"\n"


def listed(*names: str, version: str = "10") -> Reply:
    return Reply(body={"metadata": {"resourceVersion": version}, "items": [pod(name, "1") for name in names]})


class Heard:
    """A sink that remembers, and stops the watch when it has heard enough."""

    def __init__(self, stop_after: int = 0) -> None:
        self.lists: list[list[str]] = []
        self.changes: list[tuple[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.refusals: list[str] = []
        self.stop = threading.Event()
        self._stop_after = stop_after

    def synced(self, key: object, objects: list[dict[str, Any]]) -> None:
        assert key == KEY
        self.lists.append([one["metadata"]["name"] for one in objects])
        self.bodies.extend(objects)
        self._count()

    def changed(self, key: object, change: str, body: dict[str, Any]) -> None:
        assert key == KEY
        self.changes.append((change, body["metadata"]["name"]))
        self.bodies.append(body)
        self._count()

    def refused(self, key: object, why: str) -> None:
        assert key == KEY
        self.refusals.append(why)

    def _count(self) -> None:
        if len(self.lists) + len(self.changes) == self._stop_after:
            self.stop.set()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Pauses:
    """Stands for waiting: remembers the seconds, moves the clock, and stops after so many."""

    def __init__(self, clock: Clock, stop_after: int) -> None:
        self.seconds: list[float] = []
        self._clock = clock
        self._stop_after = stop_after

    def __call__(self, stop: threading.Event, seconds: float) -> None:
        self.seconds.append(seconds)
        self._clock.now += seconds
        if len(self.seconds) == self._stop_after:
            stop.set()


def watch(client: Client, **options: Any) -> Watch:
    return Watch(client, *KEY, **{"jitter": lambda: 1.0, "label_selector": "app=x", **options})


# ── one list, one stream ──


def test_a_list_is_told_whole_and_gives_the_version_to_watch_from(serve: Serve, connect: Connect) -> None:
    server = serve(lambda _request: listed("a", "b"))
    sink, clock = Heard(), Clock()
    seen = watch(connect(server), clock=clock)
    assert seen.last_contact == 0.0
    assert seen.list(sink) == "10"
    assert sink.lists == [["a", "b"]]
    assert all("managedFields" not in one["metadata"] for one in sink.bodies)
    assert seen.last_contact == clock.now
    assert server.requests[0].query == {"limit": "500", "labelSelector": "app=x"}


def test_a_stream_tells_each_change_and_goes_on_from_the_last_bookmark(serve: Serve, connect: Connect) -> None:
    events = [
        line("ADDED", pod("a", "11")),
        line("MODIFIED", pod("a", "12")),
        line("DELETED", pod("a", "13")),
        line("BOOKMARK", {"metadata": {"resourceVersion": "99"}}),
    ]
    server = serve(lambda _request: Reply(parts=events))
    sink = Heard()
    assert watch(connect(server)).listen("10", sink, sink.stop) == "99"
    assert sink.changes == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]
    assert all("managedFields" not in one["metadata"] for one in sink.bodies)
    (request,) = server.requests
    assert (request.path, request.query) == (
        "/api/v1/namespaces/ml/pods",
        {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": "10",
            "timeoutSeconds": "300",
            "labelSelector": "app=x",
        },
    )


def test_a_watch_in_a_shape_goes_on_from_the_version_that_the_shape_drops(serve: Serve, connect: Connect) -> None:
    body = {**pod("a", "11"), "status": {"phase": "Running", "podIP": "10.0.0.1"}}
    server = serve(
        lambda request: Reply(parts=[line("MODIFIED", body)]) if "watch" in request.query else listed("a", version="10")
    )
    sink = Heard()
    seen = watch(connect(server), shape=shape_of("v1", "Pod"))
    assert seen.listen(seen.list(sink), sink, sink.stop) == "11"
    assert sink.bodies == [
        {"metadata": {"name": "a"}, "spec": {}, "status": {}},
        {"metadata": {"name": "a"}, "spec": {}, "status": {"phase": "Running"}},
    ]


def test_lines_may_be_cut_anywhere_on_their_way(serve: Serve, connect: Connect) -> None:
    whole = line("ADDED", pod("a", "11")) + b"\n" + line("ADDED", pod("ö", "12"))
    parts = [whole[place : place + 7] for place in range(0, len(whole), 7)]
    sink = Heard()
    watch(connect(serve(lambda _request: Reply(parts=parts)))).listen("10", sink, sink.stop)
    assert sink.changes == [("ADDED", "a"), ("ADDED", "ö")]


def test_a_stream_without_chunks_is_read_as_it_comes(serve: Serve, connect: Connect) -> None:
    body = line("ADDED", pod("a", "11")) + line("ADDED", pod("b", "12"))
    sink = Heard()
    watch(connect(serve(lambda _request: Reply(body=body)))).listen("10", sink, sink.stop)
    assert sink.changes == [("ADDED", "a"), ("ADDED", "b")]


def test_a_stream_lasts_no_longer_than_until_the_next_list_is_due(serve: Serve, connect: Connect) -> None:
    server = serve(lambda _request: Reply(parts=[]))
    seen, stop = watch(connect(server), jitter=lambda: 0.0), threading.Event()
    for seconds in (600.0, 100.5, 0.2):
        seen.listen("1", Heard(), stop, seconds=seconds)
    assert [one.query["timeoutSeconds"] for one in server.requests] == ["240", "100", "1"]


def test_a_version_that_is_too_old_is_gone_however_the_server_says_it(serve: Serve, connect: Connect) -> None:
    expired = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version: 1 (2)"}
    replies = [Reply(410, expired), Reply(parts=[line("ERROR", expired)])]
    seen = watch(connect(serve(lambda _request: replies.pop(0))))
    for _ in range(2):
        with pytest.raises(KubernetesGone, match="too old resource version"):
            seen.listen("1", Heard(), threading.Event())


def test_another_error_within_a_stream_is_worth_a_repeat(serve: Serve, connect: Connect) -> None:
    status = {"kind": "Status", "code": 500, "message": "etcdserver: no leader"}
    with pytest.raises(KubernetesUnavailable, match="etcdserver: no leader"):
        watch(connect(serve(lambda _request: Reply(parts=[line("ERROR", status)])))).listen(
            "1", Heard(), threading.Event()
        )


# ── the loop ──


def stream_of(*events: bytes, held: threading.Event | None = None) -> Reply:
    def parts() -> Iterator[bytes]:
        yield from events
        if held is not None:
            held.wait(20)

    return Reply(parts=parts())


def script(lists: Callable[[int], Reply], streams: Callable[[int], Reply]) -> tuple[Script, dict[str, int]]:
    """Answers by how many lists, or streams, there were before."""
    counts = {"list": 0, "stream": 0}

    def answer(request: Request) -> Reply:
        kind = "stream" if "watch" in request.query else "list"
        counts[kind] += 1
        return (streams if kind == "stream" else lists)(counts[kind] - 1)

    return answer, counts


def test_a_watch_lists_and_then_follows_stream_after_stream(serve: Serve, connect: Connect) -> None:
    names = ["b", "c", "d"]
    answer, counts = script(
        lambda _number: listed("a"),
        lambda number: stream_of(line("ADDED", pod(names[number], str(11 + number)))),
    )
    server, sink = serve(answer), Heard(stop_after=4)
    watch(connect(server)).run(sink, sink.stop)
    assert (sink.lists, [name for _, name in sink.changes]) == ([["a"]], names)
    versions = [one.query["resourceVersion"] for one in server.requests if "watch" in one.query]
    assert versions == ["10", "11", "12"]
    assert counts == {"list": 1, "stream": 3}


def test_a_version_that_is_too_old_is_followed_by_a_list_at_once(serve: Serve, connect: Connect) -> None:
    answer, _ = script(
        lambda number: listed(*["a", "b"][: number + 1]),
        lambda number: Reply(410) if number == 0 else stream_of(line("DELETED", pod("a", "12"))),
    )
    sink, clock = Heard(stop_after=3), Clock()
    pauses = Pauses(clock, stop_after=1)
    watch(connect(serve(answer)), clock=clock, wait=pauses).run(sink, sink.stop)
    assert (sink.lists, sink.changes) == ([["a"], ["a", "b"]], [("DELETED", "a")])
    assert pauses.seconds == []


def test_versions_that_are_always_too_old_do_not_make_a_tight_loop(serve: Serve, connect: Connect) -> None:
    answer, counts = script(lambda _number: listed("a"), lambda _number: Reply(410))
    clock = Clock()
    pauses = Pauses(clock, stop_after=4)
    watch(connect(serve(answer)), clock=clock, wait=pauses).run(Heard(), threading.Event())
    assert pauses.seconds == [2.0, 4.0, 8.0, 16.0]
    assert counts["list"] == 5


@pytest.mark.parametrize("status", [403, 404, 429, 500, 503])
def test_an_error_is_waited_out_with_pauses_from_one_second_to_thirty(
    serve: Serve, connect: Connect, status: int
) -> None:
    clock = Clock()
    pauses = Pauses(clock, stop_after=8)
    seen = watch(connect(serve(lambda _request: Reply(status))), clock=clock, wait=pauses)
    seen.run(Heard(), threading.Event())
    assert pauses.seconds == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert seen.last_contact == 0.0
    assert seen.away_since == (0.0 if status in {403, 404} else 1000.0)  # those are answers


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_told_once_and_again_after_it_was_over(serve: Serve, connect: Connect, status: int) -> None:
    answers = iter([Reply(status), Reply(503), Reply(status), listed("a"), Reply(410), Reply(status), Reply(status)])
    heard = Heard()
    client = connect(serve(lambda _request: next(answers)))
    watch(client, clock=Clock(), wait=Pauses(Clock(), stop_after=5)).run(heard, threading.Event())
    assert heard.lists == [["a"]]
    assert len(heard.refusals) == 2
    assert heard.refusals[0] == heard.refusals[1]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_away_refuses_nothing(serve: Serve, connect: Connect, status: int) -> None:
    heard = Heard()
    clock = Clock()
    client = connect(serve(lambda _request: Reply(status)))
    watch(client, clock=clock, wait=Pauses(clock, stop_after=3)).run(heard, threading.Event())
    assert heard.refusals == []


def test_a_cluster_that_can_not_be_reached_yet_is_asked_for_at_each_attempt(serve: Serve, connect: Connect) -> None:
    client = connect(serve(lambda request: listed("a") if "watch" not in request.query else Reply(410)))
    attempts: list[Client | ConfigError] = [ConfigError("No file."), ConfigError("No file."), client, client]

    def find() -> Client:
        found = attempts.pop(0)
        if isinstance(found, ConfigError):
            raise found
        return found

    heard = Heard(stop_after=1)
    clock = Clock()
    Watch(find, *KEY, clock=clock, jitter=lambda: 1.0, wait=Pauses(clock, stop_after=9)).run(heard, heard.stop)
    assert (heard.refusals, heard.lists) == (["No file."], [["a"]])


def test_pauses_are_spread_by_chance(serve: Serve, connect: Connect) -> None:
    clock = Clock()
    pauses = Pauses(clock, stop_after=3)
    chances = iter([0.0, 0.5, 1.0])
    seen = watch(connect(serve(lambda _request: Reply(500))), clock=clock, wait=pauses, jitter=lambda: next(chances))
    seen.run(Heard(), threading.Event())
    assert pauses.seconds == [0.5, 1.5, 4.0]


def test_a_server_that_asks_for_more_time_gets_it(serve: Serve, connect: Connect) -> None:
    clock = Clock()
    pauses = Pauses(clock, stop_after=1)
    server = serve(lambda _request: Reply(429, headers={"Retry-After": "17"}))
    watch(connect(server), clock=clock, wait=pauses).run(Heard(), threading.Event())
    assert pauses.seconds == [17.0]


def test_streams_that_end_as_soon_as_they_begin_do_not_make_a_tight_loop(serve: Serve, connect: Connect) -> None:
    answer, counts = script(lambda _number: listed("a"), lambda _number: Reply(parts=[]))
    clock = Clock()
    pauses = Pauses(clock, stop_after=3)
    watch(connect(serve(answer)), clock=clock, wait=pauses).run(Heard(), threading.Event())
    assert pauses.seconds == [1.0, 2.0, 4.0]
    assert counts == {"list": 3, "stream": 3}


@pytest.mark.parametrize(
    "broken", [Reply(parts=[b'{"type": '], is_cut=True), Reply(parts=[b"<html>\n"]), Reply(200, b"[]\n")]
)
def test_a_stream_that_breaks_is_followed_by_a_list(serve: Serve, connect: Connect, broken: Reply) -> None:
    answer, _ = script(
        lambda _number: listed("a"),
        lambda number: broken if number == 0 else stream_of(line("ADDED", pod("b", "11"))),
    )
    sink, clock = Heard(stop_after=3), Clock()
    pauses = Pauses(clock, stop_after=9)
    watch(connect(serve(answer)), clock=clock, wait=pauses).run(sink, sink.stop)
    assert (sink.lists, sink.changes) == ([["a"], ["a"]], [("ADDED", "b")])
    assert pauses.seconds == [1.0]


def test_failures_are_forgotten_after_a_minute_of_following(serve: Serve, connect: Connect) -> None:
    clock = Clock()

    def stream(number: int) -> Reply:
        def parts() -> Iterator[bytes]:
            clock.now += 70
            yield line("ADDED", pod("b", str(20 + number)))

        return Reply(parts=parts(), is_cut=True)

    answer, _ = script(lambda _number: listed("a"), stream)
    pauses = Pauses(clock, stop_after=3)
    watch(connect(serve(answer)), clock=clock, wait=pauses).run(Heard(), threading.Event())
    assert pauses.seconds == [1.0, 1.0, 1.0]


def test_all_is_listed_again_when_it_is_due(serve: Serve, connect: Connect) -> None:
    clock = Clock()

    def stream(number: int) -> Reply:
        clock.now += 250
        return stream_of(line("MODIFIED", pod("a", str(20 + number))))

    answer, counts = script(lambda _number: listed("a"), stream)
    sink = Heard(stop_after=5)
    watch(connect(serve(answer)), clock=clock, relist=600.0).run(sink, sink.stop)
    assert counts == {"list": 2, "stream": 3}


# ── the end ──


@pytest.fixture
def held() -> Iterator[threading.Event]:
    """Set at the end of the test: lets a held stream go."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("is_tls", [False, True])
def test_a_watch_that_hears_nothing_ends_at_once_when_it_is_interrupted(
    serve: Serve, connect: Connect, server_tls: ssl.SSLContext, ca: str, held: threading.Event, *, is_tls: bool
) -> None:
    answer, _ = script(lambda _number: listed("a"), lambda _number: stream_of(b"\n", held=held))
    server = serve(answer, server_tls if is_tls else None)
    seen = watch(connect(server, ClusterAccess("", ca=ca)))
    sink = Heard()
    thread = threading.Thread(target=seen.run, args=(sink, sink.stop))
    thread.start()
    wait_until(lambda: len(server.requests) == 2, 5, "the stream to begin")
    wait_until(lambda: seen._stream is not None, 5, "the stream to be open")
    sink.stop.set()
    seen.interrupt()
    thread.join(1)
    assert not thread.is_alive()


def test_an_interrupt_without_a_stream_is_no_error(serve: Serve, connect: Connect) -> None:
    seen = watch(connect(serve(lambda _request: listed("a"))))
    seen.interrupt()
    assert seen.list(Heard()) == "10"


def test_a_stop_that_came_before_the_stream_ends_it(serve: Serve, connect: Connect, held: threading.Event) -> None:
    seen = watch(connect(serve(lambda _request: stream_of(held=held))))
    stop = threading.Event()
    stop.set()
    assert seen.listen("5", Heard(), stop) == "5"
