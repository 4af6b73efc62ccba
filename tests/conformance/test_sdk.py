"""The SDK in a training script: `wandb.init`, `log`, `finish`."""

import json

import pytest

from tests.conformance.conftest import Wandb
from tests.support.servers import Server

pytestmark = pytest.mark.conformance

TRAIN = """
import sys, wandb
run = wandb.init(project="demo", config={"lr": 0.1})
for step in range(3):
    run.log({"loss": 1 / (step + 1)})
run.config.update({"epochs": 3})
run.summary["best"] = 0.25
code = int(sys.argv[1])
if code:
    sys.exit(code)
run.finish()
"""

READ = """
import json, wandb
run = wandb.Api().run("local/demo/run-c")
losses = [row["loss"] for row in run.history(pandas=False)]
read = {"state": run.state, "config": run.config, "best": run.summary["best"], "loss": losses}
print("READ", json.dumps(read | {"files": [file.name for file in run.files()]}))
"""


def unknown_operations(server: Server) -> list[str]:
    """The lines of the counter of documents that the server does not have."""
    lines = server.backend.metrics().splitlines()
    return [line for line in lines if line.startswith("launch_server_unknown_operations_total")]


def test_a_script_that_finishes_leaves_a_finished_run_with_its_metrics(server: Server, wandb: Wandb) -> None:
    done = wandb.script(TRAIN, "0", WANDB_RUN_ID="run-a")
    assert done.returncode == 0, done.stdout
    assert "Synced" in done.stdout
    run = server.backend.run("demo", "run-a")
    assert run is not None
    assert (run["state"], run["exitCode"]) == ("finished", 0)
    history = [json.loads(line) for line in run["history"]]
    assert [round(step["loss"], 3) for step in history] == [1.0, 0.5, 0.333]
    assert json.loads(run["summaryMetrics"])["best"] == 0.25
    config = json.loads(run["config"])
    assert (config["lr"]["value"], config["epochs"]["value"]) == (0.1, 3)
    assert unknown_operations(server) == []


def test_a_script_that_exits_1_leaves_a_failed_run(server: Server, wandb: Wandb) -> None:
    done = wandb.script(TRAIN, "1", WANDB_RUN_ID="run-b")
    assert done.returncode == 1, done.stdout
    run = server.backend.run("demo", "run-b")
    assert run is not None
    assert (run["state"], run["exitCode"]) == ("failed", 1)
    assert unknown_operations(server) == []


def test_the_public_api_reads_a_run_with_its_history_and_files(server: Server, wandb: Wandb) -> None:
    assert wandb.script(TRAIN, "0", WANDB_RUN_ID="run-c").returncode == 0
    read = wandb.script(READ)
    assert read.returncode == 0, read.stdout
    found = json.loads(read.stdout.split("READ ", 1)[1].splitlines()[0])
    assert found["state"] == "finished"
    assert found["config"] == {"lr": 0.1, "epochs": 3}
    assert found["best"] == 0.25
    assert len(found["loss"]) == 3
    assert "wandb-summary.json" in found["files"]
    assert unknown_operations(server) == []


def test_a_stop_request_ends_the_script(server: Server, wandb: Wandb) -> None:
    endless = (
        "import threading, wandb\n"
        'run = wandb.init(project="demo")\n'
        "run.log({'x': 1})\n"
        "api = wandb.Api()\n"
        'api.run(f"local/demo/{run.id}").stop()\n'
        "threading.Event().wait(100)\n"
    )
    done = wandb.script(endless, WANDB_RUN_ID="run-d", WANDB__FILE_STREAM_TRANSMIT_INTERVAL="1")
    assert done.returncode != 0, done.stdout
    run = server.backend.run("demo", "run-d")
    assert run is not None
    assert run["stopped"] is True
    assert run["state"] == "killed"
    assert unknown_operations(server) == []
