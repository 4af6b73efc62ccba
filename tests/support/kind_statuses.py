"""What the operators write into a status, step by step: sequences for every kind that the agent knows.

Shapes and words are those of the operators' API types and controllers: JobSet, LeaderWorkerSet, Kubeflow's training
operator 1.9 and trainer 2, MPI operator, Volcano, KubeRay 1.6, Argo Workflows 4, Spark operator 2.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from launch_agent.core.models import JobState

Body = dict[str, Any]


def condition(kind: str, reason: str = "", message: str = "", *, value: str = "True") -> Body:
    return {"type": kind, "status": value, "reason": reason, "message": message}


def pod(name: str, phase: str = "Pending", *, node: str = "n1", **metadata: Any) -> Body:
    """A pod of one container; a failed one ended with exit code 1."""
    ends: dict[str, Body] = {
        "Running": {"running": {}},
        "Succeeded": {"terminated": {"exitCode": 0}},
        "Failed": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:10:00Z"}},
    }
    state = ends.get(phase)
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z", **metadata},
        "spec": {"containers": [{"name": "main", "image": "i"}], **({"nodeName": node} if node else {})},
        "status": {"phase": phase, **({"containerStatuses": [{"name": "main", "state": state}]} if state else {})},
    }


@dataclass(frozen=True, slots=True)
class Step:
    """A moment in an object's life: what is seen, and what is to be understood."""

    status: Mapping[str, Any]
    pods: tuple[Body, ...]
    state: JobState
    category: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)
    is_deleted: bool = False

    def body(self, api_version: str, kind: str) -> Body:
        metadata: Body = {"name": "run-1", "uid": "u1", "namespace": "ns"}
        if self.is_deleted:
            metadata["deletionTimestamp"] = "2026-01-01T01:00:00Z"
        body: Body = {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": dict(self.spec)}
        return {**body, **({"status": dict(self.status)} if self.status else {})}


NEW, START, RUN = JobState.UNKNOWN, JobState.STARTING, JobState.RUNNING
DONE, FAIL, STOPPING, TAKEN = JobState.FINISHED, JobState.FAILED, JobState.STOPPING, JobState.PREEMPTED
SUSPENDED = "Suspended"

WAITS = pod("p0", node="")
SCHEDULED = pod("p0")
RUNS = pod("p0", "Running")
WORKS = pod("p0", "Succeeded")
FELL = pod("p0", "Failed")
DISRUPTED: Body = {
    **FELL,
    "status": {**FELL["status"], "conditions": [condition("DisruptionTarget", "PreemptionByScheduler", "preempted")]},
}
DEAD = {"conditions": [condition("Failed", "DeadlineExceeded", "too long")]}


def steps_of_kubeflow(kind: str) -> tuple[Step, ...]:
    """The conditions of all kinds of the training operator 1.9 (and of the MPI operator's v2beta1)."""
    created = condition("Created", f"{kind}Created", f"{kind} run-1 is created.")
    running = condition("Running", f"{kind}Running", f"{kind} ns/run-1 is running.")
    not_running = {**running, "status": "False"}
    succeeded = condition("Succeeded", f"{kind}Succeeded", f"{kind} ns/run-1 successfully completed.")
    failed = condition("Failed", f"{kind}Failed", f"{kind} run-1 is failed because 1 Worker replica(s) failed.")
    late = condition("Failed", f"{kind}Failed", f"{kind} run-1 has failed because it was active longer than specified")
    restarting = condition("Restarting", f"{kind}Restarting", "restarting because 1 Worker replica(s) failed.")
    suspended = condition("Suspended", f"{kind}Suspended", f"{kind} run-1 is suspended.")
    resumed = condition("Suspended", f"{kind}Resumed", f"{kind} run-1 is resumed.", value="False")
    hold = {"runPolicy": {"suspend": True}}
    go = {"runPolicy": {"suspend": False}}
    return (
        Step({}, (), NEW),
        Step({"conditions": [created], "replicaStatuses": {"Worker": {}}}, (), NEW),
        Step({"conditions": [created]}, (WAITS,), NEW),
        Step({"conditions": [created]}, (SCHEDULED,), START),
        Step({"conditions": [created]}, (RUNS, pod("p1")), RUN),
        Step({"conditions": [created, running], "replicaStatuses": {"Worker": {"active": 1}}}, (RUNS,), RUN),
        Step({"conditions": [created, restarting]}, (SCHEDULED,), START),
        Step({"conditions": [created, not_running, succeeded]}, (WORKS,), DONE),
        Step({"conditions": [created, not_running, failed]}, (FELL,), FAIL, "ExitCode"),
        Step({"conditions": [created, not_running, failed]}, (), FAIL, "WorkloadFailed"),
        Step({"conditions": [created, not_running, late]}, (), FAIL, "WorkloadFailed"),
        Step({"conditions": [created, failed]}, (DISRUPTED,), TAKEN, "Disrupted"),
        Step({"conditions": [created, suspended]}, (), NEW, SUSPENDED, spec=hold),
        Step({}, (), NEW, SUSPENDED, spec=hold),
        Step({"conditions": [created, resumed]}, (SCHEDULED,), START, spec=go),
        Step({"conditions": [created, running]}, (RUNS,), STOPPING, is_deleted=True),
        Step({"conditions": [created, succeeded]}, (), DONE, is_deleted=True),
    )


def children(**counts: int) -> list[Body]:
    """One entry of JobSet's and TrainJob's counts of child Jobs."""
    return [{"name": "node", "ready": 0, "succeeded": 0, "failed": 0, "active": 0, "suspended": 0, **counts}]


def steps_of_jobset(field_name: str, done: str) -> tuple[Step, ...]:
    """JobSet, and TrainJob, which passes on what its JobSet says."""
    completed = condition(done, "AllJobsCompleted", "jobset completed successfully")
    failed = condition("Failed", "FailedJobs", "jobset failed due to one or more job failures (first failed job: x)")
    restarts = condition("Failed", "ReachedMaxRestarts", "jobset failed due to reaching max number of restarts")
    suspended = condition("Suspended", "SuspendedJobs", "jobset is suspended")
    resumed = condition("Suspended", "ResumeJobs", "jobset is resumed", value="False")
    return (
        Step({}, (), NEW),
        Step({field_name: children(active=1)}, (), NEW),
        Step({field_name: children(active=1)}, (WAITS,), NEW),
        Step({field_name: children(active=1)}, (SCHEDULED,), START),
        Step({field_name: children(active=1, ready=1)}, (RUNS,), RUN),
        Step({field_name: children(active=1, ready=1)}, (), RUN),
        Step({"conditions": [completed], field_name: children(succeeded=1)}, (WORKS,), DONE),
        Step({"conditions": [failed], field_name: children(failed=1)}, (FELL,), FAIL, "ExitCode"),
        Step({"conditions": [failed]}, (), FAIL, "WorkloadFailed"),
        Step({"conditions": [restarts]}, (), FAIL, "BackoffLimitExceeded"),
        Step(DEAD, (FELL,), FAIL, "DeadlineExceeded"),
        Step({"conditions": [failed]}, (DISRUPTED,), TAKEN, "Disrupted"),
        Step(
            {"conditions": [suspended], field_name: children(suspended=1)}, (), NEW, SUSPENDED, spec={"suspend": True}
        ),
        Step({"conditions": [suspended]}, (), NEW, SUSPENDED),
        Step({"conditions": [resumed], field_name: children(active=1)}, (SCHEDULED,), START, spec={"suspend": False}),
        Step({field_name: children(active=1)}, (RUNS,), STOPPING, is_deleted=True),
    )


def phase(text: str, **beside: str) -> Body:
    """Volcano's state."""
    return {"state": {"phase": text, "lastTransitionTime": "t", **beside}, "conditions": [{"status": text}]}


VOLCANO = (
    Step({}, (), NEW),
    Step(phase("Pending"), (), NEW),
    Step(phase("Pending"), (WAITS,), NEW),
    Step(phase("Pending"), (SCHEDULED,), START),
    Step(phase("Pending"), (RUNS, pod("p1")), RUN),
    Step(phase("Running"), (RUNS,), RUN),
    Step(phase("Restarting"), (), NEW),
    Step(phase("Completing"), (RUNS,), RUN),
    Step(phase("Completed"), (WORKS,), DONE),
    Step(phase("Failed", reason="JobFailed", message="task failed"), (FELL,), FAIL, "ExitCode"),
    Step(phase("Failed", message="task failed"), (), FAIL, "WorkloadFailed"),
    Step(phase("Aborting"), (RUNS,), STOPPING),
    Step(phase("Aborted"), (), FAIL, "WorkloadFailed"),
    Step(phase("Terminating"), (RUNS,), STOPPING),
    Step(phase("Terminated"), (), FAIL, "WorkloadFailed"),
    Step(phase("Failed"), (DISRUPTED,), TAKEN, "Disrupted"),
    Step(phase("Running"), (RUNS,), STOPPING, is_deleted=True),
)


def ray(deployment: str, job: str = "", **more: str) -> Body:
    return {"jobDeploymentStatus": deployment, "jobStatus": job, "rayClusterName": "run-1-abcde", **more}


RAY_JOB = (
    Step({}, (), NEW),
    Step(ray("Initializing"), (), NEW),
    Step(ray("Initializing"), (SCHEDULED,), START),
    Step(ray("Running", "PENDING"), (RUNS,), RUN),
    Step(ray("Running", "RUNNING"), (RUNS,), RUN),
    Step(ray("Running", "FAILED"), (RUNS,), RUN),  # it may be tried again: the deployment decides
    Step(ray("Retrying", "FAILED"), (), NEW),
    Step(ray("Complete", "SUCCEEDED"), (RUNS,), DONE),
    Step(ray("Complete", "FAILED"), (), FAIL, "WorkloadFailed"),
    Step(ray("Complete", "STOPPED"), (RUNS,), JobState.STOPPED),
    Step(ray("Failed", "FAILED", reason="AppFailed", message="exit code 1"), (RUNS,), FAIL, "WorkloadFailed"),
    Step(ray("Failed", reason="DeadlineExceeded", message="late"), (RUNS,), FAIL, "DeadlineExceeded"),
    Step(ray("ValidationFailed", reason="ValidationFailed", message="bad"), (), FAIL, "WorkloadFailed"),
    Step(ray("Suspending"), (), NEW, SUSPENDED, spec={"suspend": True}),
    Step(ray("Suspended"), (), NEW, SUSPENDED, spec={"suspend": True}),
    Step(ray("Suspended"), (), NEW, SUSPENDED),
    Step(ray("Waiting"), (RUNS,), RUN),
    Step(ray("Running", "RUNNING"), (RUNS,), STOPPING, is_deleted=True),
)

RAY_CLUSTER = (
    Step({}, (), NEW),
    Step({"conditions": [condition("HeadPodReady", value="False")]}, (SCHEDULED,), START),
    Step({"conditions": [condition("HeadPodReady")]}, (RUNS,), RUN),
    Step({"state": "ready", "conditions": [condition("RayClusterProvisioned")]}, (RUNS,), RUN),
    Step({"state": "ready"}, (), RUN),
    Step({"state": "failed", "reason": "no such namespace"}, (), NEW),
    Step({"state": "suspended", "conditions": [condition("RayClusterSuspended")]}, (), NEW, SUSPENDED),
    Step({}, (), NEW, SUSPENDED, spec={"suspend": True}),
    Step({"state": "ready"}, (RUNS,), STOPPING, is_deleted=True),
)

LEADER_WORKER_SET = (
    Step({}, (), NEW),
    Step({"conditions": [condition("Progressing", "GroupsProgressing")]}, (), NEW),
    Step({"conditions": [condition("Progressing", "GroupsProgressing")]}, (SCHEDULED,), START),
    Step({"conditions": [condition("Progressing")]}, (RUNS, pod("p1")), RUN),
    Step(
        {"conditions": [condition("Progressing", value="False"), condition("Available", "AllGroupsReady")]},
        (RUNS,),
        RUN,
    ),
    Step({"conditions": [condition("UpdateInProgress", "GroupsUpdating")]}, (SCHEDULED,), START),
    Step({"conditions": [condition("Available")]}, (RUNS,), STOPPING, is_deleted=True),
)

ARGO = (
    Step({}, (), NEW),
    Step({"phase": "Pending", "message": "Workflow processing has been postponed"}, (), NEW),
    Step({"phase": "Pending"}, (SCHEDULED,), START),
    Step({"phase": "Running", "conditions": [condition("PodRunning", value="False")]}, (SCHEDULED,), RUN),
    Step({"phase": "Running", "conditions": [condition("PodRunning")]}, (RUNS,), RUN),
    Step({"phase": "Running"}, (), NEW, SUSPENDED, spec={"suspend": True}),
    Step({"phase": "Running"}, (RUNS,), RUN, spec={"suspend": True}),
    Step({"phase": "Succeeded", "conditions": [condition("Completed")]}, (WORKS,), DONE),
    Step(
        {"phase": "Failed", "message": "child failed", "conditions": [condition("Completed")]},
        (FELL,),
        FAIL,
        "ExitCode",
    ),
    Step({"phase": "Failed", "message": "Max duration limit exceeded"}, (), FAIL, "WorkloadFailed"),
    Step({"phase": "Error", "message": "invalid spec"}, (), FAIL, "WorkloadFailed"),
    Step({"phase": "Running"}, (RUNS,), STOPPING, is_deleted=True),
)


def spark(state: str, message: str = "") -> Body:
    return {"applicationState": {"state": state, **({"errorMessage": message} if message else {})}}


SPARK = (
    Step({}, (), NEW),
    Step(spark(""), (), NEW),
    Step(spark("SUBMITTED"), (), NEW),
    Step(spark("SUBMITTED"), (SCHEDULED,), START),
    Step(spark("RUNNING"), (RUNS,), RUN),
    Step(spark("SUCCEEDING"), (WORKS,), RUN),
    Step(spark("COMPLETED"), (WORKS,), DONE),
    Step(spark("FAILING"), (FELL,), RUN),
    Step(spark("PENDING_RERUN"), (), NEW),
    Step(spark("SUBMISSION_FAILED", "no such image"), (), NEW),
    Step(spark("FAILED", "driver container failed with ExitCode: 1"), (FELL,), FAIL, "ExitCode"),
    Step(spark("FAILED", "driver pod not found"), (), FAIL, "WorkloadFailed"),
    Step(spark("SUSPENDED"), (), NEW, SUSPENDED, spec={"suspend": True}),
    Step(spark("UNKNOWN"), (RUNS,), RUN),
    Step(spark("RUNNING"), (RUNS,), STOPPING, is_deleted=True),
)

JOB = (
    Step({}, (), NEW),
    Step({"active": 1}, (WAITS,), NEW),
    Step({"active": 1, "ready": 0}, (SCHEDULED,), START),
    Step({"active": 1, "ready": 1}, (RUNS,), RUN),
    Step(
        {"active": 3, "succeeded": 1},
        (pod("p1", "Succeeded"), SCHEDULED),
        RUN,
        spec={"parallelism": 4, "completions": 4},
    ),
    Step({"active": 1, "failed": 1}, (pod("p1", "Failed"), SCHEDULED), START, spec={"backoffLimit": 3}),
    Step(
        {"active": 2, "completedIndexes": "0-1", "succeeded": 2},
        (pod("p1", "Succeeded"), RUNS),
        RUN,
        spec={"completionMode": "Indexed", "completions": 4},
    ),
    Step({"conditions": [condition("SuccessCriteriaMet")], "succeeded": 1}, (WORKS, pod("p1", "Running")), DONE),
    Step({"conditions": [condition("Complete")], "succeeded": 4, "completedIndexes": "0-3"}, (WORKS,), DONE),
    Step({"conditions": [condition("Failed", "BackoffLimitExceeded")]}, (FELL,), FAIL, "ExitCode"),
    Step(
        {"conditions": [condition("Failed", "FailedIndexes")], "failedIndexes": "1", "succeeded": 3},
        (WORKS,),
        FAIL,
        "BackoffLimitExceeded",
        spec={"completionMode": "Indexed", "completions": 4, "backoffLimitPerIndex": 0},
    ),
    Step({"conditions": [condition("Failed", "DeadlineExceeded")]}, (FELL,), FAIL, "DeadlineExceeded"),
    Step({"conditions": [condition("Failed", "PodFailurePolicy")]}, (), FAIL, "PodFailurePolicy"),
    Step({"conditions": [condition("Failed", "BackoffLimitExceeded")]}, (DISRUPTED,), TAKEN, "Disrupted"),
    Step({"conditions": [condition("Suspended", "JobSuspended")]}, (), NEW, SUSPENDED, spec={"suspend": True}),
    Step({"conditions": [condition("Suspended", "JobResumed", value="False")]}, (RUNS,), RUN, spec={"suspend": False}),
    Step({"active": 1}, (RUNS,), STOPPING, is_deleted=True),
)


def lone(body: Body) -> Step:
    """The step of a pod that is the workload itself."""
    states = {"Running": RUN, "Succeeded": DONE, "Failed": FAIL}
    state = states.get(body["status"]["phase"], START if "nodeName" in body["spec"] else NEW)
    return Step(body["status"], (), state, "ExitCode" if state is FAIL else "", spec=body["spec"])


POD = (
    lone(WAITS),
    lone(SCHEDULED),
    lone(RUNS),
    lone(WORKS),
    lone(FELL),
    Step({"phase": "Failed", "reason": "Evicted", "message": "low on memory"}, (), FAIL, "Evicted"),
    Step(DISRUPTED["status"], (), TAKEN, "Disrupted", spec=DISRUPTED["spec"]),
    Step(
        {"phase": "Pending", "conditions": [condition("PodScheduled", "Unschedulable", "0/3 nodes", value="False")]},
        (),
        NEW,
        "Unschedulable",
    ),
    Step(
        {"phase": "Pending", "conditions": [condition("PodScheduled", "SchedulingGated", "gated", value="False")]},
        (),
        NEW,
        SUSPENDED,
    ),
    Step(RUNS["status"], (), STOPPING, spec=RUNS["spec"], is_deleted=True),
)

SEQUENCES: Mapping[tuple[str, str], tuple[Step, ...]] = {
    ("batch/v1", "Job"): JOB,
    ("v1", "Pod"): POD,
    ("jobset.x-k8s.io/v1alpha2", "JobSet"): steps_of_jobset("replicatedJobsStatus", "Completed"),
    ("trainer.kubeflow.org/v1alpha1", "TrainJob"): steps_of_jobset("jobsStatus", "Complete"),
    ("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet"): LEADER_WORKER_SET,
    **{
        ("kubeflow.org/v1", kind): steps_of_kubeflow(kind)
        for kind in ("PyTorchJob", "TFJob", "XGBoostJob", "PaddleJob", "JAXJob", "MPIJob")
    },
    ("kubeflow.org/v2beta1", "MPIJob"): steps_of_kubeflow("MPIJob"),
    ("batch.volcano.sh/v1alpha1", "Job"): VOLCANO,
    ("ray.io/v1", "RayJob"): RAY_JOB,
    ("ray.io/v1", "RayCluster"): RAY_CLUSTER,
    ("argoproj.io/v1alpha1", "Workflow"): ARGO,
    ("sparkoperator.k8s.io/v1beta2", "SparkApplication"): SPARK,
}
"""(apiVersion, kind) → the moments of its life."""
