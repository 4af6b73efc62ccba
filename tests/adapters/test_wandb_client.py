"""The client of W&B's API against a scripted HTTP server: documents, errors, headers, TLS, proxies."""

from __future__ import annotations

import json
import logging
import ssl
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme

from launch_agent import __version__
from launch_agent.adapters.wandb import operations
from launch_agent.adapters.wandb.client import Client
from launch_agent.adapters.wandb.operation import Operation
from launch_agent.errors import WandbDenied, WandbError, WandbRejected, WandbUnavailable
from launch_agent.settings.variables import Reader, read_proxies
from tests.adapters.wandb_server import Reply, Request, Standin, reply, serve, succeed

KEY = "local-" + "k" * 40
BASIC = b64encode(f"api:{KEY}".encode()).decode()
SHORT = 0.3


@pytest.fixture
def standin() -> Iterator[Standin]:
    with serve() as running:
        yield running


@pytest.fixture
def client(standin: Standin) -> Iterator[Client]:
    made = Client(standin.url, KEY, timeout=5)
    yield made
    made.close()


def _acks(count: int) -> list[Operation]:
    return [operations.ack(f"item-{number}", f"run-{number}") for number in range(count)]


def _error_of(client: Client) -> WandbError:
    with pytest.raises(WandbError) as caught:
        client.execute("{ viewer { id } }", {})
    return caught.value


def _outcomes(client: Client) -> list[WandbError | None]:
    """The errors of two operations, or the one that their document met."""
    try:
        return [result.error for result in client.run(_acks(2))]
    except WandbError as error:
        return [error]


# ── documents ──


@pytest.mark.parametrize(("count", "sizes"), [(0, []), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])])
def test_up_to_100_operations_go_in_one_document_and_answers_keep_their_order(
    standin: Standin, client: Client, count: int, sizes: list[int]
) -> None:
    results = client.run(_acks(count))
    assert standin.sizes == sizes
    assert [result.value["runQueueItemId"] for result in results] == [f"item-{number}" for number in range(count)]
    assert all(result.error is None for result in results)


def test_an_error_with_a_path_is_its_aliases_own(standin: Standin, client: Client) -> None:
    errors = [{"message": "is gone", "path": ["a1", "success"]}]
    standin.answer = lambda _: reply({"data": {"a0": {"success": True}, "a1": None, "a2": None}, "errors": errors})
    first, second, third = client.run(_acks(3))
    assert (first.value, first.error) == ({"success": True}, None)
    assert isinstance(second.error, WandbRejected)
    assert str(second.error) == "W&B refused ackRunQueueItem: is gone"
    assert (third.value, third.error) == (None, None)


def test_an_error_without_a_path_is_everybodys(standin: Standin, client: Client) -> None:
    data = {"a0": {"success": True}, "a1": {"success": True}}
    standin.answer = lambda _: reply({"data": data, "errors": [{"message": "half asleep"}]})
    results = client.run(_acks(2))
    assert [isinstance(result.error, WandbRejected) for result in results] == [True, True]
    assert all("half asleep" in str(result.error) for result in results)


@pytest.mark.parametrize(
    "refusal",
    [
        reply({"errors": [{"message": "too many"}]}, 400),
        reply({"errors": [{"message": "too many"}]}, 422),
        reply({"errors": [{"message": "too many"}], "data": None}),
        Reply(413, b"<html>"),
    ],
    ids=["400", "422", "200 without data", "413"],
)
def test_a_server_that_refuses_long_documents_gets_short_ones_and_is_remembered(
    standin: Standin, client: Client, refusal: Reply
) -> None:
    standin.answer = lambda request: refusal if len(request.fields) > 1 else succeed(request)
    results = client.run(_acks(4))
    assert [result.value["runName"] for result in results] == ["run-0", "run-1", "run-2", "run-3"]
    assert 4 in standin.sizes
    standin.requests.clear()
    client.run(_acks(3))
    assert standin.sizes == [1, 1, 1]


def test_one_operation_at_fault_fails_alone_and_long_documents_go_on(standin: Standin, client: Client) -> None:
    def answer(request: Request) -> Reply:
        is_bad = "item-5" in request.json["variables"].values()
        return reply({"errors": [{"message": "no such id"}]}, 400) if is_bad else succeed(request)

    standin.answer = answer
    results = client.run(_acks(12))
    assert [number for number, result in enumerate(results) if result.error is not None] == [5]
    assert "no such id" in str(results[5].error)
    standin.requests.clear()
    client.run([operations.ack(f"other-{number}", "run") for number in range(12)])
    assert standin.sizes == [12]


def test_an_alias_that_the_answer_leaves_out_is_not_taken_for_an_empty_answer(standin: Standin, client: Client) -> None:
    standin.answer = lambda _: reply({"data": {"a0": {"success": True}}})
    first, second = client.run(_acks(2))
    assert first.error is None
    assert isinstance(second.error, WandbUnavailable)


# ── failures ──


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_denied_and_the_cure_names_the_variable(standin: Standin, client: Client, status: int) -> None:
    standin.answer = lambda _: reply({"errors": [{"message": "who are you"}]}, status)
    error = _error_of(client)
    assert isinstance(error, WandbDenied)
    assert f"HTTP {status}" in error.summary
    assert (error.detail, "WANDB_API_KEY" in error.resolution) == ("who are you", True)


@pytest.mark.parametrize("status", [400, 404, 409, 410, 413, 422, 501])
def test_a_final_status_is_rejected(standin: Standin, client: Client, status: int) -> None:
    standin.answer = lambda _: reply({"errors": [{"message": "one"}, {"message": "two"}]}, status)
    error = _error_of(client)
    assert isinstance(error, WandbRejected)
    assert error.detail == "one; two"


@pytest.mark.parametrize("status", [405, 408, 429, 500, 502, 503, 504])
def test_another_status_is_worth_a_repeat(standin: Standin, client: Client, status: int) -> None:
    standin.answer = lambda _: Reply(status, b"<html>upstream</html>")
    assert isinstance(_error_of(client), WandbUnavailable)


@pytest.mark.parametrize("body", [b"", b"<html>", b"null", b"[]", b"{}", b"7", b'{"data"', b"\xff\xfe"])
def test_a_200_that_is_no_graphql_is_worth_a_repeat_and_names_the_address(
    standin: Standin, client: Client, body: bytes
) -> None:
    standin.answer = lambda _: Reply(200, body)
    error = _error_of(client)
    assert isinstance(error, WandbUnavailable)
    assert "WANDB_BASE_URL" in str(error)


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors": "boom"}',
        b'{"errors": ["boom"]}',
        b'{"errors": {"message": "boom"}}',
        b'{"data": [1]}',
        b'{"data": "text"}',
        b'{"data": null, "errors": [null]}',
        b'{"data": {"a0": null}, "errors": [{"message": "x", "path": "a0"}, 3]}',
        b"[" * 200_000,
    ],
    ids=lambda body: body[:40].decode(),
)
def test_junk_in_the_shape_of_an_answer_is_an_error_of_ours(standin: Standin, client: Client, body: bytes) -> None:
    standin.answer = lambda _: Reply(200, body)
    errors = _outcomes(client)
    assert errors
    assert all(isinstance(error, WandbUnavailable | WandbRejected) for error in errors)


@pytest.mark.parametrize("fault", [Reply(hold=True), Reply(is_cut=True)], ids=["silence", "a cut"])
def test_no_answer_is_worth_a_repeat(standin: Standin, fault: Reply) -> None:
    standin.answer = lambda _: fault
    error = _error_of(Client(standin.url, KEY, timeout=SHORT))
    assert isinstance(error, WandbUnavailable)
    assert error.retry_after is None


def test_nobody_there_is_worth_a_repeat_and_the_next_call_finds_who_came(standin: Standin, client: Client) -> None:
    with serve() as gone:
        url = gone.url
    assert isinstance(_error_of(Client(url, KEY, timeout=SHORT)), WandbUnavailable)
    standin.answer = lambda _: Reply(is_cut=True)
    assert isinstance(_error_of(client), WandbUnavailable)
    standin.answer = succeed
    assert client.run(_acks(1))[0].error is None


@pytest.mark.parametrize(("text", "seconds"), [("7", 7.0), ("0", 0.0), ("99999", 300.0), ("²", None), ("soon", None)])
def test_retry_after_in_seconds_is_told_within_bounds(
    standin: Standin, client: Client, text: str, seconds: float | None
) -> None:
    standin.answer = lambda _: Reply(429, b"", {"Retry-After": text})
    error = _error_of(client)
    assert isinstance(error, WandbUnavailable)
    assert error.retry_after == seconds


@pytest.mark.parametrize(("ahead", "least", "most"), [(60, 50, 60), (-60, 0, 0), (9999, 300, 300)])
def test_retry_after_as_a_date_is_told_within_bounds(
    standin: Standin, client: Client, ahead: int, least: float, most: float
) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    standin.answer = lambda _: Reply(503, b"", {"Retry-After": moment})
    error = _error_of(client)
    assert isinstance(error, WandbUnavailable)
    assert error.retry_after is not None
    assert least <= error.retry_after <= most


def test_a_redirect_is_not_followed_for_the_key_would_go_along(standin: Standin, client: Client) -> None:
    with serve() as other:
        standin.answer = lambda _: Reply(307, b"", {"Location": f"{other.url}/graphql"})
        error = _error_of(client)
        assert other.requests == []
    assert "WANDB_BASE_URL" in str(error)


# ── headers and secrets ──


def test_the_request_is_what_the_protocol_says(standin: Standin) -> None:
    Client(standin.url + "/", KEY, username="ada", user_email="ada@example.com").run([operations.viewer()])
    (request,) = standin.requests
    assert (request.method, request.target) == ("POST", "/graphql")
    assert request.json["operationName"] == ""
    assert set(request.json) == {"query", "variables", "operationName"}
    expected = {
        "Authorization": f"Basic {BASIC}",
        "Content-Type": "application/json",
        "User-Agent": f"launch-agent/{__version__}",
        "Use-Admin-Privileges": "true",
        "X-WANDB-USERNAME": "ada",
        "X-WANDB-USER-EMAIL": "ada@example.com",
    }
    assert {name: request.headers.get(name) for name in expected} == expected


def test_names_that_are_not_set_are_empty_headers(standin: Standin, client: Client) -> None:
    client.run([operations.viewer()])
    headers = standin.requests[0].headers
    assert (headers["X-WANDB-USERNAME"], headers["X-WANDB-USER-EMAIL"]) == ("", "")


@pytest.mark.parametrize("name", ["Zoë", "Łukasz", "王", "two\r\nlines"])
def test_a_user_name_of_any_script_is_sent_and_adds_no_header(standin: Standin, name: str) -> None:
    Client(standin.url, KEY, username=name).run([operations.viewer()])
    sent = standin.requests[0].headers["X-WANDB-USERNAME"].encode("latin-1").decode()
    assert sent == " ".join(name.split())


def test_text_of_any_script_arrives_in_variables(standin: Standin, client: Client) -> None:
    (result,) = client.run([operations.fail("i", "größer \u2028 \U0001f600", "agent")])
    assert result.value["message"] == "größer \u2028 \U0001f600"


@pytest.mark.parametrize("status", [200, 400, 401, 429, 500])
@pytest.mark.parametrize("secret", [KEY, BASIC], ids=["the key", "its Basic form"])
def test_the_key_is_in_no_error_and_no_log_even_if_the_server_says_it(
    standin: Standin, client: Client, caplog: pytest.LogCaptureFixture, status: int, secret: str
) -> None:
    caplog.set_level(logging.DEBUG)
    standin.answer = lambda _: reply({"errors": [{"message": f"bad: {secret}"}]}, status)
    errors = _outcomes(client)
    assert errors
    texts = [f"{error}{error!r}" for error in errors]
    assert all("bad: " in text for text in texts)
    assert not any(secret in text for text in [*texts, caplog.text])


def test_the_key_is_in_no_error_if_nobody_answers(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serve() as gone:
        url = gone.url
    error = _error_of(Client(url, KEY, timeout=SHORT))
    assert KEY not in f"{error}{error!r}{caplog.text}"
    assert BASIC not in f"{error}{error!r}{caplog.text}"


# ── TLS ──


@pytest.fixture
def secure(server_tls: ssl.SSLContext) -> Iterator[Standin]:
    with serve(server_tls) as running:
        yield running


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def test_an_own_ca_bundle_is_trusted(secure: Standin, bundle: Path) -> None:
    assert Client(secure.url, KEY, ca_bundle=bundle).run(_acks(1))[0].error is None


def test_without_the_bundle_the_certificate_is_refused_and_the_key_not_sent(secure: Standin) -> None:
    error = _error_of(Client(secure.url, KEY, timeout=5))
    assert isinstance(error, WandbUnavailable)
    assert "certificate" in str(error).lower()
    assert secure.requests == []


def test_requests_ca_bundle_is_not_heard_here(
    secure: Standin, bundle: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("no certificate")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(garbage))
    assert Client(secure.url, KEY, ca_bundle=bundle).run(_acks(1))[0].error is None
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert isinstance(_error_of(Client(secure.url, KEY, timeout=5)), WandbUnavailable)


def test_verification_is_off_only_where_the_owner_says_so(secure: Standin) -> None:
    assert Client(secure.url, KEY, verify_tls=False).run(_acks(1))[0].error is None


# ── proxies ──


def _proxies(base_url: str, environ: dict[str, str]) -> dict[str, str]:
    reader = Reader(environ)
    found = read_proxies(reader, base_url)
    assert reader.problems == []
    return found


def test_a_proxy_gets_the_whole_address_and_its_own_password(standin: Standin) -> None:
    proxy = standin.url.replace("http://", "http://ada:p%40ss@")
    target = "http://wandb.example.invalid"
    Client(target, KEY, proxies=_proxies(target, {"HTTP_PROXY": proxy})).run(_acks(1))
    (request,) = standin.requests
    assert request.target == f"{target}/graphql"
    assert request.headers["Proxy-Authorization"] == "Basic " + b64encode(b"ada:p@ss").decode()
    assert request.headers["Authorization"] == f"Basic {BASIC}"


def test_an_https_address_is_reached_by_connect_and_the_proxy_never_sees_the_key(standin: Standin) -> None:
    standin.answer = lambda _: Reply(502)
    proxy = standin.url.replace("http://", "http://ada:secret-pass@")
    target = "https://wandb.example.invalid"
    error = _error_of(Client(target, KEY, timeout=5, proxies=_proxies(target, {"HTTPS_PROXY": proxy})))
    assert isinstance(error, WandbUnavailable)
    (request,) = standin.requests
    assert (request.method, request.target) == ("CONNECT", "wandb.example.invalid:443")
    assert "Authorization" not in request.headers
    assert "secret-pass" not in str(error)


def test_no_proxy_is_honoured(standin: Standin) -> None:
    environ = {"HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}
    assert Client(standin.url, KEY, proxies=_proxies(standin.url, environ)).run(_acks(1))[0].error is None
    assert standin.requests[0].target == "/graphql"


def test_wandbs_own_variable_of_proxies_is_used(standin: Standin) -> None:
    target = "http://wandb.example.invalid"
    environ = {"WANDB__PROXIES": json.dumps({"http": standin.url})}
    Client(target, KEY, proxies=_proxies(target, environ)).run(_acks(1))
    assert standin.requests[0].target == f"{target}/graphql"
