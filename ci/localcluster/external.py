"""A cluster that the user gives replaces ours."""

import os

from localcluster.lifecycle import current_size


def external_kubeconfig(name: str) -> str | None:
    """`LAUNCH_AGENT_KUBECONFIG`; else `KUBECONFIG` while no cluster of ours called `name` is up; else None."""
    if given := os.environ.get("LAUNCH_AGENT_KUBECONFIG"):
        return given
    return None if current_size(name) else os.environ.get("KUBECONFIG") or None
