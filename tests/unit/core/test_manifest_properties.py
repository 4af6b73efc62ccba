"""Any manifest becomes a valid Job, nothing of it lost, or is refused with its path."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
from hypothesis import given, settings
from hypothesis import strategies as st

from launch_agent.core.models import Plan
from launch_agent.errors import ItemError
from tests.support.specs import PATH, make_plan, make_spec


def validate(body: Any) -> None:
    kubernetes_validate.validate(body, "1.34", strict=True)


def plan_or_refuse(run_spec: dict[str, Any], run_id: str) -> Plan | str:
    """The plan, or the words of the refusal."""
    try:
        return make_plan(run_spec, run_id=run_id)
    except ItemError as error:
        return str(error)


NAMES = st.text(st.sampled_from("abcXYZ019-_.é "), max_size=80)
TEXTS = st.text(max_size=20).filter(lambda text: "\x00" not in text)
CONTAINERS = st.fixed_dictionaries(
    {"image": st.just("img:1")},
    optional={
        "command": st.lists(TEXTS | st.integers(), max_size=2),
        "args": st.none() | st.lists(TEXTS, max_size=2),
        "env": st.none()
        | st.lists(
            st.fixed_dictionaries({"name": st.sampled_from(["A", "B", "WANDB_NAME"]), "value": TEXTS | st.integers()}),
            max_size=3,
        ),
        "resources": st.just({"limits": {"cpu": "1"}}),
        "tty": st.booleans(),
        "securityContext": st.none() | st.sampled_from([{}, {"runAsUser": 5}, {"capabilities": {"drop": ["ALL"]}}]),
    },
)
MANIFESTS = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "name": NAMES,
                "generateName": NAMES,
                "labels": st.none() | st.dictionaries(st.sampled_from(["a", "b"]), st.integers() | st.just("x")),
            },
        ),
        "namespace": st.none() | st.sampled_from(["a", "b", "Not valid"]),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "backoffLimit": st.none() | st.integers(0, 5),
                "ttlSecondsAfterFinished": st.none() | st.integers(0, 99),
                "completions": st.integers(1, 5),
                "template": st.none()
                | st.fixed_dictionaries(
                    {},
                    optional={
                        "spec": st.fixed_dictionaries(
                            {},
                            optional={
                                "containers": st.none() | st.lists(CONTAINERS, max_size=3),
                                "nodeSelector": st.just({"gpu": "true"}),
                                "hostPID": st.sampled_from([None, False, True, "no"]),
                            },
                        )
                    },
                ),
            },
        ),
    },
)


@settings(max_examples=150, deadline=None)
@given(MANIFESTS, NAMES.filter(str.strip), NAMES.filter(str.strip), NAMES.filter(bool))
def test_any_manifest_becomes_a_valid_job_or_is_refused_with_its_path(
    config: dict[str, Any], entity: str, project: str, run_id: str
) -> None:
    plan = plan_or_refuse(make_spec(config, entity=entity, project=project), run_id)
    if isinstance(plan, str):
        assert PATH in plan
        return
    for body in plan.objects:
        validate(body)
        assert len(body["metadata"]["name"]) <= 63
    _assert_nothing_lost(config, plan.workload)


def _assert_nothing_lost(config: dict[str, Any], job: Any) -> None:
    spec = config.get("spec") or {}
    for key in ("backoffLimit", "completions"):
        if spec.get(key) is not None:
            assert job["spec"][key] == spec[key]
    pod = ((spec.get("template") or {}).get("spec")) or {}
    if "nodeSelector" in pod:
        assert job["spec"]["template"]["spec"]["nodeSelector"] == pod["nodeSelector"]
    for index, container in enumerate(pod.get("containers") or ()):
        made = job["spec"]["template"]["spec"]["containers"][index]
        assert all(made.get(key) == container[key] for key in ("resources", "tty") if key in container)
