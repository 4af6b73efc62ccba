"""The kinds that the agent knows, as data. Each operator's own API types are the source of its row."""

from __future__ import annotations

from launch_agent.core.kind_facts import Entry, Kind, PodTemplate, States
from launch_agent.core.models import JobState

_STARTING, _RUNNING, _STOPPING = JobState.STARTING, JobState.RUNNING, JobState.STOPPING
_FINISHED, _FAILED, _WAITING = JobState.FINISHED, JobState.FAILED, JobState.UNKNOWN

_KUBEFLOW = States(
    conditions={
        "created": _STARTING,
        "running": _RUNNING,
        "restarting": _STARTING,
        "succeeded": _FINISHED,
        "failed": _FAILED,
        "suspended": _WAITING,
    }
)


def _kubeflow(kind: str, field: str, main: str, *roles: str) -> Kind:
    """A job of the Kubeflow training operator: replicas by role, the leading ones first."""
    return Kind(
        group="kubeflow.org",
        kind=kind,
        templates=(
            *(PodTemplate(f"spec.{field}.{role}.template", main) for role in roles),
            PodTemplate(f"spec.{field}.*.template", main),
        ),
        states=_KUBEFLOW,
        ttl="spec.runPolicy.ttlSecondsAfterFinished",
        suspend="spec.runPolicy.suspend",
        name_limit=45,
    )


_ENDLESS = "It runs until it is deleted, so the item would never end. Launch a Job instead."
_OBJECT = "It starts no pods of its own that could be followed. Launch a Job instead."


def _refuse(group: str, refusal: str, *kinds: str) -> tuple[Kind, ...]:
    return tuple(Kind(group=group, kind=kind, refusal=refusal) for kind in kinds)


BUILT_IN: tuple[Kind, ...] = (
    Kind(
        group="batch",
        kind="Job",
        templates=(PodTemplate("spec.template"),),
        ttl="spec.ttlSecondsAfterFinished",
        suspend="spec.suspend",
    ),
    Kind(
        group="",
        kind="Pod",
        templates=(PodTemplate(""),),
        states=States(
            phases=(
                (
                    "status.phase",
                    {"pending": _STARTING, "running": _RUNNING, "succeeded": _FINISHED, "failed": _FAILED},
                ),
            )
        ),
        name_limit=63,
    ),
    Kind(
        group="jobset.x-k8s.io",
        kind="JobSet",
        templates=(PodTemplate("spec.replicatedJobs[].template.spec.template"),),
        pod_metadata=("spec.replicatedJobs[].template.metadata",),
        states=States(
            conditions={"completed": _FINISHED, "failed": _FAILED, "suspended": _WAITING},
        ),
        ttl="spec.ttlSecondsAfterFinished",
        suspend="spec.suspend",
        name_limit=36,
    ),
    _kubeflow("PyTorchJob", "pytorchReplicaSpecs", "pytorch", "Master"),
    _kubeflow("TFJob", "tfReplicaSpecs", "tensorflow", "Chief", "Master"),
    _kubeflow("XGBoostJob", "xgbReplicaSpecs", "xgboost", "Master"),
    _kubeflow("PaddleJob", "paddleReplicaSpecs", "paddle", "Master"),
    _kubeflow("JAXJob", "jaxReplicaSpecs", "jax"),
    _kubeflow("MPIJob", "mpiReplicaSpecs", "", "Launcher"),
    Kind(
        group="trainer.kubeflow.org",
        kind="TrainJob",
        containers=("spec.trainer",),
        states=States(conditions={"complete": _FINISHED, "failed": _FAILED, "suspended": _WAITING}),
        suspend="spec.suspend",
        name_limit=40,
        pod_selector="jobset.sigs.k8s.io/jobset-name={name}",
    ),
    Kind(
        group="batch.volcano.sh",
        kind="Job",
        templates=(PodTemplate("spec.tasks[].template"),),
        states=States(
            phases=(
                (
                    "status.state.phase",
                    {
                        "pending": _STARTING,
                        "aborting": _STOPPING,
                        "aborted": _FAILED,
                        "running": _RUNNING,
                        "restarting": _STARTING,
                        "completing": _RUNNING,
                        "completed": _FINISHED,
                        "terminating": _STOPPING,
                        "terminated": _FAILED,
                        "failed": _FAILED,
                    },
                ),
            )
        ),
        ttl="spec.ttlSecondsAfterFinished",
        name_limit=45,
    ),
    Kind(
        group="ray.io",
        kind="RayJob",
        templates=(
            PodTemplate("spec.submitterPodTemplate"),
            PodTemplate("spec.rayClusterSpec.headGroupSpec.template"),
            PodTemplate("spec.rayClusterSpec.workerGroupSpecs[].template"),
        ),
        states=States(
            phases=(
                (
                    "status.jobDeploymentStatus",
                    {
                        "initializing": _STARTING,
                        "waiting": _STARTING,
                        "retrying": _STARTING,
                        "failed": _FAILED,
                        "suspended": _WAITING,
                        "suspending": _WAITING,
                    },
                ),
                (
                    "status.jobStatus",
                    {
                        "pending": _STARTING,
                        "running": _RUNNING,
                        "succeeded": _FINISHED,
                        "failed": _FAILED,
                        "stopped": _FAILED,
                    },
                ),
            )
        ),
        entry=Entry.TEXT,
        entrypoint="spec.entrypoint",
        ttl="spec.ttlSecondsAfterFinished",
        suspend="spec.suspend",
        name_limit=47,
    ),
    Kind(
        group="ray.io",
        kind="RayCluster",
        templates=(PodTemplate("spec.headGroupSpec.template"), PodTemplate("spec.workerGroupSpecs[].template")),
        states=States(phases=(("status.state", {"ready": _RUNNING, "failed": _STARTING, "suspended": _WAITING}),)),
        is_endless=True,
        entry=Entry.NOWHERE,
        suspend="spec.suspend",
        name_limit=50,
    ),
    Kind(
        group="leaderworkerset.x-k8s.io",
        kind="LeaderWorkerSet",
        templates=(
            PodTemplate("spec.leaderWorkerTemplate.leaderTemplate"),
            PodTemplate("spec.leaderWorkerTemplate.workerTemplate"),
        ),
        states=States(conditions={"available": _RUNNING, "progressing": _STARTING, "updateinprogress": _STARTING}),
        is_endless=True,
        name_limit=45,
    ),
    Kind(
        group="argoproj.io",
        kind="Workflow",
        containers=(
            "spec.templates[].container",
            "spec.templates[].script",
            "spec.templates[].containerSet.containers[]",
        ),
        pod_metadata=("spec.podMetadata",),
        pod_spec="spec",
        states=States(
            phases=(
                (
                    "status.phase",
                    {
                        "pending": _STARTING,
                        "running": _RUNNING,
                        "succeeded": _FINISHED,
                        "failed": _FAILED,
                        "error": _FAILED,
                    },
                ),
            )
        ),
        entry=Entry.NOWHERE,
        ttl="spec.ttlStrategy.secondsAfterCompletion",
        suspend="spec.suspend",
        pod_selector="workflows.argoproj.io/workflow={name}",
    ),
    Kind(
        group="sparkoperator.k8s.io",
        kind="SparkApplication",
        containers=("spec.driver", "spec.executor"),
        pod_metadata=("spec.driver", "spec.executor"),
        pod_spec="spec",
        states=States(
            phases=(
                (
                    "status.applicationState.state",
                    {
                        "submitted": _STARTING,
                        "running": _RUNNING,
                        "succeeding": _RUNNING,
                        "failing": _RUNNING,
                        "completed": _FINISHED,
                        "failed": _FAILED,
                        "submission_failed": _STARTING,
                        "pending_rerun": _STARTING,
                    },
                ),
            )
        ),
        entry=Entry.NOWHERE,
        ttl="spec.timeToLiveSeconds",
        name_limit=45,
    ),
    *_refuse("batch", "It makes Jobs by the clock; an item is launched once. Use a Job.", "CronJob"),
    *_refuse("apps", _ENDLESS, "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
    *_refuse("", _ENDLESS, "ReplicationController"),
    *_refuse("ray.io", "It serves until it is deleted, so the item would never end. Use a RayJob.", "RayService"),
)
