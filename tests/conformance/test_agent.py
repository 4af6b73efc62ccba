"""W&B's own agent against our server: it registers, polls, pops, acknowledges, reports."""

from pathlib import Path

import pytest

from tests.conformance.conftest import Wandb
from tests.conformance.test_sdk import unknown_operations
from tests.support.servers import Server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.conformance

SPEC = {"entity": "local", "project": "demo", "docker": {"docker_image": "busybox:1"}, "run_id": "run-of-the-agent"}


@pytest.mark.timeout(240)
def test_wandbs_agent_pops_acknowledges_and_reports_a_failure(
    server: Server, wandb_launch: Wandb, tmp_path: Path
) -> None:
    server.backend.create_queue("q")
    item = server.backend.push("q", SPEC)
    config = tmp_path / "launch-config.yaml"
    config.write_text("entity: local\nqueues: [q]\nmax_jobs: 2\n")
    # no cluster can be reached from there: the launch fails after the acknowledgement, which is what counts here
    wandb_launch.environment["KUBECONFIG"] = str(tmp_path / "none")
    log = tmp_path / "agent.log"
    agent = wandb_launch.start(log, "wandb", "launch-agent", "-q", "q", "-e", "local", "-c", str(config))
    try:
        claimed = wait_until(
            lambda: server.backend.item("q", item) | {"log": agent.log[-1500:]},
            100,
            "W&B's agent to acknowledge the item",
            until=lambda seen: seen["associatedRunId"] is not None,
        )
        assert claimed["associatedRunId"] == "run-of-the-agent"
        failed = server.backend.wait_for_state("q", item, "FAILED", 100)
        assert failed["error"]["stage"] == "agent"
        (registered,) = server.backend.agents()
        assert registered["version"] == "wandb@0.31.0"
        assert registered["agentStatus"] in ("POLLING", "RUNNING")
    finally:
        agent.stop()
    assert unknown_operations(server) == []
