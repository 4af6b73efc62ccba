"""What a transform works on and what it knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from launch_agent.core.context import LaunchContext
from launch_agent.core.kinds import Kind
from launch_agent.core.models import KeySecret, QueueItem
from launch_agent.core.spec import RunSpec

Body = dict[str, Any]
"""A manifest in the making. Never changed in place."""

"""Where a manifest stands in a run spec."""


@dataclass(frozen=True, slots=True)
class Code:
    """A job's code for an image that lacks it (protocol 7.3.6). Nothing sets it before jobs can be fetched.

    ``image`` and ``command`` are those of the init container that fetches it; with ``claim`` it lies on a volume
    already, at ``sub_path``. ``working_dir`` is below the mount; ``installs``: requirements are installed first.
    """

    image: str = ""
    command: tuple[str, ...] = ()
    claim: str = ""
    sub_path: str = ""
    working_dir: str = ""
    installs: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """What a transform knows besides the body.

    ``key_secret`` is where the API key is, ``pull_secret`` the name of the Secret that images are pulled with.
    ``places_image`` says that the manifest itself says where ``${image_uri}`` goes. ``max_runtime`` is in seconds.
    """

    item: QueueItem
    spec: RunSpec
    run_id: str
    context: LaunchContext
    environment: Mapping[str, str]
    key_secret: KeySecret | None
    kind: Kind
    places_image: bool = False
    max_runtime: float | None = None
    pull_secret: str = ""
    code: Code | None = None


Transform = Callable[[Body, Facts], Body]
"""From a manifest to the next; the facts never change."""
