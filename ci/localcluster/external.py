"""A cluster that the user gives replaces ours."""

import os
from pathlib import Path

from localcluster.lifecycle import current_size
from localcluster.paths import cache_dir


def external_kubeconfig(name: str) -> str | None:
    """`LAUNCH_AGENT_KUBECONFIG`; else `KUBECONFIG` while no cluster of ours called `name` is up; else None.

    A `KUBECONFIG` that `ci/inside` set for another cluster of ours is not the user's.
    """
    if given := os.environ.get("LAUNCH_AGENT_KUBECONFIG"):
        return given
    given = os.environ.get("KUBECONFIG")
    if not given or current_size(name) or Path(given).is_relative_to(cache_dir() / "clusters"):
        return None
    return given
