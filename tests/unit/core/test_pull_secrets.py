"""The Secret that images are pulled with."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from launch_agent.core import names, pull_secrets
from launch_agent.core.pull_secrets import PullCredential
from tests.support.specs import CONTEXT, make_plan, make_spec

CREDENTIAL = PullCredential("123456789012.dkr.ecr.us-east-1.amazonaws.com", "AWS", "p:w'\"é")


def auths(secret: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(secret["data"][pull_secrets.FIELD]))["auths"]
    return found


def test_it_is_filed_under_the_registry_s_host_in_the_form_that_kubelets_read() -> None:
    made = pull_secrets.make(CREDENTIAL, "regcred-run12345", "jobs", {"a": "b"})
    assert (made["apiVersion"], made["kind"], made["type"]) == ("v1", "Secret", "kubernetes.io/dockerconfigjson")
    assert made["metadata"] == {"name": "regcred-run12345", "namespace": "jobs", "labels": {"a": "b"}}
    assert list(auths(made)) == [CREDENTIAL.registry]
    entry = auths(made)[CREDENTIAL.registry]
    assert (entry["username"], entry["password"]) == ("AWS", CREDENTIAL.password)
    assert base64.b64decode(entry["auth"]).decode() == f"AWS:{CREDENTIAL.password}"


def test_the_password_is_in_no_representation() -> None:
    assert CREDENTIAL.password not in repr(CREDENTIAL)


def test_a_renewed_credential_changes_the_data_only() -> None:
    renewed = replace(CREDENTIAL, password="new")
    before, after = (pull_secrets.make(one, "regcred-run12345", "jobs", {}) for one in (CREDENTIAL, renewed))
    assert after["data"] == pull_secrets.make_data(renewed) != before["data"]
    assert after["metadata"] == before["metadata"]


@pytest.mark.parametrize("run_id", ["run12345", "RUN_1", "a" * 80, "-", "ü"])
def test_its_name_is_valid_whatever_the_run_is_called(run_id: str) -> None:
    name = names.secret_name(run_id, pull_secrets.PREFIX)
    assert name.startswith(pull_secrets.PREFIX)
    assert names.is_object_name(name)
    assert len(name) <= 63


def test_a_plan_s_pull_secret_is_the_item_s_own_in_the_job_s_namespace() -> None:
    context = replace(CONTEXT, pull_credential=CREDENTIAL)
    made = make_plan(make_spec({"namespace": "team-a"}), context=context)
    (secret,) = [one for one in made.secrets if one["type"] == "kubernetes.io/dockerconfigjson"]
    assert secret["metadata"]["namespace"] == made.workload["metadata"]["namespace"] == "team-a"
    assert secret["metadata"]["labels"]["launch-agent/item"] == names.item_label("item-1")
    assert secret["metadata"]["labels"]["wandb.ai/created-by"] == "launch-agent"
    assert CREDENTIAL.password not in json.dumps(made.workload)
