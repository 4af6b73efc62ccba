"""Runs over HTTP: upsert, stream, stop, files."""

import gzip
import json
from typing import Any

import pytest

from tests.server.conftest import KEY, Clock, Server, basic

HISTORY = ['{"_step": 0, "loss": 1.5}', '{"_step": 1, "loss": 0.5}', '{"_step": 2, "loss": 0.25, "acc": 0.9}']


def logged(server: Server, run: str = "run") -> None:
    server.start_run(run)
    body = {
        "files": {
            "wandb-history.jsonl": {"offset": 0, "content": HISTORY},
            "wandb-events.jsonl": {"offset": 0, "content": ['{"system.cpu": 3}']},
            "wandb-summary.json": {"offset": 0, "content": ['{"loss": 0.25, "acc": 0.9}']},
            "output.log": {"offset": 0, "content": ["hello\n", "world\n"]},
        }
    }
    assert server.stream(run, body)["status"] == 200


def whole(server: Server, run: str = "run") -> dict[str, Any]:
    found: dict[str, Any] = server.ask("Run", project="demo", entity="local", name=run)["project"]["run"]
    return found


def test_an_upsert_makes_a_running_run_and_its_project(server: Server) -> None:
    made = server.start_run("run")
    assert made["inserted"] is True
    assert made["bucket"]["name"] == "run"
    assert made["bucket"]["project"]["entity"]["name"] == "local"
    assert made["bucket"]["historyLineCount"] == 0
    assert server.run_state("run") == "running"
    assert server.start_run("run")["inserted"] is False


def test_the_public_api_makes_a_pending_run(server: Server) -> None:
    server.ask("UpsertBucket of the public API", project="demo", entity="local", name="run", state="pending")
    assert server.run_state("run") == "pending"
    server.start_run("run")
    assert server.run_state("run") == "running"


def test_an_update_by_storage_id_changes_values_and_not_the_state(server: Server) -> None:
    storage_id = server.start_run("run")["bucket"]["id"]
    server.stream("run", {"complete": True, "exitcode": 0})
    config = json.dumps({"lr": {"value": 0.1}})
    server.ask("UpsertBucket of run.update", id=storage_id, display_name="first try", tags=["a"], config=config)
    found = whole(server)
    assert (found["state"], found["displayName"], found["tags"]) == ("finished", "first try", ["a"])
    assert json.loads(found["config"]) == {"lr": {"value": 0.1}}


def test_history_summary_log_and_events_are_kept(server: Server) -> None:
    logged(server)
    found = whole(server)
    assert json.loads(found["summaryMetrics"]) == {"loss": 0.25, "acc": 0.9}
    assert found["historyLineCount"] == 3
    assert found["historyKeys"]["lastStep"] == 2
    page = server.ask("HistoryPage", entity="local", project="demo", run="run", minStep=1, maxStep=2, pageSize=10)[
        "project"
    ]["run"]["history"]
    assert [json.loads(line)["loss"] for line in page] == [0.5]
    tail = server.ask("RunConsoleLogTail", entity="local", project="demo", runName="run", last=1)["project"]["run"]
    assert tail["logLineCount"] == 2
    assert [edge["node"]["line"] for edge in tail["logLines"]["edges"]] == ["world\n"]


def test_sampled_history_gives_the_steps_that_have_all_keys(server: Server) -> None:
    logged(server)
    specs = [json.dumps({"keys": ["_step", "acc"], "samples": 10}), json.dumps({"keys": ["loss"], "samples": 2})]
    sampled = server.ask("RunSampledHistory", project="demo", entity="local", name="run", specs=specs)
    assert sampled["project"]["run"]["sampledHistory"] == [[{"_step": 2, "acc": 0.9}], [{"loss": 1.5}, {"loss": 0.25}]]


def test_lines_sent_again_replace_themselves(server: Server) -> None:
    logged(server)
    server.stream("run", {"files": {"wandb-history.jsonl": {"offset": 1, "content": HISTORY[1:]}}})
    server.stream("run", {"files": {"output.log": {"offset": 1, "content": ["there\n"]}}})
    found = whole(server)
    assert found["historyLineCount"] == 3
    log = server.ask("RunConsoleLogTail", entity="local", project="demo", runName="run", last=9)["project"]["run"]
    assert [edge["node"]["line"] for edge in log["logLines"]["edges"]] == ["hello\n", "there\n"]


def test_a_resuming_run_gets_what_it_had(server: Server) -> None:
    logged(server)
    found = server.ask("RunResumeStatus", project="demo", entity="local", name="run")["model"]["bucket"]
    assert found["historyLineCount"] == 3
    assert json.loads(json.loads(found["historyTail"])[-1])["acc"] == 0.9
    assert found["eventsLineCount"] == 1
    missing = server.ask("RunResumeStatus", project="demo", entity="local", name="new")
    assert missing["model"]["bucket"] is None


def test_a_gzip_stream_is_read(server: Server) -> None:
    server.start_run("run")
    body = gzip.compress(json.dumps({"complete": True, "exitcode": 0}).encode())
    headers = {"Authorization": basic(KEY), "Content-Encoding": "gzip"}
    reply = server.http.post("/files/local/demo/run/file_stream", content=body, headers=headers)
    assert reply.status_code == 200
    assert server.run_state("run") == "finished"


def test_a_stop_request_reaches_the_run_and_the_agent(server: Server) -> None:
    storage_id = server.start_run("run")["bucket"]["id"]
    assert "stopped" not in server.stream("run", {})
    assert server.ask("StopRun", id=storage_id)["stopRun"]["success"] is True
    assert server.stream("run", {})["stopped"] is True
    status = server.ask("RunStoppedStatus", projectName="demo", entityName="local", runId="run")
    assert status["project"]["run"]["stopped"] is True
    server.stream("run", {"complete": True, "exitcode": 255})
    assert server.run_state("run") == "killed"


def test_a_run_that_is_not_there_is_null(server: Server) -> None:
    assert server.ask("RunState", project="none", entity="local", name="x")["project"] is None
    server.start_run("run")
    assert server.ask("RunState", project="demo", entity="local", name="x")["project"]["run"] is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is not valid JSON"),
        (b"[]", "the body must be a JSON object"),
        (b'{"files": []}', "files must be an object"),
        (b'{"files": {"a": {"offset": -1}}}', "files.a.offset must be a whole number"),
        (b'{"files": {"a": {"offset": 0, "content": "x"}}}', "files.a.content must be a list of lines"),
        (b'{"files": {"a": 3}}', "files.a.offset must be a whole number"),
        (b'{"files": {"wandb-summary.json": {"content": ["{"]}}}', "is not valid JSON"),
        (b'{"complete": true, "exitcode": "1"}', "exitcode must be a whole number"),
        (b'{"complete": true, "exitcode": 99999999999999999999}', "exitcode must be a whole number of 32 bits"),
        (b'{"files": {"a": {"content": ["\\ud800"]}}}', "half a character"),
        (b'{"uploaded": [1]}', "uploaded must be a list of file names"),
        (b"\xff\xfe{", "the body is not valid"),
    ],
)
def test_a_bad_stream_is_refused_in_words_and_keeps_nothing(server: Server, body: bytes, message: str) -> None:
    server.start_run("run")
    reply = server.http.post("/files/local/demo/run/file_stream", content=body, headers={"Authorization": basic(KEY)})
    assert reply.status_code == 400
    assert message in reply.json()["errors"][0]["message"]
    assert server.run_state("run") == "running"


def test_files_are_uploaded_and_given_back_by_signed_addresses(server: Server) -> None:
    server.start_run("run")
    name = "UnVu/error/error.log"
    place: dict[str, Any] = {"entity": "local", "project": "demo", "run": "run", "files": [name]}
    slot = server.ask("CreateRunFiles", **place)["createRunFiles"]["files"][0]
    assert server.http.put(slot["uploadUrl"], content=b"it broke").status_code == 200
    assert server.ask("MarkRunFilesUploaded", **place)["markRunFilesUploaded"]["success"] is True
    found = server.ask("RunFiles", project="demo", entity="local", name="run")["project"]["run"]["files"]["edges"]
    assert [(edge["node"]["name"], edge["node"]["sizeBytes"]) for edge in found] == [(name, 8)]
    assert server.http.get(found[0]["node"]["directUrl"]).content == b"it broke"
    assert server.http.get(slot["uploadUrl"]).status_code == 403


def test_an_address_that_is_forged_or_old_is_refused(server: Server, clock: Clock) -> None:
    server.start_run("run")
    place: dict[str, Any] = {"entity": "local", "project": "demo", "run": "run", "files": ["a.txt"]}
    url = server.ask("CreateRunFiles", **place)["createRunFiles"]["files"][0]["uploadUrl"]
    forged = url.replace("a.txt", "b.txt")
    assert server.http.put(forged, content=b"x").status_code == 403
    clock.advance(3601)
    reply = server.http.put(url, content=b"x")
    assert reply.status_code == 403
    assert "has expired" in reply.json()["errors"][0]["message"]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a//b", "a/../b", "", "a\\b", "a\x00b", "x" * 2000])
def test_a_file_name_that_leaves_its_run_is_refused(server: Server, name: str) -> None:
    server.start_run("run")
    said = server.refusal("CreateRunFiles", entity="local", project="demo", run="run", files=[name])
    assert said.startswith("file name ")


def test_telemetry_is_taken_without_a_key_and_dropped(server: Server) -> None:
    assert server.http.post("/sdk/otel/v1/metrics", content=b"\x00\x01").status_code == 200


def test_runs_are_listed_newest_first_in_pages(server: Server) -> None:
    for number in range(3):
        server.start_run(f"run-{number}")
    first = server.ask("Runs", project="demo", entity="local", perPage=2)["project"]["runs"]
    assert [edge["node"]["name"] for edge in first["edges"]] == ["run-2", "run-1"]
    after = first["pageInfo"]["endCursor"]
    rest = server.ask("Runs", project="demo", entity="local", perPage=2, cursor=after)["project"]["runs"]
    assert [edge["node"]["name"] for edge in rest["edges"]] == ["run-0"]
    assert rest["pageInfo"]["hasNextPage"] is False


def test_a_deleted_run_is_gone_with_its_lines(server: Server) -> None:
    logged(server)
    server.ask("DeleteRun", id=server.start_run("run")["bucket"]["id"])
    assert server.ask("RunState", project="demo", entity="local", name="run")["project"]["run"] is None
    assert server.start_run("run")["bucket"]["historyLineCount"] == 0
