"""Records as ConfigMaps on a real API server: the contract of tests/unit/runtime/test_ledger.py."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace

import pytest

from launch_agent.adapters.kubernetes import access
from launch_agent.adapters.kubernetes.client import Client
from launch_agent.core import ledger_format
from launch_agent.core.models import ObjectRef, Step
from launch_agent.errors import RecordTaken
from launch_agent.runtime.ledger import ConfigMapLedger
from tests.support.cluster import Cluster
from tests.support.records import FULL as RECORD

pytestmark = pytest.mark.apiserver

INSTALLATION = "here"


@pytest.fixture(scope="module")
def client() -> Client:
    """The agent's own client, as the kubeconfig's administrator."""
    found = access.from_kubeconfig()
    assert found is not None
    return Client(found)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    name = f"ledger-{secrets.token_hex(4)}"
    cluster.create_namespace(name)
    yield name
    cluster.delete_namespace(name)


@pytest.fixture
def ledger(client: Client, namespace: str) -> ConfigMapLedger:
    return ConfigMapLedger(client, namespace, INSTALLATION)


def _maps(cluster: Cluster, namespace: str) -> list[str]:
    found = cluster.find("ConfigMap", namespace, "launch-agent/record=item")
    return [body["metadata"]["name"] for body in found]


def test_a_record_is_read_as_it_was_written(ledger: ConfigMapLedger) -> None:
    ledger.create(RECORD)
    assert ledger.list() == [RECORD]


def test_a_record_is_written_twice_and_is_there_once(ledger: ConfigMapLedger, cluster: Cluster, namespace: str) -> None:
    ledger.create(RECORD)
    ledger.create(RECORD)
    assert len(_maps(cluster, namespace)) == 1
    created = replace(RECORD, step=Step.CREATED, object=ObjectRef("batch/v1", "Job", "ml", "launch-x", "uid"))
    ledger.update(created)
    assert ledger.list() == [created]


def test_a_deleted_record_is_gone_and_may_be_deleted_again(
    ledger: ConfigMapLedger, cluster: Cluster, namespace: str
) -> None:
    ledger.create(RECORD)
    ledger.delete(RECORD.item_id)
    ledger.delete(RECORD.item_id)
    assert ledger.list() == []
    assert _maps(cluster, namespace) == []


def test_a_record_that_somebody_deleted_is_not_made_again_by_its_update(
    ledger: ConfigMapLedger, cluster: Cluster, namespace: str
) -> None:
    ledger.create(RECORD)
    ledger.delete(RECORD.item_id)
    ledger.update(replace(RECORD, step=Step.CREATED))
    assert _maps(cluster, namespace) == []


def test_a_record_that_can_not_be_read_is_left_and_told_of(
    ledger: ConfigMapLedger, cluster: Cluster, namespace: str
) -> None:
    ledger.create(RECORD)
    labels = {"launch-agent/record": "item", "launch-agent/installation": INSTALLATION}
    body = {"metadata": {"name": "broken", "labels": labels}, "data": {"record.json": "{not json"}}
    cluster.create("ConfigMap", namespace, body)
    assert ledger.list() == [RECORD]
    assert len(ledger.unreadable) == 1
    assert f"ConfigMap {namespace}/broken" in ledger.unreadable[0]
    assert cluster.get("ConfigMap", namespace, "broken") is not None


def test_another_installations_records_are_not_seen(ledger: ConfigMapLedger, client: Client, namespace: str) -> None:
    ledger.create(RECORD)
    other = ConfigMapLedger(client, namespace, "elsewhere")
    assert other.list() == []


def test_a_shard_lists_its_own_records_and_leaves_another_s_alone(client: Client, namespace: str) -> None:
    zero, one, whole = (ConfigMapLedger(client, namespace, INSTALLATION, shard=shard) for shard in (0, 1, None))
    other = replace(RECORD, item_id="item-of-one")
    zero.create(RECORD)
    one.create(other)
    one.create(other)
    with pytest.raises(RecordTaken):
        one.create(RECORD)
    with pytest.raises(RecordTaken):
        zero.create(other)
    assert (zero.list(), one.list()) == ([RECORD], [replace(other, shard=1)])
    for every in (zero.list_all(), one.list_all(), whole.list()):
        assert sorted(record.item_id for record in every) == sorted([RECORD.item_id, other.item_id])
    assert [whole.find_shards(replicas) for replicas in (1, 2, 3)] == [{1}, set(), set()]


def test_a_key_is_never_written_into_a_record(ledger: ConfigMapLedger, cluster: Cluster, namespace: str) -> None:
    secret = "local-" + "k" * 40
    ledger.create(replace(RECORD, run_spec={"_wandb_api_key": secret}))
    (name,) = _maps(cluster, namespace)
    body = cluster.get("ConfigMap", namespace, name)
    assert body is not None
    assert secret not in str(body)
    spec = ledger_format.decode(body["data"]["record.json"], body["binaryData"]["run-spec"]).run_spec
    assert spec == {"_wandb_api_key": ledger_format.MARKER}


def test_more_records_than_one_page_are_all_read(ledger: ConfigMapLedger) -> None:
    records = [replace(RECORD, item_id=f"item-{number}") for number in range(510)]
    for record in records:
        ledger.create(record)
    assert sorted(one.item_id for one in ledger.list()) == sorted(one.item_id for one in records)
