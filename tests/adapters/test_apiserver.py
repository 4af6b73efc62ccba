"""The Kubernetes client and its watch against a real API server: what the scripted one can not prove."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from launch_agent.adapters.kubernetes.access import ClusterAccess, Token
from launch_agent.adapters.kubernetes.client import Client, add_query
from launch_agent.adapters.kubernetes.watch import Watch
from launch_agent.errors import (
    KubernetesConflict,
    KubernetesDenied,
    KubernetesGone,
    KubernetesInvalid,
    KubernetesMissing,
    KubernetesUnavailable,
)
from tests.support import live
from tests.support.waiting import wait_until

pytestmark = pytest.mark.apiserver

JOBS = ("batch/v1", "Job")
MAPS = ("v1", "ConfigMap")


@pytest.fixture(scope="module")
def reach() -> ClusterAccess:
    return live.find_access()


@pytest.fixture
def client(reach: ClusterAccess) -> Iterator[Client]:
    with live.open_client(reach) as one:
        yield one


@pytest.fixture
def namespace(client: Client) -> Iterator[str]:
    with live.open_namespace(client, live.name_namespace("adapters")) as name:
        yield name


def job(namespace: str, name: str = "train", **spec: Any) -> dict[str, Any]:
    container = {"name": "main", "image": "example/train:1"}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    metadata = {"name": name, "namespace": namespace, "labels": {"app": "x"}}
    whole = {"suspend": True, "template": template, **spec}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": whole}


def config_map(namespace: str, name: str, value: str = "") -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"app": "x"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"value": value}}


def test_the_server_tells_its_version(client: Client) -> None:
    assert client.version()["major"] == "1"


def test_a_created_object_answers_with_its_metadata_alone(client: Client, namespace: str) -> None:
    made = client.create(job(namespace))
    assert made["kind"] == "PartialObjectMetadata"
    assert "spec" not in made
    whole = client.get(*JOBS, namespace, "train")
    assert whole is not None
    assert whole["metadata"]["uid"] == made["metadata"]["uid"]
    assert whole["spec"]["suspend"] is True
    assert {one["manager"] for one in whole["metadata"]["managedFields"]} >= {"launch-agent"}


def test_a_name_that_is_taken_is_a_conflict(client: Client, namespace: str) -> None:
    client.create(job(namespace))
    with pytest.raises(KubernetesConflict) as caught:
        client.create(job(namespace))
    assert str(caught.value) == (f'Conflict: create jobs in namespace {namespace}. jobs.batch "train" already exists.')
    assert caught.value.reason == "AlreadyExists"


def test_a_body_that_is_wrong_is_refused_with_the_servers_reason(client: Client, namespace: str) -> None:
    with pytest.raises(KubernetesInvalid) as caught:
        client.create(job(namespace, name="Bad_Name"))
    assert caught.value.status == 422
    assert "metadata.name: Invalid value" in caught.value.detail


def test_a_namespace_that_is_not_there_is_missing(client: Client) -> None:
    with pytest.raises(KubernetesMissing, match='namespaces "adapters-nowhere" not found'):
        client.create(job("adapters-nowhere"))


def test_a_patch_changes_what_it_names_and_nothing_else(client: Client, namespace: str) -> None:
    client.create(job(namespace))
    patched = client.patch(*JOBS, namespace, "train", {"spec": {"ttlSecondsAfterFinished": 60}})
    assert "spec" not in patched
    found = client.get(*JOBS, namespace, "train")
    assert found is not None
    assert found["spec"]["ttlSecondsAfterFinished"] == 60
    assert found["spec"]["suspend"] is True
    with pytest.raises(KubernetesMissing):
        client.patch(*JOBS, namespace, "other", {"spec": {}})


def test_a_delete_is_told_apart_from_nothing_to_delete(client: Client, namespace: str) -> None:
    uid = client.create(config_map(namespace, "a"))["metadata"]["uid"]
    assert client.delete(*MAPS, namespace, "a", uid="another") is False
    assert client.get(*MAPS, namespace, "a") is not None
    assert client.delete(*MAPS, namespace, "a", uid=uid) is True
    assert client.delete(*MAPS, namespace, "a") is False
    assert client.get(*MAPS, namespace, "a") is None


def test_a_list_of_many_pages_is_complete(client: Client, namespace: str) -> None:
    for number in range(7):
        client.create(config_map(namespace, f"m{number}"))
    found, version = client.list(*MAPS, namespace, label_selector="app=x", limit=2)
    assert [one["metadata"]["name"] for one in found] == [f"m{number}" for number in range(7)]
    assert all("managedFields" not in one["metadata"] for one in found)
    assert int(version) > 0


def test_the_log_of_a_pod_that_is_not_there_is_missing(client: Client, namespace: str) -> None:
    with pytest.raises(KubernetesMissing, match='pods "gone" not found'):
        client.logs(namespace, "gone")


def test_kinds_of_other_groups_are_discovered(client: Client) -> None:
    assert client.path("rbac.authorization.k8s.io/v1", "ClusterRole", "ignored", "x") == (
        "/apis/rbac.authorization.k8s.io/v1/clusterroles/x"
    )
    assert client.path("apps/v1", "Deployment", "a", "b") == "/apis/apps/v1/namespaces/a/deployments/b"
    assert client.path("v1", "ServiceAccount", "a") == "/api/v1/namespaces/a/serviceaccounts"
    with pytest.raises(KubernetesMissing, match=r"The cluster has no kind Nothing in nowhere\.example\.com/v1"):
        client.path("nowhere.example.com/v1", "Nothing")


CRD = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
SERVED = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
}


@pytest.fixture
def group(client: Client) -> Iterator[str]:
    """The API group of a kind Policy, served from now on: nothing of it is older."""
    name = f"g{secrets.token_hex(4)}.example.com"
    names = {"kind": "Policy", "plural": "policies", "singular": "policy"}
    definition = f"policies.{name}"
    spec = {"scope": "Namespaced", "group": name, "names": names, "versions": [SERVED]}
    client.create({**CRD, "metadata": {"name": definition}, "spec": spec})
    wait_until(lambda: _is_served(client, f"{name}/v1"), 20, "the custom resource to be served")
    yield name
    client.delete("apiextensions.k8s.io/v1", "CustomResourceDefinition", "", definition)


def test_a_custom_resource_is_known_by_its_own_plural(client: Client, namespace: str, group: str) -> None:
    body = {"apiVersion": f"{group}/v1", "kind": "Policy", "metadata": {"name": "p", "namespace": namespace}}
    client.create({**body, "spec": {"any": 1}})
    found = client.get(f"{group}/v1", "Policy", namespace, "p")
    assert found is not None
    assert found["spec"] == {"any": 1}


def test_a_version_that_the_server_does_not_have_any_more_is_gone(client: Client, namespace: str, group: str) -> None:
    with pytest.raises(KubernetesGone):
        Watch(client, f"{group}/v1", "Policy", namespace).listen("1", Heard(), threading.Event(), seconds=5)


def _is_served(client: Client, api_version: str) -> bool:
    """Whether the kind can be listed and watched: for a moment after the first, a watch is answered with 429."""
    try:
        _, version = client.list(api_version, "Policy", "")
        path = add_query(client.path(api_version, "Policy"), {"watch": "true", "resourceVersion": version})
        client.stream(path, read_timeout=10).close()
    except (KubernetesMissing, KubernetesUnavailable):
        return False
    return True


# ── who asks ──


def as_account(reach: ClusterAccess, client: Client, namespace: str) -> ClusterAccess:
    """An account without rights, by a token of its own."""
    metadata = {"name": "nobody", "namespace": namespace}
    client.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    path = client.path("v1", "ServiceAccount", namespace, "nobody") + "/token"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    token = client.request("POST", path, body=asked)["status"]["token"]
    return ClusterAccess(reach.server, ca=reach.ca, token=Token(text=token))


def test_an_account_without_the_right_is_told_which(reach: ClusterAccess, client: Client, namespace: str) -> None:
    poor = Client(as_account(reach, client, namespace))
    with pytest.raises(KubernetesDenied) as caught:
        poor.create(job(namespace))
    with pytest.raises(KubernetesDenied, match=f"The API server forbids: list pods in namespace {namespace}."):
        poor.list("v1", "Pod", namespace)
    poor.close()
    assert caught.value.status == 403
    assert caught.value.summary == f"The API server forbids: create jobs in namespace {namespace}."
    assert f'User "system:serviceaccount:{namespace}:nobody" cannot create resource "jobs"' in caught.value.detail


def test_a_token_that_is_none_is_refused(reach: ClusterAccess) -> None:
    stranger = Client(ClusterAccess(reach.server, ca=reach.ca, token=Token(text="no-token-at-all")))
    with pytest.raises(KubernetesDenied) as caught:
        stranger.list("v1", "Pod", "default")
    stranger.close()
    assert caught.value.status == 401
    assert "no-token-at-all" not in str(caught.value)


def test_bundles_in_the_environment_change_nothing(
    reach: ClusterAccess, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "none.pem").write_text("")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none.pem"))
    one = Client(reach)
    assert "gitVersion" in one.version()
    one.close()


# ── watching ──


class Heard:
    def __init__(self) -> None:
        self.lists: list[list[str]] = []
        self.changes: list[tuple[str, str]] = []

    def synced(self, key: object, objects: list[dict[str, Any]]) -> None:
        self.lists.append([one["metadata"]["name"] for one in objects])

    def changed(self, key: object, change: str, body: dict[str, Any]) -> None:
        assert "managedFields" not in body["metadata"]
        self.changes.append((change, body["metadata"]["name"]))

    def refused(self, key: object, why: str) -> None:
        raise AssertionError(why)


def test_a_watch_sees_what_is_there_then_each_change_and_ends_when_told(client: Client, namespace: str) -> None:
    client.create(config_map(namespace, "before"))
    seen, stop, sink = Watch(client, *MAPS, namespace, label_selector="app=x"), threading.Event(), Heard()
    thread = threading.Thread(target=seen.run, args=(sink, stop))
    thread.start()
    try:
        wait_until(lambda: sink.lists, 10, "the list")
        client.create(config_map(namespace, "during"))
        client.patch(*MAPS, namespace, "during", {"data": {"value": "new"}})
        client.delete(*MAPS, namespace, "during")
        client.patch(*MAPS, namespace, "before", {"metadata": {"labels": {"app": "y"}}})
        wait_until(lambda: len(sink.changes) >= 4, 10, "four changes")
    finally:
        stop.set()
        seen.interrupt()
        thread.join(1)
    assert not thread.is_alive()
    assert sink.lists == [["before"]]
    assert sink.changes == [("ADDED", "during"), ("MODIFIED", "during"), ("DELETED", "during"), ("DELETED", "before")]
    assert seen.last_contact > 0


def test_a_stream_that_the_server_ends_gives_the_version_to_go_on_from(client: Client, namespace: str) -> None:
    seen, stop, sink = Watch(client, *MAPS, namespace), threading.Event(), Heard()
    version = seen.list(sink)
    client.create(config_map(namespace, "a"))
    after = seen.listen(version, sink, stop, seconds=1)
    assert ("ADDED", "a") in sink.changes
    assert int(after) > int(version)
    again = Heard()
    seen.listen(after, again, stop, seconds=1)
    assert again.changes == []
