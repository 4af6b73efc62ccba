"""The Kubernetes client against a scripted server: what it asks, what it makes of each answer."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

import pytest
import trustme

from launch_agent.adapters.kubernetes.access import ClusterAccess, Token
from launch_agent.adapters.kubernetes.answers import Shape
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.errors import (
    ConfigError,
    KubernetesConflict,
    KubernetesDenied,
    KubernetesError,
    KubernetesGone,
    KubernetesInvalid,
    KubernetesMissing,
    KubernetesUnavailable,
)
from tests.adapters.conftest import Connect, Serve
from tests.adapters.scripted import Reply, Request

JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "train", "namespace": "ml"}, "spec": {}}


def ok(_request: Request) -> Reply:
    return Reply(body={"kind": "PartialObjectMetadata", "metadata": {"name": "train", "uid": "u1"}})


class Name(TypedDict, total=False):
    name: str


class Named(TypedDict, total=False):
    metadata: Name


def count_up() -> Callable[[object], int]:
    numbers = itertools.count(1)
    return lambda _body: next(numbers)


def failure(status: int, reason: str, message: str) -> Reply:
    return Reply(status, {"kind": "Status", "reason": reason, "message": message})


# ── what is asked ──


def test_a_create_names_its_manager_and_asks_for_the_metadata_only(serve: Serve, connect: Connect) -> None:
    server = serve(ok)
    made = connect(server).create(JOB)
    (request,) = server.requests
    assert made["metadata"]["uid"] == "u1"
    assert (request.method, request.path) == ("POST", "/apis/batch/v1/namespaces/ml/jobs")
    assert request.query == {"fieldManager": "launch-agent"}
    assert request.json == JOB
    assert request.headers["content-type"] == "application/json"
    assert request.headers["accept"].startswith("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,")
    assert request.headers["user-agent"].startswith("launch-agent/")


def test_a_patch_is_a_merge_patch_by_our_manager(serve: Serve, connect: Connect) -> None:
    server = serve(ok)
    connect(server).patch("v1", "Secret", "ml", "key", {"metadata": {"labels": {"a": None}}})
    (request,) = server.requests
    assert (request.method, request.path) == ("PATCH", "/api/v1/namespaces/ml/secrets/key")
    assert request.headers["content-type"] == "application/merge-patch+json"
    assert request.query == {"fieldManager": "launch-agent"}
    assert request.json == {"metadata": {"labels": {"a": None}}}


def test_a_delete_takes_what_is_owned_along_and_only_the_object_with_that_uid(serve: Serve, connect: Connect) -> None:
    server = serve(ok)
    assert connect(server).delete("batch/v1", "Job", "ml", "train", uid="u1") is True
    (request,) = server.requests
    assert (request.method, request.path) == ("DELETE", "/apis/batch/v1/namespaces/ml/jobs/train")
    assert request.json["propagationPolicy"] == "Background"
    assert request.json["preconditions"] == {"uid": "u1"}


@pytest.mark.parametrize(
    ("api_version", "kind", "namespace", "name", "path"),
    [
        ("v1", "Pod", "ml", "", "/api/v1/namespaces/ml/pods"),
        ("v1", "Pod", "", "", "/api/v1/pods"),
        ("v1", "Namespace", "ml", "ml", "/api/v1/namespaces/ml"),
        ("coordination.k8s.io/v1", "Lease", "a", "b", "/apis/coordination.k8s.io/v1/namespaces/a/leases/b"),
        ("v1", "ConfigMap", "a/b", "c d?", "/api/v1/namespaces/a%2Fb/configmaps/c%20d%3F"),
    ],
)
def test_paths_of_known_kinds_need_no_question(
    serve: Serve, connect: Connect, api_version: str, kind: str, namespace: str, name: str, path: str
) -> None:
    server = serve(ok)
    assert connect(server).path(api_version, kind, namespace, name) == path
    assert server.requests == []


GROUP = {
    "resources": [
        {"name": "pytorchjobs/status", "kind": "PyTorchJob", "namespaced": True},
        {"name": "pytorchjobs", "kind": "PyTorchJob", "namespaced": True},
        {"name": "trainingruntimes", "kind": "Job", "namespaced": False},
    ]
}


def test_the_plural_of_other_kinds_is_asked_for_once_and_the_subresources_are_passed_over(
    serve: Serve, connect: Connect
) -> None:
    server = serve(lambda _request: Reply(body=GROUP))
    client = connect(server)
    for _ in range(2):
        path = client.path("kubeflow.org/v1", "PyTorchJob", "ml", "x")
        assert path == "/apis/kubeflow.org/v1/namespaces/ml/pytorchjobs/x"
    assert [one.path for one in server.requests] == ["/apis/kubeflow.org/v1"]


def test_a_kind_of_another_group_is_not_taken_for_kubernetes_own_of_that_name(serve: Serve, connect: Connect) -> None:
    client = connect(serve(lambda _request: Reply(body=GROUP)))
    assert client.path("kubeflow.org/v1", "Job", "ml", "x") == "/apis/kubeflow.org/v1/trainingruntimes/x"
    assert client.path("batch/v1", "Job", "ml", "x") == "/apis/batch/v1/namespaces/ml/jobs/x"


@pytest.mark.parametrize("reply", [Reply(404, {"message": "no"}), Reply(200, {"resources": []})])
def test_a_kind_that_the_cluster_does_not_have_is_named_and_asked_for_again(
    serve: Serve, connect: Connect, reply: Reply
) -> None:
    replies = [reply, Reply(body=GROUP)]
    client = connect(serve(lambda _request: replies.pop(0)))
    with pytest.raises(KubernetesMissing) as caught:
        client.get("kubeflow.org/v1", "PyTorchJob", "ml", "x")
    assert str(caught.value) == (
        "The cluster has no kind PyTorchJob in kubeflow.org/v1. "
        "Install what defines it, or correct apiVersion and kind."
    )
    assert client.path("kubeflow.org/v1", "PyTorchJob").endswith("/pytorchjobs")


def test_many_requests_share_one_connection(serve: Serve, connect: Connect) -> None:
    server = serve(ok)
    client = connect(server)
    for _ in range(5):
        client.create(JOB)
    assert len({one.connection for one in server.requests}) == 1


# ── lists and logs ──


def test_a_list_is_read_page_by_page_without_managed_fields(serve: Serve, connect: Connect) -> None:
    def page(request: Request) -> Reply:
        number = int(request.query.get("continue", "0"))
        item = {"metadata": {"name": f"p{number}", "managedFields": [{"manager": "x"}]}}
        following = str(number + 1) if number < 2 else ""
        return Reply(body={"metadata": {"continue": following, "resourceVersion": "7"}, "items": [item]})

    server = serve(page)
    items, version = connect(server).list("v1", "Pod", "ml", label_selector="a=b,c", limit=1)
    assert items == [{"metadata": {"name": f"p{number}"}} for number in range(3)]
    assert version == "7"
    assert [one.query for one in server.requests] == [
        {"limit": "1", "labelSelector": "a=b,c"},
        {"limit": "1", "labelSelector": "a=b,c", "continue": "1"},
        {"limit": "1", "labelSelector": "a=b,c", "continue": "2"},
    ]


def test_a_list_whose_pages_went_out_of_date_is_asked_for_in_one_piece(serve: Serve, connect: Connect) -> None:
    def page(request: Request) -> Reply:
        if "continue" in request.query:
            return failure(410, "Expired", "The provided continue parameter is too old")
        names = ["a"] if "limit" in request.query else ["a", "b"]
        token = "t" if "limit" in request.query else ""
        items = [{"metadata": {"name": name}} for name in names]
        return Reply(body={"metadata": {"continue": token, "resourceVersion": "9"}, "items": items})

    items, version = connect(serve(page)).list("v1", "Pod", "ml", limit=1)
    assert [one["metadata"]["name"] for one in items] == ["a", "b"]
    assert version == "9"


def test_only_what_a_shape_wants_of_a_list_is_read_and_its_objects_may_share(serve: Serve, connect: Connect) -> None:
    def page(request: Request) -> Reply:
        number = int(request.query.get("continue", "0"))
        item = {"metadata": {"name": f"pod-{number}", "uid": "u"}, "spec": {"big": 1}}
        odd = {"metadata": {"name": 5}, "spec": {"big": 2}}
        following = str(number + 1) if number < 1 else ""
        return Reply(body={"metadata": {"continue": following, "resourceVersion": "7"}, "items": [item, odd]})

    keepers: list[list[Any]] = []

    def make_keep() -> Callable[[dict[str, Any]], int]:
        seen: list[Any] = []
        keepers.append(seen)

        def keep(body: dict[str, Any]) -> int:
            seen.append(body)
            return len(seen)

        return keep

    shape = Shape(Named, make_keep)
    found, version = connect(serve(page)).list_as(shape, "v1", "Pod", "ml", limit=2)
    assert (found, version) == ([1, 2, 3, 4], "7")
    odd = {"metadata": {"name": 5}, "spec": {"big": 2}}  # not of the form, so it comes whole
    assert keepers == [[{"metadata": {"name": "pod-0"}}, odd, {"metadata": {"name": "pod-1"}}, odd]]


def test_nothing_of_a_list_that_went_out_of_date_is_kept(serve: Serve, connect: Connect) -> None:
    def page(request: Request) -> Reply:
        if "continue" in request.query:
            return failure(410, "Expired", "The provided continue parameter is too old")
        token = "t" if "limit" in request.query else ""
        return Reply(body={"metadata": {"continue": token, "resourceVersion": "9"}, "items": [{"metadata": {}}] * 2})

    shape = Shape(Named, lambda: count_up())
    assert connect(serve(page)).list_as(shape, "v1", "Pod", "ml", limit=1) == ([1, 2], "9")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"metadata": {}, "items": 1}', b'{"items": [1]}', b"[" * 100_000])
def test_a_list_that_is_none_is_not_the_api_servers(serve: Serve, connect: Connect, body: bytes) -> None:
    with pytest.raises(KubernetesUnavailable, match=r"speaks no JSON: list pods in namespace ml"):
        connect(serve(lambda _request: Reply(body=body))).list("v1", "Pod", "ml")


def test_an_empty_list_is_empty(serve: Serve, connect: Connect) -> None:
    reply = Reply(body={"metadata": {"resourceVersion": "3"}, "items": None})
    assert connect(serve(lambda _request: reply)).list("v1", "Pod", "ml") == ([], "3")


def test_a_log_keeps_its_end_whatever_its_length(serve: Serve, connect: Connect) -> None:
    server = serve(lambda _request: Reply(body=b"first\n" + b"x" * 500 + b"\nlast line\n"))
    text = connect(server).logs("ml", "pod-1", container="main", tail_lines=20, limit_bytes=100, previous=True)
    (request,) = server.requests
    assert text.endswith("x\nlast line\n")
    assert len(text) == 100
    assert request.path == "/api/v1/namespaces/ml/pods/pod-1/log"
    assert request.query == {"tailLines": "20", "limitBytes": "1600", "container": "main", "previous": "true"}


def test_a_log_in_another_encoding_is_still_a_text(serve: Serve, connect: Connect) -> None:
    assert connect(serve(lambda _request: Reply(body=b"caf\xe9"))).logs("ml", "p") == "caf�"


# ── what comes of the answers ──

ERRORS = [
    (400, KubernetesInvalid, "The API server refuses: create jobs in namespace ml."),
    (401, KubernetesDenied, "The API server does not know who asks: create jobs in namespace ml."),
    (403, KubernetesDenied, "The API server forbids: create jobs in namespace ml."),
    (404, KubernetesMissing, "Not found: create jobs in namespace ml."),
    (405, KubernetesInvalid, "The API server refuses: create jobs in namespace ml."),
    (409, KubernetesConflict, "Conflict: create jobs in namespace ml."),
    (410, KubernetesGone, "Too old: create jobs in namespace ml."),
    (413, KubernetesInvalid, "The API server refuses: create jobs in namespace ml."),
    (422, KubernetesInvalid, "The API server refuses: create jobs in namespace ml."),
    (429, KubernetesUnavailable, "The API server answers with HTTP 429: create jobs in namespace ml."),
    (500, KubernetesUnavailable, "The API server answers with HTTP 500: create jobs in namespace ml."),
    (503, KubernetesUnavailable, "The API server answers with HTTP 503: create jobs in namespace ml."),
    (504, KubernetesUnavailable, "The API server answers with HTTP 504: create jobs in namespace ml."),
]


@pytest.mark.parametrize(("status", "kind", "summary"), ERRORS)
def test_each_failure_has_its_class_says_what_was_asked_and_is_not_repeated(
    serve: Serve, connect: Connect, status: int, kind: type[KubernetesError], summary: str
) -> None:
    server = serve(lambda _request: failure(status, "Some", "words of the server"))
    with pytest.raises(KubernetesError) as caught:
        connect(server).create(JOB)
    error = caught.value
    assert type(error) is kind
    assert (error.summary, error.status, error.reason) == (summary, status, "Some")
    assert error.detail == "words of the server."
    assert len(server.requests) == 1


def test_a_denial_says_which_right_is_missing_and_what_to_do(serve: Serve, connect: Connect) -> None:
    words = 'jobs.batch is forbidden: User "system:serviceaccount:a:b" cannot create resource "jobs"'
    with pytest.raises(KubernetesDenied) as caught:
        connect(serve(lambda _request: failure(403, "Forbidden", words))).create(JOB)
    assert str(caught.value) == (
        f"The API server forbids: create jobs in namespace ml. {words}. "
        "Give the agent's service account this right, or use credentials that have it."
    )


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("100000", 300.0), ("soon", None), ("", None)])
def test_the_servers_wish_to_be_left_alone_is_kept(
    serve: Serve, connect: Connect, header: str, seconds: float | None
) -> None:
    with pytest.raises(KubernetesUnavailable) as caught:
        connect(serve(lambda _request: Reply(429, headers={"Retry-After": header}))).create(JOB)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize("body", [b"<html>login</html>", b"[]", b"", b"[" * 100_000])
@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_no_object_is_not_the_api_servers(
    serve: Serve, connect: Connect, body: bytes, status: int
) -> None:
    with pytest.raises(KubernetesUnavailable):
        connect(serve(lambda _request: Reply(status, body))).create(JOB)


def test_what_is_not_there_is_none_and_not_deleted(serve: Serve, connect: Connect) -> None:
    client = connect(serve(lambda _request: failure(404, "NotFound", 'jobs.batch "x" not found')))
    assert client.get("batch/v1", "Job", "ml", "x") is None
    assert client.delete("batch/v1", "Job", "ml", "x") is False


def test_an_object_of_that_name_with_another_uid_is_not_deleted(serve: Serve, connect: Connect) -> None:
    client = connect(serve(lambda _request: failure(409, "Conflict", "the UID in the precondition does not match")))
    assert client.delete("batch/v1", "Job", "ml", "x", uid="u1") is False
    with pytest.raises(KubernetesConflict):
        client.delete("batch/v1", "Job", "ml", "x")


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("GET", "/api/v1/namespaces/ml/pods?limit=500", "list pods in namespace ml"),
        ("GET", "/api/v1/namespaces/ml/pods?watch=true&timeoutSeconds=1", "watch pods in namespace ml"),
        ("GET", "/apis/batch/v1/jobs", "list jobs"),
        ("GET", "/apis/batch/v1/namespaces/ml/jobs/x", "get jobs/x in namespace ml"),
        ("GET", "/api/v1/namespaces/ml/pods/p/log?tailLines=5", "get pods/p/log in namespace ml"),
        ("GET", "/api/v1/namespaces/ml", "get namespaces/ml"),
        ("POST", "/api/v1/namespaces", "create namespaces"),
        ("GET", "/apis/kubeflow.org/v1", "get apis/kubeflow.org/v1"),
        ("GET", "/version", "get version"),
    ],
)
def test_errors_name_the_right_that_was_used(
    serve: Serve, connect: Connect, method: str, path: str, words: str
) -> None:
    with pytest.raises(KubernetesDenied) as caught:
        connect(serve(lambda _request: Reply(403))).request(method, path)
    assert caught.value.summary == f"The API server forbids: {words}."


# ── no answer ──


def test_a_server_that_is_not_there_is_unavailable(serve: Serve) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        client = Client(ClusterAccess(f"http://127.0.0.1:{free.getsockname()[1]}"))
        with pytest.raises(KubernetesUnavailable) as caught:
            client.create(JOB)
    assert str(caught.value) == (
        "The API server does not answer: no connection: Connection refused. (create jobs in namespace ml)"
    )


def test_a_server_that_says_nothing_is_unavailable_after_the_time_limit(connect: Connect) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        client = Client(ClusterAccess(f"http://127.0.0.1:{deaf.getsockname()[1]}"), timeout=0.1)
        with pytest.raises(KubernetesUnavailable, match="no answer within the time limit"):
            client.create(JOB)
        client.close()


def test_half_an_answer_is_none(serve: Serve, connect: Connect) -> None:
    client = connect(serve(lambda _request: Reply(body=b'{"metadata": ', is_cut=True)))
    with pytest.raises(KubernetesUnavailable, match="the connection was cut"):
        client.create(JOB)


# ── who asks ──


def guarded(accepted: str) -> Any:
    def script(request: Request) -> Reply:
        if request.headers.get("authorization") == f"Bearer {accepted}":
            return ok(request)
        return failure(401, "Unauthorized", "Unauthorized")

    return script


def test_a_token_that_changed_on_disk_is_read_again_when_it_is_refused(
    serve: Serve, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    server = serve(guarded("new"))
    client = connect(server, ClusterAccess("", token=Token(file=file)))
    with pytest.raises(KubernetesDenied):
        client.create(JOB)
    file.write_text("new\n")
    client.create(JOB)
    sent = [one.headers["authorization"] for one in server.requests]
    assert sent == ["Bearer old", "Bearer old", "Bearer old", "Bearer new"]


def test_a_fixed_token_that_is_refused_is_not_tried_again(serve: Serve, connect: Connect) -> None:
    server = serve(guarded("other"))
    with pytest.raises(KubernetesDenied) as caught:
        connect(server, ClusterAccess("", token=Token(text="secret-token"))).create(JOB)
    assert len(server.requests) == 1
    assert "secret-token" not in str(caught.value)


# ── TLS ──


def test_a_server_is_known_by_the_ca_of_its_access(
    serve: Serve, connect: Connect, server_tls: ssl.SSLContext, ca: str
) -> None:
    server = serve(ok, server_tls)
    assert connect(server, ClusterAccess("", ca=ca)).create(JOB)["metadata"]["name"] == "train"


def test_a_server_under_another_ca_is_not_spoken_to(serve: Serve, connect: Connect, server_tls: ssl.SSLContext) -> None:
    server = serve(ok, server_tls)
    stranger = trustme.CA().cert_pem.bytes().decode()
    with pytest.raises(KubernetesUnavailable, match="TLS: certificate verify failed"):
        connect(server, ClusterAccess("", ca=stranger, token=Token(text="t"))).create(JOB)
    assert server.requests == []


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_bundles_in_the_environment_change_nothing(
    serve: Serve,
    connect: Connect,
    server_tls: ssl.SSLContext,
    ca: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(ca)
    stranger = trustme.CA()
    server = serve(ok, server_tls)
    monkeypatch.setenv(name, str(bundle))
    with pytest.raises(KubernetesUnavailable):
        connect(server, ClusterAccess("", ca=stranger.cert_pem.bytes().decode())).create(JOB)
    stranger.cert_pem.write_to_path(str(bundle))
    connect(server, ClusterAccess("", ca=ca)).create(JOB)
    assert len(server.requests) == 1


def test_a_name_given_for_tls_is_what_the_certificate_must_hold(
    serve: Serve, connect: Connect, server_tls: ssl.SSLContext, ca: str
) -> None:
    server = serve(ok, server_tls)
    connect(server, ClusterAccess("", ca=ca, tls_name="api.example")).create(JOB)
    with pytest.raises(KubernetesUnavailable, match="TLS"):
        connect(server, ClusterAccess("", ca=ca, tls_name="other.example")).create(JOB)


def test_an_insecure_access_takes_any_certificate(serve: Serve, connect: Connect, server_tls: ssl.SSLContext) -> None:
    server = serve(ok, server_tls)
    connect(server, ClusterAccess("", is_insecure=True)).create(JOB)
    assert len(server.requests) == 1


def test_a_clients_certificate_is_shown(serve: Serve, connect: Connect, authority: trustme.CA, ca: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    mine = authority.issue_cert("agent.example")
    chain = "".join(one.bytes().decode() for one in mine.cert_chain_pems)
    key = mine.private_key_pem.bytes().decode()
    server = serve(ok, context)
    connect(server, ClusterAccess("", ca=ca, certificate=chain, key=key)).create(JOB)
    with pytest.raises(KubernetesUnavailable):
        connect(server, ClusterAccess("", ca=ca)).create(JOB)
    assert len(server.requests) == 1


@pytest.mark.parametrize("access", [{"ca": "no PEM"}, {"certificate": "no PEM", "key": "secret"}])
def test_certificates_that_are_none_are_the_configurations_fault(access: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Client(ClusterAccess("https://127.0.0.1:1", **access))  # type: ignore[arg-type] # texts only
    assert "The certificates for the API server https://127.0.0.1:1 can not be used" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_proxy_is_asked_for_a_tunnel(serve: Serve, connect: Connect, ca: str) -> None:
    proxy = serve(lambda _request: Reply(403))
    access = ClusterAccess("https://api.example:6443", ca=ca, proxy=proxy.url)
    with pytest.raises(KubernetesUnavailable, match="the proxy does not let it through"):
        connect(proxy, access).create(JOB)
    (request,) = proxy.requests
    assert (request.method, request.target) == ("CONNECT", "api.example:6443")


def test_a_secrets_value_is_never_in_an_error(serve: Serve, connect: Connect) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "k", "namespace": "ml"}}
    body = {**secret, "stringData": {"password": "hunter2"}}
    server = serve(lambda _request: failure(500, "", "etcd is away"))
    with pytest.raises(KubernetesUnavailable) as caught:
        connect(server).create(body)
    assert "hunter2" not in str(caught.value)
    assert json.loads(server.requests[0].body)["stringData"] == {"password": "hunter2"}
