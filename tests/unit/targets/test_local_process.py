"""Processes for real: started, seen, found again, ended."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from launch_agent.core.events import Observed
from launch_agent.core.models import JobState, ObjectRef, Observation, Plan
from launch_agent.errors import RefusedError
from launch_agent.targets.base import Notice
from launch_agent.targets.local_process import LocalProcessTarget


def plan_of(*command: str, env: dict[str, str] | None = None) -> Plan:
    body = {
        "apiVersion": "launch-agent/v1",
        "kind": "Process",
        "metadata": {"name": "launch-one"},
        "spec": {"command": list(command), "env": env or {}, "workingDir": None},
    }
    return Plan(body)


def target_in(home: Path, notices: list[Notice] | None = None) -> LocalProcessTarget:
    kept = notices if notices is not None else []
    return LocalProcessTarget(home, {"PATH": os.environ["PATH"], "WANDB_API_KEY": "agent-key"}, kept.append)


def wait_for(target: LocalProcessTarget, ref: ObjectRef, *states: JobState) -> Observation:
    waiting = threading.Event()
    for _ in range(400):
        seen = target.look(ref)
        if seen.state in states:
            return seen
        waiting.wait(0.025)
    raise AssertionError(f"still {seen.state} after 10 s, wanted {states}")


def test_a_command_runs_with_its_environment_and_its_output_is_kept(tmp_path: Path) -> None:
    target = target_in(tmp_path)
    ref = target.create(
        plan_of("sh", "-c", 'echo "run $WANDB_RUN_ID key $WANDB_API_KEY"', env={"WANDB_RUN_ID": "r1"}), "i"
    )
    seen = wait_for(target, ref, JobState.FINISHED)
    assert target.tail(ref, seen) == "run r1 key \n"


def test_a_command_that_fails_tells_its_exit_code(tmp_path: Path) -> None:
    target = target_in(tmp_path)
    ref = target.create(plan_of("sh", "-c", "echo gone wrong >&2; exit 7"), "i")
    seen = wait_for(target, ref, JobState.FAILED)
    assert seen.diagnosis is not None
    assert seen.diagnosis.summary == "The process ended with exit code 7."
    assert target.tail(ref, seen) == "gone wrong\n"


def test_a_process_is_started_once_though_it_is_created_twice(tmp_path: Path) -> None:
    target = target_in(tmp_path / "home")
    mark = tmp_path / "mark"
    plan = plan_of("sh", "-c", f"echo once >>{mark}")
    ref = target.create(plan, "i")
    target.create(plan, "i")
    wait_for(target, ref, JobState.FINISHED)
    assert mark.read_text() == "once\n"


def test_a_new_agent_finds_a_process_that_an_old_one_started(tmp_path: Path) -> None:
    ref = target_in(tmp_path).create(plan_of("sh", "-c", "read line </dev/null; exec sleep 30"), "i")
    new = target_in(tmp_path)
    assert wait_for(new, ref, JobState.RUNNING).state is JobState.RUNNING
    new.delete(ref)
    assert wait_for(new, ref, JobState.FAILED).diagnosis is not None


def test_a_process_that_was_never_started_is_missing(tmp_path: Path) -> None:
    assert target_in(tmp_path).look(ObjectRef("launch-agent/v1", "Process", "", "x")).state is JobState.MISSING


def test_a_command_that_does_not_exist_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="'no-such-program' is not found"):
        target_in(tmp_path).create(plan_of("no-such-program"), "i")


def test_changes_are_posted_once_for_each_followed_process(tmp_path: Path) -> None:
    notices: list[Notice] = []
    target = target_in(tmp_path, notices)
    ref = target.create(plan_of(sys.executable, "-c", "pass"), "i")
    target.follow("i", ref)
    wait_for(target, ref, JobState.FINISHED)
    target.sweep()
    target.sweep()
    (notice,) = notices
    assert list(target.absorb(notice)) == [("i", Observed(Observation(JobState.FINISHED, pod="launch-one")))]
    target.forget("i")
    target.sweep()
    assert len(notices) == 1


REF = ObjectRef("launch-agent/v1", "Process", "", "launch-one")


def test_an_agent_killed_just_before_the_start_leaves_nothing_that_waits_and_the_next_one_starts_it(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "launch-one"
    folder.mkdir()
    for name in ("item", "lock", "started"):
        (folder / name).touch()
    target = target_in(tmp_path)
    assert target.look(REF).state is JobState.MISSING
    target.create(plan_of("sh", "-c", "echo ran"), "i")
    seen = wait_for(target, REF, JobState.FINISHED)
    assert target.tail(REF, seen) == "ran\n"


def test_a_process_whose_agent_was_killed_before_it_wrote_its_id_is_followed_and_can_be_stopped(tmp_path: Path) -> None:
    target_in(tmp_path).create(plan_of("sleep", "30"), "i")
    until_begun(tmp_path / "launch-one")
    (tmp_path / "launch-one" / "pid").unlink()
    new = target_in(tmp_path)
    new.create(plan_of("sh", "-c", "exit 9"), "i")  # it runs: it is not started again
    assert new.look(REF).state is JobState.RUNNING
    new.delete(REF)
    wait_for(new, REF, JobState.FAILED)


def test_a_process_killed_with_its_agent_is_not_started_again(tmp_path: Path) -> None:
    target_in(tmp_path).create(plan_of("sleep", "30"), "i")
    folder = tmp_path / "launch-one"
    os.killpg(until_begun(folder), signal.SIGKILL)
    (folder / "pid").unlink()
    new = target_in(tmp_path)
    new.create(plan_of("sh", "-c", "exit 0"), "i")
    seen = wait_for(new, REF, JobState.FAILED)
    assert seen.diagnosis is not None
    assert seen.diagnosis.category == "Killed"


def test_a_process_that_is_being_started_is_waited_for(tmp_path: Path) -> None:
    folder = tmp_path / "launch-one"
    folder.mkdir()
    (folder / "started").touch()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert target_in(tmp_path).look(REF).state is JobState.STARTING


DYING = """
import os, signal, sys
from pathlib import Path
from tests.unit.targets.test_local_process import plan_of, target_in

home, point = Path(sys.argv[1]), sys.argv[2]


def die(event, args):
    if event == point and (point != "os.rename" or str(args[0]).endswith("pid.new")):
        os.kill(os.getpid(), signal.SIGKILL)


sys.addaudithook(die)
target_in(home).create(plan_of("sh", "-c", "echo ran"), "i")
"""


@pytest.mark.parametrize("point", ["fcntl.flock", "subprocess.Popen", "os.rename"])
def test_a_real_kill_in_the_middle_of_a_start_ends_in_one_run_of_the_command(tmp_path: Path, point: str) -> None:
    done = subprocess.run([sys.executable, "-c", DYING, str(tmp_path), point], timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    target = target_in(tmp_path)
    target.create(plan_of("sh", "-c", "echo ran"), "i")
    seen = wait_for(target, REF, JobState.FINISHED)
    assert target.tail(REF, seen) == "ran\n"


def until_begun(folder: Path) -> int:
    waiting = threading.Event()
    for _ in range(400):
        if (folder / "begun").exists():
            return int((folder / "begun").read_text())
        waiting.wait(0.025)
    raise AssertionError("the process did not begin within 10 s")
