"""How the API server is asked what would happen: reviews and dry-runs, and the warnings in its headers."""

from __future__ import annotations

import pytest

from launch_agent.adapters.kubernetes.client import read_warnings
from launch_agent.errors import KubernetesConflict, KubernetesDenied, KubernetesMissing
from tests.adapters.conftest import Connect, Serve
from tests.adapters.scripted import Reply, Request

JOB = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a", "namespace": "jobs"}}


def test_a_dry_run_is_a_creation_that_keeps_nothing(serve: Serve, connect: Connect) -> None:
    server = serve(lambda request: Reply(201, request.json, {"Warning": '299 - "unknown field \\"spec.x\\""'}))
    assert connect(server).try_create(JOB) == ('unknown field "spec.x"',)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/apis/batch/v1/namespaces/jobs/jobs")
    assert request.query == {"dryRun": "All", "fieldManager": "launch-agent"}
    assert request.json == JOB


@pytest.mark.parametrize(
    ("status", "kind"), [(403, KubernetesDenied), (404, KubernetesMissing), (409, KubernetesConflict)]
)
def test_what_refuses_the_creation_refuses_the_dry_run(
    serve: Serve, connect: Connect, status: int, kind: type[Exception]
) -> None:
    server = serve(lambda _request: Reply(status, {"message": "no"}))
    with pytest.raises(kind):
        connect(server).try_create(JOB)


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], ()),
        (['299 - "a"'], ("a",)),
        (['299 - "a, b", 299 kube-apiserver "c"'], ("a, b", "c")),
        (['299 - "a"', '299 - "a"', '299 - "b"'], ("a", "b")),
        ([r'299 - "say \"no\" \\ yes"'], ('say "no" \\ yes',)),
        (["nonsense"], ()),
    ],
)
def test_warnings_are_read_from_their_headers(headers: list[str], texts: tuple[str, ...]) -> None:
    assert read_warnings(headers) == texts


def test_a_right_is_asked_for_with_its_subresource_and_its_object(serve: Serve, connect: Connect) -> None:
    def review(request: Request) -> Reply:
        asked = request.json["spec"]["resourceAttributes"]
        return Reply(201, {"status": {"allowed": asked["subresource"] == "log"}})

    server = serve(review)
    client = connect(server)
    assert client.may("jobs", "get", "", "pods/log") is True
    assert client.may("wandb", "update", "coordination.k8s.io", "leases", name="one") is False
    assert [request.path for request in server.requests] == [
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    ] * 2
    assert [request.json["spec"]["resourceAttributes"] for request in server.requests] == [
        {"namespace": "jobs", "verb": "get", "group": "", "resource": "pods", "subresource": "log", "name": ""},
        {
            "namespace": "wandb",
            "verb": "update",
            "group": "coordination.k8s.io",
            "resource": "leases",
            "subresource": "",
            "name": "one",
        },
    ]


def test_a_review_without_an_answer_is_no_right(serve: Serve, connect: Connect) -> None:
    assert connect(serve(lambda _request: Reply(201, {}))).may("jobs", "get", "", "pods") is False
