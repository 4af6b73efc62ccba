"""The reverse proxy before a real API server, with the agent's own client: what it survives, and what it is told."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from launch_agent.adapters.kubernetes import access
from launch_agent.adapters.kubernetes.client import Client, add_query
from launch_agent.adapters.kubernetes.watch import Watch
from launch_agent.errors import (
    KubernetesConflict,
    KubernetesDenied,
    KubernetesGone,
    KubernetesMissing,
    KubernetesUnavailable,
)
from tests.support import live
from tests.support.faults import Faults, Proxy, faulty_proxy, hold_at
from tests.support.waiting import wait_until

pytestmark = pytest.mark.apiserver

MAPS = ("v1", "ConfigMap")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    kubeconfig = Path(os.environ["KUBECONFIG"])
    with faulty_proxy(tmp_path_factory.mktemp("proxy"), {"rules": []}, kubeconfig=kubeconfig) as one:
        yield one


@pytest.fixture
def faults(proxy: Proxy) -> Iterator[Faults]:
    yield proxy.faults
    proxy.faults.replace({"rules": []})


@pytest.fixture
def client(proxy: Proxy) -> Iterator[Client]:
    reach = access.from_kubeconfig(proxy.kubeconfig)
    assert reach is not None
    with live.open_client(reach, timeout=10.0) as one:
        yield one


@pytest.fixture
def direct() -> Iterator[Client]:
    """The same API server without the proxy."""
    with live.open_client() as one:
        yield one


@pytest.fixture
def namespace(direct: Client) -> Iterator[str]:
    with live.open_namespace(direct, live.name_namespace("faults")) as name:
        yield name


def config_map(namespace: str, name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, "data": data}


def names(client: Client, namespace: str) -> set[str]:
    return {one["metadata"]["name"] for one in client.list(*MAPS, namespace)[0]} - {"kube-root-ca.crt"}


def rule(fault: Any, name: str = "it", **more: Any) -> dict[str, Any]:
    return {"rules": [{"name": name, "fault": fault, **more}]}


CREATE = {"verb": "create", "kind": "ConfigMap"}


class Heard:
    """What a watch has heard."""

    def __init__(self) -> None:
        self.lists = 0
        self.names: set[str] = set()
        self.changes: list[tuple[str, str]] = []

    def synced(self, key: object, objects: list[dict[str, Any]]) -> None:
        self.names |= {one["metadata"]["name"] for one in objects}
        self.lists += 1

    def changed(self, key: object, change: str, body: dict[str, Any]) -> None:
        name = body["metadata"]["name"]
        self.names.add(name)
        self.changes.append((change, name))

    def refused(self, key: object, why: str) -> None:
        raise AssertionError(why)


@pytest.fixture
def heard(client: Client, namespace: str, faults: Faults) -> Iterator[Heard]:
    """A running watch of the namespace's ConfigMaps, without pauses between its attempts."""
    sink, stop = Heard(), threading.Event()
    watch = Watch(client, *MAPS, namespace, wait=lambda event, _seconds: event.wait(0.05))
    thread = threading.Thread(target=watch.run, args=(sink, stop))
    thread.start()
    wait_until(lambda: sink.lists, 10, "the first list")
    yield sink
    stop.set()
    watch.interrupt()
    thread.join(15)
    assert not thread.is_alive()


def test_without_rules_the_proxy_changes_nothing(
    client: Client, direct: Client, faults: Faults, namespace: str
) -> None:
    client.create(config_map(namespace, "one", key="ä" * 300_000))
    assert client.get(*MAPS, namespace, "one") == direct.get(*MAPS, namespace, "one")
    assert client.version() == direct.version()
    with pytest.raises(KubernetesConflict):
        client.create(config_map(namespace, "one"))
    patched = client.patch(*MAPS, namespace, "one", {"data": {"key": "b"}})
    assert patched["metadata"]["name"] == "one"
    assert client.delete(*MAPS, namespace, "one") is True
    with pytest.raises(KubernetesMissing):
        client.patch(*MAPS, namespace, "one", {"data": {}})


def test_the_written_kubeconfig_lends_the_identity_and_only_to_who_shows_its_token(
    proxy: Proxy, faults: Faults, direct: Client, namespace: str
) -> None:
    assert proxy.kubeconfig is not None
    assert stat.S_IMODE(proxy.kubeconfig.stat().st_mode) == 0o600
    verify = httpx.create_ssl_context(verify=False)
    path = f"{proxy.url}/api/v1/namespaces/{namespace}/configmaps"
    assert httpx.get(path, verify=verify, trust_env=False).status_code in {401, 403}
    wrong = httpx.get(path, headers={"Authorization": "Bearer wrong"}, verify=verify, trust_env=False)
    assert wrong.status_code == 401
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "pod", "namespace": namespace}}
    direct.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts", body=account)
    asked = direct.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/pod/token", body={
        "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}})  # fmt: skip
    own = {"Authorization": f"Bearer {asked['status']['token']}"}
    told = httpx.get(path, headers=own, verify=verify, trust_env=False)
    assert told.status_code == 403
    assert f"system:serviceaccount:{namespace}:pod" in told.json()["message"]


def test_a_lost_reply_on_create_leaves_the_object_and_the_next_attempt_meets_it(
    client: Client, direct: Client, faults: Faults, namespace: str
) -> None:
    faults.replace(rule("lose-reply", match={**CREATE, "name": "lost-*"}, times=1))
    with pytest.raises(KubernetesUnavailable, match="does not answer"):
        client.create(config_map(namespace, "lost-1"))
    assert names(direct, namespace) == {"lost-1"}
    with pytest.raises(KubernetesConflict):
        client.create(config_map(namespace, "lost-1"))


def test_a_refused_create_leaves_nothing(client: Client, direct: Client, faults: Faults, namespace: str) -> None:
    faults.replace(rule("refuse", match=CREATE, nth=1))
    with pytest.raises(KubernetesUnavailable):
        client.create(config_map(namespace, "one"))
    assert names(direct, namespace) == set()
    client.create(config_map(namespace, "one"))
    assert names(direct, namespace) == {"one"}


def test_429_comes_with_its_wait_and_in_kubernetes_own_form(
    client: Client, direct: Client, faults: Faults, namespace: str
) -> None:
    faults.replace(rule({"status": {"code": 429, "retry_after": 7}}, match=CREATE))
    with pytest.raises(KubernetesUnavailable) as caught:
        client.create(config_map(namespace, "one"))
    assert (caught.value.status, caught.value.reason, caught.value.retry_after) == (429, "TooManyRequests", 7.0)
    assert names(direct, namespace) == set()


def test_a_duplicated_create_is_answered_by_the_conflict(
    client: Client, direct: Client, faults: Faults, namespace: str
) -> None:
    faults.replace(rule("duplicate", match=CREATE))
    with pytest.raises(KubernetesConflict):
        client.create(config_map(namespace, "one"))
    assert names(direct, namespace) == {"one"}


def test_an_expired_account_is_denied(client: Client, faults: Faults, namespace: str) -> None:
    faults.replace(rule({"status": 401}, match={"resource": "configmaps"}))
    with pytest.raises(KubernetesDenied):
        client.list(*MAPS, namespace)


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_create_is_held_and_its_reply_dropped(
    client: Client, direct: Client, faults: Faults, namespace: str, at: Any
) -> None:
    faults.replace({"rules": [hold_at({**CREATE, "namespace": namespace}, nth=2, at=at)]})
    client.create(config_map(namespace, "first"))
    raised: list[KubernetesUnavailable] = []

    def ask() -> None:
        try:
            client.create(config_map(namespace, "second"))
        except KubernetesUnavailable as error:
            raised.append(error)

    asker = threading.Thread(target=ask)
    asker.start()
    hold = faults.wait_for_hold()
    assert (hold.operation, hold.arguments) == ("create configmaps", {"namespace": namespace, "name": "second"})
    faults.release(hold, "drop")
    asker.join(10)
    assert len(raised) == 1
    assert names(direct, namespace) == ({"first", "second"} if at == "after" else {"first"})


def wait_for_name(heard: Heard, name: str) -> None:
    wait_until(lambda: name in heard.names, 5, f"the event of {name}")


def test_events_come_through_as_they_happen(heard: Heard, direct: Client, namespace: str) -> None:
    for number in range(5):
        direct.create(config_map(namespace, f"map-{number}"))
        wait_for_name(heard, f"map-{number}")
    assert heard.lists == 1


def test_a_watch_that_is_cut_again_and_again_loses_nothing(
    heard: Heard, direct: Client, faults: Faults, namespace: str
) -> None:
    faults.replace(rule({"cut": {"events": 1}}, match={"watch": True, "namespace": namespace}))
    assert faults.cut_streams() >= 1
    wanted = {f"map-{number}" for number in range(30)}
    for name in sorted(wanted):
        direct.create(config_map(namespace, name))
    wait_until(lambda: wanted <= heard.names, 60, "all objects")
    assert any(one.phase == "dropped" for one in faults.events() if one.rule == "it")


def test_a_watch_is_cut_after_seconds(client: Client, faults: Faults, namespace: str) -> None:
    faults.replace(rule({"cut": {"seconds": "200ms"}}, match={"watch": True}))
    path = add_query(client.path(*MAPS, namespace), {"watch": "true", "timeoutSeconds": 30})
    stream = client.stream(path, read_timeout=20)
    with pytest.raises(Exception, match=r"Connection broken|incomplete|EOF|closed|ended"):
        list(stream.read_chunked())
    stream.close()


@pytest.mark.parametrize("how", ["gone", {"as": "event", "events": 1}])
def test_a_stale_watch_lists_again_and_loses_nothing(
    heard: Heard, direct: Client, faults: Faults, namespace: str, how: Any
) -> None:
    faults.replace(rule({"stale": how}, match={"watch": True, "namespace": namespace}, times=1))
    lists = heard.lists
    assert faults.cut_streams() >= 1
    direct.create(config_map(namespace, "during"))
    wait_until(lambda: heard.lists > lists and "during" in heard.names, 30, "a new list")
    assert faults.rules()["it"]["bitten"] == 1
    direct.create(config_map(namespace, "after"))
    wait_until(lambda: "after" in heard.names, 30, "the watch to go on")


def test_the_agents_client_calls_a_410_gone(client: Client, faults: Faults, namespace: str) -> None:
    faults.replace(rule("stale", match={"watch": True}))
    with pytest.raises(KubernetesGone):
        client.stream(add_query(client.path(*MAPS, namespace), {"watch": "true"}), read_timeout=10)


def test_each_event_is_delivered_twice(client: Client, direct: Client, faults: Faults, namespace: str) -> None:
    direct.create(config_map(namespace, "one"))
    faults.replace(rule({"duplicate": "delivery"}, match={"watch": True}))
    query: dict[str, str | int] = {"watch": "true", "timeoutSeconds": 1, "fieldSelector": "metadata.name=one"}
    stream = client.stream(add_query(client.path(*MAPS, namespace), query), read_timeout=20)
    told = [json.loads(line) for line in b"".join(stream.read_chunked()).splitlines()]
    assert [(one["type"], one["object"]["metadata"]["name"]) for one in told] == [("ADDED", "one")] * 2


def test_an_upstream_that_is_away_is_answered_for(tmp_path: Path) -> None:
    with faulty_proxy(tmp_path, {"rules": []}, upstream="http://127.0.0.1:9") as away:
        answer = httpx.get(f"{away.url}/api/v1/pods", trust_env=False)
        assert answer.status_code == 502
        assert answer.json()["message"] == "the proxy's upstream does not answer: ConnectError"
