"""The Kubernetes target: workloads of any kind, in one cluster or several, seen through watches."""

from launch_agent.targets.kubernetes.marks import ITEM_ANNOTATION, ITEM_LABEL
from launch_agent.targets.kubernetes.notices import NoticeSink, trim
from launch_agent.targets.kubernetes.target import KubernetesTarget, OwnCluster

__all__ = ["ITEM_ANNOTATION", "ITEM_LABEL", "KubernetesTarget", "NoticeSink", "OwnCluster", "trim"]
