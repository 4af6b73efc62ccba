"""The commands, over HTTP and on the database file: what they print and how they exit."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from launch_server.cli import main
from launch_server.cli.parser import build_parser
from tests.server.conftest import KEY, Server
from tests.support.waiting import wait_until

Command = Callable[..., tuple[int, str, str]]

LOCAL_PROCESS = {"project": "Demo", "resource": "local-process", "overrides": {"entry_point": ["python", "train.py"]}}


@pytest.fixture(params=["http", "file"])
def command(
    request: pytest.FixtureRequest,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Command:
    monkeypatch.delenv("WANDB_ENTITY", raising=False)
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    where = ["--database", f"sqlite:///{server.engine.database.path}"]
    if request.param == "http":
        where = ["--url", str(server.http.base_url)]

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*arguments, *where])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return run


def test_queues_are_created_listed_shown_and_deleted(command: Command, server: Server, tmp_path: Path) -> None:
    config = tmp_path / "queue.yaml"
    config.write_text("spec:\n  backoffLimit: 0\n")
    code, out, _ = command("queue", "create", "gpu", "--config", str(config), "--prioritization", "priority")
    assert (code, out) == (0, "queue gpu created in entity local (kubernetes, priority)\n")
    server.push("gpu")
    code, out, _ = command("queue", "list", "--output", "json")
    (listed,) = json.loads(out)
    assert (listed["name"], listed["mode"], listed["pending"]) == ("gpu", "priority", 1)
    code, out, _ = command("queue", "show", "gpu", "--output", "json")
    kept = json.loads(out)["defaultResourceConfig"]["config"]
    assert kept == {"resource_args": {"kubernetes": {"spec": {"backoffLimit": 0}}}}
    code, _, err = command("queue", "create", "gpu")
    assert code == 2
    assert err == ("launch-server: queue 'gpu' exists already in entity 'local'. --replace gives it a new config.\n")
    assert command("queue", "create", "gpu", "--replace", "--resource", "local-process")[0] == 0
    assert command("queue", "delete", "gpu")[:2] == (0, "queue gpu deleted with its items\n")
    assert command("queue", "list")[1] == "(none)\n"
    code, _, err = command("queue", "show", "gpu")
    assert code == 2
    assert "queue 'gpu' does not exist in entity 'local'" in err


def test_push_takes_json_and_yaml_and_sets_the_entity(command: Command, server: Server, tmp_path: Path) -> None:
    server.make_queue(resource="local-process")
    file = tmp_path / "spec.yaml"
    file.write_text("project: demo\noverrides:\n  entry_point: [python, train.py]\n")
    assert command("push", str(file), "-q", "q", "--priority", "high")[0] == 0
    code, out, _ = command("push", json.dumps(LOCAL_PROCESS), "-q", "q", "--output", "json")
    assert code == 0
    assert json.loads(out)["runSpec"]["entity"] == "local"
    first, second = server.pop(), server.pop()
    assert first is not None
    assert second is not None
    assert first["runSpec"]["overrides"] == {"entry_point": ["python", "train.py"]}
    assert second["runQueueItemId"] == json.loads(out)["runQueueItemId"]
    assert server.item(first["runQueueItemId"])["priority"] == 1


@pytest.mark.parametrize(
    ("spec", "more", "message"),
    [
        ("{", [], "run spec, line 1, column 2: "),
        ("{}", [], "run spec {}: `project` is missing. Name the project that the run goes to."),
        ('{"project": "p"}', [], "there is nothing to run. Set `job`, or `docker.docker_image`, or"),
        ('{"project": "p", "job": "a/b/c:d", "docker": {"docker_image": "x"}}', [], "both `job` and"),
        ('{"project": "p", "image_uri": "x"}', ["--priority", "urgent"], "--priority 'urgent' is not known"),
        ('{"project": "p", "image_uri": "x"}', ["--set-var", "cpu"], "--set-var 'cpu' is not NAME=VALUE"),
        ('{"project": "p", "image_uri": "x"}', ["--set-var", "cpu=1"], "unknown template variable 'cpu'"),
        ("/nonexistent.yaml", [], "run spec /nonexistent.yaml cannot be read: No such file or directory"),
    ],
)
def test_a_bad_push_is_explained_and_exits_2(
    command: Command, server: Server, spec: str, more: list[str], message: str
) -> None:
    server.make_queue()
    code, _, err = command("push", spec, "-q", "q", *more)
    assert code == 2
    assert message in err
    assert server.pop() is None


@pytest.mark.parametrize(
    ("exit_code", "code", "said"), [(0, 0, "FINISHED"), (3, 1, "run: the run failed: exit code 3")]
)
def test_push_follow_tells_each_state_and_exits_as_the_run_ended(
    command: Command, server: Server, exit_code: int, code: int, said: str
) -> None:
    server.make_queue(resource="local-process")
    results: list[tuple[int, str, str]] = []
    follower = threading.Thread(
        target=lambda: results.append(command("push", json.dumps(LOCAL_PROCESS), "-q", "q", "--follow"))
    )
    follower.start()
    item = wait_until(server.pop_id, 20, "the item to be pushed")
    assert item is not None
    server.ack(item, "run")
    server.start_run("run")
    server.stream("run", {"complete": True, "exitcode": exit_code})
    follower.join(20)
    (result,) = results
    assert result[0] == code
    assert f"pushed {item} to q" in result[1]
    assert "run demo/run" in result[1]
    assert said in result[1]


def test_push_follow_gives_up_after_its_timeout_with_exit_code_3(command: Command, server: Server) -> None:
    server.make_queue(resource="local-process")
    code, out, _ = command("push", json.dumps(LOCAL_PROCESS), "-q", "q", "--follow", "--timeout", "0.1")
    assert code == 3
    assert "still PENDING after 0.1 s; the item stays in the queue" in out


def test_keys_are_created_listed_and_revoked(command: Command, server: Server) -> None:
    code, out, _ = command("key", "create", "--user", "ann", "--for-entity", "team", "--description", "her laptop")
    key = out.strip()
    assert code == 0
    assert server.ask("Viewer", key=key)["viewer"]["entity"] == "team"
    listed = command("key", "list")[1]
    assert key not in listed
    assert "her laptop" in listed
    assert command("key", "revoke", key[-4:])[0] == 0
    assert server.post("{ viewer { id } }", key=key)["status"] == 401
    code, _, err = command("key", "revoke", "none")
    assert (code, err) == (
        2,
        "launch-server: 0 keys match 'none'. Give the id that `launch-server key list` shows.\n",
    )


def test_entities_agents_and_items_are_looked_at(command: Command, server: Server) -> None:
    assert command("entity", "create", "team")[:2] == (0, "entity team is there\n")
    assert [entity["name"] for entity in json.loads(command("entity", "list", "--output", "json")[1])] == [
        "local",
        "team",
    ]
    server.make_queue()
    item = server.claim("run-a")
    server.fail(item, "no such image", "run")
    server.push()
    code, out, _ = command("item", "list", "-q", "q")
    assert code == 0
    assert "run: no such image" in out
    failed = json.loads(command("item", "list", "-q", "q", "--state", "failed", "--output", "json")[1])
    assert [each["id"] for each in failed] == [item]
    assert json.loads(command("item", "show", item, "-q", "q")[1])["state"] == "FAILED"
    agent = server.ask(
        "createLaunchAgent", entity="local", project="model-registry", queues=[], hostname="h", version="v"
    )["createLaunchAgent"]["launchAgentId"]
    name = server.ask("LaunchAgent", agentId=agent)["launchAgent"]["name"]
    assert name in command("agent", "list")[1]
    assert command("agent", "stop", name)[0] == 0
    assert server.ask("LaunchAgent", agentId=agent)["launchAgent"]["stopPolling"] is True
    assert command("agent", "stop", "nobody")[0] == 2


def test_a_runs_metrics_are_shown_as_table_as_json_and_as_they_come(command: Command, server: Server) -> None:
    server.start_run("run")
    history = ['{"_step": 0, "loss": 1.5, "_runtime": 1}', '{"_step": 1, "loss": 0.5}']
    files = {
        "wandb-history.jsonl": {"offset": 0, "content": history},
        "wandb-summary.json": {"offset": 0, "content": ['{"loss": 0.5}']},
    }
    server.stream("run", {"files": files, "complete": True, "exitcode": 0})
    code, out, _ = command("run", "metrics", "demo/run")
    assert code == 0
    assert out == "run demo/run is finished\n\n_STEP  LOSS\n0      1.5\n1      0.5\n\nlatest: loss = 0.5\n"
    found = json.loads(command("run", "metrics", "local/demo/run", "--output", "json")[1])
    assert found["summary"] == {"loss": 0.5}
    assert [step["loss"] for step in found["history"]] == [1.5, 0.5]
    code, out, _ = command("run", "metrics", "demo/run", "--follow")
    assert code == 0
    assert out == "step    0  loss 1.5\nstep    1  loss 0.5\nrun demo/run finished\n"
    code, _, err = command("run", "metrics", "run")
    assert code == 2
    assert "does not say which project the run is in. Write PROJECT/RUN." in err
    assert command("run", "metrics", "demo/none")[0] == 2


def test_a_run_is_asked_to_stop(command: Command, server: Server) -> None:
    server.start_run("run")
    assert command("run", "stop", "demo/run")[0] == 0
    assert server.stream("run", {})["stopped"] is True


@pytest.mark.parametrize(
    ("environment", "arguments", "message"),
    [
        ({}, [], "there is no database at"),
        ({"WANDB_BASE_URL": "http://127.0.0.1:9"}, [], "no API key for http://127.0.0.1:9. Set WANDB_API_KEY"),
        ({"WANDB_API_KEY": KEY}, ["--url", "http://127.0.0.1:9"], "http://127.0.0.1:9 cannot be reached"),
        ({}, ["--database", "sqlite:////nonexistent/x.db"], "there is no database at /nonexistent/x.db"),
    ],
)
def test_without_a_server_the_cure_is_told(
    environment: dict[str, str],
    arguments: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("WANDB_BASE_URL", "WANDB_API_KEY", "WANDB_ENTITY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["queue", "list", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_file_that_is_another_database_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.db"
    file.write_text("not a database at all, but longer than the header of one " * 5)
    assert main(["queue", "list", "--database", f"sqlite:///{file}"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_teaches_the_first_steps_and_the_exit_codes() -> None:
    text = build_parser().format_help()
    for word in ("launch-server serve", "WANDB_BASE_URL", "queue create", "push spec.yaml", "exit codes", "130"):
        assert word in text
