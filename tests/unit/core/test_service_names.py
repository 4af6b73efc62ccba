"""Names of additional services: a Service's is stricter than other objects'."""

from __future__ import annotations

import pytest

from launch_agent.errors import SpecError
from tests.support.specs import make_plan, make_spec

SERVICE = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}


@pytest.mark.parametrize("given", ["0-cache", "a.b", "${run_id}-cache"])
def test_a_service_whose_name_no_service_can_have_is_refused_before_anything_is_made(given: str) -> None:
    config = {**SERVICE, "metadata": {"name": given}}
    with pytest.raises(SpecError, match=r"additional_services\[0\]\.config\.metadata\.name"):
        make_plan(make_spec(additional_services=[{"config": config}]), run_id="9abc")


@pytest.mark.parametrize(
    ("given", "begin"),
    [
        ("cache", "cache-"),
        ("0", "service-0-"),
        ("9 lives", "service-9-lives-"),
        ("日本", "service-"),
        (None, "service-"),
    ],
)
def test_a_service_without_a_name_gets_one_that_begins_with_a_letter(given: str | None, begin: str) -> None:
    plan = make_plan(make_spec(additional_services=[{"name": given, "config": SERVICE}]))
    (service,) = plan.services
    assert service["metadata"]["name"].startswith(begin)
    again = make_plan(make_spec(additional_services=[{"name": given, "config": SERVICE}]))
    assert again.services == plan.services


def test_a_service_s_generate_name_is_a_prefix_and_never_sent() -> None:
    config = {**SERVICE, "metadata": {"generateName": "cache-"}}
    entries = [{"name": "a", "config": config}, {"name": "b", "config": config}]
    first, second = (one["metadata"] for one in make_plan(make_spec(additional_services=entries)).services)
    assert first["name"].startswith("cache-")
    assert second["name"].startswith("cache-")
    assert first["name"] != second["name"]
    assert not {"generateName"} & {*first, *second}


def test_other_objects_may_begin_with_a_digit() -> None:
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "0-settings"}}
    (made,) = make_plan(make_spec(additional_services=[{"config": config}])).services
    assert made["metadata"]["name"] == "0-settings"
