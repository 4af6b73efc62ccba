"""The door: keys, bodies, limits, and what is refused there."""

import base64
import gzip
import json
from typing import Any

import pytest

from tests.server.conftest import KEY, PROJECT, Server, basic
from tests.server.documents import DOCUMENTS


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic !!!",
        "Basic " + base64.b64encode(b"api:").decode(),
        "Basic " + base64.b64encode(b"api:" + b"w" * 40).decode(),
        "Bearer " + "w" * 40,
        "Digest x",
    ],
)
def test_without_a_key_in_force_nothing_is_answered(server: Server, authorization: str) -> None:
    reply = server.http.post("/graphql", json={"query": DOCUMENTS["Viewer"]}, headers={"Authorization": authorization})
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"].startswith("Basic")
    assert "API key" in reply.json()["errors"][0]["message"]


@pytest.mark.parametrize("authorization", [basic(KEY), f"Bearer {KEY}"])
def test_a_key_is_taken_both_ways(server: Server, authorization: str) -> None:
    reply = server.http.post("/graphql", json={"query": DOCUMENTS["Viewer"]}, headers={"Authorization": authorization})
    assert reply.json()["data"]["viewer"]["username"] == "admin"


def test_a_revoked_key_is_refused_at_once(server: Server) -> None:
    made = server.ask("generateApiKey", input={"username": "ann"})["generateApiKey"]["apiKey"]
    assert server.ask("Viewer", key=made["name"])["viewer"]["username"] == "ann"
    assert server.ask("deleteApiKey", id=made["id"])["deleteApiKey"]["success"] is True
    assert server.post(DOCUMENTS["Viewer"], key=made["name"])["status"] == 401


def test_keys_are_kept_as_hashes_only(server: Server) -> None:
    made = server.ask("generateApiKey", input={})["generateApiKey"]["apiKey"]["name"]
    for file in server.engine.database.path.parent.glob("server.sqlite3*"):
        if file.is_file():
            assert made.encode() not in file.read_bytes()
            assert KEY.encode() not in file.read_bytes()


def test_an_entitys_queues_items_and_runs_are_closed_to_others(server: Server) -> None:
    server.make_queue()
    item = server.claim("run")
    storage_id = server.start_run("run")["bucket"]["id"]
    key = server.ask("generateApiKey", input={"username": "eve", "entityName": "other"})["generateApiKey"]["apiKey"]
    eve = key["name"]
    assert server.ask("ProjectRunQueues", key=eve, entity="local", projectName=PROJECT)["project"] is None
    assert server.ask("EntityIsTeam", key=eve, entity="local")["entity"] is None
    refused = [
        server.refusal("popFromRunQueue", key=eve, entity="local", project=PROJECT, queueName="q"),
        server.refusal("ackRunQueueItem", key=eve, itemId=item, runId="x"),
        server.refusal("failRunQueueItem", key=eve, runQueueItemId=item, message="m", stage="agent"),
        server.refusal("StopRun", key=eve, id=storage_id),
        server.refusal("UpsertBucket of the SDK", key=eve, name="x", project="demo", entity="local"),
        server.refusal("createTeam", key=eve, input={"teamName": "evil"}),
        server.refusal("generateApiKey", key=eve, input={"username": "admin"}),
    ]
    assert all(message for message in refused), refused
    stream = server.http.post("/files/local/demo/run/file_stream", json={}, headers={"Authorization": basic(eve)})
    assert stream.status_code == 404
    assert server.item(item)["state"] == "CLAIMED"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 400, "the body is not valid JSON"),
        (b"{", 400, "the body is not valid JSON"),
        (b"\xff\xff", 400, "the body is not valid"),
        (b"[]", 400, "must be a JSON object with the key `query`"),
        (b"{}", 400, "`query` must be a GraphQL document"),
        (b'{"query": 3}', 400, "`query` must be a GraphQL document"),
        (b'{"query": "{ viewer { id } }", "variables": []}', 400, "`variables` must be an object"),
        (b'{"query": "{ viewer { id } }", "operationName": 1}', 400, "`operationName` must be text"),
        (b"[" * 200_000, 400, "nested too deeply"),
        (b'{"query": "query {"}', 200, "Syntax Error"),
        (b'{"query": "query A { viewer { id } } query B { viewer { id } }"}', 200, "Must provide operation name"),
        (b'{"query": "query A { viewer { id } }", "operationName": "B"}', 200, "Unknown operation named"),
        (b'{"query": "subscription { viewer { id } }"}', 200, "subscription"),
    ],
)
def test_bad_requests_are_refused_in_words(server: Server, body: bytes, status: int, message: str) -> None:
    reply = server.http.post("/graphql", content=body, headers={"Authorization": basic(KEY)})
    assert reply.status_code == status, reply.text
    assert message in reply.json()["errors"][0]["message"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (
            "query Q {" + " ".join(f"a{i}: viewer {{ id }}" for i in range(201)) + "}",
            "has 201 aliased fields; at most 200",
        ),
        ("query Q {" + " ".join(["viewer { id }"] * 30_000) + "}", "characters; at most 400000"),
        ("{" * 2000 + "}" * 2000, "Syntax Error"),
        ("query Q { viewer { " + "id " * 5_000 + "} }", "5000 fields in one place"),
        (
            "query Q { viewer { ...F } } fragment F on User { teams { edges { node { ...G } } } } "
            "fragment G on Entity { " + "organization { orgEntity { " * 12 + "name " + "} } " * 12 + "}",
            "nests more than 20 fields deep",
        ),
    ],
)
def test_documents_that_ask_for_too_much_are_refused(server: Server, query: str, message: str) -> None:
    said = server.post(query)["errors"][0]["message"]
    assert message in said


def test_two_hundred_aliases_are_answered(server: Server) -> None:
    query = "query Q {" + " ".join(f"a{i}: viewer {{ id }}" for i in range(200)) + "}"
    assert len(server.post(query)["data"]) == 200


def test_a_fragment_that_multiplies_itself_is_refused(server: Server) -> None:
    spread = "{letter}: organization {{{{ orgEntity {{{{ ...F{{below}} }}}}}}}}"
    inner = " ".join(spread.format(letter=letter) for letter in "abcd")
    levels = " ".join(f"fragment F{i} on Entity {{ {inner.format(below=i + 1)} }}" for i in range(4))
    query = 'query Q { entity(name: "local") { ...F0 } } ' + levels + " fragment F4 on Entity { n: name }"
    assert "aliased fields; at most 200" in server.post(query)["errors"][0]["message"]


def test_a_body_over_the_limit_is_413_packed_or_not(server: Server) -> None:
    large = json.dumps({"query": "x" * (33 * 2**20)}).encode()
    headers = {"Authorization": basic(KEY)}
    assert server.http.post("/graphql", content=large, headers=headers).status_code == 413
    packed = gzip.compress(large)
    assert len(packed) < 2**20
    reply = server.http.post("/graphql", content=packed, headers=headers | {"Content-Encoding": "gzip"})
    assert reply.status_code == 413


@pytest.mark.parametrize(
    ("encoding", "body"), [("br", b"x"), ("gzip", b"not gzip"), ("gzip", gzip.compress(b"{}", mtime=0)[:-4])]
)
def test_a_body_packed_wrongly_is_refused(server: Server, encoding: str, body: bytes) -> None:
    headers = {"Authorization": basic(KEY), "Content-Encoding": encoding}
    assert server.http.post("/graphql", content=body, headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("operation", "variables", "message"),
    [
        ("ackRunQueueItem", {"itemId": "x", "runId": "r"}, "'x' is not the id of a RunQueueItem"),
        ("ackRunQueueItem", {"itemId": 5, "runId": "r"}, "'5' is not the id of a RunQueueItem"),
        ("ackRunQueueItem", {"itemId": "x"}, "runId"),
        ("ackRunQueueItem", {"itemId": {"a": 1}, "runId": "r"}, "itemId"),
        ("DeleteRunQueue", {"id": "UnVuUXVldWU6OTk="}, "queue 'UnVuUXVldWU6OTk=' does not exist"),
        ("StopRun", {"id": "eA=="}, "is not the storage id of a run"),
        ("LaunchAgent", {"agentId": "UnVuUXVldWU6OTk="}, "is not the id of a LaunchAgent"),
        (
            "CreateRunQueue",
            {"entity": "local", "project": "p", "queueName": "x" * 65, "access": "PROJECT"},
            "at most 64",
        ),
        ("CreateRunQueue", {"entity": "local", "project": "p", "queueName": "a/b", "access": "PROJECT"}, "'/'"),
        (
            "CreateRunQueue",
            {"entity": "local", "project": "p", "queueName": "q", "access": "ALL"},
            "RunQueueAccessType",
        ),
        ("CreateRunQueue", {"entity": "nobody", "project": "p", "queueName": "q", "access": "PROJECT"}, "'nobody'"),
    ],
)
def test_forged_ids_and_wrong_types_are_refused(
    server: Server, operation: str, variables: dict[str, Any], message: str
) -> None:
    assert message in server.refusal(operation, **variables)


def test_paths_that_are_not_there_are_json_404(server: Server) -> None:
    reply = server.http.get("/nothing")
    assert reply.status_code == 404
    assert reply.json() == {"errors": [{"message": "this server has no GET /nothing"}]}
    assert server.http.get("/graphql").status_code == 405


def test_health_and_readiness_and_metrics(server: Server) -> None:
    assert server.http.get("/healthz").text == "ok\n"
    assert server.http.get("/readyz").text == "ready\n"
    server.ask("Viewer")
    assert 'launch_server_operations_total{operation="Viewer",outcome="ok"} 1.0' in server.http.get("/metrics").text
