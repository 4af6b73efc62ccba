"""Queues, default configs, agents and accounts as clients use them."""

import json

from tests.server.conftest import PROJECT, Clock, Server


def test_a_queue_made_in_two_steps_gives_back_its_config_as_an_object(server: Server) -> None:
    config = {"resource_args": {"kubernetes": {"spec": {"a": "{{cpu}}"}}}}
    schema = {"cpu": {"schema": {"type": "integer", "default": 1}}}
    made = server.ask(
        "CreateDefaultResourceConfig",
        entityName="local",
        resource="kubernetes",
        config=json.dumps(config),
        templateVariables=json.dumps(schema),
    )["createDefaultResourceConfig"]
    assert made["success"] is True
    queue = server.ask(
        "CreateRunQueue",
        entity="local",
        project=PROJECT,
        queueName="gpu",
        access="PROJECT",
        prioritizationMode="V0",
        defaultResourceConfigID=made["defaultResourceConfigID"],
    )["createRunQueue"]
    assert queue["success"] is True
    found = server.ask("GetRunQueueMetadata", projectName=PROJECT, entityName="local", runQueue="gpu")
    metadata = found["project"]["runQueue"]
    assert metadata["id"] == queue["queueID"]
    assert metadata["prioritizationMode"] == "V0"
    stored = server.ask("GetDefaultResourceConfig", entityName="local", id=metadata["defaultResourceConfigID"])
    kept = stored["entity"]["defaultResourceConfig"]
    assert kept["config"] == config
    assert kept["resource"] == "kubernetes"
    assert [(v["name"], json.loads(v["schema"])) for v in kept["templateVariables"]] == [
        ("cpu", {"type": "integer", "default": 1})
    ]


def test_the_default_queue_is_made_without_a_config_and_passes_specs_through(server: Server) -> None:
    server.ask("CreateProject", input={"name": PROJECT, "entityName": "local"})
    server.ask("CreateRunQueue", entity="local", project=PROJECT, queueName="default", access="PROJECT")
    server.push("default", resource="local-container")
    popped = server.pop("default")
    assert popped is not None
    assert popped["runSpec"]["resource"] == "local-container"


def test_a_queue_of_the_same_name_is_refused(server: Server) -> None:
    server.make_queue()
    said = server.refusal("CreateRunQueue", entity="local", project=PROJECT, queueName="q", access="PROJECT")
    assert said == "queue 'q' exists already in entity 'local'"


def test_an_unknown_resource_is_refused_with_those_known(server: Server) -> None:
    said = server.refusal(
        "CreateDefaultResourceConfig", entityName="local", resource="kubernets", config="{}", templateVariables="{}"
    )
    assert said.startswith("resource 'kubernets' is not known. Known: local-container, local-process, kubernetes")


def test_a_deleted_queue_is_gone_with_its_items(server: Server) -> None:
    server.make_queue()
    server.push()
    queue = server.ask("ProjectRunQueues", entity="local", projectName=PROJECT)["project"]["runQueues"][0]
    assert server.ask("DeleteRunQueue", id=queue["id"])["deleteRunQueues"]["success"] is True
    assert server.ask("ProjectRunQueues", entity="local", projectName=PROJECT)["project"]["runQueues"] == []


def test_the_launch_project_is_there_from_the_start(server: Server) -> None:
    assert server.ask("ProjectRunQueues", entity="local", projectName=PROJECT) == {"project": {"runQueues": []}}


def test_an_agent_registers_reports_and_is_asked_to_stop(server: Server, clock: Clock) -> None:
    server.make_queue()
    queues = server.ask("ProjectRunQueues", entity="local", projectName=PROJECT)["project"]["runQueues"]
    made = server.ask(
        "createLaunchAgent",
        entity="local",
        project=PROJECT,
        queues=[queues[0]["id"]],
        hostname="host",
        agentConfig='{"max_jobs": 1}',
        version="wandb@0.31.0",
    )["createLaunchAgent"]["launchAgentId"]
    first = server.ask("LaunchAgent", agentId=made)["launchAgent"]
    assert first["agentStatus"] == "POLLING"
    assert first["stopPolling"] is False
    assert first["runQueues"] == [queues[0]["id"]]
    assert server.ask("updateLaunchAgent", agentId=made, agentStatus="RUNNING")["updateLaunchAgent"]["success"] is True
    clock.advance(30)
    server.push()
    assert server.pop(agent=made) is not None
    seen = server.ask("LaunchAgent", agentId=made)["launchAgent"]
    assert seen["agentStatus"] == "RUNNING"
    assert seen["heartbeatAt"] > first["heartbeatAt"]
    server.ask("stop agent", input={"launchAgentId": made, "stopPolling": True})
    assert server.ask("LaunchAgent", agentId=made)["launchAgent"]["stopPolling"] is True


def test_an_agent_that_is_not_there_is_null_and_its_update_fails(server: Server) -> None:
    missing = "TGF1bmNoQWdlbnQ6OTk="
    assert server.ask("LaunchAgent", agentId=missing)["launchAgent"] is None
    assert server.ask("updateLaunchAgent", agentId=missing, agentStatus="POLLING")["updateLaunchAgent"] == {
        "success": False
    }


def test_accounts_answer_what_the_client_asks_first(server: Server) -> None:
    assert server.ask("GetDefaultEntity")["viewer"]["entity"] == "local"
    assert server.ask("EntityIsTeam", entity="local")["entity"]["isTeam"] is True
    assert server.ask("EntityIsTeam", entity="none")["entity"] is None
    assert server.ask("OrganizationCoreWeaveOrganizationID", entityName="local")["entity"]["organization"] == {
        "coreWeaveOrganizationId": None
    }
    assert server.ask("GetViewer")["viewer"]["admin"] is True
    assert server.ask("ServerFeaturesQuery")["serverInfo"]["features"] == []
