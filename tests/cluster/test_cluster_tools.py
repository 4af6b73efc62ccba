"""The clusters that tests run on do what ci/README.md says of them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.waiting import wait_until

CI = Path(__file__).resolve().parents[2] / "ci"
Json = dict[str, Any]


def run(script: str, *arguments: str, stdin: str = "") -> str:
    """Run a script of ci/ and return what it printed; an exit code other than 0 raises."""
    command = [str(CI / script), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, f"{script} {arguments}: {done.stderr[-2000:]}"
    return done.stdout


def refuse(script: str, *arguments: str) -> str:
    """Run a script of ci/ that must fail with 1, and return its message."""
    command = [str(CI / script), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


def kubectl(*arguments: str, stdin: str = "", name: str | None = None) -> str:
    return run("inside", *(["--name", name] if name else []), "kubectl", *arguments, stdin=stdin)


def status(name: str) -> Json:
    answer: Json = json.loads(run("cluster", "status", "--json", "--name", name))
    return answer


def start_pod(name: str, image: str = "nowhere/x", command: list[str] | None = None, **annotations: str) -> None:
    marks = {f"sim.launch-agent/{key.replace('_', '-')}": value for key, value in annotations.items()}
    container = {"name": "main", "image": image, "command": command or ["true"]}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": marks},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(pod))


def pod_status(name: str) -> Json:
    answer: Json = json.loads(kubectl("get", "pod", name, "-o", "json"))["status"]
    return answer


def wait_for_phase(name: str, phase: str) -> Json:
    return wait_until(lambda: pod_status(name), 60.0, f"pod {name} {phase}", until=lambda seen: seen["phase"] == phase)


def state_of(seen: Json) -> Json:
    answer: Json = (seen.get("containerStatuses") or [{"state": {}}])[0]["state"]
    return answer


@pytest.fixture
def pod(request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"tools-{abs(hash(request.node.name)) % 10**9}-{os.getpid()}"
    yield name
    kubectl("delete", "pod", name, "--ignore-not-found", "--wait=false")


@pytest.fixture
def spare() -> Iterator[str]:
    """The name of a cluster of this test's own, which is down in the end."""
    name = f"tools-{os.getpid()}"
    yield name
    run("cluster", "down", "--name", name)


@pytest.mark.apiserver
def test_a_cluster_that_is_brought_up_twice_stays_the_same_and_goes_without_a_trace(spare: str) -> None:
    run("cluster", "up", "apiserver", "--name", spare)
    kubectl("create", "configmap", "mark", name=spare)
    run("cluster", "up", "apiserver", "--name", spare)
    assert "mark" in kubectl("get", "configmaps", "-o", "name", name=spare)
    seen = status(spare)
    state = Path(seen["kubeconfig"]).parent.parent
    holder = Path("/proc", (state / "holder").read_text("utf-8").split()[2])
    assert seen["size"] == "apiserver"
    assert seen["daemons"] == {"etcd": True, "kube-apiserver": True}
    assert holder.exists()
    run("cluster", "down", "--name", spare)
    assert status(spare) == {"name": spare, "size": None}
    assert not state.exists()
    wait_until(holder.exists, 10.0, "the holder's end", until=lambda there: not there)


@pytest.mark.apiserver
def test_a_cluster_that_died_is_replaced(spare: str) -> None:
    run("cluster", "up", "apiserver", "--name", spare)
    state = Path(status(spare)["kubeconfig"]).parent.parent
    os.kill(int((state / "holder").read_text("utf-8").split()[0]), 9)
    wait_until(lambda: status(spare)["size"], 10.0, "the cluster's end", until=lambda size: size is None)
    assert "is not up" in refuse("inside", "--name", spare, "true")
    run("cluster", "up", "apiserver", "--name", spare)
    assert "default" in kubectl("get", "namespaces", "-o", "name", name=spare)


@pytest.mark.apiserver
def test_an_api_server_that_was_stopped_comes_back_with_its_objects(spare: str) -> None:
    run("cluster", "up", "apiserver", "--name", spare)
    kubectl("create", "configmap", "mark", name=spare)
    run("cluster", "stop", "kube-apiserver", "--name", spare)
    assert status(spare)["daemons"] == {"etcd": True, "kube-apiserver": False}
    assert "refused" in refuse("inside", "--name", spare, "kubectl", "get", "configmaps")
    run("cluster", "start", "kube-apiserver", "--name", spare)
    assert "mark" in kubectl("get", "configmaps", "-o", "name", name=spare)


@pytest.mark.apiserver
def test_a_command_inside_keeps_its_exit_code_and_is_told_about_the_cluster() -> None:
    told = run("inside", "sh", "-c", "echo $LAUNCH_AGENT_CLUSTER_ADDRESS; getent hosts reg.local")
    assert told.splitlines()[0] == run("cluster", "address").strip()
    assert told.splitlines()[1].split()[0] == run("cluster", "address").strip()
    done = subprocess.run([str(CI / "inside"), "sh", "-c", "exit 7"], check=False, timeout=30)
    assert done.returncode == 7


@pytest.mark.apiserver
def test_a_name_that_is_no_label_is_refused() -> None:
    assert refuse("cluster", "up", "apiserver", "--name", "Not_a_name").startswith("error: cluster name 'Not_a_name':")


@pytest.mark.apiserver
def test_a_binary_that_is_not_pinned_is_refused_by_name() -> None:
    assert refuse("binaries", "helm5").startswith("error: no such binary: helm5; there are: etcd ")


@pytest.mark.sim
def test_a_simulated_pod_runs_until_it_is_told_to_end(pod: str) -> None:
    start_pod(pod)
    assert "running" in state_of(wait_for_phase(pod, "Running"))
    kubectl("annotate", "pod", pod, "sim.launch-agent/exit-code=137", "sim.launch-agent/reason=OOMKilled")
    ended = state_of(wait_for_phase(pod, "Failed"))["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


@pytest.mark.sim
def test_a_simulated_pod_ends_by_itself_when_its_template_says_so(pod: str) -> None:
    start_pod(pod, exit_code="0", after="100ms")
    assert state_of(wait_for_phase(pod, "Succeeded"))["terminated"]["reason"] == "Completed"


@pytest.mark.sim
def test_a_simulated_pod_waits_for_an_image_for_ever(pod: str) -> None:
    start_pod(pod, waiting="ImagePullBackOff")
    seen = wait_until(
        lambda: pod_status(pod), 60.0, "a waiting container", until=lambda seen: "waiting" in state_of(seen)
    )
    assert seen["phase"] == "Pending"
    assert state_of(seen)["waiting"]["reason"] == "ImagePullBackOff"


@pytest.mark.sim
def test_the_audit_log_names_who_did_what(pod: str) -> None:
    start_pod(pod)
    log = Path(os.environ["LAUNCH_AGENT_CLUSTER_AUDIT_LOG"])
    lines = wait_until(
        lambda: [json.loads(line) for line in log.read_text("utf-8").splitlines() if f'"{pod}"' in line],
        20.0,
        "the pod's creation in the audit log",
        until=bool,
    )
    created = next(line for line in lines if line["verb"] == "create" and line["objectRef"]["resource"] == "pods")
    assert created["user"]["username"] == "kubernetes-admin"


@pytest.mark.cluster
def test_a_real_pod_runs_and_reaches_the_api_server_by_its_name(pod: str) -> None:
    (reference, *_) = run("images", "base").split()
    script = "import socket; print(socket.gethostbyname('kubernetes.default.svc'))"
    start_pod(pod, reference, ["python3", "-c", script])
    wait_for_phase(pod, "Succeeded")
    service = json.loads(kubectl("get", "service", "kubernetes", "-o", "json"))["spec"]["clusterIP"]
    assert kubectl("logs", pod).strip() == service


@pytest.mark.cluster
def test_an_image_with_a_folder_added_runs_it(pod: str, tmp_path: Path) -> None:
    (reference, *_) = run("images", "base").split()
    (tmp_path / "hello.py").write_text("print('hello from the layer')", encoding="utf-8")
    tag = f"reg.local:5000/tools:{os.getpid()}"
    run("images", "layer", "--base", reference, "--dir", f"{tmp_path}=/opt/hello", "--tag", tag)
    start_pod(pod, tag, ["python3", "/opt/hello/hello.py"])
    wait_for_phase(pod, "Succeeded")
    assert kubectl("logs", pod).strip() == "hello from the layer"


@pytest.mark.cluster
def test_an_image_that_is_missing_from_the_registry_is_not_found(pod: str) -> None:
    start_pod(pod, "reg.local:5000/none:1")
    seen = wait_until(
        lambda: state_of(pod_status(pod)).get("waiting", {}),
        60.0,
        "the pull's failure",
        until=lambda waiting: waiting.get("reason") in {"ErrImagePull", "ImagePullBackOff"},
    )
    assert "reg.local:5000/none:1: not found" in seen["message"]
