"""`launch-agent check` against a scripted W&B and a scripted API server: what is wrong gives exactly these lines."""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from launch_agent.cli import main
from tests.adapters.conftest import Serve
from tests.adapters.scripted import Reply
from tests.support.scene import KEY, Kubernetes, Scene, Wandb, make_scene

Change = Callable[[Scene, dict[str, str]], None]


@pytest.fixture
def scene(serve: Serve, tmp_path: Path) -> Scene:
    wandb, kubernetes = Wandb(), Kubernetes()
    return make_scene(serve(wandb.answer), serve(kubernetes.answer), (wandb, kubernetes), tmp_path)


@pytest.fixture
def check(scene: Scene, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """`check("--output", "json", change=…)`: exit code and output, with what differs between runs taken out."""

    def run(*flags: str, change: Change | None = None) -> tuple[int, str]:
        environ = scene.environ
        if change is not None:
            change(scene, environ)
        flags = flags if "-q" in flags or "-c" in flags else ("-q", "gpu", *flags)
        code = main(["check", *flags], environ, scene.home)
        captured = capsys.readouterr()
        assert captured.err == ""
        assert KEY not in captured.out
        assert "Traceback" not in captured.out
        return code, scene.plain(captured.out)

    return run


Check = Callable[..., tuple[int, str]]

WELL = """\
configuration
  ok    flags and environment           queues gpu
  skip  registry, bucket, builder       not checked: this agent builds no images yet
W&B
  ok    WANDB          answers after N s
  ok    API key                         belongs to alice
  ok    entity team
  ok    queue gpu                       launches on kubernetes
Kubernetes
  ok    API server                      v1.34.4 at CLUSTER answers after N s
  ok    records in wandb                a ConfigMap would be created
  ok    Lease launch-agent-rel          is held by launch-agent-rel-abc
  ok    namespace jobs                  a Secret would be created
permissions
  ok    configmaps in wandb             create, list, patch, delete
  ok    leases in wandb                 get launch-agent-rel, update launch-agent-rel
  ok    jobs in jobs                    create, get, list, watch, patch, delete
  ok    pods in jobs                    list, watch
  ok    pods/log in jobs                get
  ok    events in jobs                  list
  ok    secrets in jobs                 create, patch, delete, get wandb-api-key-rel
jobs
  ok    Secret wandb-api-key-rel in jobs  has the key `password`
  ok    sample Job of queue gpu         would be created in namespace jobs
18 ok, 0 warn, 0 fail, 1 skip
"""


def squeeze(text: str) -> str:
    """Columns as two spaces."""
    return re.sub(r"(?<=\S) {2,}", "  ", text)


def test_where_all_is_well_each_line_says_so(check: Check) -> None:
    code, text = check()
    assert squeeze(text) == squeeze(WELL)
    assert code == 0


def test_names_and_facts_stand_in_columns(check: Check) -> None:
    lines = [line for line in check()[1].splitlines() if line.startswith("  ok") and "WANDB" not in line]
    starts = {re.match(r"  \S+ +(?:\S+ )*?\S+ {2,}", line).end() for line in lines if "entity" not in line}  # type: ignore[union-attr] # it matches
    assert len(starts) == 1


def queue(resource: str = "kubernetes", variables: Any = None, **arguments: Any) -> Change:
    def change(scene: Scene, _environ: dict[str, str]) -> None:
        given = {"metadata": {"namespace": "jobs"}, **arguments}
        scene.wandb.queues["gpu"] = (resource, given if resource == "kubernetes" else {}, variables or {})

    return change


def wandb(**changes: Any) -> Change:
    def change(scene: Scene, _environ: dict[str, str]) -> None:
        for name, value in changes.items():
            setattr(scene.wandb, name, value)

    return change


def kubernetes(**changes: Any) -> Change:
    def change(scene: Scene, _environ: dict[str, str]) -> None:
        for name, value in changes.items():
            setattr(scene.kubernetes, name, value)

    return change


def environment(**changes: str) -> Change:
    def change(_scene: Scene, environ: dict[str, str]) -> None:
        environ.update(changes)

    return change


def refuse(*rights: tuple[str, str]) -> Change:
    return kubernetes(refused={("jobs", "create pods"), *rights})


def pod(**fields: Any) -> dict[str, Any]:
    return {"template": {"spec": {"containers": [{"image": "train:1"}], **fields}}}


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


QUOTA = 'jobs.batch "launch-team-launch-agent-check-x" is forbidden: exceeded quota: small'
FORBID = 'pods "launch-agent-check" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true'

CASES: dict[str, Change] = {
    "W&B answers with an error": wandb(failure=Reply(503)),
    "the key is refused": wandb(failure=Reply(401, {"errors": [{"message": f"bad key {KEY}"}]})),
    "the key is nobody's": wandb(viewer=None),
    "no entity at all": wandb(viewer={"id": "1", "entity": None, "username": "alice"}),
    "an entity that is not seen": environment(WANDB_ENTITY="other"),
    "a queue that is not there": wandb(queues={"cpu": None}),
    "a queue for something that is not launched here": queue("sagemaker"),
    "a queue without a config": wandb(queues={"gpu": None}),
    "the API server answers with an error": kubernetes(failure=Reply(503, {"message": "etcd is away"})),
    "an account that is not known": kubernetes(failure=Reply(401, {"message": "Unauthorized"})),
    "a namespace that is not there": kubernetes(namespaces=("wandb",), secrets={}),
    "no Lease": kubernetes(holder=None),
    "records that are refused": kubernetes(
        refusals={("wandb", "ConfigMap"): (403, "configmaps is forbidden: exceeded quota: tiny")}
    ),
    "no rights in the target": refuse(("jobs", "everything")),
    "one verb too few": refuse(("jobs", "watch jobs"), ("wandb", "update leases")),
    "a Secret without the key": kubernetes(secrets={"jobs/wandb-api-key-rel": {"key": KEY, "user": "x"}}),
    "an empty key": kubernetes(secrets={"jobs/wandb-api-key-rel": {"password": "\n"}}),
    "another Secret that is not there": environment(LAUNCH_AGENT_API_KEY_SECRET="ours/wandb"),
    "a quota": kubernetes(refusals={("jobs", "Job"): (403, QUOTA)}),
    "a webhook": kubernetes(
        refusals={("jobs", "Job"): (400, 'admission webhook "images.example.com" denied the request: no tag')}
    ),
    "a field that Kubernetes refuses": kubernetes(
        refusals={("jobs", "Job"): (422, 'Job.batch "x" is invalid: spec.parallelism: Invalid value: -1')}
    ),
    "pods that are refused, as far as the account may ask": kubernetes(
        refused=set(), refusals={("jobs", "Pod"): (403, FORBID)}
    ),
    "pods that have to wait": kubernetes(
        refused=set(), refusals={("jobs", "Pod"): (403, 'pods "x" is forbidden: exceeded quota: gpus')}
    ),
    "a warning of the API server's": kubernetes(
        warnings={("jobs", "Job"): 'would violate PodSecurity \\"restricted:latest\\": runAsNonRoot != true'}
    ),
    "a name for all items": kubernetes(refusals={("jobs", "Job"): (409, 'jobs.batch "train" already exists')}),
    "a config that no item can use": queue(spec=pod(hostNetwork=True)),
    "a config with a misspelt field": queue(spec={**pod(), "backOffLimit": 1}),
    "a Lease without a namespace": environment(POD_NAMESPACE=""),
    "a kubeconfig that is not there": environment(KUBECONFIG="/nowhere/kubeconfig"),
    "no cluster where one is needed": environment(KUBECONFIG=""),
}
USUAL = "skip  registry, bucket, builder  not checked: this agent builds no images yet"


def read_wanted() -> dict[str, tuple[int, list[str]]]:
    """The exit code and the lines of each case."""
    text = (Path(__file__).parent / "check-lines.txt").read_text()
    parts = re.findall(r"^== (.*): exit code (\d)\n((?:.+\n)*)", text, re.MULTILINE)
    return {name: (int(code), lines.splitlines()) for name, code, lines in parts}


WANTED = read_wanted()


@pytest.mark.parametrize("name", sorted(CASES.keys() | WANTED.keys()))
def test_what_is_wrong_gives_its_lines_and_its_exit_code(check: Check, name: str) -> None:
    code, text = check(change=CASES[name])
    body = re.sub(r"check-[0-9a-f]{10}\b", "check-HASH", squeeze(text))
    lines = [line.strip() for line in body.splitlines()[:-1] if not re.match(r"  ok|\S", line)]
    assert (code, lines) == (WANTED[name][0], [USUAL, *WANTED[name][1]])


def test_several_classes_of_failures_give_the_code_of_the_first(check: Check) -> None:
    def change(scene: Scene, _environ: dict[str, str]) -> None:
        scene.wandb.queues = {"cpu": None}
        scene.kubernetes.refused.add(("jobs", "watch pods"))
        scene.kubernetes.secrets = {}

    assert check(change=change)[0] == 3
    assert check("-q", "cpu")[0] == 6


def test_a_queue_that_is_not_there_keeps_no_right_from_being_tried(check: Check) -> None:
    code, text = check(change=wandb(queues={"cpu": None}))
    assert code == 3
    assert "ok    jobs in jobs" in text


def test_the_queue_that_the_agent_makes_itself_is_well(check: Check) -> None:
    code, text = check("-q", "default", change=wandb(queues={}))
    assert code == 0
    assert "is not there yet: the agent makes it when it starts" in text
    assert check("-q", "other", change=wandb(queues={}))[0] == 3


def test_a_machine_that_runs_local_processes_only_needs_no_cluster(check: Check) -> None:
    def change(scene: Scene, environ: dict[str, str]) -> None:
        scene.wandb.queues["gpu"] = ("local-process", {}, {})
        for name in ("KUBECONFIG", "POD_NAMESPACE", "LAUNCH_AGENT_LEASE", "LAUNCH_AGENT_TARGET_NAMESPACES"):
            environ.pop(name)

    code, text = check(change=change)
    why = "no cluster is configured: there is no kubeconfig, and this is no pod"
    assert code == 0
    assert text.count(f"  {why}") == 3


def test_a_cluster_that_no_queue_needs_is_left_alone(check: Check, scene: Scene) -> None:
    def change(found: Scene, environ: dict[str, str]) -> None:
        found.wandb.queues["gpu"] = ("local-process", {}, {})
        for name in ("POD_NAMESPACE", "LAUNCH_AGENT_LEASE"):
            environ.pop(name)

    code, text = check(change=change)
    assert code == 0
    assert "skip  API server                 no queue launches in Kubernetes" in text
    assert scene.kubernetes.asked == []


def test_a_bad_configuration_is_told_whole_and_the_rest_is_skipped(check: Check, scene: Scene) -> None:
    (scene.home / "c.yaml").write_text("queues: []\nmax_jobs: many\nurl: x\n")
    code, text = check("-c", str(scene.home / "c.yaml"))
    lines = squeeze(text).splitlines()
    assert code == 2
    assert lines[0] == "configuration"
    assert [line.split("  ")[1:3] for line in lines if line.startswith("  fail")] == [
        ["fail", "HOME/c.yaml:2:11"],
        ["fail", "HOME/c.yaml:3:1"],
    ]
    assert lines[-1] == "0 ok, 0 warn, 2 fail, 4 skip"
    assert scene.kubernetes.asked == []


GAR = "europe-west4-docker.pkg.dev"


@pytest.mark.parametrize(
    ("key", "status", "code", "line"),
    [
        ("registry: {uri", 200, 0, f"ok registry {GAR} gives a credential to pull images with"),
        (
            "registry: {type: ecr, uri",
            200,
            2,
            f"fail registry registry.type is ecr, but the host {GAR} is Google's",
        ),
        ("registry: {uri", 404, 2, f"fail registry {GAR} There is no access token for the registry {GAR}: the"),
        (
            "builder: {type: noop, destination",
            404,
            0,
            f"warn registry {GAR} jobs get no Secret to pull with: There is no",
        ),
    ],
)
def test_a_registry_that_is_configured_is_asked_for_its_credential(
    check: Check, scene: Scene, serve: Serve, key: str, status: int, code: int, line: str
) -> None:
    server = serve(lambda _request: Reply(status, {"access_token": "ya29.hidden", "expires_in": 60}))
    (scene.home / "c.yaml").write_text(f"queues: [gpu]\n{key}: {GAR}/p/r/i}}\n")
    address = server.url.removeprefix("http://")
    found, text = check("-c", str(scene.home / "c.yaml"), change=environment(GCE_METADATA_HOST=address))
    assert found == code, text
    assert any(" ".join(one.split()).startswith(line) for one in text.splitlines()), text
    assert "bucket, builder" in text
    assert "ya29.hidden" not in text


def test_a_queue_for_another_cluster_is_not_tried_in_this_one(check: Check, scene: Scene) -> None:
    code, text = check(change=queue(configFile="/etc/clusters/b", context="gpu"))
    assert code == 0
    assert "it is for another cluster, which is not tried: context gpu of /etc/clusters/b" in text
    assert not [body for body in scene.kubernetes.tried if body["kind"] == "Job"]


def test_a_sample_of_another_kind_is_tried_with_each_of_its_pods(check: Check, scene: Scene) -> None:
    def replica(image: str) -> dict[str, Any]:
        return {"replicas": 1, "template": {"spec": {"containers": [{"name": "pytorch", "image": image}]}}}

    def change(found: Scene, environ: dict[str, str]) -> None:
        found.kubernetes.refused.discard(("jobs", "create pods"))
        found.kubernetes.kinds["kubeflow.org/v1"] = {"PyTorchJob": "pytorchjobs"}
        replicas = {"Master": replica("a:1"), "Worker": replica("b:1")}
        manifest = {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": {"pytorchReplicaSpecs": replicas}}
        found.wandb.queues["gpu"] = ("kubernetes", {**manifest, "metadata": {"namespace": "jobs"}}, {})

    code, text = check(change=change)
    assert code == 0, text
    tried = [body for body in scene.kubernetes.tried if body["kind"] in {"PyTorchJob", "Pod"}]
    assert [body["kind"] for body in tried] == ["PyTorchJob", "Pod", "Pod"]
    assert [body["spec"]["containers"][0]["image"] for body in tried[1:]] == ["a:1", "b:1"]


def test_json_holds_the_same_checks(check: Check) -> None:
    code, text = check("--output", "json", change=kubernetes(secrets={}))
    found = json.loads(text)
    assert (code, found["ok"]) == (7, False)
    assert {tuple(one) for one in found["checks"]} == {("name", "class", "status", "detail", "resolution")}
    assert [one for one in found["checks"] if one["status"] == "fail"] == [
        {
            "name": "Secret wandb-api-key-rel in jobs",
            "class": "jobs",
            "status": "fail",
            "detail": "is not there, and every job takes its API key from it",
            "resolution": "Create it with the API key as `password`; the chart does so from agent.apiKey",
        }
    ]
    assert len(found["checks"]) == 19


def test_rights_in_every_namespace_are_asked_for_once(check: Check, scene: Scene) -> None:
    code, text = check(change=environment(LAUNCH_AGENT_TARGET_NAMESPACES="*"))
    assert code == 0
    assert "jobs in all namespaces" in text
    assert "namespace jobs" in text
    assert [one for one in scene.kubernetes.asked if one.startswith("jobs ")] == ["jobs create pods"]
    assert "* create jobs batch" in scene.kubernetes.asked


def test_a_namespace_that_a_queue_names_is_tried_beside_the_targets(check: Check) -> None:
    code, text = check(change=environment(LAUNCH_AGENT_TARGET_NAMESPACES="wandb"))
    assert code == 0
    assert {"jobs in jobs", "jobs in wandb"} <= set(re.findall(r"jobs in \w+", text))


def test_a_sample_is_what_a_real_item_would_be_and_holds_no_key(check: Check, scene: Scene) -> None:
    def change(found: Scene, environ: dict[str, str]) -> None:
        del environ["WANDB_RELEASE_NAME"]
        arguments = {
            "metadata": {"namespace": "{{where}}", "labels": {"run": "${run_id}"}},
            "spec": {"parallelism": "{{count}}", **pod()},
        }
        schemas: dict[str, Any] = {"where": {"enum": ["jobs"]}, "count": {"type": "integer", "minimum": 2}}
        found.wandb.queues["gpu"] = ("kubernetes", arguments, schemas)

    code, _ = check(change=change)
    made = {body["kind"]: body for body in scene.kubernetes.tried if body["metadata"]["namespace"] == "jobs"}
    assert code == 0
    assert KEY not in json.dumps(scene.kubernetes.tried)
    job = made["Job"]
    assert (job["spec"]["parallelism"], job["metadata"]["labels"]["run"]) == (2, "launchcheck")
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "train:1"
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_an_agent_without_a_release_makes_a_secret_for_each_job_and_tries_that(check: Check, scene: Scene) -> None:
    def change(_scene: Scene, environ: dict[str, str]) -> None:
        del environ["WANDB_RELEASE_NAME"]

    code, text = check(change=change)
    assert code == 0
    assert "Secret wandb-api-key" not in text
    assert "wandb-api-key-launchcheck" in [body["metadata"]["name"] for body in scene.kubernetes.tried]


def test_a_peer_that_is_not_there_is_told_at_once(check: Check, scene: Scene) -> None:
    code, text = check(change=environment(WANDB_BASE_URL=free_address()))
    assert code == 3
    assert "does not answer. (no connection: Connection refused)" in text
    assert "ok    jobs in jobs" in text


def test_a_wandb_that_says_nothing_costs_its_time_limit_only(check: Check, scene: Scene) -> None:
    hold = threading.Event()

    def change(found: Scene, environ: dict[str, str]) -> None:
        found.wandb.hold = hold
        environ["WANDB_HTTP_TIMEOUT"] = "0.3"

    code, text = check(change=change)
    hold.set()
    assert code == 3
    assert "WANDB does not answer. (no answer within the time limit)" in text
    assert "ok    jobs in jobs" in text


def test_a_certificate_that_is_not_trusted_is_told_and_its_authority_may_be_named(
    scene: Scene, check: Check, serve: Serve, server_tls: ssl.SSLContext, ca: str
) -> None:
    url = serve(scene.wandb.answer, server_tls).url
    (scene.home / "ca.pem").write_text(ca)
    code, text = check(change=environment(WANDB_BASE_URL=url))
    assert code == 3
    assert "TLS: certificate verify failed" in text
    assert "an authority of your own belongs in SSL_CERT_FILE" in text
    assert check(change=environment(WANDB_BASE_URL=url, SSL_CERT_FILE=str(scene.home / "ca.pem")))[0] == 0


def test_a_machine_without_a_namespace_keeps_records_in_a_folder_that_must_be_writable(
    check: Check, scene: Scene
) -> None:
    (scene.home / "taken").write_text("a file")
    outside = environment(POD_NAMESPACE="", LAUNCH_AGENT_LEASE="")
    assert "would be kept in HOME/.local/state/launch-agent" in check(change=outside)[1]
    (scene.home / "c.yaml").write_text("queues: [gpu]\nrecords: taken/records\n")
    code, text = check("-c", str(scene.home / "c.yaml"), change=outside)
    assert code == 2
    assert "can not be kept in HOME/taken/records: HOME/taken is no folder" in text


def test_an_old_kubernetes_is_a_warning(check: Check) -> None:
    code, text = check(change=kubernetes(version={"major": "1", "minor": "27+", "gitVersion": "v1.27.3"}))
    assert code == 0
    assert re.search(r"warn  API server +v1.27.3 at CLUSTER answers .* → Use Kubernetes 1.29 or newer", text)


def test_colour_is_for_terminals_only(check: Check) -> None:
    assert "\033" not in check()[1]
