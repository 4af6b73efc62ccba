"""One Lease on a scripted server: what is asked, and what is made of a no."""

from __future__ import annotations

import pytest

from launch_agent.adapters.kubernetes.lease import ClusterStore
from launch_agent.errors import KubernetesConflict, KubernetesDenied, KubernetesMissing
from tests.adapters.conftest import Connect, Serve
from tests.adapters.scripted import Reply, Request

PATH = "/apis/coordination.k8s.io/v1/namespaces/wandb/leases"
BODY = {"metadata": {"name": "rel", "namespace": "wandb", "resourceVersion": "7"}, "spec": {}}


def ok(_request: Request) -> Reply:
    return Reply(body={**BODY, "spec": {"holderIdentity": "pod-a_1"}})


def test_it_is_read_created_and_updated_whole_and_never_listed(serve: Serve, connect: Connect) -> None:
    server = serve(ok)
    store = ClusterStore(connect(server), "wandb", "rel")
    answers = [store.read(), store.create(BODY), store.update(BODY)]
    assert [(one.method, one.path) for one in server.requests] == [
        ("GET", f"{PATH}/rel"),
        ("POST", PATH),
        ("PUT", f"{PATH}/rel"),
    ]
    assert [one.query for one in server.requests[1:]] == [{"fieldManager": "launch-agent"}] * 2
    assert server.requests[2].json["metadata"]["resourceVersion"] == "7"
    assert all(answer is not None and answer["spec"]["holderIdentity"] == "pod-a_1" for answer in answers)


def test_none_there_is_none_and_a_change_in_between_is_a_conflict(serve: Serve, connect: Connect) -> None:
    def answer(request: Request) -> Reply:
        status = 409 if request.method == "PUT" else 404
        return Reply(status, {"kind": "Status", "message": "no"})

    store = ClusterStore(connect(serve(answer)), "wandb", "rel")
    assert store.read() is None
    with pytest.raises(KubernetesConflict):
        store.update(BODY)
    with pytest.raises(KubernetesMissing):
        store.create(BODY)


def test_an_account_that_may_not_create_it_is_told_who_does(serve: Serve, connect: Connect) -> None:
    def forbid(_request: Request) -> Reply:
        return Reply(403, {"kind": "Status", "reason": "Forbidden", "message": "leases is forbidden"})

    with pytest.raises(KubernetesDenied) as caught:
        ClusterStore(connect(serve(forbid)), "wandb", "rel").create(BODY)
    assert caught.value.summary == "There is no Lease wandb/rel, and the agent's account may not create it."
    assert (caught.value.detail, caught.value.status) == ("leases is forbidden.", 403)
    assert "helm upgrade" in caught.value.resolution
