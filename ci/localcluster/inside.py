"""`ci/inside`: become a command that runs in the cluster's network."""

import argparse
import os

from localcluster.control_plane import admin_kubeconfig, audit_log
from localcluster.external import external_kubeconfig
from localcluster.lifecycle import Size, current_size
from localcluster.namespaces import Namespaces, without_proxies
from localcluster.network import ADDRESS, REGISTRY
from localcluster.paths import DEFAULT_NAME, ToolError, bin_dir, cluster_dir

# Give the command private /etc/hosts (the registry's name) and resolv.conf (the cluster's DNS) and become it: no
# process stays in between, so that signals and exit codes are its own.
_MOUNT = """
mount --bind "$0/hosts" /etc/hosts || exit 1
resolver=$(readlink -e /etc/resolv.conf) && mount --bind "$0/resolv.conf" "$resolver"
exec "$@"
"""


def main(arguments: list[str]) -> None:
    """`ci/inside [--name NAME] CMD …`: does not return; raises ToolError when no cluster is up."""
    parser = argparse.ArgumentParser(
        prog="ci/inside", description="Run CMD in the cluster's network, as its administrator."
    )
    parser.add_argument("--name", default=os.environ.get("LAUNCH_AGENT_CLUSTER", DEFAULT_NAME))
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD …")
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise ToolError("no command given: ci/inside [--name NAME] CMD …")
    if external := external_kubeconfig(options.name):
        _become(command, {**os.environ, "KUBECONFIG": external})
    state = cluster_dir(options.name)
    size = current_size(options.name)
    if size is None:
        raise ToolError(f"cluster {options.name} is not up: ci/cluster up apiserver|sim|full --name {options.name}")
    prefix = Namespaces(state).enter_network(
        "unshare", "--mount", "--propagation", "slave", "sh", "-c", _MOUNT, str(state)
    )
    cluster = {
        "KUBECONFIG": str(admin_kubeconfig(state)),
        "LAUNCH_AGENT_CLUSTER": options.name,
        "LAUNCH_AGENT_CLUSTER_SIZE": str(size),
        "LAUNCH_AGENT_CLUSTER_ADDRESS": ADDRESS,
    }
    if size != Size.APISERVER:
        cluster["LAUNCH_AGENT_CLUSTER_AUDIT_LOG"] = str(audit_log(state))
    if size == Size.FULL:
        cluster["LAUNCH_AGENT_CLUSTER_REGISTRY"] = REGISTRY
    _become([*prefix, *command], {**without_proxies(), **cluster})


def _become(command: list[str], environment: dict[str, str]) -> None:
    path = f"{bin_dir()}:{os.environ.get('PATH', os.defpath)}"
    os.environ["PATH"] = path
    try:
        os.execvpe(command[0], command, {**environment, "PATH": path})
    except FileNotFoundError:
        raise ToolError(f"{command[0]}: command not found") from None
