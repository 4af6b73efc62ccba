"""The reverse proxy as a process, before servers that a test scripts and before our own."""

from __future__ import annotations

import base64
import gzip
import ssl
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import yaml

from tests.adapters.scripted import Reply, Request, ScriptedServer
from tests.support.faults import Proxy, faulty_proxy, hold_at
from tests.support.processes import BIN, Program, clean_environment
from tests.support.servers import Server, start_server

PODS = "/api/v1/namespaces/a/pods"
WATCH = f"{PODS}?watch=true"


class Upstream:
    """A scripted server whose script the test may change."""

    def __init__(self) -> None:
        self.reply: Any = Reply(body={"ok": True})
        self.server = ScriptedServer(self._answer)

    def _answer(self, request: Request) -> Reply:
        reply = self.reply(request) if callable(self.reply) else self.reply
        assert isinstance(reply, Reply)
        return reply

    @property
    def requests(self) -> list[Request]:
        return self.server.requests


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Upstream, Proxy]]:
    upstream = Upstream()
    with faulty_proxy(tmp_path_factory.mktemp("proxy"), {"rules": []}, upstream=upstream.server.url) as proxy:
        yield upstream, proxy
    upstream.server.close()


@pytest.fixture
def upstream(pair: tuple[Upstream, Proxy]) -> Upstream:
    pair[0].reply = Reply(body={"ok": True})
    pair[0].requests.clear()
    return pair[0]


@pytest.fixture
def proxy(pair: tuple[Upstream, Proxy]) -> Iterator[Proxy]:
    yield pair[1]
    pair[1].faults.replace({"rules": []})


@pytest.fixture
def http(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=10.0, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Proxy]]:
    """Our queue server behind the proxy: it stands for W&B's own service."""
    folder = tmp_path_factory.mktemp("behind")
    server = start_server(folder)
    try:
        with faulty_proxy(folder, {"rules": []}, upstream=server.url) as proxy:
            yield server, proxy
    finally:
        server.stop()


def test_a_request_and_its_reply_pass_unchanged(upstream: Upstream, http: httpx.Client) -> None:
    packed = gzip.compress(b"packed")
    upstream.reply = Reply(203, packed, {"Content-Encoding": "gzip", "Warning": '299 - "old"', "X-Own": "a, b"})
    headers = {"Authorization": "Bearer mine", "Accept": "a/b"}
    answer = http.put("/a%2Fb/c?x=%20y&x=2", content=b"\0\xff" * 5, headers=headers)
    assert (answer.status_code, answer.content) == (203, b"packed")
    assert (answer.headers["warning"], answer.headers["x-own"]) == ('299 - "old"', "a, b")
    (asked,) = upstream.requests
    assert (asked.method, asked.target, asked.body) == ("PUT", "/a%2Fb/c?x=%20y&x=2", b"\0\xff" * 5)
    assert (asked.headers["authorization"], asked.headers["accept"]) == ("Bearer mine", "a/b")
    assert asked.headers["host"] == upstream.server.url.removeprefix("http://")


def test_an_upstream_may_have_a_path(upstream: Upstream, tmp_path: Path) -> None:
    with faulty_proxy(tmp_path, {"rules": []}, upstream=f"{upstream.server.url}/base/") as below:
        assert httpx.get(f"{below.url}/graphql?x=1", trust_env=False).json() == {"ok": True}
    assert upstream.requests[-1].target == "/base/graphql?x=1"


def test_a_reply_streams_while_it_is_made(upstream: Upstream, http: httpx.Client) -> None:
    heard = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b'{"n": 1}\n'
        assert heard.wait(10)
        yield b'{"n": 2}\n'

    upstream.reply = Reply(parts=parts())
    with http.stream("GET", WATCH) as stream:
        lines = stream.iter_lines()
        assert next(lines) == '{"n": 1}'
        heard.set()
        assert list(lines) == ['{"n": 2}']


def test_half_a_reply_of_the_upstream_is_half_a_reply(upstream: Upstream, http: httpx.Client) -> None:
    upstream.reply = Reply(parts=[b"half"], is_cut=True)
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/x")
    upstream.reply = Reply(body={"ok": True})
    assert http.get("/x").json() == {"ok": True}


def test_a_watch_whose_asker_leaves_is_left_at_the_upstream_too(upstream: Upstream, http: httpx.Client) -> None:
    ended = threading.Event()

    def parts() -> Iterator[bytes]:
        try:
            for number in range(10_000):
                yield b'{"n": %d}\n' % number * 1000
        finally:
            ended.set()

    upstream.reply = lambda _: Reply(parts=parts())  # nobody else holds the generator: it ends with its request
    with http.stream("GET", WATCH) as stream:
        next(stream.iter_lines())
    assert ended.wait(10)


@pytest.mark.parametrize(("events", "told"), [(0, []), (2, ["one", "two"])])
def test_a_watch_is_cut_after_so_many_events(
    upstream: Upstream, proxy: Proxy, http: httpx.Client, events: int, told: list[str]
) -> None:
    upstream.reply = Reply(parts=[b"on", b"e\ntwo\nthr", b"ee\n"])
    proxy.faults.replace({"rules": [{"match": {"watch": True}, "fault": {"cut": {"events": events}}}]})
    heard: list[str] = []

    def listen() -> None:
        with http.stream("GET", WATCH) as stream:
            heard.extend(stream.iter_lines())

    with pytest.raises(httpx.RemoteProtocolError):
        listen()
    assert heard == told
    assert proxy.faults.events()[-1].phase == "dropped"


def test_an_outage_by_schedule_cuts_the_watches_that_are_open(
    upstream: Upstream, proxy: Proxy, http: httpx.Client
) -> None:
    waiting = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b"one\n"
        waiting.wait(20)

    upstream.reply = Reply(parts=parts())
    proxy.faults.replace({"rules": [{"after": "1s", "fault": "refuse"}]})
    heard: list[str] = []

    def listen() -> None:
        with http.stream("GET", WATCH) as stream:
            heard.extend(stream.iter_lines())

    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        listen()
    assert heard == ["one"]
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        http.get(WATCH)
    waiting.set()


def test_a_stream_without_a_last_newline_is_passed_whole(upstream: Upstream, proxy: Proxy, http: httpx.Client) -> None:
    upstream.reply = Reply(parts=[b"one\ntw", b"o"])
    proxy.faults.replace({"rules": [{"match": {"watch": True}, "fault": {"duplicate": "delivery"}}]})
    assert http.get(WATCH).text == "one\none\ntwo"


def test_a_watch_that_is_refused_is_no_stream_to_cut(upstream: Upstream, proxy: Proxy, http: httpx.Client) -> None:
    upstream.reply = Reply(403, {"reason": "Forbidden"})
    proxy.faults.replace({"rules": [{"match": {"watch": True}, "fault": {"cut": {"events": 0}}}]})
    answer = http.get(WATCH)
    assert (answer.status_code, answer.json()) == (403, {"reason": "Forbidden"})


def test_a_stale_watch_ends_with_kubernetes_own_event(upstream: Upstream, proxy: Proxy, http: httpx.Client) -> None:
    upstream.reply = Reply(parts=[b'{"type": "ADDED"}\n', b'{"type": "MODIFIED"}\n'])
    stale = {"match": {"watch": True}, "fault": {"stale": {"as": "event", "events": 1}}}
    proxy.faults.replace({"rules": [stale]})
    first, last = [yaml.safe_load(line) for line in http.get(WATCH).text.splitlines()]
    assert first == {"type": "ADDED"}
    assert last["type"] == "ERROR"
    assert (last["object"]["kind"], last["object"]["code"], last["object"]["reason"]) == ("Status", 410, "Expired")


def test_a_request_that_was_sent_on_is_waited_for_though_its_asker_left(
    upstream: Upstream, proxy: Proxy, http: httpx.Client
) -> None:
    going, performed = threading.Event(), threading.Event()

    def act(_: Request) -> Reply:
        assert going.wait(10)
        performed.set()
        return Reply(201, {})

    upstream.reply = act
    proxy.faults.replace({"rules": [{"name": "seen", "match": {"verb": "create"}, "fault": {"hold": "after"}}]})
    with pytest.raises(httpx.ReadTimeout):
        http.post(PODS, json={"metadata": {"name": "p"}}, timeout=0.5)
    going.set()
    hold = proxy.faults.wait_for_hold(10)
    assert performed.is_set()
    assert hold.arguments == {"namespace": "a", "name": "p"}
    proxy.faults.release(hold)


def test_a_held_creation_is_performed_once_or_never(upstream: Upstream, proxy: Proxy, http: httpx.Client) -> None:
    proxy.faults.replace({"rules": [hold_at({"verb": "create"}, nth=1, timeout=0.1, then="drop")]})
    with pytest.raises(httpx.RemoteProtocolError):
        http.post(PODS, json={"metadata": {"name": "p"}})
    assert upstream.requests == []
    assert http.post(PODS, json={"metadata": {"name": "p"}}).status_code == 200
    assert len(upstream.requests) == 1


def test_a_body_of_no_known_form_is_sent_twice_when_it_is_duplicated(
    upstream: Upstream, proxy: Proxy, http: httpx.Client
) -> None:
    proxy.faults.replace({"rules": [{"match": {"path": "/files/*"}, "fault": "duplicate"}]})
    assert http.post("/files/a/b/file_stream", content=b"x" * 300_000).json() == {"ok": True}
    assert [len(one.body) for one in upstream.requests] == [300_000] * 2


def test_an_upstream_that_is_away_is_answered_for(tmp_path: Path) -> None:
    with faulty_proxy(tmp_path, {"rules": []}, upstream="http://127.0.0.1:9") as away:
        answer = httpx.get(f"{away.url}/api/v1/pods", trust_env=False)
        assert answer.status_code == 502
        assert answer.json()["message"] == "the proxy's upstream does not answer: ConnectError"


def test_sigterm_ends_it_in_order_though_requests_are_held_and_watches_open(tmp_path: Path) -> None:
    waiting = threading.Event()

    def parts() -> Iterator[bytes]:
        yield b"one\n"
        waiting.wait(30)

    server = ScriptedServer(lambda request: Reply(parts=parts()) if "watch" in request.target else Reply())
    script = {"rules": [{"match": {"verb": "create"}, "fault": "hold"}]}
    with faulty_proxy(tmp_path, script, upstream=server.url) as proxy:

        def ask() -> None:
            with pytest.raises(httpx.HTTPError):
                httpx.post(f"{proxy.url}{PODS}", json={}, trust_env=False).raise_for_status()

        asker = threading.Thread(target=ask)
        asker.start()
        proxy.faults.wait_for_hold()
        with httpx.stream("GET", f"{proxy.url}{WATCH}", trust_env=False, timeout=20) as stream:
            assert next(stream.iter_lines()) == "one"
            proxy.program.terminate()
            assert proxy.program.wait(15) == 0
        asker.join(10)
        assert "Traceback" not in proxy.program.log
    waiting.set()
    server.close()


# ── our queue server behind it ──


def test_a_pop_through_the_proxy_is_lost_after_it_was_performed(behind: tuple[Server, Proxy]) -> None:
    server, proxy = behind
    server.backend.create_queue("lost")
    item = server.backend.push("lost", {"entity": "local", "project": "demo"})
    proxy.faults.replace(
        {"rules": [{"match": {"operation": "popFromRunQueue"}, "times": 1, "fault": "lose-reply"}]}
    )  # fmt: skip
    pop = """mutation { popFromRunQueue(input: {entityName: "local", projectName: "model-registry",
      queueName: "lost"}) { runQueueItemId } }"""

    def ask() -> httpx.Response:
        return httpx.post(f"{proxy.url}/graphql", json={"query": pop}, auth=("api", server.key), trust_env=False)

    with pytest.raises(httpx.RemoteProtocolError):
        ask()
    assert server.backend.item("lost", item)["state"] == "LEASED"
    assert ask().json() == {"data": {"popFromRunQueue": None}}
    assert proxy.faults.counts()["popFromRunQueue"] == 2


# ── TLS and kubeconfigs ──


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[ScriptedServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = ScriptedServer(lambda request: Reply(body={"as": request.headers.get("authorization")}), context)
    yield server
    server.close()


def test_an_upstream_is_trusted_by_the_ca_that_is_given(
    tmp_path: Path, authority: trustme.CA, secure: ScriptedServer
) -> None:
    ca = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca))
    with faulty_proxy(tmp_path / "good", {"rules": []}, "--ca", str(ca), upstream=secure.url) as good:
        assert httpx.get(f"{good.url}/version", trust_env=False).status_code == 200
    with faulty_proxy(tmp_path / "bad", {"rules": []}, upstream=secure.url) as bad:
        assert httpx.get(f"{bad.url}/version", trust_env=False).status_code == 502


def write_kubeconfig(folder: Path, server: str, ca: str, user: dict[str, Any]) -> Path:
    (folder / "ca.pem").write_text(ca)
    config = {
        "current-context": "one",
        "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority": "ca.pem"}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "ml"}}],
    }
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


def test_a_kubeconfigs_token_is_lent_for_the_proxys_own(
    tmp_path: Path, authority: trustme.CA, secure: ScriptedServer
) -> None:
    (tmp_path / "token").write_text("first\n")
    path = write_kubeconfig(tmp_path, secure.url, authority.cert_pem.bytes().decode(), {"tokenFile": "token"})
    (tmp_path / "proxied.yaml").touch(mode=0o644)
    with faulty_proxy(tmp_path, {"rules": []}, "--advertise", "localhost", kubeconfig=path) as proxy:
        assert proxy.kubeconfig is not None
        assert stat.S_IMODE(proxy.kubeconfig.stat().st_mode) == 0o600
        written = yaml.safe_load(proxy.kubeconfig.read_text())
        assert written["contexts"][0]["context"]["namespace"] == "ml"
        server = written["clusters"][0]["cluster"]["server"]
        assert server == proxy.url.replace("127.0.0.1", "localhost")
        lent = written["users"][0]["user"]["token"]
        trust = ssl.create_default_context(cadata=_ca_of(written))

        def ask(token: str | None) -> Any:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            return httpx.get(f"{server}/version", headers=headers, verify=trust, trust_env=False).json()["as"]

        assert [ask(lent), ask("own"), ask(None)] == ["Bearer first", "Bearer own", None]
        (tmp_path / "token").write_text("second\n")
        assert ask(lent) == "Bearer second"
        assert "first" not in proxy.program.log
        assert lent not in proxy.program.log


def _ca_of(config: dict[str, Any]) -> str:
    return base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--upstream", "nowhere"], "--upstream 'nowhere' is no address. For example https://api.wandb.ai."),
        (["--upstream", "http://x", "--faults", "none.yaml"], "--faults none.yaml cannot be read: No such file"),
        (["--upstream", "http://x", "--faults", "{rules: 1}"], "rules: this is not a list."),
        (["--upstream", "http://x", "--ca", "/none"], "--ca /none cannot be read"),
        (["--upstream", "http://x", "--listen", "here"], "--listen 'here' is not HOST:PORT"),
        (["--upstream", "http://x", "--control", "here"], "--control 'here' is not HOST:PORT"),
        (["--upstream", "http://x", "--write-kubeconfig", "y"], "--write-kubeconfig needs --kubeconfig"),
        (["--kubeconfig", "/none"], "--kubeconfig /none cannot be read"),
        (["--kubeconfig", "{}"], "--kubeconfig {} has no current-context. Name one by --context."),
        (["--kubeconfig", "{}", "--context", "a"], "--kubeconfig {} has no context 'a' in contexts"),
        ([], "one of the arguments --upstream --kubeconfig is required"),
    ],
)
def test_bad_options_are_explained_and_exit_2(tmp_path: Path, options: list[str], message: str) -> None:
    given = options if "--faults" in options else ["--faults", "{}", *options]
    command = [str(BIN / "launch-server"), "proxy", *given]
    program = Program(command, clean_environment(tmp_path / "home"), tmp_path / "log")
    assert program.wait(30) == 2
    assert message in program.log
    assert "Traceback" not in program.log


@pytest.mark.parametrize(
    ("user", "message"),
    [
        ({"exec": {}}, "users[u].exec is not supported by this proxy"),
        ({"client-certificate": "none.pem"}, "the kubeconfig's client-certificate cannot be read"),
        ({"client-certificate-data": "!!"}, "the kubeconfig's client-certificate cannot be read"),
        (
            {"client-certificate-data": "eA==", "client-key-data": "eA=="},
            "the certificates for https://x cannot be used",
        ),
    ],
)
def test_a_kubeconfig_that_can_not_be_used_says_where(tmp_path: Path, user: dict[str, Any], message: str) -> None:
    path = write_kubeconfig(tmp_path, "https://x", trustme.CA().cert_pem.bytes().decode(), user)
    command = [str(BIN / "launch-server"), "proxy", "--faults", "{}", "--kubeconfig", str(path)]
    program = Program(command, clean_environment(tmp_path / "home"), tmp_path / "log")
    assert program.wait(30) == 2
    assert message in program.log
    assert "Traceback" not in program.log


def test_control_without_faults_is_refused(tmp_path: Path) -> None:
    command = [str(BIN / "launch-server"), "serve", "--control", "127.0.0.1:0", "--listen", "127.0.0.1:0"]
    program = Program(command, clean_environment(tmp_path / "home"), tmp_path / "log")
    assert program.wait(30) == 2
    assert "--control is of --faults, which is not given" in program.log
