"""Where the API server keeps the kinds of operators."""

from __future__ import annotations

KINDS = {
    "JobSet": ("jobset.x-k8s.io/v1alpha2", "jobsets"),
    "LeaderWorkerSet": ("leaderworkerset.x-k8s.io/v1", "leaderworkersets"),
    "TrainJob": ("trainer.kubeflow.org/v1alpha1", "trainjobs"),
    "PyTorchJob": ("kubeflow.org/v1", "pytorchjobs"),
    "TFJob": ("kubeflow.org/v1", "tfjobs"),
    "XGBoostJob": ("kubeflow.org/v1", "xgboostjobs"),
    "PaddleJob": ("kubeflow.org/v1", "paddlejobs"),
    "JAXJob": ("kubeflow.org/v1", "jaxjobs"),
    "MPIJob": ("kubeflow.org/v2beta1", "mpijobs"),
    "VolcanoJob": ("batch.volcano.sh/v1alpha1", "jobs"),
    "RayJob": ("ray.io/v1", "rayjobs"),
    "RayCluster": ("ray.io/v1", "rayclusters"),
    "Workflow": ("argoproj.io/v1alpha1", "workflows"),
    "SparkApplication": ("sparkoperator.k8s.io/v1beta2", "sparkapplications"),
    "Training": ("example.com/v1", "trainings"),
    "LocalQueue": ("kueue.x-k8s.io/v1beta1", "localqueues"),
    "Workload": ("kueue.x-k8s.io/v1beta1", "workloads"),
}
"""Our name (the kind's own but for Volcano's Job) → API version and plural."""

PATHS = {name: f"/apis/{version}/namespaces/{{namespace}}/{plural}" for name, (version, plural) in KINDS.items()} | {
    "ResourceFlavor": "/apis/kueue.x-k8s.io/v1beta1/resourceflavors",
    "ClusterQueue": "/apis/kueue.x-k8s.io/v1beta1/clusterqueues",
}
"""Our name → the path of its objects, as `tests.support.cluster` wants it."""
