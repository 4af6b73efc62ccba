"""One question for each template, and its answer for all of its items."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest

from launch_agent.errors import (
    KubernetesConflict,
    KubernetesDenied,
    KubernetesError,
    KubernetesInvalid,
    KubernetesMissing,
    LaunchAgentError,
    RefusedError,
)
from launch_agent.targets.kubernetes.preflight import TRUST, Preflight, make_key
from tests.unit.targets.servers import Server

Json = dict[str, Any]


def job(number: int = 1, **spec: Any) -> Json:
    name, run_id = f"launch-team-{number:010d}", f"run{number:05d}"
    labels = {"wandb.ai/run-id": run_id, "launch-agent/item": f"item{number}", "team": "vision"}
    container = {
        "name": "launch0",
        "image": "train:1",
        "args": ["--run", run_id, "--seed", str(number)],
        "env": [{"name": "WANDB_RUN_ID", "value": run_id}, {"name": "SEED", "value": str(number)}],
        "volumeMounts": [{"name": "out", "mountPath": f"/out/{run_id}"}],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": "ml",
            "labels": labels,
            "annotations": {"launch-agent/item-id": f"item-{number}"},
        },
        "spec": {
            "backoffLimit": 0,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            **spec,
        },
    }


def changed(path: str, value: Any) -> Json:
    body = copy.deepcopy(job())
    place: Any = body
    *way, last = path.split(".")
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[int(last) if last.isdigit() else last] = value
    return body


CONTAINER = "spec.template.spec.containers.0"


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(job(2), True, id="another item of the template"),
        pytest.param(changed(f"{CONTAINER}.args", ["--lr", "3"]), True, id="other arguments"),
        pytest.param(changed(f"{CONTAINER}.env.1.value", "9"), True, id="another value of a variable"),
        pytest.param(changed(f"{CONTAINER}.args", [1]), False, id="an argument that is no text"),
        pytest.param(changed(f"{CONTAINER}.env.1.name", "A B"), False, id="another variable"),
        pytest.param(changed(f"{CONTAINER}.image", "train:2"), False, id="another image"),
        pytest.param(changed("spec.backoffLimit", -1), False, id="another number"),
        pytest.param(changed("metadata.namespace", "other"), False, id="another namespace"),
        pytest.param(changed("metadata.labels.team", "nlp"), False, id="another label of the user's"),
        pytest.param(changed("kind", "CronJob"), False, id="another kind"),
        pytest.param(changed(f"{CONTAINER}.env.1", {"name": "SEED", "value": 9}), False, id="a value that is no text"),
    ],
)
def test_items_are_of_one_template_if_they_differ_in_what_is_their_own(other: Json, is_same: bool) -> None:
    assert (make_key("", other) == make_key("", job())) is is_same


def test_the_same_template_in_another_cluster_is_another_question() -> None:
    assert make_key("other", job()) != make_key("", job())


def test_a_template_is_asked_for_once_until_its_answer_is_old() -> None:
    now = [0.0]
    server, preflight = Server(), Preflight(lambda: now[0])
    server.on_try = lambda _body: ('unknown field "spec.foo"',)
    for number in range(5):
        assert preflight.check(server.client, "", job(number)) == ('unknown field "spec.foo"',)
    assert server.asked == ["try Job"]
    now[0] = TRUST
    preflight.check(server.client, "", job(9))
    assert server.asked == ["try Job"] * 2


def test_a_workload_that_no_cluster_can_store_is_refused_without_a_question() -> None:
    server = Server()
    with pytest.raises(RefusedError, match=r"too large: 1\d{6} bytes as JSON, the cluster stores up to 1500000"):
        Preflight().check(server.client, "", changed(f"{CONTAINER}.args", ["x" * 1_600_000]))
    assert server.asked == []


def test_a_refusal_is_not_kept() -> None:
    server, preflight = Server(), Preflight()
    answers: list[KubernetesError] = [KubernetesInvalid("no", status=422)]

    def answer(_body: Any) -> tuple[str, ...]:
        if answers:
            raise answers.pop()
        return ()

    server.on_try = answer
    with pytest.raises(KubernetesInvalid):
        preflight.check(server.client, "", job())
    assert preflight.check(server.client, "", job()) == ()


@pytest.mark.parametrize("error", [None, KubernetesInvalid("no", status=422, detail="spec.foo: bad")])
def test_items_that_come_while_the_question_is_asked_wait_for_its_answer(error: KubernetesError | None) -> None:
    server, preflight = Server(), Preflight()
    is_asked, may_answer = threading.Event(), threading.Event()
    outcomes: list[object] = []

    def answer(_body: Any) -> tuple[str, ...]:
        is_asked.set()
        assert may_answer.wait(10)
        if error is not None:
            raise error
        return ("careful",)

    def ask(number: int) -> None:
        try:
            outcomes.append(preflight.check(server.client, "", job(number)))
        except LaunchAgentError as found:
            outcomes.append(found)

    server.on_try = answer
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    threads[0].start()
    assert is_asked.wait(10)
    for thread in threads[1:]:
        thread.start()
    may_answer.set()
    for thread in threads:
        thread.join(10)
    assert len(outcomes) == 4
    assert set(map(str, outcomes)) == ({str(error)} if error else {"('careful',)"})
    # Those that came after the answer of a refusal ask again; a good answer is asked for once.
    assert error is not None or server.asked == ["try Job"]


@pytest.mark.parametrize(
    "error",
    [
        KubernetesConflict("taken", status=409),
        KubernetesInvalid("no", status=400, detail='admission webhook "a.b" does not support dry run.'),
    ],
)
def test_what_says_nothing_about_the_template_is_no_refusal(error: KubernetesError) -> None:
    server = Server()

    def answer(_body: Any) -> tuple[str, ...]:
        raise error

    server.on_try = answer
    assert Preflight().check(server.client, "", job()) == ()


QUOTA = 'jobs.batch "x" is forbidden: exceeded quota: q, requested: count/jobs.batch=1, used: 1, limited: 1.'
RBAC = 'jobs.batch is forbidden: User "a" cannot create resource "jobs" in API group "batch" in the namespace "ml".'


@pytest.mark.parametrize(
    ("error", "expected", "words"),
    [
        pytest.param(KubernetesDenied("d", status=403, detail=QUOTA), RefusedError, "Raise the quota", id="quota"),
        pytest.param(
            KubernetesDenied("d", status=403, detail="denied: no GPUs."), RefusedError, "no GPUs", id="webhook"
        ),
        pytest.param(KubernetesDenied("d", status=403, detail=RBAC), KubernetesDenied, "cannot create", id="right"),
        pytest.param(
            KubernetesMissing("m", status=404, detail='namespaces "ml" not found.'),
            RefusedError,
            "Create the namespace",
            id="namespace",
        ),
        pytest.param(
            KubernetesMissing("The cluster has no kind Foo in a.b/v1.", status=404), KubernetesMissing, "no kind Foo",
            id="kind",
        ),
        pytest.param(
            KubernetesInvalid("i", status=422, detail="spec.a: bad."), KubernetesInvalid, "spec.a: bad", id="field"
        ),
    ],
)  # fmt: skip
def test_a_refusal_keeps_the_servers_words_and_gets_the_cure_that_fits(
    error: KubernetesError, expected: type[LaunchAgentError], words: str
) -> None:
    server = Server()

    def answer(_body: Any) -> tuple[str, ...]:
        raise error

    server.on_try = answer
    with pytest.raises(expected) as caught:
        Preflight().check(server.client, "", job())
    assert words in str(caught.value)
    assert error.detail in str(caught.value)
