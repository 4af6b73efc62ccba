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


def _kubeflow(kind: str, field: str, main: str, leaders: tuple[str, ...], entry: Entry = Entry.EACH) -> Kind:
    """A job of Kubeflow's training operator v1: replicas by role. Its webhooks insist on ``main``, but for MPI.

    Pods are ``<name>-<role>-<number>``, each with a Service of that name: a DNS-1035 label.
    """
    return Kind(
        group="kubeflow.org",
        kind=kind,
        templates=tuple(PodTemplate(f"spec.{field}.{role}.template", main) for role in (*leaders, "Worker", "*")),
        states=_KUBEFLOW,
        entry=entry,
        ttl="spec.runPolicy.ttlSecondsAfterFinished",
        suspend="spec.runPolicy.suspend",
        name_limit=45,
        lead=("training.kubeflow.org/job-role=master", "training.kubeflow.org/job-role=launcher"),
    )


def _phase(path: str, **texts: JobState) -> States:
    """A kind whose state is one text."""
    return States(phases=((path, texts),))


def _refuse(group: str, refusal: str, *kinds: str) -> tuple[Kind, ...]:
    return tuple(Kind(group=group, kind=kind, refusal=refusal) for kind in kinds)


_KUBERNETES: tuple[Kind, ...] = (
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
        states=_phase("status.phase", pending=_STARTING, running=_RUNNING, succeeded=_FINISHED, failed=_FAILED),
        name_limit=63,
    ),
    Kind(
        group="jobset.x-k8s.io",
        kind="JobSet",
        templates=(PodTemplate("spec.replicatedJobs[].template.spec.template"),),
        states=States(conditions={"completed": _FINISHED, "failed": _FAILED, "suspended": _WAITING}),
        ttl="spec.ttlSecondsAfterFinished",
        suspend="spec.suspend",
        name_limit=44,  # less the longest role's name; pods: <name>-<role>-<job>-<index>-abcde, at most 63
        role_names="spec.replicatedJobs[].name",
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
        entry=Entry.LEAD,
        name_limit=45,  # StatefulSets <name>-<group>, whose pods carry that and a hash as a label
        lead=("leaderworkerset.sigs.k8s.io/worker-index=0",),
    ),
)

_KUBEFLOW_KINDS: tuple[Kind, ...] = (
    _kubeflow("PyTorchJob", "pytorchReplicaSpecs", "pytorch", ("Master",)),
    _kubeflow("TFJob", "tfReplicaSpecs", "tensorflow", ("Chief", "Master")),
    _kubeflow("XGBoostJob", "xgbReplicaSpecs", "xgboost", ("Master",)),
    _kubeflow("PaddleJob", "paddleReplicaSpecs", "paddle", ("Master",)),
    _kubeflow("JAXJob", "jaxReplicaSpecs", "jax", ()),
    # v1 (training operator) and v2beta1 (MPI operator) alike; workers only wait for the launcher's calls
    _kubeflow("MPIJob", "mpiReplicaSpecs", "", ("Launcher",), Entry.LEAD),
    Kind(
        group="trainer.kubeflow.org",
        kind="TrainJob",
        containers=("spec.trainer",),
        states=States(conditions={"complete": _FINISHED, "failed": _FAILED, "suspended": _WAITING}),
        suspend="spec.suspend",
        name_limit=32,  # a JobSet of that name, with pods <name>-dataset-initializer-0-0-abcde
        pod_selector="jobset.sigs.k8s.io/jobset-name={name}",
        lead=("jobset.sigs.k8s.io/replicatedjob-name=launcher", "jobset.sigs.k8s.io/replicatedjob-name=node"),
        log_container="node",
    ),
)

_VOLCANO = Kind(
    group="batch.volcano.sh",
    kind="Job",
    templates=(PodTemplate("spec.tasks[].template"),),
    states=_phase(
        "status.state.phase",
        pending=_WAITING,  # until its queue lets it; pods that are there say more
        running=_RUNNING,
        restarting=_STARTING,
        completing=_RUNNING,
        completed=_FINISHED,
        failed=_FAILED,
        aborting=_STOPPING,
        aborted=_FAILED,
        terminating=_STOPPING,
        terminated=_FAILED,
    ),
    ttl="spec.ttlSecondsAfterFinished",
    name_limit=54,  # less the longest task's name; pods: <name>-<task>-<number>, at most 63
    role_names="spec.tasks[].name",
)

_RAY: tuple[Kind, ...] = (
    Kind(
        group="ray.io",
        kind="RayJob",
        templates=(  # the head runs the driver
            PodTemplate("spec.rayClusterSpec.headGroupSpec.template"),
            PodTemplate("spec.rayClusterSpec.workerGroupSpecs[].template"),
            PodTemplate("spec.submitterPodTemplate"),
        ),
        states=States(
            phases=(
                (
                    "status.jobDeploymentStatus",  # goes first: a failed attempt may be tried again
                    {
                        "initializing": _STARTING,
                        "running": _RUNNING,
                        "retrying": _STARTING,
                        "failed": _FAILED,
                        "validationfailed": _FAILED,
                        "suspending": _WAITING,
                        "suspended": _WAITING,
                        "waiting": _WAITING,
                    },
                ),
                (
                    "status.jobStatus",
                    {
                        "pending": _STARTING,
                        "running": _RUNNING,
                        "succeeded": _FINISHED,
                        "failed": _FAILED,
                        "stopped": JobState.STOPPED,
                    },
                ),
            )
        ),
        entry=Entry.TEXT,
        entrypoint="spec.entrypoint",
        # its ttlSecondsAfterFinished is the cluster's, not its own, and valid with shutdownAfterJobFinishes only
        suspend="spec.suspend",
        name_limit=47,  # KubeRay's own limit
        lead=("ray.io/node-type=head",),
    ),
    Kind(
        group="ray.io",
        kind="RayCluster",
        templates=(PodTemplate("spec.headGroupSpec.template"), PodTemplate("spec.workerGroupSpecs[].template")),
        states=States(
            phases=(("status.state", {"ready": _RUNNING, "suspended": _WAITING}),),
            conditions={
                "rayclusterprovisioned": _RUNNING,
                "headpodready": _RUNNING,
                "rayclustersuspending": _WAITING,
                "rayclustersuspended": _WAITING,
            },
        ),
        is_endless=True,
        entry=Entry.NOWHERE,
        suspend="spec.suspend",
        name_limit=50,  # KubeRay allows 53
        lead=("ray.io/node-type=head",),
    ),
)

_ARGO = Kind(
    group="argoproj.io",
    kind="Workflow",
    containers=("spec.templates[].container", "spec.templates[].script", "spec.templates[].containerSet.containers[]"),
    pod_metadata=("spec.podMetadata",),
    pod_spec="spec",
    states=_phase(
        "status.phase", pending=_WAITING, running=_RUNNING, succeeded=_FINISHED, failed=_FAILED, error=_FAILED
    ),
    entry=Entry.NOWHERE,
    ttl="spec.ttlStrategy.secondsAfterCompletion",
    suspend="spec.suspend",
    log_container="main",
)

_SPARK = Kind(
    group="sparkoperator.k8s.io",
    kind="SparkApplication",
    containers=("spec.driver", "spec.executor"),
    pod_metadata=("spec.driver", "spec.executor"),
    states=_phase(
        "status.applicationState.state",
        submitted=_STARTING,
        running=_RUNNING,
        succeeding=_RUNNING,
        failing=_RUNNING,
        invalidating=_STARTING,
        pending_rerun=_STARTING,
        submission_failed=_STARTING,  # tried again, else it becomes FAILED
        resuming=_STARTING,
        suspending=_WAITING,
        suspended=_WAITING,
        completed=_FINISHED,
        failed=_FAILED,
    ),
    entry=Entry.NOWHERE,
    ttl="spec.timeToLiveSeconds",
    suspend="spec.suspend",
    name_limit=45,  # the driver's pod: <name>-driver, its Services longer
    lead=("spark-role=driver",),
    log_container="spark-kubernetes-driver",
)

_ENDLESS = "It runs until it is deleted, so the item would never end. Launch a Job instead."

BUILT_IN: tuple[Kind, ...] = (
    *_KUBERNETES,
    *_KUBEFLOW_KINDS,
    _VOLCANO,
    *_RAY,
    _ARGO,
    _SPARK,
    *_refuse("batch", "It makes Jobs by the clock, and an item is launched once. Launch a Job instead.", "CronJob"),
    *_refuse("apps", _ENDLESS, "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"),
    *_refuse("", _ENDLESS, "ReplicationController"),
    *_refuse("ray.io", "It serves until it is deleted, so the item would never end. Launch a RayJob.", "RayService"),
)
