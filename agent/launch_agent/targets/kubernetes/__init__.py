"""The Kubernetes target: workloads of any kind, in one cluster or several, seen through watches."""

from launch_agent.targets.kubernetes.forms import shape_of
from launch_agent.targets.kubernetes.notices import NoticeSink
from launch_agent.targets.kubernetes.target import KubernetesTarget, OwnCluster

__all__ = ["KubernetesTarget", "NoticeSink", "OwnCluster", "shape_of"]
