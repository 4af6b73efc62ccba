"""The kubelet's reasons for a container that waits, and what they mean to people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from launch_agent.core.categories import Category


@dataclass(frozen=True, slots=True)
class Rule:
    """What a reason means, the cure, and whether waiting longer is in vain."""

    category: Category
    what: str
    cure: str
    is_final: bool = False


_PULL_CURE = (
    "Check the image's name and tag, that the registry can be reached from the nodes, and the imagePullSecrets of the "
    "queue's config."
)
_PULL = Rule(Category.IMAGE_PULL, "can not start: its image can not be pulled", _PULL_CURE)
_START = Rule(
    Category.CONTAINER_START,
    "can not be created",
    "Check its command, its volume mounts and its securityContext; an image that runs as root needs a USER.",
)

WAITING: Mapping[str, Rule] = {
    "ErrImagePull": _PULL,
    "ImagePullBackOff": _PULL,
    "RegistryUnavailable": _PULL,
    "SignatureValidationFailed": _PULL,
    "ImageInspectError": _PULL,
    "InvalidImageName": Rule(
        Category.IMAGE_NAME,
        "can not start: its image's name is not valid",
        "Correct the image's name in the item or in the queue's config.",
        is_final=True,
    ),
    "ErrImageNeverPull": Rule(
        Category.IMAGE_PULL,
        "can not start: its image is not on the node and its imagePullPolicy is Never",
        "Use the imagePullPolicy IfNotPresent, or load the image onto the node.",
        is_final=True,
    ),
    "CreateContainerConfigError": Rule(
        Category.CONFIG_MISSING,
        "can not start: a Secret or ConfigMap that it needs is not there",
        "Create it in the job's namespace, or correct its name in the queue's config. The Secret of the API key is "
        "made by the chart in the namespaces of additionalTargetNamespaces.",
    ),
    "CreateContainerError": _START,
    "RunContainerError": _START,
    "PreStartHookError": _START,
    "PostStartHookError": _START,
}
